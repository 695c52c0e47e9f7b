//! A group of log rows on its way into the archive, joined by name.
//!
//! The writer hands over the rows that it has committed, so that under load nothing is read back. What
//! was not handed over, because the keeper was far behind or the process has just started, is read
//! from the log; the rows are the same.

use std::collections::HashMap;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::entry::{self, Entry, Kept, Name};
use super::fold::{FoldError, GROUP_ROWS};
use super::schema::{integer, natural};
use crate::ports::Summary;
use crate::transaction::{AppId, Key, TransactionId};

/// Bytes of records in one group, at most, so that large payloads don't fill the memory.
const GROUP_BYTES: usize = 32 << 20;

/// What a group brings.
#[derive(Default)]
pub(super) struct Group {
    /// The last row of the group.
    pub(super) through: u64,
    bytes: usize,
    pub(super) changes: HashMap<Key, Change>,
    pub(super) events: Vec<(u64, Event)>,
    /// Derived ids and what they stand for.
    pub(super) bindings: Vec<(u64, Key, String)>,
}

/// What a group brings for one transaction.
pub(super) struct Change {
    /// The sequence number of its first row.
    pub(super) position: u64,
    /// The version of its first record.
    pub(super) first: u64,
    /// As of its last record.
    pub(super) summary: Summary,
    pub(super) history: String,
}

/// A webhook of no transaction.
pub(super) struct Event {
    pub(super) provider: String,
    pub(super) event_id: String,
    pub(super) received_at: String,
    pub(super) body: String,
}

impl Group {
    /// The group of what was handed over, which follows `folded` without a gap.
    pub(super) fn of_entries(
        folded: u64,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<Self, FoldError> {
        let mut group = Self {
            through: folded,
            ..Self::default()
        };
        for entry in entries {
            group.through += 1;
            group.add(group.through, entry)?;
        }
        Ok(group)
    }

    /// The next group of the log after `folded`.
    pub(super) fn of_log(log: &Connection, folded: u64, committed: u64) -> Result<Self, FoldError> {
        let mut statement = log.prepare_cached(
            "SELECT seq, kind, app, id, version, at, summary, records FROM log \
             WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
        )?;
        let bounds = (integer(folded), integer(committed), integer(GROUP_ROWS));
        let mut rows = statement.query(bounds)?;
        let mut group = Self {
            through: folded,
            ..Self::default()
        };
        while group.bytes < GROUP_BYTES {
            let Some(row) = rows.next()? else { break };
            let sequence = natural(row.get(0)?);
            if sequence != group.through + 1 {
                return Err(FoldError::Inconsistent(format!(
                    "row {sequence} follows row {}",
                    group.through
                )));
            }
            if let Some(entry) = entry_of(sequence, row)? {
                group.add(sequence, entry)?;
            }
            group.through = sequence;
        }
        if group.through == folded && folded < committed {
            return Err(FoldError::Inconsistent(format!(
                "row {} is missing",
                folded + 1
            )));
        }
        Ok(group)
    }

    fn add(&mut self, sequence: u64, entry: Entry) -> Result<(), FoldError> {
        self.bytes += entry.bytes();
        match entry.name {
            Name::Transaction(derived) if entry.kind == entry::BOUND => {
                self.bindings.push((sequence, derived, entry.records));
                Ok(())
            }
            Name::Transaction(key) => {
                let summary = match entry.shown {
                    Some(shown) => *shown,
                    None => summary_of(&key, entry.version, &entry.at, &entry.summary)?,
                };
                self.add_step(sequence, key, summary, entry.records)
            }
            Name::Event { provider, event_id } => {
                let event = Event {
                    provider: provider.as_ref().to_owned(),
                    event_id: event_id.as_ref().to_owned(),
                    received_at: entry.at,
                    body: entry.records,
                };
                self.events.push((sequence, event));
                Ok(())
            }
        }
    }

    fn add_step(
        &mut self,
        sequence: u64,
        key: Key,
        summary: Summary,
        records: String,
    ) -> Result<(), FoldError> {
        let version = summary.version;
        let first = (version + 1).saturating_sub(records.lines().count() as u64);
        if let Some(change) = self.changes.get_mut(&key) {
            if first != change.summary.version + 1 {
                return Err(out_of_order(&key, first, change.summary.version));
            }
            change.summary = summary;
            change.history.push('\n');
            change.history.push_str(&records);
        } else {
            let change = Change {
                position: sequence,
                first,
                summary,
                history: records,
            };
            self.changes.insert(key, change);
        }
        Ok(())
    }
}

/// The rule of a row that was written long ago: it is not judged again.
const WRITTEN: entry::Rule = entry::Rule::Once;

/// What a row of the log says; `None` for one that only marks a process's beginning.
fn entry_of(sequence: u64, row: &Row<'_>) -> Result<Option<Entry>, FoldError> {
    let kind = row.get_ref(1)?.as_str().unwrap_or_default();
    let (name, rule, kind) = match kind {
        entry::STEP => (transaction(sequence, row)?, WRITTEN, entry::STEP),
        entry::BOUND => (transaction(sequence, row)?, WRITTEN, entry::BOUND),
        entry::UNMATCHED => {
            let (provider, event_id): (String, String) = (row.get(2)?, row.get(3)?);
            let name = Name::Event {
                provider: provider.into(),
                event_id: event_id.into(),
            };
            (name, WRITTEN, entry::UNMATCHED)
        }
        entry::STARTED => return Ok(None),
        other => {
            return Err(FoldError::Inconsistent(format!(
                "row {sequence} is of the unknown kind {other:?}"
            )));
        }
    };
    Ok(Some(Entry {
        name,
        rule,
        kind,
        version: natural(row.get(4)?),
        at: row.get(5)?,
        summary: row.get(6)?,
        shown: None,
        records: row.get(7)?,
    }))
}

/// A step's summary from its row.
fn summary_of(key: &Key, version: u64, at: &str, kept: &str) -> Result<Summary, FoldError> {
    let unreadable = |why: &dyn std::fmt::Display| {
        FoldError::Inconsistent(format!("the summary of {key} can't be read: {why}"))
    };
    let kept: Kept = serde_json::from_str(kept).map_err(|why| unreadable(&why))?;
    let changed_at = at.parse().map_err(|why| unreadable(&why))?;
    Ok(kept.with(key.clone(), version, changed_at))
}

fn transaction(sequence: u64, row: &Row<'_>) -> Result<Name, FoldError> {
    key(row.get_ref(2)?.as_str(), row.get_ref(3)?.as_str())
        .map(Name::Transaction)
        .ok_or_else(|| FoldError::Inconsistent(format!("row {sequence} names nobody")))
}

type Text<'a> = rusqlite::types::FromSqlResult<&'a str>;

fn key(app: Text<'_>, id: Text<'_>) -> Option<Key> {
    Some(Key {
        app: AppId::parse(app.ok()?).ok()?,
        id: TransactionId(Uuid::try_parse(id.ok()?).ok()?),
    })
}

pub(super) fn out_of_order(key: &Key, found: u64, after: u64) -> FoldError {
    FoldError::Inconsistent(format!("record {found} of {key} follows record {after}"))
}
