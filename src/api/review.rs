//! The review: what needs a person. The journal lists what is in review or contradictory; what repeated
//! panics have put aside only the shards know, so it comes first, on the first page.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::operators::{Query, query};
use super::transactions::{LIST_MAX, answer_page, cursor, limit, rows};
use super::view::Line;
use super::{Doors, Problem, forward};
use crate::ports::{ListQuery, Summary};
use crate::transaction::{Key, Transaction};

/// The query of the review's list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewQuery {
    app: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// `GET /v1/review`: what needs a person.
pub(super) async fn review(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
    pages: Query<ReviewQuery>,
) -> Result<HttpResponse, Problem> {
    let pages = query(pages)?;
    let query = ListQuery {
        app: pages.app.clone(),
        needs_review: true,
        cursor: pages.cursor.as_deref().map(cursor).transpose()?,
        limit: pages.limit.as_deref().map_or(Ok(LIST_MAX), limit)?,
        ..ListQuery::default()
    };
    let page = rows(&doors, query).await?;
    if pages.cursor.is_some() {
        return Ok(answer_page(&request, &page));
    }
    let here = json!({
        "put_aside": put_aside(&doors, pages.app.as_deref()).await,
        "page": page,
    });
    if forward::is_hop(&request) {
        // The node that asks has the journal's page itself.
        return Ok(HttpResponse::Ok().json(here));
    }
    let (aside, missing) = match forward::gather(&doors, &caller, &request, here.clone()).await {
        Err(here) => (here["put_aside"].clone(), None),
        Ok(gathered) => (
            Value::from(gathered.rows("put_aside")),
            Some(gathered.missing),
        ),
    };
    let mut page = here["page"].clone();
    if let (Value::Array(mut first), Some(rest)) = (aside, page["data"].as_array_mut()) {
        first.append(rest);
        *rest = first;
    }
    if let Some(missing) = missing {
        page["missing"] = json!(missing);
    }
    Ok(answer_page(&request, &page))
}

/// What this node has put aside, as lines of the list; not what the journal lists already.
async fn put_aside(doors: &Doors, app: Option<&str>) -> Vec<Value> {
    let keys = doors.house.router.put_aside(LIST_MAX).await;
    let wanted = |key: &Key| app.is_none_or(|app| key.app.as_str() == app);
    let mut lines = Vec::new();
    for key in keys.into_iter().filter(wanted) {
        match look_up(doors, &key).await {
            Ok(summary) if summary.needs_review => {}
            Ok(summary) => lines.push(marked(json!(Line::of(&summary)))),
            // Even what can't be read now is shown.
            Err(why) => {
                tracing::warn!(%key, why, "what is put aside can't be read for the review");
                lines.push(marked(json!({ "id": key.id, "app": key.app.as_str() })));
            }
        }
    }
    lines
}

fn marked(mut line: Value) -> Value {
    line["needs_review"] = json!(true);
    line["put_aside"] = json!(true);
    line
}

async fn look_up(doors: &Doors, key: &Key) -> Result<Summary, String> {
    let records = doors.house.journal.load(key).await;
    let records = records.map_err(|error| error.to_string())?;
    let records = records.ok_or_else(|| "its history could not be found".to_owned())?;
    let folded = Transaction::fold(key, &records);
    let transaction = folded.map_err(|corrupt| corrupt.to_string())?;
    Ok(Summary::of(&transaction, doors.house.clock.now()))
}
