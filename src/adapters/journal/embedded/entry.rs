//! A row of the log before it is written: named, checked and turned into JSON by the caller, so that
//! the one writer thread only has to hand bytes to SQLite.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::super::{follows, keepable, notable};
use crate::ports::{Append, AppendError, Binding, Committed, Expect, Kept, Summary};
use crate::transaction::{Finding, Key, Record, Report, State, Timestamp};

/// What the log calls its rows. `unmatched` is what format 1 called a webhook that was kept for people.
pub(super) const STEP: &str = "step";
pub(super) const BOUND: &str = "bound";
pub(super) const KEPT: &str = "kept";
pub(super) const UNMATCHED: &str = "unmatched";
pub(super) const RELEASED: &str = "released";
pub(super) const EXPIRED: &str = "expired";
pub(super) const NOTED: &str = "noted";
pub(super) const FORGOTTEN: &str = "forgotten";
/// A process began with this one.
pub(super) const STARTED: &str = "started";

/// What a row of the log is about.
#[derive(Debug)]
pub(super) enum Matter {
    /// A transaction's step.
    Step {
        key: Key,
        expect: Expect,
        /// The transaction after it.
        summary: Box<Summary>,
    },
    /// What an idempotency key stands for.
    Bound { derived: Key },
    /// A webhook for something that is not known yet.
    Kept { event: EventName, waiting: Waiting },
    /// Such a webhook was claimed or dismissed.
    Released(EventName),
    /// Such webhooks that came before that moment are kept no longer.
    Expired(Timestamp),
    /// A small fact.
    Noted(Arc<str>),
    /// A small fact is of no use any more.
    Forgotten(Arc<str>),
}

/// What makes a webhook the same one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct EventName {
    pub(super) provider: Arc<str>,
    pub(super) event_id: Arc<str>,
}

impl EventName {
    pub(super) fn new(provider: &str, event_id: &str) -> Self {
        Self {
            provider: provider.into(),
            event_id: event_id.into(),
        }
    }
}

/// Of a kept webhook, what decides how long it waits and for whom.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) received_at: Timestamp,
    pub(super) references: Vec<String>,
}

/// A row of the log, without its sequence number.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) matter: Matter,
    /// The version that the transaction has once this is written.
    pub(super) version: u64,
    pub(super) at: String,
    /// JSON: of a step, [`Remainder`]; of a kept webhook, [`Reading`].
    pub(super) summary: String,
    /// Of a step, JSON Lines; of a webhook, its body; of a note, its value.
    pub(super) records: String,
}

/// Of a summary, what neither the other columns of its row nor its records say in one place.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remainder {
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    references: Vec<String>,
}

impl Remainder {
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
            references: summary.references.clone(),
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
            references: self.references,
        }
    }
}

/// What a kept webhook says beside its body.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reading {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<u32>,
    /// Releases that kept webhooks for people only didn't write it.
    report: Option<Report>,
}

impl Reading {
    pub(super) fn report(self) -> Report {
        self.report.unwrap_or_else(|| {
            let why = "it was kept by a release that kept the body only".to_owned();
            Report::bare(Finding::Unclear { why })
        })
    }
}

/// Who waits for a row.
#[derive(Debug)]
pub(super) enum Answer {
    Step(oneshot::Sender<Result<Committed, AppendError>>),
    Done(oneshot::Sender<Result<(), AppendError>>),
    Count(oneshot::Sender<Result<u64, AppendError>>),
}

impl Answer {
    /// Answers: with a sequence number, or with a count to whoever waits for one. Whoever has stopped
    /// listening doesn't hear it, and the row stays all the same.
    pub(super) fn settle(self, result: Result<u64, AppendError>) {
        match self {
            Self::Step(waiting) => {
                drop(waiting.send(result.map(|sequence| Committed { sequence })))
            }
            Self::Done(waiting) => drop(waiting.send(result.map(|_| ()))),
            Self::Count(waiting) => drop(waiting.send(result)),
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
            tenure: _,
            records,
            summary,
        } = append;
        follows(expect, &records)?;
        Ok(Self {
            version: summary.version,
            at: summary.changed_at.to_string(),
            summary: json(&Remainder::of(&summary))?,
            records: json_lines(&records)?,
            matter: Matter::Step {
                key,
                expect,
                summary: Box::new(summary),
            },
        })
    }

