//! Questions about what each node holds for itself: asked of all of them, answered in one piece that
//! says which node each row comes from, and who did not answer.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Bytes;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::carry::{self, Errand};
use super::envelope::Passport;
use super::{Neighbours, is_hop};
use crate::api::{Caller, Doors};
use crate::ports::NodeView;

/// For a node's whole answer: an operator who looks for trouble must not wait for the node that has it.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Bytes of a node's answer, at most: a page of a hundred actors has some 200 KiB.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What the nodes said.
#[derive(Debug)]
pub(in crate::api) struct Gathered {
    /// Each node's answer, with its name; this node's first.
    pub(in crate::api) answers: Vec<(String, Value)>,
    /// The names of those that did not answer in time.
    pub(in crate::api) missing: Vec<String>,
}

/// Asks the other nodes the same question, given this node's own answer, or gives that back: to another
/// node that asks, and where there is no other.
pub(in crate::api) async fn gather(
    doors: &Doors,
    caller: &Caller,
    request: &HttpRequest,
    here: Value,
) -> Result<Gathered, Value> {
    let (Some(cluster), Some(neighbours)) = (&doors.cluster, &doors.neighbours) else {
        return Err(here);
    };
    if is_hop(request) {
        return Err(here);
    }
    let snapshot = cluster.cluster();
    let asked = snapshot.others().map(|node| async {
        let answer = ask(neighbours, caller, request, node);
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        (node.card.name.clone(), answer.ok().flatten())
    });
    let mut gathered = Gathered {
        answers: vec![(snapshot.node.name.clone(), here)],
        missing: Vec::new(),
    };
    for (name, answer) in join_all(asked).await {
        match answer {
            Some(answer) => gathered.answers.push((name, answer)),
            None => gathered.missing.push(name),
        }
    }
    Ok(gathered)
}

async fn ask(
    neighbours: &Neighbours,
    caller: &Caller,
    request: &HttpRequest,
    node: &NodeView,
) -> Option<Value> {
    let errand = Errand {
        to: &node.card.url,
        method: Method::GET,
        target: request.uri().path_and_query()?.as_str(),
        headers: carry::carried(request.headers()),
        passport: Passport::of(caller),
        body: Bytes::new(),
        answer_within: ANSWER_WITHIN,
    };
    let answer = neighbours.carry(errand).await.ok()?;
    if answer.status() != reqwest::StatusCode::OK {
        return None;
    }
    serde_json::from_slice(&carry::whole(answer, ANSWER_MAX_BYTES).await?).ok()
}

impl Gathered {
    /// The answer whose one list is `data`.
    pub(in crate::api) fn data(&self) -> Value {
        json!({ "data": self.rows("data"), "missing": self.missing })
    }

    /// The rows of all answers' `field`, each with its node's name.
    pub(in crate::api) fn rows(&self, field: &str) -> Vec<Value> {
        let of_node = |(name, answer): &(String, Value)| {
            let rows = answer[field].as_array().cloned().unwrap_or_default();
            let named = |mut row: Value| {
                if let Some(fields) = row.as_object_mut() {
                    fields.insert("node".to_owned(), Value::from(name.as_str()));
                }
                row
            };
            rows.into_iter().map(named).collect::<Vec<_>>()
        };
        self.answers.iter().flat_map(of_node).collect()
    }
}
