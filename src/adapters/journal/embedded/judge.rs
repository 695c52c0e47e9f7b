//! Whether a row may be written: what the journal knows of its name, in the batch, in the tail and in
//! the archive, in this order.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::super::MAX_UNMATCHED_PER_PROVIDER;
use super::bindings;
use super::entry::{Entry, Name, Pending, Rule};
use super::filter::Filter;
use super::schema::natural;
use super::shared::Shared;
use crate::ports::{AppendError, Expect};

/// What to do with a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Write,
    /// It has been written before, or is being written in this batch.
    Known,
    Refuse(AppendError),
}

/// Belongs to the writer thread: there is no other writer whose rows it could miss.
pub(super) struct Judge {
    shared: Arc<Shared>,
    /// The writer's own view of the archive, for names that are not in the tail.
    archive: Connection,
    /// What the archive surely lacks; `None` if that is not known.
    filter: Option<Filter>,
    /// Unmatched webhooks kept, by provider.
    kept: HashMap<Arc<str>, u64>,
}

impl Judge {
    pub(super) fn new(shared: Arc<Shared>, archive: Connection) -> rusqlite::Result<Self> {
        let kept = archive
            .prepare("SELECT provider, count(*) FROM inbox GROUP BY provider")?
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?
            .map(|row| row.map(|(provider, count)| (provider.into(), natural(count))))
            .collect::<Result<_, _>>()?;
        let filter = Filter::over(&archive)?;
        Ok(Self {
            shared,
            archive,
            filter,
            kept,
        })
    }

    /// One verdict for each row, given that the rows before it are written as judged.
    ///
    /// # Errors
    /// When no view of the archive can be had; single rows that can't be looked up are refused.
    pub(super) fn judge(&mut self, batch: &[Pending]) -> rusqlite::Result<Vec<Verdict>> {
        let names = batch.iter().map(|pending| &pending.entry.name);
        // Before the archive is asked: a name leaves the tail only when the archive has it.
        let tail = self.shared.unfolded(names);
        // One view for the batch: taking and leaving one costs as much as the look itself.
        self.archive.prepare_cached("BEGIN")?.execute([])?;
        let mut batch_so_far = HashMap::with_capacity(batch.len());
        let mut verdicts = Vec::with_capacity(batch.len());
        for (Pending { entry, .. }, in_tail) in batch.iter().zip(tail) {
            let known = match batch_so_far.get(&entry.name) {
                Some(&version) => Ok(Some(version)),
                None => match in_tail {
                    Some(row) => Ok(Some(row.version)),
                    None => self.archived(&entry.name),
                },
            };
            let verdict = match known {
                Ok(version) => self.apply_rule(entry, version),
                Err(error) => Verdict::Refuse(AppendError::Unavailable(format!(
                    "archive.db can't be read: {error}"
                ))),
            };
            if verdict == Verdict::Write {
                self.remember(entry);
                batch_so_far.insert(&entry.name, entry.version);
            }
            verdicts.push(verdict);
        }
        self.archive.prepare_cached("COMMIT")?.execute([])?;
        Ok(verdicts)
    }

    fn apply_rule(&mut self, entry: &Entry, known: Option<u64>) -> Verdict {
        match (entry.rule, known) {
            (Rule::Expects(Expect::Absent), None) => Verdict::Write,
            (Rule::Expects(Expect::Absent), Some(_)) => Verdict::Refuse(AppendError::Exists),
            (Rule::Expects(Expect::Version(expected)), Some(version)) if version == expected => {
                Verdict::Write
            }
            (Rule::Expects(Expect::Version(_)), _) => Verdict::Refuse(AppendError::VersionConflict),
            (Rule::Once, Some(_)) => Verdict::Known,
            (Rule::Once, None) => self.take_place(&entry.name),
        }
    }

    /// Counts one more unmatched webhook, if its provider has room. A batch that fails to commit ends
    /// the journal, so the count needs no way back.
    fn take_place(&mut self, name: &Name) -> Verdict {
        let Name::Event { provider, .. } = name else {
            return Verdict::Write;
        };
        let kept = self.kept.entry(Arc::clone(provider)).or_default();
        if *kept >= MAX_UNMATCHED_PER_PROVIDER {
            return Verdict::Refuse(AppendError::Unavailable(format!(
                "{MAX_UNMATCHED_PER_PROVIDER} unmatched webhooks of {provider:?} are kept already"
            )));
        }
        *kept += 1;
        Verdict::Write
    }

    /// Keeps the filter whole. A key whose commit then fails costs a look in vain, no more.
    fn remember(&mut self, entry: &Entry) {
        if entry.rule != Rule::Expects(Expect::Absent) {
            return;
        }
        if let (Name::Transaction(key), Some(filter)) = (&entry.name, &mut self.filter) {
            filter.add(key);
        }
        if self.filter.as_ref().is_some_and(Filter::is_full) {
            self.filter = None;
        }
    }

    fn archived(&self, name: &Name) -> rusqlite::Result<Option<u64>> {
        match name {
            Name::Transaction(key) => {
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
            Name::Event { provider, event_id } => self
                .archive
                .prepare_cached("SELECT 1 FROM inbox WHERE provider = ?1 AND event_id = ?2")?
                .query_row((&**provider, &**event_id), |row| row.get(0))
                .optional()
                .map(|found| found.map(natural)),
        }
    }
}