    /// The row of an idempotency key that came with an id.
    pub(super) fn of_binding(binding: Binding) -> Self {
        let derived = binding.derived;
        let to = binding.to.to_string();
        Self::beside(Matter::Bound { derived }, binding.at, to)
    }

    /// The row of a webhook for something that is not known yet.
    pub(super) fn of_kept(kept: Kept) -> Result<Self, AppendError> {
        keepable(&kept)?;
        let event = EventName::new(&kept.provider, &kept.event_id);
        let reading = Reading {
            references: kept.references,
            attempt: kept.attempt,
            report: Some(kept.report),
        };
        let summary = json(&reading)?;
        let received_at = kept.received_at;
        let waiting = Waiting {
            received_at,
            references: reading.references,
        };
        Ok(Self {
            summary,
            ..Self::beside(Matter::Kept { event, waiting }, received_at, kept.body)
        })
    }

    /// The row that takes a kept webhook away.
    pub(super) fn of_release(event: EventName, at: Timestamp) -> Self {
        Self::beside(Matter::Released(event), at, String::new())
    }

    /// The row that takes away what came before a moment.
    pub(super) fn of_expiry(before: Timestamp) -> Self {
        Self::beside(Matter::Expired(before), before, String::new())
    }

    /// The row of a small fact, or of its end.
    pub(super) fn of_note(
        name: &str,
        value: Option<String>,
        at: Timestamp,
    ) -> Result<Self, AppendError> {
        notable(name, value.as_deref())?;
        Ok(match value {
            Some(value) => Self::beside(Matter::Noted(name.into()), at, value),
            None => Self::beside(Matter::Forgotten(name.into()), at, String::new()),
        })
    }

    /// The row of what is no step.
    fn beside(matter: Matter, at: Timestamp, records: String) -> Self {
        Self {
            matter,
            version: 1,
            at: at.to_string(),
            summary: "{}".to_owned(),
            records,
        }
    }

    /// The transaction's name that the row takes or continues.
    pub(super) fn key(&self) -> Option<&Key> {
        match &self.matter {
            Matter::Step { key, .. } | Matter::Bound { derived: key } => Some(key),
            Matter::Kept { .. }
            | Matter::Released(_)
            | Matter::Expired(_)
            | Matter::Noted(_)
            | Matter::Forgotten(_) => None,
        }
    }

    /// Whether the row takes a name that must be free.
    pub(super) fn begins(&self) -> bool {
        match &self.matter {
            Matter::Step { expect, .. } => *expect == Expect::Absent,
            Matter::Bound { .. } => true,
            Matter::Kept { .. }
            | Matter::Released(_)
            | Matter::Expired(_)
            | Matter::Noted(_)
            | Matter::Forgotten(_) => false,
        }
    }

    /// What the log calls the row, and the two columns that name what it is about.
    pub(super) fn columns<'a>(&'a self, id: &'a mut [u8]) -> (&'static str, &'a str, &'a str) {
        match &self.matter {
            Matter::Step { key, .. } => (STEP, key.app.as_str(), hyphenated(key, id)),
            Matter::Bound { derived } => (BOUND, derived.app.as_str(), hyphenated(derived, id)),
            Matter::Kept { event, .. } => (KEPT, &event.provider, &event.event_id),
            Matter::Released(event) => (RELEASED, &event.provider, &event.event_id),
            Matter::Expired(_) => (EXPIRED, "", ""),
            Matter::Noted(name) => (NOTED, "", name),
            Matter::Forgotten(name) => (FORGOTTEN, "", name),
        }
    }

    /// Roughly what it takes of memory and of the log.
    pub(super) fn bytes(&self) -> usize {
        // The fixed columns with their headers.
        const BESIDE_TEXT: usize = 128;
        self.summary.len() + self.records.len() + BESIDE_TEXT
    }
}

fn hyphenated<'a>(key: &Key, id: &'a mut [u8]) -> &'a str {
    key.id.0.hyphenated().encode_lower(id)
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
