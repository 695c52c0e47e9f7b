//! Whether a row may be written: what the journal knows of its name, in the batch, in the tail and in
//! the archive, in this order.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::bindings;
use super::desk::Desk;
use super::entry::{Entry, Matter, Pending};
use super::filter::Filter;
use super::schema::natural;
use super::shared::Shared;
use crate::ports::{AppendError, Expect};
use crate::transaction::Key;

/// What to do with a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Write,
    /// Written, and answered with how many rows of the inbox it removes.
    Sweep(u64),
    /// It says what is so already, or will be with this batch.
    Known,
    Refuse(AppendError),
}

impl Verdict {
    /// Whether the row goes into the log.
    pub(super) fn is_written(&self) -> bool {
        matches!(self, Self::Write | Self::Sweep(_))
    }
}

/// Belongs to the writer thread: there is no other writer whose rows it could miss.
pub(super) struct Judge {
    shared: Arc<Shared>,
    /// The writer's own view of the archive, for names that are not in the tail.
    archive: Connection,
    /// What the archive surely lacks; `None` if that is not known.
    filter: Option<Filter>,
    /// For what is no transaction's.
    desk: Desk,
}

impl Judge {
    pub(super) fn new(shared: Arc<Shared>, archive: Connection) -> rusqlite::Result<Self> {
        let filter = Filter::over(&archive)?;
        let desk = Desk::over(&shared.beside.inbox(), &shared.beside.notes());
        Ok(Self {
            shared,
            archive,
            filter,
            desk,
        })
    }

    /// One verdict for each row, given that the rows before it are written as judged.
    ///
    /// # Errors
    /// When no view of the archive can be had; single rows that can't be looked up are refused.
    pub(super) fn judge(&mut self, batch: &[Pending]) -> rusqlite::Result<Vec<Verdict>> {
        let keys = batch.iter().map(|pending| pending.entry.key());
        // Before the archive is asked: a name leaves the tail only when the archive has it.
        let tail = self.shared.unfolded(keys);
        // One view for the batch: taking and leaving one costs as much as the look itself.
        self.archive.prepare_cached("BEGIN")?.execute([])?;
        let mut batch_so_far = HashMap::with_capacity(batch.len());
        let mut verdicts = Vec::with_capacity(batch.len());
        for (Pending { entry, .. }, in_tail) in batch.iter().zip(tail) {
            let Some(key) = entry.key() else {
                verdicts.push(self.desk.judge(&entry.matter));
                continue;
            };
            let known = match batch_so_far.get(key) {
                Some(&version) => Ok(Some(version)),
                None => match in_tail {
                    Some(row) => Ok(Some(row.version)),
                    None => self.archived(key),
                },
            };
            let verdict = match known {
                Ok(version) => apply_rule(entry, version),
                Err(error) => Verdict::Refuse(AppendError::Unavailable(format!(
                    "archive.db can't be read: {error}"
                ))),
            };
            if verdict == Verdict::Write {
                self.remember(entry, key);
                batch_so_far.insert(key, entry.version);
            }
            verdicts.push(verdict);
        }
        self.archive.prepare_cached("COMMIT")?.execute([])?;
        Ok(verdicts)
    }

    /// Keeps the filter whole. A key whose commit then fails costs a look in vain, no more.
    fn remember(&mut self, entry: &Entry, key: &Key) {
        if !entry.begins() {
            return;
        }
        if let Some(filter) = &mut self.filter {
            filter.add(key);
        }
        if self.filter.as_ref().is_some_and(Filter::is_full) {
            self.filter = None;
        }
    }

    fn archived(&self, key: &Key) -> rusqlite::Result<Option<u64>> {
        if self
            .filter
            .as_ref()
            .is_some_and(|filter| !filter.may_hold(key))
        {
            return Ok(None);
        }
        if self.shared.any_bound() && bindings::is_bound(&self.archive, key)? {
            // A step that expects it absent is refused; one that expects a version can't be.
            return Ok(Some(0));
        }
        let mut buffer = uuid::Uuid::encode_buffer();
        let id: &str = key.id.0.hyphenated().encode_lower(&mut buffer);
        self.archive
            .prepare_cached("SELECT version FROM transactions WHERE id = ?1 AND app = ?2")?
            .query_row((id, key.app.as_str()), |row| row.get(0))
            .optional()
            .map(|version| version.map(natural))
    }
}

fn apply_rule(entry: &Entry, known: Option<u64>) -> Verdict {
    let expect = match &entry.matter {
        Matter::Step { expect, .. } => *expect,
        // A key's name is taken as an acceptance takes it; the others have no such name.
        Matter::Bound { .. }
        | Matter::Kept { .. }
        | Matter::Released(_)
        | Matter::Expired(_)
        | Matter::Noted(_)
        | Matter::Forgotten(_) => Expect::Absent,
    };
    match (expect, known) {
        (Expect::Absent, None) => Verdict::Write,
        (Expect::Absent, Some(_)) => Verdict::Refuse(AppendError::Exists),
        (Expect::Version(expected), Some(version)) if version == expected => Verdict::Write,
        (Expect::Version(_), _) => Verdict::Refuse(AppendError::VersionConflict),
    }
}
