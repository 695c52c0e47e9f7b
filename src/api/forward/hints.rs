//! Hints that came to a node that does not own their transaction: a reason to ask the provider earlier,
//! told to the owner once, as well as may be. The armed inquiry asks anyway.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::Errand;
use super::envelope::Passport;
use super::listener::Hop;
use crate::actors::messages::Call;
use crate::api::{Doors, Problem};
use crate::ports::Owner;
use crate::transaction::Key;

/// Where a node takes hints from others.
pub(super) const PATH: &str = "/nodes/hints";
/// Hints on their way at once, at most; one more is dropped.
pub(super) const HINTS_AT_ONCE: usize = 64;
/// For a hint to arrive: one that takes longer comes hardly earlier than the armed inquiry.
const HINT_WITHIN: Duration = Duration::from_secs(2);

/// A hint between nodes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hint {
    key: Key,
    provider: String,
}

/// Tells the transaction's owner, which is another node, if it can be told now. Returns at once.
pub(in crate::api) fn pass_on(doors: &web::Data<Doors>, key: Key, provider: &str) {
    let Owner::Elsewhere { url, .. } = doors.house.ownership.owner(key.partition()) else {
        return;
    };
    let Some(neighbours) = &doors.neighbours else {
        return;
    };
    let Ok(place) = std::sync::Arc::clone(&neighbours.hints).try_acquire_owned() else {
        return;
    };
    let hint = Hint {
        key,
        provider: provider.to_owned(),
    };
    let Ok(body) = serde_json::to_vec(&hint) else {
        return;
    };
    let doors = doors.clone();
    actix_web::rt::spawn(async move {
        let errand = Errand {
            to: &url,
            method: Method::POST,
            target: PATH,
            headers: vec![("content-type", b"application/json".to_vec())],
            passport: Passport::Node,
            body: Bytes::from(body),
            answer_within: HINT_WITHIN,
        };
        if let Some(neighbours) = &doors.neighbours
            && let Err(why) = neighbours.carry(errand).await
        {
            tracing::debug!(key = %hint.key, %why, "a hint did not reach the transaction's owner");
        }
        drop(place);
    });
}

/// `POST /nodes/hints`, of a node only.
pub(super) async fn take(
    doors: web::Data<Doors>,
    request: HttpRequest,
    hint: web::Bytes,
) -> Result<HttpResponse, Problem> {
    use actix_web::HttpMessage;
    let from_node = request
        .extensions()
        .get::<Hop>()
        .is_some_and(|hop| hop.caller.is_none());
    if !from_node {
        return Err(Problem::wrong_role("hints come from nodes only"));
    }
    let Hint { key, provider } = serde_json::from_slice(&hint).map_err(Problem::malformed_json)?;
    if doors.house.ownership.tenure(key.partition()).is_some() {
        // One that finds no room is not worth keeping.
        let _ = doors.house.router.send(key, Call::Hint { provider });
    }
    Ok(HttpResponse::Accepted().finish())
}
