//! A journal in memory, for simulations and unit tests: the rules of the real one, without threads,
//! clocks or files, so that the same calls in the same order give the same answers.
//!
//! An append is done when the call returns; its promise only carries the answer. A test can make
//! appends fail, or hold them back until it lets them go.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use self::beside::Beside;
use super::{MAX_LIST_ROWS, MAX_OPEN_ROWS};
use crate::ports::{
    Append, AppendError, Binding, Committed, Expect, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, Promise, Summary,
};
use crate::transaction::Statement;
use crate::transaction::{Key, Record, Timestamp, TransactionId};

mod beside;

/// The journal. See the [module](self).
#[derive(Default, Debug)]
pub struct MemoryJournal {
    inner: Mutex<Inner>,
}

#[derive(Default, Debug)]
struct Inner {
    sequence: u64,
    /// By the sequence number of their acceptance.
    stored: BTreeMap<u64, Stored>,
    positions: HashMap<Key, u64>,
    beside: Beside,
    bindings: HashMap<Key, TransactionId>,
    failures: VecDeque<AppendError>,
    stalled: Option<VecDeque<Stalled>>,
    health: Option<JournalHealth>,
}

#[derive(Debug)]
struct Stored {
    records: Vec<Record>,
    summary: Summary,
}

#[derive(Debug)]
struct Stalled {
    append: Append,
    answer: oneshot::Sender<Result<Committed, AppendError>>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next `n` appends fail with `error`; nothing of them is written.
    pub fn fail_next(&self, n: usize, error: AppendError) {
        let failures = std::iter::repeat_n(error, n);
        self.locked().failures.extend(failures);
    }

    /// Holds appends back, unanswered and unwritten, until [`MemoryJournal::resume`].
    pub fn stall(&self) {
        self.locked().stalled.get_or_insert_default();
    }

    /// Writes what was held back, in its order, and answers it.
    pub fn resume(&self) {
        let mut inner = self.locked();
        for Stalled { append, answer } in inner.stalled.take().unwrap_or_default() {
            // Whoever stopped waiting doesn't hear it; it is written all the same.
            let _ = answer.send(inner.append(append));
        }
    }

