//! What the actors need from the world, as traits: a journal that remembers, providers that move
//! money, a notifier that tells the app. Adapters implement them; the simulation does too.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::transaction::{
    Attempt, DeliveryResult, Intent, Key, Mono, Notice, Policy, Record, Report, Request,
    Resolution, State, Status, Timestamp, Transaction, TransactionId,
};

/// A future that can cross threads.
pub type Promise<T> = Pin<Box<dyn Future<Output = T> + Send>>;

// ---- journal -----------------------------------------------------------------------------------------

/// Where an event becomes a fact.
pub trait Journal: Send + Sync {
    /// Makes one step durable. The answer comes after the record is on disk, never before (law 1).
    /// The work goes on when the future is dropped.
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>>;

    /// The whole history of a transaction; `None` if there is none.
    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>>;

    /// The open transactions, for recovery: ordered by an opaque position, starting after `after`.
    fn open(&self, after: u64, limit: usize) -> Promise<Result<OpenPage, JournalError>>;

    /// What people ask. As of [`Page::as_of`], which may lie a moment back.
    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>>;

    /// Makes durable that an idempotency key's own id stands for the id that came with it, so that the
    /// key alone finds that transaction later (law 7). [`AppendError::Exists`] if the key's id stands for
    /// something already.
    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>>;

    /// The id that an idempotency key's own id stands for, if it was bound.
    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>>;

    /// Keeps a trusted webhook that belongs to no known transaction, once per event id.
    fn keep_unmatched(&self, webhook: Unmatched) -> Promise<Result<(), AppendError>>;

    /// Every sequence number up to this one is in the queryable store: the transactions that it
    /// completes may leave memory.
    fn folded_through(&self) -> u64;

    /// Whether new transactions can be taken.
    fn health(&self) -> JournalHealth;
}

/// The records of one transaction's step.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose.
    pub key: Key,
    /// What must be true of the journal for it to be written.
    pub expect: Expect,
    /// In order; their versions follow on each other.
    pub records: Vec<Record>,
    /// The transaction after them, for lists and for recovery.
    pub summary: Summary,
}

/// What an append expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// The key has never been written.
    Absent,
    /// The last record has this version.
    Version(u64),
}

/// An idempotency key that came together with an id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The id that the key alone would have given.
    pub derived: Key,
    /// The id that came with it.
    pub to: TransactionId,
    /// When.
    pub at: Timestamp,
}

/// The position of a durable append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// Its sequence number, growing over the whole journal.
    pub sequence: u64,
}

/// Why an append was not written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// The key has been written before.
    #[error("the journal has this transaction already")]
    Exists,
    /// The last record has another version.
    #[error("the journal's last record of this transaction is not the expected one")]
    VersionConflict,
    /// Nothing was written, and nothing can be now.
    #[error("the journal takes no records: {0}")]
    Unavailable(String),
}

/// Why the journal can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal can't be read: {0}")]
pub struct JournalError(pub String);

/// Whether the journal takes new transactions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JournalHealth {
    /// Yes.
    Serving,
    /// Not now: the queryable store has fallen behind by this many records.
    Lagging(u64),
    /// Never again in this process: an error at a commit, whose effect nobody knows.
    Failed(String),
}

/// One line of a list: a transaction as of its last record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    #[serde(flatten)]
    pub key: Key,
    /// Its version.
    pub version: u64,
    /// Where it is on its way.
    pub state: State,
    /// What its app sees.
    pub status: Status,
    /// The provider that has it, or will: a stand-in, where the last attempt went to one.
    pub provider: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its last record was made.
    pub changed_at: Timestamp,
    /// When it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_at: Option<Timestamp>,
    /// When something happens next, if nothing happens before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether anything remains to be done.
    pub open: bool,
    /// Whether a person has to look at it.
    pub needs_review: bool,
    /// The references that the provider gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

impl Summary {
    /// The summary of `transaction`; `now` turns its next timer into a wall time.
    #[must_use]
    pub fn of(transaction: &Transaction, now: crate::transaction::Now) -> Self {
        let due_at = transaction
            .volatile
            .timers
            .next()
            .map(|(_, due)| now.wall + due.since(now.mono));
        Self {
            key: transaction.key.clone(),
            version: transaction.version,
            state: transaction.state,
            status: transaction.state.status(),
            provider: transaction.provider().to_owned(),
            accepted_at: transaction.accepted_at,
            changed_at: transaction.changed_at,
            final_at: transaction.final_at,
            due_at,
            attempts: transaction.attempt_no(),
            open: transaction.is_open(),
            needs_review: transaction.needs_review(),
            references: transaction
                .provider_references()
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// Open transactions, for recovery.
#[derive(Clone, Debug)]
pub struct OpenPage {
    /// Name and due time of each.
    pub rows: Vec<(Key, Option<Timestamp>)>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
}

/// What a list should show.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only this app's.
    pub app: Option<String>,
    /// Only with this status.
    pub status: Option<Status>,
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only those that need a person.
    pub needs_review: bool,
    /// From an earlier page's [`Page::next`].
    pub cursor: Option<u64>,
    /// Rows at most.
    pub limit: usize,
}

/// One page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Summary>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
    /// What the rows are as of.
    pub as_of: Timestamp,
}

/// A trusted webhook for something that the journal does not know.
#[derive(Clone, Debug)]
pub struct Unmatched {
    /// The provider that sent it.
    pub provider: String,
    /// What makes it the same event.
    pub event_id: String,
    /// When it came.
    pub received_at: Timestamp,
    /// Its body, as it came.
    pub body: String,
}

// ---- provider ----------------------------------------------------------------------------------------

/// A provider as its profile describes it.
pub trait Provider: Send + Sync {
    /// Its name in requests, URLs and logs.
    fn name(&self) -> &str;

