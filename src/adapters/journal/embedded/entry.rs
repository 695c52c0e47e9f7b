//! A row of the log before it is written: named, checked and turned into JSON by the caller, so that
//! the one writer thread only has to hand bytes to SQLite.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::super::{follows, keepable, notable};
use super::inbox::Stated;
use super::remainder::Remainder;
use crate::ports::{Append, AppendError, Binding, Committed, Expect, Kept, Summary};
use crate::transaction::Statement;
use crate::transaction::{Finding, Key, Record, Report, Timestamp};

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
    Released(Release),
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
    pub(super) statement: Statement,
}

impl EventName {
    pub(super) fn new(provider: &str, event_id: &str, statement: Statement) -> Self {
        Self {
            provider: provider.into(),
            event_id: event_id.into(),
            statement,
        }
    }

    /// Its name among those of its provider.
    pub(super) fn stated(&self) -> Stated {
        (Arc::clone(&self.event_id), self.statement.clone())
    }
}

/// Which kept webhooks are kept no longer: the one that states this, or every one with the event id. Rows
/// of format 2 name none, and are of the time when there was one at most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Release {
    pub(super) provider: Arc<str>,
    pub(super) event_id: Arc<str>,
    pub(super) statement: Option<Statement>,
}

/// What the row of a release says beside its columns.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Released {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
}

impl Release {
    /// The release that a row of the log says.
    pub(super) fn read(provider: &str, event_id: &str, released: &Released) -> Self {
        Self {
            provider: provider.into(),
            event_id: event_id.into(),
            statement: released.statement.as_deref().map(Statement::from_text),
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
    /// JSON: of a step, [`Remainder`]; of a kept webhook, [`Reading`]; of a release, [`Released`].
    pub(super) summary: String,
    /// Of a step, JSON Lines; of a webhook, its body; of a note, its value.
    pub(super) records: String,
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

    /// What the webhook states, and what decides how long it waits and for whom.
    pub(super) fn waiting(mut self, received_at: Timestamp) -> (Statement, Waiting) {
        let references = std::mem::take(&mut self.references);
        let waiting = Waiting {
            received_at,
            references,
        };
        (Statement::of(&self.report()), waiting)
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
        let event = EventName::new(&kept.provider, &kept.event_id, kept.statement());
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
    pub(super) fn of_release(release: Release, at: Timestamp) -> Result<Self, AppendError> {
        let statement = release.statement.as_ref();
        let released = Released {
            statement: statement.map(|one| one.as_str().to_owned()),
        };
        let summary = json(&released)?;
        Ok(Self {
            summary,
            ..Self::beside(Matter::Released(release), at, String::new())
        })
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
            Matter::Released(release) => (RELEASED, &release.provider, &release.event_id),
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
