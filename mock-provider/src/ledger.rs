//! The ledger: what the provider really did, for those who audit it afterwards.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bounded::Bounded;
use crate::model::Status;

/// How many POSTs one provider keeps. A load test of an hour at 250 POSTs a second fits.
pub const MAX_EXECUTIONS: usize = 1_000_000;

/// How many bytes of payloads it keeps altogether: half of a small machine's GiB.
pub const MAX_PAYLOAD_BYTES: usize = 512 * 1024 * 1024;

/// A snapshot of everything the provider did since it was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What all draws derive from.
    pub seed: u64,
    /// By how much every delay was divided.
    pub time_scale: f64,
    /// One entry per accepted POST, in order of arrival.
    pub executions: Vec<Execution>,
    /// How many inquiries there were, refused ones included.
    pub inquiries: u64,
    /// How many of them were answered 403.
    pub blocked: u64,
}

impl Ledger {
    /// The entries of one id, in order of arrival.
    pub fn of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Execution> {
        self.executions.iter().filter(move |entry| entry.id == id)
    }
}

/// One POST and all that came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The id that was posted.
    pub id: String,
    /// Which POST of that id it was, counted from 1.
    pub execution: u32,
    /// Every field of the body except `id` and `webhookUrl` (which may carry a secret).
    pub payload: Map<String, Value>,
    /// When it came, in ms since 1970.
    pub received_at_ms: u64,
    /// Whether money moves or is declined because of it, now or later. Two such entries that mean
    /// the same payment are a double payment.
    pub executed: bool,
    /// The outcome, from the start; `None` when nothing is executed.
    pub status: Option<Status>,
    /// When the outcome exists or will exist, in ms since 1970.
    pub exists_at_ms: Option<u64>,
    /// What became of it.
    pub course: Course,
    /// What the client was, or will be, told.
    pub answer: Answer,
    /// The webhooks sent so far.
    pub webhooks: Vec<WebhookSent>,
}

/// What becomes of a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Executed, the outcome exists when the answer is due.
    Answered,
    /// Executed later than the answer.
    Ghost,
    /// Never executed, and the client can't know.
    Lost,
    /// Never executed, and the client was told so.
    Refused,
}

/// How a POST is answered. The names are those of the script's field `answer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// 200 with the final status.
    Ok,
    /// 504 with the body `Timeout`.
    Timeout,
    /// 500.
    #[serde(rename = "error_500")]
    Error500,
    /// 503.
    #[serde(rename = "refuse_503")]
    Refuse503,
    /// 429 with `Retry-After`.
    #[serde(rename = "refuse_429")]
    Refuse429,
    /// Half of the answer's body, then the connection is torn.
    Reset,
    /// 200 with a body that isn't JSON.
    Garbage,
    /// The answer, a byte at a time.
    Drip,
    /// None, ever.
    Hang,
    /// None; the connection is closed instead.
    Close,
}

/// One webhook that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSent {
    /// When, in ms since 1970.
    pub at_ms: u64,
    /// The status it claimed.
    pub status: Status,
    /// Which kind it was.
    pub kind: WebhookKind,
    /// The HTTP status it was answered with; `None` = no answer within 5 s.
    pub answer: Option<u16>,
}

/// Why a webhook was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookKind {
    /// The one that belongs to the POST, at whatever time.
    Genuine,
    /// The same once more.
    Duplicate,
    /// One that says the opposite.
    Contradictory,
    /// One from somebody else.
    Forged,
}

/// The entries as the running server keeps them.
#[derive(Debug)]
pub(crate) struct Entries(Bounded<Execution>);

impl Entries {
    pub(crate) fn new() -> Self {
        Self(Bounded::new(MAX_EXECUTIONS, MAX_PAYLOAD_BYTES))
    }

    /// Whether a POST whose body has this many bytes can still be kept.
    pub(crate) fn has_room_for(&self, body_bytes: usize) -> bool {
        self.0.has_room_for(body_bytes)
    }

    /// Keeps an entry and says where; the caller has asked for room.
    pub(crate) fn push(&mut self, entry: Execution, body_bytes: usize) -> usize {
        self.0.push(entry, body_bytes)
    }

    /// Adds a webhook to the entry at `index`.
    pub(crate) fn add_webhook(&mut self, index: usize, sent: WebhookSent) {
        if let Some(entry) = self.0.get_mut(index) {
            entry.webhooks.push(sent);
        }
    }

    /// A copy of everything.
    pub(crate) fn to_vec(&self) -> Vec<Execution> {
        self.0.to_vec()
    }
}