    /// Makes the journal report `health` from now on.
    pub fn set_health(&self, health: JournalHealth) {
        self.locked().health = Some(health);
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn append(&mut self, mut append: Append) -> Result<Committed, AppendError> {
        if let Some(error) = self.failures.pop_front() {
            return Err(error);
        }
        let position = self.positions.get(&append.key).copied();
        if self.bindings.contains_key(&append.key) {
            return Err(AppendError::Exists);
        }
        let before = position.map(|position| self.stored[&position].summary.version);
        let next = match (append.expect, before) {
            (Expect::Absent, None) => 1,
            (Expect::Absent, Some(_)) => return Err(AppendError::Exists),
            (Expect::Version(expected), Some(before)) if expected == before => before + 1,
            (Expect::Version(_), _) => return Err(AppendError::VersionConflict),
        };
        let numbered = append.records.iter().zip(next..);
        if append.records.is_empty() || numbered.into_iter().any(|(one, n)| one.version != n) {
            return Err(AppendError::VersionConflict);
        }
        self.sequence += 1;
        let position = position.unwrap_or(self.sequence);
        let references = std::mem::take(&mut append.summary.references);
        append.summary.providers.clear();
        self.beside.claim(references, &append.key);
        self.positions.insert(append.key, position);
        let stored = self.stored.entry(position).or_insert_with(|| Stored {
            records: Vec::new(),
            summary: append.summary.clone(),
        });
        stored.records.extend(append.records);
        stored.summary = append.summary;
        Ok(Committed {
            sequence: self.sequence,
        })
    }

    fn bind(&mut self, binding: Binding) -> Result<(), AppendError> {
        if let Some(error) = self.failures.pop_front() {
            return Err(error);
        }
        let derived = binding.derived;
        if self.positions.contains_key(&derived) || self.bindings.contains_key(&derived) {
            return Err(AppendError::Exists);
        }
        self.sequence += 1;
        self.bindings.insert(derived, binding.to);
        Ok(())
    }

    /// Writes what is no step, unless a failure was ordered.
    fn write<T>(
        &mut self,
        write: impl FnOnce(&mut Beside, u64) -> Result<T, AppendError>,
    ) -> Result<T, AppendError> {
        if let Some(error) = self.failures.pop_front() {
            return Err(error);
        }
        self.sequence += 1;
        write(&mut self.beside, self.sequence)
    }

    fn list(&self, query: &ListQuery) -> Page {
        let limit = query.limit.clamp(1, MAX_LIST_ROWS);
        let shown = |summary: &Summary| {
            let app = query.app.as_deref();
            app.is_none_or(|app| app == summary.key.app.as_str())
                && query.status.is_none_or(|status| status == summary.status)
                && query
                    .provider
                    .as_ref()
                    .is_none_or(|one| *one == summary.provider)
                && (!query.needs_review || summary.needs_review)
        };
        let mut found = self
            .stored
            .range(..query.cursor.unwrap_or(u64::MAX))
            .rev()
            .filter(|(_, stored)| shown(&stored.summary))
            .map(|(position, stored)| (*position, stored.summary.clone()));
        let rows: Vec<(u64, Summary)> = found.by_ref().take(limit).collect();
        let next = rows.last().map(|(position, _)| *position);
        let newest = self.stored.values().map(|one| one.summary.changed_at).max();
        Page {
            next: next.filter(|_| found.next().is_some()),
            rows: rows.into_iter().map(|(_, summary)| summary).collect(),
            as_of: newest.unwrap_or(Timestamp::from_millis(0)),
        }
    }

    fn open(&self, after: u64, limit: usize) -> OpenPage {
        let limit = limit.clamp(1, MAX_OPEN_ROWS);
        let mut found = self
            .stored
            .range(after.saturating_add(1)..)
            .filter(|(_, stored)| stored.summary.open);
        let rows: Vec<(&u64, &Stored)> = found.by_ref().take(limit).collect();
        let next = rows.last().map(|(position, _)| **position);
        OpenPage {
            next: next.filter(|_| found.next().is_some()),
            rows: rows
                .into_iter()
                .map(|(_, stored)| (stored.summary.key.clone(), stored.summary.due_at))
                .collect(),
        }
    }
}

impl Journal for MemoryJournal {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        let mut inner = self.locked();
        let Some(stalled) = &mut inner.stalled else {
            return Box::pin(ready(inner.append(append)));
        };
        let (answer, answered) = oneshot::channel();
        stalled.push_back(Stalled { append, answer });
        Box::pin(async move {
            let gone = AppendError::Unavailable("it was dropped while it was stalled".to_owned());
            answered.await.unwrap_or(Err(gone))
        })
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        let inner = self.locked();
        let position = inner.positions.get(key);
        let records = position.map(|position| inner.stored[position].records.clone());
        Box::pin(ready(Ok(records)))
    }

    fn open(
        &self,
        partition: Option<u32>,
        after: u64,
        limit: usize,
    ) -> Promise<Result<OpenPage, JournalError>> {
        let page = self.locked().open(after, limit);
        Box::pin(ready(Ok(page.only(partition))))
    }

    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>> {
        Box::pin(ready(Ok(self.locked().list(&query))))
    }

    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>> {
        Box::pin(ready(self.locked().bind(binding)))
    }

    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>> {
        Box::pin(ready(Ok(self.locked().bindings.get(derived).copied())))
    }

    fn keep(&self, kept: Kept) -> Promise<Result<(), AppendError>> {
        let kept = self.locked().write(|beside, at| beside.keep(at, kept));
        Box::pin(ready(kept))
    }

