//! The operators' door: what every actor is doing, what needs a person, and the acts.

use actix_web::http::StatusCode;
use actix_web::http::header::{Header, IfMatch};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::forward::Gathered;
use super::transactions::{LIST_MAX, limit, within};
use super::view::{self, View};
use super::{Caller, Doors, Problem, body, forward, intake};
use crate::actors::gate::GateStatus;
use crate::actors::messages::Acted;
use crate::actors::router::Unanswered;
use crate::actors::status::ActorStatus;
use crate::transaction::{Act, AppId, Command, Key, Outcome};

/// Characters of a person's name or reason that are kept, at most.
const WORDS_MAX: usize = 500;

/// `GET /v1/actors/{id}`.
pub(super) async fn actor(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let key = caller.key(&doors, &request, &path)?;
    if let Some(answer) = forward::to_owner(&doors, &caller, &request, &key, Bytes::new()).await? {
        return Ok(answer);
    }
    let status = within(
        doors.bounds.commit_deadline,
        doors.house.router.inspect(key.clone()),
    )
    .await?;
    let status = status.ok_or_else(|| Problem::unknown_transaction(key.id))?;
    let Some(cluster) = &doors.cluster else {
        return Ok(HttpResponse::Ok().json(status));
    };
    let mut status = json!(status);
    status["node"] = json!(cluster.cluster().node.name);
    status["partition"] = json!(key.partition());
    Ok(HttpResponse::Ok().json(status))
}

/// The query of the actors' list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pages {
    cursor: Option<String>,
    limit: Option<String>,
}

pub(super) type Query<T> = Result<web::Query<T>, actix_web::Error>;

pub(super) fn query<T>(query: Query<T>) -> Result<T, Problem> {
    query
        .map(web::Query::into_inner)
        .map_err(|error| Problem::invalid_field("query", error.to_string()))
}

/// `GET /v1/actors`: those in memory, by id, and what each shard holds.
pub(super) async fn actors(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
    pages: Query<Pages>,
) -> Result<HttpResponse, Problem> {
    let pages = query(pages)?;
    let limit = pages.limit.as_deref().map_or(Ok(LIST_MAX), limit)?;
    let after = pages.cursor.as_deref().map(actor_cursor).transpose()?;
    let here = actors_here(&doors, after, limit).await?;
    let answer = match forward::gather(&doors, &caller, &request, here).await {
        Ok(gathered) => actors_of_all(&gathered, limit),
        Err(here) => here,
    };
    Ok(HttpResponse::Ok().json(answer))
}

async fn actors_here(doors: &Doors, after: Option<Key>, limit: usize) -> Result<Value, Problem> {
    let router = &doors.house.router;
    let keys = router.live_keys(after, limit).await;
    let next = (keys.len() == limit)
        .then(|| keys.last().map(Key::to_string))
        .flatten();
    let mut data: Vec<Box<ActorStatus>> = Vec::with_capacity(keys.len());
    for key in keys {
        // One that left memory, or was interrupted, meanwhile is no longer an answer to the question.
        match router.inspect(key).await {
            Ok(status) => data.extend(status.filter(|status| status.resident)),
            Err(Unanswered::Interrupted) => {}
            Err(unanswered) => return Err(unanswered.into()),
        }
    }
    let shards = router.shard_statuses().await;
    Ok(json!({
        "data": data,
        "has_more": next.is_some(),
        "next_cursor": next,
        "shards": shards,
    }))
}

/// One page out of each node's page. It ends where the first of them ends that has more, for behind
/// that key there may be rows that nobody has named yet.
fn actors_of_all(gathered: &Gathered, limit: usize) -> Value {
    let cut = |(_, answer): &(String, Value)| actor_cursor(answer["next_cursor"].as_str()?).ok();
    let mut end: Option<Key> = gathered.answers.iter().filter_map(cut).min();
    let key = |row: &Value| {
        let (app, id) = (row["app"].as_str()?, row["id"].as_str()?);
        actor_cursor(&format!("{app}/{id}")).ok()
    };
    let rows = gathered.rows("data").into_iter();
    let mut rows: Vec<(Key, Value)> = rows.filter_map(|row| Some((key(&row)?, row))).collect();
    rows.retain(|(key, _)| end.as_ref().is_none_or(|end| key <= end));
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    if rows.len() > limit {
        rows.truncate(limit);
        end = rows.last().map(|(key, _)| key.clone());
    }
    let data: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    json!({
        "data": data,
        "has_more": end.is_some(),
        "next_cursor": end.map(|end| end.to_string()),
        "shards": gathered.rows("shards"),
        "missing": gathered.missing,
    })
}

/// Where a page of actors begins: after the transaction that the one before ended with.
fn actor_cursor(text: &str) -> Result<Key, Problem> {
    let fault = || {
        Problem::invalid_field(
            "query:cursor",
            "a cursor comes from next_cursor of the page before",
        )
    };
    let (app, id) = text.split_once('/').ok_or_else(fault)?;
    Ok(Key {
        app: AppId::parse(app).map_err(|_| fault())?,
        id: intake::id(id, "query:cursor")?,
    })
}

/// `GET /v1/providers`: gates, budgets, breakers.
pub(super) async fn providers(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
) -> HttpResponse {
    let here = json!({ "data": providers_here(&doors) });
    let answer = forward::gather(&doors, &caller, &request, here).await;
    HttpResponse::Ok().json(answer.map_or_else(|here| here, |gathered| gathered.data()))
}