    /// The numbers that decisions depend on.
    fn policy(&self) -> &Policy;

    /// What its gate lets through.
    fn limits(&self) -> &Limits;

    /// Renders what attempt number `attempt` would do.
    ///
    /// # Errors
    /// The template's complaint, when this transaction lacks what the profile needs.
    fn intent(&self, key: &Key, request: &Request, attempt: u32) -> Result<Intent, String>;

    /// Sends the attempt's request and reads the answer. Never fails: what goes wrong is a finding.
    fn submit(&self, intent: Arc<Intent>, traceparent: Option<String>)
    -> Promise<SubmissionResult>;

    /// Asks about an attempt and reads the status report.
    fn inquire(&self, key: &Key, request: &Request, attempt: &Attempt) -> Promise<InquiryResult>;

    /// Reads a webhook. Nothing in it is trusted before the profile's check.
    ///
    /// # Errors
    /// [`WebhookRejected`] when it can't be read or must not be believed.
    fn read_webhook(
        &self,
        webhook: &IncomingWebhook<'_>,
    ) -> Result<WebhookReading, WebhookRejected>;
}

/// What the gate of one provider lets through.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Submissions out at once.
    pub submissions_at_once: u32,
    /// Submissions per second; `None`: as many as come.
    pub submissions_per_second: Option<f64>,
    /// Inquiries per second: the budget. Never exceeded.
    pub inquiries_per_second: f64,
    /// Inquiries that may be saved up while none are needed.
    pub inquiry_burst: u32,
    /// Inquiries out at once.
    pub inquiries_at_once: u32,
    /// Failures in a row that open the breaker.
    pub breaker_failures: u32,
    /// How long the open breaker waits before it lets one call probe; doubles up to eight times this.
    pub breaker_pause: Duration,
}

/// What came of a submission.
#[derive(Clone, Debug)]
pub struct SubmissionResult {
    /// When the first byte went out; `None` if none did.
    pub sent_at: Option<Mono>,
    /// What the answer says.
    pub report: Report,
}

/// What came of an inquiry.
#[derive(Clone, Debug)]
pub struct InquiryResult {
    /// A moment not after its first byte went out.
    pub sent_at: Mono,
    /// What the status report says.
    pub report: Report,
}

/// A webhook as it came in.
#[derive(Clone, Copy, Debug)]
pub struct IncomingWebhook<'a> {
    /// The token in its URL, if there is one.
    pub token: Option<&'a str>,
    /// The raw bytes of its body.
    pub body: &'a [u8],
}

/// What a webhook turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub enum WebhookReading {
    /// It is trusted.
    Evidence {
        /// The transaction that it speaks of.
        key: Key,
        /// The attempt that it names, if it names one.
        attempt: Option<u32>,
        /// What makes it the same event.
        event_id: String,
        /// What it says.
        report: Report,
    },
    /// Nobody vouches for it: a reason to ask about this transaction, at most.
    Hint {
        /// The transaction that it claims to speak of.
        id: TransactionId,
    },
}

/// Why a webhook was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebhookRejected {
    /// Not JSON, or without what the profile reads from it.
    #[error("{0}")]
    Unreadable(String),
}

/// The configured providers.
#[derive(Clone)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn Provider>>,
    default: String,
}

impl Providers {
    /// The providers, of which `default` takes what names none.
    ///
    /// # Panics
    /// If `default` is not among them; the configuration checks that first.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn Provider>>, default: &str) -> Self {
        let by_name: BTreeMap<_, _> = providers
            .into_iter()
            .map(|one| (one.name().to_owned(), one))
            .collect();
        assert!(
            by_name.contains_key(default),
            "the default provider {default:?} is not configured"
        );
        Self {
            by_name,
            default: default.to_owned(),
        }
    }

    /// The provider with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.by_name.get(name)
    }

    /// The name of the one that takes what names none.
    #[must_use]
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The only one, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<&Arc<dyn Provider>> {
        (self.by_name.len() == 1)
            .then(|| self.by_name.values().next())
            .flatten()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.by_name.values()
    }
}

// ---- notifier ----------------------------------------------------------------------------------------

/// Tells apps.
pub trait Notifier: Send + Sync {
    /// Delivers one notification once. Never fails: what goes wrong is a result.
    fn notify(&self, notification: Notification) -> Promise<DeliveryResult>;
}

/// What an app is told.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The transaction.
    pub key: Key,
    /// Which version of it, under which id.
    pub notice: Notice,
    /// What the app had asked for.
    pub request: Arc<Request>,
    /// How it ended; `None` while a person is asked.
    pub resolution: Option<Resolution>,
}
