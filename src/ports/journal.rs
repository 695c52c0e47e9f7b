//! What remembers: the journal as the actors and the doors see it.

use serde::{Deserialize, Serialize};

use super::{Promise, Tenure};
use crate::transaction::{
    Key, Record, Report, State, Statement, Status, Timestamp, Transaction, TransactionId,
};

/// Where an event becomes a fact.
pub trait Journal: Send + Sync {
    /// Makes one step durable. The answer comes after the record is on disk, never before (law 1).
    /// The work goes on when the future is dropped.
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>>;

    /// The whole history of a transaction; `None` if there is none.
    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>>;

    /// The open transactions of one partition, or of all, for recovery: ordered by an opaque position,
    /// starting after `after`.
    fn open(
        &self,
        partition: Option<u32>,
        after: u64,
        limit: usize,
    ) -> Promise<Result<OpenPage, JournalError>>;

    /// What people ask. As of [`Page::as_of`], which may lie a moment back.
    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>>;

    /// Makes durable that an idempotency key's own id stands for the id that came with it, so that the
    /// key alone finds that transaction later (law 7). [`AppendError::Exists`] if the key's id stands for
    /// something already.
    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>>;

    /// The id that an idempotency key's own id stands for, if it was bound.
    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>>;

    /// Makes a verified webhook for something that is not known yet durable, once per provider, event id
    /// and [`Statement`]: a second one changes nothing while the first is kept. The same event id with
    /// another statement is a contradiction and kept beside the first (law 5). [`AppendError::Full`] when
    /// as many of this provider are kept as the journal takes, or the event id is too long.
    ///
    /// From the confirmation on, [`Journal::kept_for`] finds it. Whoever keeps asks
    /// [`Journal::referred`] afterwards; a transaction that learns a reference appends it and asks
    /// [`Journal::kept_for`] afterwards. Whatever the order, one of the two sees the other.
    fn keep(&self, kept: Kept) -> Promise<Result<(), AppendError>>;

    /// The transaction that a provider's own reference belongs to, from the confirmation of the
    /// append on whose [`Summary::references`] the pair stands. It is the first one's, whoever claims it
    /// later.
    fn referred(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Option<Key>, JournalError>>;

    /// What is kept for a provider's own reference, oldest first, up to a bound: whoever releases
    /// what it has taken asks again until nothing comes.
    fn kept_for(&self, provider: &str, reference: &str)
    -> Promise<Result<Vec<Kept>, JournalError>>;

    /// Removes durably what was claimed or dismissed: the kept webhook that states this, or, without a
    /// statement, every one with this event id. A webhook that is not kept is a success.
    fn release(
        &self,
        provider: &str,
        event_id: &str,
        statement: Option<&Statement>,
    ) -> Promise<Result<(), AppendError>>;

    /// What is kept, newest first.
    fn inbox(&self, query: InboxQuery) -> Promise<Result<InboxPage, JournalError>>;

    /// Removes durably what came before that moment and is still kept, and says how many.
    fn expire_kept(&self, before: Timestamp) -> Promise<Result<u64, AppendError>>;

    /// Makes a small fact durable that has to survive a restart, such as "notifications of this app
    /// are disabled": by name, the last one wins, `None` forgets it. [`AppendError::Full`] when it is
    /// too long, or one too many.
    fn note(&self, name: &str, value: Option<String>) -> Promise<Result<(), AppendError>>;

    /// The facts whose names begin with `prefix`, with their values, in the order of their names.
    fn noted(&self, prefix: &str) -> Promise<Result<Vec<(String, String)>, JournalError>>;

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
    /// By what right it is written. `None` is for whoever takes a transaction in without owning its
    /// partition, together with [`Expect::Absent`] only. A journal of one node does not look at it.
    pub tenure: Option<Tenure>,
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
    /// Nothing was written: the partition has another owner by now, or none.
    #[error("another node owns this transaction's partition by now")]
    Fenced,
    /// It may have been written, or not, and is not confirmed. The same append may be repeated until
    /// it is: what was written already is confirmed, not written twice.
    #[error("the journal has not confirmed it: {0}")]
    Unconfirmed(String),
    /// Nothing was written: a bound is reached, or the thing itself is over one. What is there stays.
    #[error("the journal has no room for it: {0}")]
    Full(String),
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
    /// Not now: the store can't be reached, or takes no writes. It is tried again.
    Unreachable(String),
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
    /// Every provider that it is, was or will be with, each once: the one that the app asked for, and that
    /// of each attempt. A start without one of them is refused while the transaction is open. Rows of a
    /// list come without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// The providers' own references by which it can be found. They go into the journal, which has an
    /// index of them; no stored form of a summary holds them, and rows of a list come without.
    #[serde(skip)]
    pub references: Vec<ProviderReference>,
}

/// A provider's own reference of one attempt. It is known to the provider that the attempt went to and to
/// no other one, whichever has the transaction by now: two providers may use the same text for two
/// payments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ProviderReference {
    /// The provider that the attempt went to.
    pub provider: String,
    /// Its name for the attempt.
    pub reference: String,
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
            providers: Self::providers_of(transaction),
            references: references(transaction),
        }
    }

    /// See [`Summary::providers`].
    #[must_use]
    pub fn providers_of(transaction: &Transaction) -> Vec<String> {
        let mut providers = vec![transaction.request.provider.clone()];
        for attempt in 1..=transaction.attempt_no() {
            let provider = transaction.provider_of(attempt);
            if !providers.iter().any(|known| known == provider) {
                providers.push(provider.to_owned());
            }
        }
        providers
    }
}

/// See [`Summary::references`]: each pair once, oldest first.
fn references(transaction: &Transaction) -> Vec<ProviderReference> {
    let mut references = Vec::new();
    for (number, attempt) in (1..).zip(&transaction.attempts) {
        let Some(reference) = &attempt.provider_reference else {
            continue;
        };
        let pair = ProviderReference {
            provider: transaction.provider_of(number).to_owned(),
            reference: reference.clone(),
        };
        if !references.contains(&pair) {
            references.push(pair);
        }
    }
    references
}

/// Open transactions, for recovery.
#[derive(Clone, Debug)]
pub struct OpenPage {
    /// Name and due time of each.
    pub rows: Vec<(Key, Option<Timestamp>)>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
}

impl OpenPage {
    /// Without the rows of other partitions; where the next page starts stays.
    #[must_use]
    pub fn only(mut self, partition: Option<u32>) -> Self {
        if let Some(partition) = partition {
            self.rows.retain(|(key, _)| key.partition() == partition);
        }
        self
    }
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

/// A verified webhook for something that is not known yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The provider that sent it.
    pub provider: String,
    /// What makes it the same event, together with what it states.
    pub event_id: String,
    /// The provider's own references by which a transaction can claim it; may be empty.
    pub references: Vec<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// The attempt that it names, if it names one.
    pub attempt: Option<u32>,
    /// What it says.
    pub report: Report,
    /// Its body, as it came, for people.
    pub body: String,
}

impl Kept {
    /// What it states.
    #[must_use]
    pub fn statement(&self) -> Statement {
        Statement::of(&self.report)
    }
}

/// Which kept webhooks to show.
#[derive(Clone, Debug, Default)]
pub struct InboxQuery {
    /// Only this provider's.
    pub provider: Option<String>,
    /// From an earlier page's [`InboxPage::next`].
    pub cursor: Option<u64>,
    /// Rows at most.
    pub limit: usize,
}

/// One page of what is kept, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboxPage {
    /// The rows.
    pub rows: Vec<Kept>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u64>,
    /// How many are kept in all, of the provider that was asked for.
    pub total: u64,
}
