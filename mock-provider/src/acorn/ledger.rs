//! What acorn really did, for those who audit it afterwards.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::charge::{Decline, State};
use crate::ledger::{Answer, Course, WebhookKind};

/// A snapshot of everything acorn did since it was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What all draws derive from.
    pub seed: u64,
    /// By how much every delay was divided.
    pub time_scale: f64,
    /// One entry per request that was neither malformed nor a repetition, in order of arrival.
    pub executions: Vec<Execution>,
    /// Every delivery of a batch, in order of sending.
    pub deliveries: Vec<Delivery>,
    /// How many inquiries there were, refused ones included.
    pub inquiries: u64,
    /// How many of them were answered 403.
    pub blocked: u64,
}

impl Ledger {
    /// The entries of one idempotency key, in order of arrival.
    pub fn of_key<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Execution> {
        self.executions.iter().filter(move |entry| entry.key == key)
    }

    /// The entries whose `metadata[order]` is this, in order of arrival, under whatever keys.
    pub fn of_order<'a>(&'a self, order: &'a str) -> impl Iterator<Item = &'a Execution> {
        self.executions
            .iter()
            .filter(move |entry| entry.order.as_deref() == Some(order))
    }

    /// The entry of one charge.
    #[must_use]
    pub fn of_charge(&self, id: &str) -> Option<&Execution> {
        self.executions
            .iter()
            .find(|entry| entry.charge.as_deref() == Some(id))
    }
}

/// One request for a charge and all that came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The idempotency key.
    pub key: String,
    /// Which entry of that key it is, counted from 1.
    pub execution: u32,
    /// The merchant's name for it, `metadata[order]`.
    pub order: Option<String>,
    /// The charge's id; `None` when nothing is executed.
    pub charge: Option<String>,
    /// As it was asked for.
    pub amount: String,
    /// As it was asked for.
    pub currency: String,
    /// Every field of the body except `callback_url` (which may carry a secret).
    pub payload: Map<String, Value>,
    /// When it came, in ms since 1970.
    pub received_at_ms: u64,
    /// Whether a charge comes of it, now or later. Two such entries that mean the same payment are a
    /// double payment.
    pub executed: bool,
    /// Paid or rejected, from the start; `None` when nothing is executed or decided.
    pub outcome: Option<State>,
    /// Whether it is or will be reversed after it was paid.
    pub reversed: bool,
    /// When the charge exists or will exist, in ms since 1970.
    pub exists_at_ms: Option<u64>,
    /// When the outcome exists or will exist, in ms since 1970.
    pub decided_at_ms: Option<u64>,
    /// What became of it.
    pub course: Course,
    /// What the client was, or will be, told; [`Answer::Ok`] with `declined` is a 402.
    pub answer: Answer,
    /// Why it was rejected at the door.
    pub declined: Option<Decline>,
    /// How many requests with the same key were answered from what is known of this one, 409 and 422
    /// included.
    pub repetitions: u32,
    /// The events that were put into batches so far.
    pub events: Vec<EventQueued>,
}

/// An event on its way into a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventQueued {
    /// When, in ms since 1970.
    pub at_ms: u64,
    /// Its uid.
    pub uid: String,
    /// The state it claims.
    pub state: State,
    /// Which kind it is.
    pub kind: WebhookKind,
}

/// One delivery of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was sent, in ms since 1970.
    pub at_ms: u64,
    /// The batch, the same at each delivery.
    pub batch_id: String,
    /// Which delivery of the batch it was, counted from 1.
    pub attempt: u32,
    /// The events in it, in their order.
    pub uids: Vec<String>,
    /// The HTTP status of the answer; `None` = no answer within 5 s.
    pub answer: Option<u16>,
    /// Whether the answer was 202 with the body `OK`.
    pub acknowledged: bool,
}