    fn referred(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Option<Key>, JournalError>> {
        let owner = self.locked().beside.owner(provider, reference);
        Box::pin(ready(Ok(owner)))
    }

    fn kept_for(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Vec<Kept>, JournalError>> {
        let kept = self.locked().beside.kept_for(provider, reference);
        Box::pin(ready(Ok(kept)))
    }

    fn release(
        &self,
        provider: &str,
        event_id: &str,
        statement: Option<&Statement>,
    ) -> Promise<Result<(), AppendError>> {
        let released = self.locked().write(|beside, _| {
            beside.release(provider, event_id, statement);
            Ok(())
        });
        Box::pin(ready(released))
    }

    fn inbox(&self, query: InboxQuery) -> Promise<Result<InboxPage, JournalError>> {
        Box::pin(ready(Ok(self.locked().beside.inbox(&query))))
    }

    fn expire_kept(&self, before: Timestamp) -> Promise<Result<u64, AppendError>> {
        let expired = self.locked().write(|beside, _| Ok(beside.expire(before)));
        Box::pin(ready(expired))
    }

    fn note(&self, name: &str, value: Option<String>) -> Promise<Result<(), AppendError>> {
        let noted = self.locked().write(|beside, _| beside.note(name, value));
        Box::pin(ready(noted))
    }

    fn noted(&self, prefix: &str) -> Promise<Result<Vec<(String, String)>, JournalError>> {
        Box::pin(ready(Ok(self.locked().beside.noted(prefix))))
    }

    fn folded_through(&self) -> u64 {
        self.locked().sequence
    }

    fn health(&self) -> JournalHealth {
        let health = self.locked().health.clone();
        health.unwrap_or(JournalHealth::Serving)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Life, key};
    use super::*;

    #[tokio::test]
    async fn appends_follow_the_rules_and_are_found_again() {
        let journal = MemoryJournal::new();
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let second = life.unknown();
        let refused = journal.append(second.clone()).await;
        assert_eq!(refused, Err(AppendError::VersionConflict));
        assert_eq!(
            journal.append(first.clone()).await,
            Ok(Committed { sequence: 1 })
        );
        assert_eq!(journal.append(first).await, Err(AppendError::Exists));
        assert_eq!(journal.append(second).await, Ok(Committed { sequence: 2 }));
        let loaded = journal.load(&life.transaction.key).await;
        assert_eq!(loaded, Ok(Some(life.history)));
        assert_eq!(journal.load(&key("shop", 2)).await, Ok(None));
        assert_eq!(journal.folded_through(), 2);
    }

    #[tokio::test]
    async fn failures_write_nothing_and_stalled_appends_are_written_when_nobody_waits() {
        let journal = MemoryJournal::new();
        let (_, first) = Life::begin("shop", 1, "bank");
        let full = AppendError::Unavailable("full".to_owned());
        journal.fail_next(1, full.clone());
        assert_eq!(journal.append(first.clone()).await, Err(full));
        journal.stall();
        drop(journal.append(first.clone()));
        let duplicate = journal.append(first);
        assert_eq!(journal.load(&key("shop", 1)).await, Ok(None));
        journal.resume();
        assert_eq!(duplicate.await, Err(AppendError::Exists));
        assert!(
            journal
                .load(&key("shop", 1))
                .await
                .expect("readable")
                .is_some()
        );
    }

    #[tokio::test]
    async fn lists_are_newest_first_and_pages_join() {
        let journal = MemoryJournal::new();
        for n in 1..=5 {
            let (mut life, first) = Life::begin(if n == 3 { "till" } else { "shop" }, n, "bank");
            journal.append(first).await.expect("written");
            if n == 4 {
                journal.append(life.completed()).await.expect("written");
            }
        }
        let query = ListQuery {
            app: Some("shop".to_owned()),
            limit: 3,
            ..ListQuery::default()
        };
        let first = journal.list(query.clone()).await.expect("readable");
        let cursor = first.next;
        assert!(cursor.is_some());
        let second = journal
            .list(ListQuery { cursor, ..query })
            .await
            .expect("readable");
        assert_eq!(second.next, None);
        let ids = first.rows.iter().chain(&second.rows).map(|row| row.key.id);
        assert!(ids.eq([5, 4, 2, 1].map(|n| key("shop", n).id)));

        let open = journal.open(None, 0, 10).await.expect("readable");
        assert_eq!(open.rows.len(), 4, "number 4 is completed");
        assert_eq!(open.next, None);
    }
}
