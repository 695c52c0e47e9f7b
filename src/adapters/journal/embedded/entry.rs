//! A row of the log before it is written: named, checked and turned into JSON by the caller, so that
//! the one writer thread only has to hand bytes to SQLite.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::ports::{Append, AppendError, Binding, Committed, Expect, Summary, Unmatched};
use crate::transaction::{Key, Record, State, Timestamp};

/// A row that holds a transaction's step.
pub(super) const STEP: &str = "step";
/// A row that holds a webhook of no transaction.
pub(super) const UNMATCHED: &str = "unmatched";
/// A row that holds what an idempotency key stands for.
pub(super) const BOUND: &str = "bound";
/// A row that a process begins with.
pub(super) const STARTED: &str = "started";

/// What a row of the log is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Name {
    /// A transaction.
    Transaction(Key),
    /// A webhook that belongs to none.
    Event {
        provider: Arc<str>,
        event_id: Arc<str>,
    },
}

/// What must be true for a row to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// As the actor expects.
    Expects(Expect),
    /// Once per name: another one is answered as if it had been written.
    Once,
}

/// A row of the log, without its sequence number.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) rule: Rule,
    /// What the log calls such a row.
    pub(super) kind: &'static str,
    /// The version that the name has once this is written.
    pub(super) version: u64,
    pub(super) at: String,
    /// JSON: of a step, [`Kept`].
    pub(super) summary: String,
    /// Of a step that was not read from the log: what `summary` says, with what its row says besides.
    pub(super) shown: Option<Box<Summary>>,
    /// JSON Lines; for an event its body.
    pub(super) records: String,
}

/// Of a summary, what neither the other columns of its row nor its records say in one place.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    state: State,
    provider: String,
    accepted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    final_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    attempts: u32,
    open: bool,
    needs_review: bool,
}

impl Kept {
    fn of(summary: &Summary) -> Self {
        Self {
            state: summary.state,
            provider: summary.provider.clone(),
            accepted_at: summary.accepted_at,
            final_at: summary.final_at,
            due_at: summary.due_at,
            attempts: summary.attempts,
            open: summary.open,
            needs_review: summary.needs_review,
        }
    }

    /// The summary again, with what the other columns say.
    pub(super) fn with(self, key: Key, version: u64, changed_at: Timestamp) -> Summary {
        Summary {
            key,
            version,
            state: self.state,
            status: self.state.status(),
            provider: self.provider,
            accepted_at: self.accepted_at,
            changed_at,
            final_at: self.final_at,
            due_at: self.due_at,
            attempts: self.attempts,
            open: self.open,
            needs_review: self.needs_review,
            references: Vec::new(),
        }
    }
}

/// Who waits for a row.
#[derive(Debug)]
pub(super) enum Answer {
    Step(oneshot::Sender<Result<Committed, AppendError>>),
    Event(oneshot::Sender<Result<(), AppendError>>),
}

impl Answer {
    /// Answers. Whoever has stopped listening doesn't hear it, and the row stays all the same.
    pub(super) fn settle(self, result: Result<u64, AppendError>) {
        match self {
            Self::Step(waiting) => {
                drop(waiting.send(result.map(|sequence| Committed { sequence })))
            }
            Self::Event(waiting) => drop(waiting.send(result.map(|_| ()))),
        }
    }
}

/// A row on its way to the writer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) entry: Entry,
    pub(super) answer: Answer,
}

impl Entry {
    /// The row of one step.
    pub(super) fn of_step(append: Append) -> Result<Self, AppendError> {
        let Append {
            key,
            expect,
            records,
            summary,
        } = append;
        follows(expect, &records)?;
        Ok(Self {
            name: Name::Transaction(key),
            rule: Rule::Expects(expect),
            kind: STEP,
            version: summary.version,
            at: summary.changed_at.to_string(),
            summary: json(&Kept::of(&summary))?,
            records: json_lines(&records)?,
            shown: Some(Box::new(summary)),
        })
    }

    /// The row of a webhook that belongs to no transaction.
    pub(super) fn of_event(webhook: Unmatched) -> Self {
        Self {
            name: Name::Event {
                provider: webhook.provider.into(),
                event_id: webhook.event_id.into(),
            },
            rule: Rule::Once,
            kind: UNMATCHED,
            version: 1,
            at: webhook.received_at.to_string(),
            summary: "{}".to_owned(),
            shown: None,
            records: webhook.body,
        }
    }

    /// The row of an idempotency key that came with an id.
    pub(super) fn of_binding(binding: Binding) -> Self {
        Self {
            name: Name::Transaction(binding.derived),
            rule: Rule::Expects(Expect::Absent),
            kind: BOUND,
            version: 1,
            at: binding.at.to_string(),
            summary: "{}".to_owned(),
            shown: None,
            records: binding.to.to_string(),
        }
    }

    /// Roughly what it takes of memory and of the log.
    pub(super) fn bytes(&self) -> usize {
        // The fixed columns with their headers.
        const BESIDE_TEXT: usize = 128;
        self.summary.len() + self.records.len() + BESIDE_TEXT
    }
}

/// Whether the records are the ones that come next. The core numbers them; a step that is numbered
/// otherwise was decided on another version than its actor says.
fn follows(expect: Expect, records: &[Record]) -> Result<(), AppendError> {
    let before = match expect {
        Expect::Absent => 0,
        Expect::Version(version) => version,
    };
    let numbered = (before + 1..).zip(records);
    if records.is_empty() || numbered.into_iter().any(|(n, record)| record.version != n) {
        return Err(AppendError::VersionConflict);
    }
    Ok(())
}

fn json_lines(records: &[Record]) -> Result<String, AppendError> {
    let mut lines = String::new();
    for record in records {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&json(record)?);
    }
    Ok(lines)
}

fn json(value: &impl serde::Serialize) -> Result<String, AppendError> {
    serde_json::to_string(value)
        .map_err(|error| AppendError::Unavailable(format!("not writable as JSON: {error}")))
}