/// What each gate says, and how many answers its provider gave about other payments.
fn providers_here(doors: &Doors) -> Vec<Value> {
    let shown = |gate: GateStatus| {
        let provider = doors.house.providers.get(&gate.provider);
        let about_others = provider.map_or(0, |provider| provider.answers_about_others());
        let mut shown = json!(gate);
        shown["answers_about_others"] = json!(about_others);
        shown
    };
    doors.house.gate_statuses().into_iter().map(shown).collect()
}

/// `POST /v1/transactions/{id}/cancel`, `/inquire`, `/resubmit`, `/resolve`, `/redeliver`.
pub(super) async fn act(
    caller: Caller,
    doors: web::Data<Doors>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let path = request.match_info();
    let word = path.get("command").unwrap_or_default().to_owned();
    if word != "cancel" {
        caller.expect_operator()?;
    }
    let key = caller.key(&doors, &request, path.get("id").unwrap_or_default())?;
    let body = body::read(
        &request,
        payload,
        doors.bounds.body_bytes,
        doors.bounds.body_deadline,
    )
    .await?;
    if !body.is_empty() {
        body::expect_json(&request)?;
    }
    if let Some(answer) = forward::to_owner(&doors, &caller, &request, &key, body.clone()).await? {
        return Ok(answer);
    }
    let act = read_act(&caller, &word, &body, seen_version(&request)?)?;
    tracing::info!(%key, command = word, by = %act.by, "somebody acts");
    match within(
        doors.bounds.commit_deadline,
        doors.house.router.act(key.clone(), act),
    )
    .await?
    {
        Acted::Done(transaction) => {
            Ok(view::answer(&transaction, StatusCode::OK).json(View::of(&transaction)))
        }
        Acted::Refused(ignored) => Err(Problem::refused(&ignored)),
        Acted::Nowhere => Err(Problem::unknown_transaction(key.id)),
        Acted::Unavailable(why) => Err(Problem::unavailable(why)),
    }
}

/// The version that the person saw, from `If-Match`.
fn seen_version(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    if !request.headers().contains_key("if-match") {
        return Ok(None);
    }
    let fault = || {
        Problem::invalid_field(
            "header:If-Match",
            "If-Match takes the ETag of the transaction that you saw",
        )
    };
    match IfMatch::parse(request).map_err(|_| fault())? {
        IfMatch::Any => Ok(None),
        IfMatch::Items(tags) => tags
            .first()
            .and_then(view::version)
            .map(Some)
            .ok_or_else(fault),
    }
}

fn read_act(caller: &Caller, word: &str, body: &[u8], seen: Option<u64>) -> Result<Act, Problem> {
    let fields: Value = match body {
        b"" => json!({}),
        body => serde_json::from_slice(body).map_err(Problem::malformed_json)?,
    };
    let text = |name: &str| text(&fields, name);
    let (by, why) = (caller.signed(text("by")?), text("why")?);
    let command = match word {
        "cancel" => Command::Cancel,
        "inquire" => Command::Inquire,
        "resubmit" => Command::Resubmit,
        "redeliver" => Command::Redeliver,
        _ => resolve(&fields)?,
    };
    let (by, why) = match command {
        // The app's own acts need no name; a person's do.
        Command::Cancel | Command::Inquire | Command::Redeliver => (
            by.unwrap_or_else(|| "app".to_owned()),
            why.unwrap_or_default(),
        ),
        Command::Resubmit | Command::Resolve { .. } => {
            let missing = |name: &str| {
                let detail = format!(
                    "say {name:?}: the act is kept in the transaction's history with who and why"
                );
                Problem::invalid_field(format!("/{name}"), detail)
            };
            (
                by.ok_or_else(|| missing("by"))?,
                why.ok_or_else(|| missing("why"))?,
            )
        }
    };
    Ok(Act {
        by,
        why,
        seen,
        command,
    })
}

/// What a person says in this field, cut to a bound; `None` if nothing.
pub(super) fn text(fields: &Value, name: &str) -> Result<Option<String>, Problem> {
    match &fields[name] {
        Value::Null => Ok(None),
        Value::String(text) if !text.trim().is_empty() => {
            Ok(Some(text.chars().take(WORDS_MAX).collect()))
        }
        other => {
            let detail = format!(
                "{name:?} has to be a text that is not empty; it is {}",
                intake::kind(other)
            );
            Err(Problem::invalid_field(format!("/{name}"), detail))
        }
    }
}

fn resolve(fields: &Value) -> Result<Command, Problem> {
    let outcome = match fields["outcome"].as_str() {
        Some("completed") => Outcome::Completed,
        Some("declined") => Outcome::Declined,
        Some("failed") => Outcome::Failed,
        _ => {
            let detail = "\"outcome\" has to be \"completed\", \"declined\" or \"failed\"";
            return Err(Problem::invalid_field("/outcome", detail));
        }
    };
    let while_open = match &fields["while_open"] {
        Value::Null => false,
        Value::Bool(value) => *value,
        other => {
            let detail = format!(
                "\"while_open\" has to be true or false; it is {}",
                intake::kind(other)
            );
            return Err(Problem::invalid_field("/while_open", detail));
        }
    };
    Ok(Command::Resolve {
        outcome,
        while_open,
    })
}
