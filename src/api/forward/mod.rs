//! From one node to another, where several share a journal: what needs a transaction's owner is
//! carried to it and answered by it.
//!
//! ```text
//!   client ──▶ any node ── owner here? ── yes ──▶ the actor
//!                              │ elsewhere
//!                              ▼  sealed envelope: who asked, method, path, headers, body's hash
//!                   the owner's listener for nodes ──▶ the same door, the same rights
//!                              │ not the owner (any more)
//!                              ▼
//!                             503, Retry-After: 1
//! ```
//!
//! A request that came from a node is never carried on, so that it takes one hop at most and can't go
//! round in circles. While a partition has no owner the answer is 503: nobody could answer truly.

mod carry;
mod envelope;
mod gather;
mod hints;
mod listener;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

pub use envelope::NodeSecrets;
pub(super) use gather::{Gathered, gather};
pub(super) use hints::pass_on;
pub use listener::mount_for_nodes;
pub(super) use listener::{Hop, is_hop};

use self::carry::{Errand, Unreached};
use self::envelope::Passport;
use self::hints::HINTS_AT_ONCE;
use super::{Caller, Doors, Problem, prefer};
use crate::ports::Owner;
use crate::transaction::{Key, Status};

/// For a connection to another node: they stand in one network.
pub const CONNECT_TIME_OUT: Duration = Duration::from_secs(1);
/// Idle connections kept to each node. Hundreds of waiting clients have one each while they wait;
/// what is kept between bursts need not be more.
pub const IDLE_CONNECTIONS: usize = 32;

/// How often a request that is out looks whether its owner still is one. Owners change within seconds.
const OWNER_LOOK: Duration = Duration::from_millis(500);
/// Bytes of one transaction as a door shows it, at most. It has about 1 KiB.
const VIEW_MAX_BYTES: usize = 64 * 1024;

/// The way to the other nodes.
pub struct Neighbours {
    http: reqwest::Client,
    secrets: NodeSecrets,
    here: String,
    hints: Arc<tokio::sync::Semaphore>,
}

impl Neighbours {
    /// The way from the node that others reach at `here`, without a slash at the end. The client
    /// follows no redirects, repeats nothing, and connects within [`CONNECT_TIME_OUT`].
    #[must_use]
    pub fn new(http: reqwest::Client, secrets: NodeSecrets, here: &str) -> Self {
        Self {
            http,
            secrets,
            here: here.trim_end_matches('/').to_owned(),
            hints: Arc::new(tokio::sync::Semaphore::new(HINTS_AT_ONCE)),
        }
    }
}

/// The owner's answer to a request about this transaction; `None` if the owner is here.
///
/// # Errors
/// 503 while nobody owns it, if the owner can't be reached, and for what came from a node already.
pub(super) async fn to_owner(
    doors: &web::Data<Doors>,
    caller: &Caller,
    request: &HttpRequest,
    key: &Key,
    body: Bytes,
) -> Result<Option<HttpResponse>, Problem> {
    let url = match doors.house.ownership.owner(key.partition()) {
        Owner::Here => return Ok(None),
        Owner::Elsewhere { url, .. } if !is_hop(request) => url,
        Owner::Elsewhere { .. } | Owner::Nobody => return Err(Problem::moving()),
    };
    let neighbours = doors.neighbours.as_ref().ok_or_else(Problem::moving)?;
    let errand = Errand {
        to: &url,
        method: request.method().clone(),
        target: request
            .uri()
            .path_and_query()
            .map_or(request.path(), |target| target.as_str()),
        headers: carry::carried(request.headers()),
        passport: Passport::of(caller),
        body,
        answer_within: prefer::wait(request).unwrap_or_default() + doors.bounds.commit_deadline,
    };
    // A node that stands still answers nobody, and is nobody's owner once its lease is over.
    let gone = moved(doors.clone(), key.clone(), url.clone());
    let answer = tokio::select! {
        answer = neighbours.carry(errand) => answer,
        () = gone => Err(Unreached::Perhaps("it is not the owner any more".to_owned())),
    };
    match answer {
        Ok(answer) => {
            let gone = moved(doors.clone(), key.clone(), url);
            Ok(Some(carry::pass_back(answer, gone)))
        }
        Err(unreached) => Err(unanswered(request.method(), &unreached)),
    }
}

/// Resolves once the node at `url` is not the transaction's owner any more.
async fn moved(doors: web::Data<Doors>, key: Key, url: String) {
    loop {
        tokio::time::sleep(OWNER_LOOK).await;
        match doors.house.ownership.owner(key.partition()) {
            Owner::Elsewhere { url: now, .. } if now == url => {}
            _ => return,
        }
    }
}

/// What the owner says of a transaction that somebody has waited for.
pub(super) struct Awaited {
    pub(super) is_final: bool,
    pub(super) etag: Option<HeaderValue>,
    /// JSON, as the door shows it.
    pub(super) body: Vec<u8>,
}

impl Awaited {
    /// The head of the answer that shows it: 200 once it is final, else 202.
    pub(super) fn answer(&self) -> HttpResponseBuilder {
        let status = if self.is_final {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        let mut response = HttpResponse::build(status);
        response.content_type("application/json");
        if let Some(etag) = &self.etag {
            response.insert_header((header::ETAG, etag.clone()));
        }
        response
    }
}

/// Waits at the owner until a transaction that was just accepted is final; `None` if the owner can't
/// say: what was accepted stays accepted.
pub(super) async fn wait_at_owner(
    doors: &Doors,
    caller: &Caller,
    key: &Key,
    wait: Duration,
) -> Option<Awaited> {
    let Owner::Elsewhere { url, .. } = doors.house.ownership.owner(key.partition()) else {
        return None;
    };
    let neighbours = doors.neighbours.as_ref()?;
    let target = format!("/v1/transactions/{}?app={}", key.id, key.app);
    let answer_within = wait + doors.bounds.commit_deadline;
    let errand = Errand {
        to: &url,
        method: Method::GET,
        target: &target,
        headers: vec![("prefer", format!("wait={}", wait.as_secs()).into_bytes())],
        passport: Passport::of(caller),
        body: Bytes::new(),
        answer_within,
    };
    let asked = async {
        let answer = neighbours.carry(errand).await.ok()?;
        if answer.status() != reqwest::StatusCode::OK {
            return None;
        }
        let etag = answer.headers().get(reqwest::header::ETAG);
        let etag = etag.and_then(|tag| HeaderValue::from_bytes(tag.as_bytes()).ok());
        let body = carry::whole(answer, VIEW_MAX_BYTES).await?;
        let view: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let status = Status::parse(view["status"].as_str()?)?;
        Some(Awaited {
            is_final: !matches!(status, Status::Pending | Status::InReview),
            etag,
            body,
        })
    };
    tokio::time::timeout(answer_within, asked).await.ok()?
}

/// What a client is told whose request brought no answer from the owner. A question can be asked again;
/// what became of an act is known only if it never got there.
fn unanswered(method: &Method, unreached: &Unreached) -> Problem {
    tracing::warn!(%method, %unreached, "a request could not be carried to its transaction's owner");
    match unreached {
        Unreached::Surely(_) => Problem::owner_unreachable(),
        Unreached::Perhaps(_) if method == Method::GET => Problem::owner_unreachable(),
        Unreached::Perhaps(_) => Problem::unconfirmed(),
    }
}
