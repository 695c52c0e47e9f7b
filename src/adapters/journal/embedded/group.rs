//! A group of log rows on its way into the archive, joined by name.
//!
//! The writer hands over the rows that it has committed, so that under load nothing is read back. What
//! was not handed over, because the keeper was far behind or the process has just started, is read
//! from the log; the rows are the same.

use std::collections::HashMap;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::entry::{self, Entry, EventName, Matter, Reading, Release, Released};
use super::fold::{FoldError, GROUP_ROWS};
use super::references::Brought;
use super::remainder::Remainder;
use super::schema::{integer, natural};
use crate::ports::{Expect, Summary};
use crate::transaction::{AppId, Key, Timestamp, TransactionId};

/// Bytes of records in one group, at most, so that large payloads don't fill the memory.
const GROUP_BYTES: usize = 32 << 20;

/// What a group brings.
#[derive(Default)]
pub(super) struct Group {
    /// The last row of the group.
    pub(super) through: u64,
    bytes: usize,
    pub(super) changes: HashMap<Key, Change>,
    pub(super) references: Brought,
    /// Derived ids and what they stand for.
    pub(super) bindings: Vec<(u64, Key, String)>,
    /// What is no transaction's, in the order of the log.
    pub(super) beside: Vec<(u64, Entry)>,
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
        match entry.matter {
            Matter::Bound { derived } => {
                self.bindings.push((sequence, derived, entry.records));
                Ok(())
            }
            Matter::Step {
                key, mut summary, ..
            } => {
                if !summary.references.is_empty() {
                    self.references.take(&key, &mut summary);
                }
                self.add_step(sequence, key, *summary, entry.records)
            }
            matter @ (Matter::Kept { .. }
            | Matter::Released(_)
            | Matter::Expired(_)
            | Matter::Noted(_)
            | Matter::Forgotten(_)) => {
                self.beside.push((sequence, Entry { matter, ..entry }));
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

/// What a row of the log says; `None` for one that only marks a process's beginning.
fn entry_of(sequence: u64, row: &Row<'_>) -> Result<Option<Entry>, FoldError> {
    let unreadable = |why: &dyn std::fmt::Display| {
        FoldError::Inconsistent(format!("row {sequence} can't be read: {why}"))
    };
    let (version, records): (_, String) = (natural(row.get(4)?), row.get(7)?);
    let (at, summary): (String, String) = (row.get(5)?, row.get(6)?);
    let time = || -> Result<Timestamp, _> { at.parse().map_err(|why| unreadable(&why)) };
    let matter = match text(row, 1)? {
        entry::STEP => {
            let key = transaction(sequence, row)?;
            let kept: Remainder = serde_json::from_str(&summary).map_err(|why| unreadable(&why))?;
            let summary = Box::new(kept.with(key.clone(), version, time()?));
            // It was judged when it was written.
            let expect = Expect::Absent;
            Matter::Step {
                key,
                expect,
                summary,
            }
        }
        entry::BOUND => Matter::Bound {
            derived: transaction(sequence, row)?,
        },
        entry::KEPT | entry::UNMATCHED => {
            let reading: Reading =
                serde_json::from_str(&summary).map_err(|why| unreadable(&why))?;
            let (statement, waiting) = reading.waiting(time()?);
            let event = EventName::new(text(row, 2)?, text(row, 3)?, statement);
            Matter::Kept { event, waiting }
        }
        entry::RELEASED => {
            let released: Released =
                serde_json::from_str(&summary).map_err(|why| unreadable(&why))?;
            Matter::Released(Release::read(text(row, 2)?, text(row, 3)?, &released))
        }
        entry::EXPIRED => Matter::Expired(time()?),
        entry::NOTED => Matter::Noted(text(row, 3)?.into()),
        entry::FORGOTTEN => Matter::Forgotten(text(row, 3)?.into()),
        entry::STARTED => return Ok(None),
        other => return Err(unreadable(&format!("it is of the unknown kind {other:?}"))),
    };
    Ok(Some(Entry {
        matter,
        version,
        at,
        summary,
        records,
    }))
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn transaction(sequence: u64, row: &Row<'_>) -> Result<Key, FoldError> {
    let nobody = || FoldError::Inconsistent(format!("row {sequence} names nobody"));
    Ok(Key {
        app: AppId::parse(text(row, 2)?).map_err(|_| nobody())?,
        id: TransactionId(Uuid::try_parse(text(row, 3)?).map_err(|_| nobody())?),
    })
}

pub(super) fn out_of_order(key: &Key, found: u64, after: u64) -> FoldError {
    FoldError::Inconsistent(format!("record {found} of {key} follows record {after}"))
}
