//! The journal as the actors see it: the port, answered by the threads.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::{MAX_LIST_ROWS, finds};
use super::entry::{Answer, Entry, Release};
use super::shared::Shared;
use super::{CLOSED, EmbeddedJournal, bindings, inbox, queries, references};
use crate::ports::{
    Append, AppendError, Binding, Committed, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, Promise,
};
use crate::transaction::Statement;
use crate::transaction::{Key, Record, Timestamp, TransactionId};

/// How long a load waits for the fold that it needs. A fold takes a fraction of a second; this is
/// for a disk that has stopped.
pub(super) const FOLD_WAIT: Duration = Duration::from_secs(30);

impl Journal for EmbeddedJournal {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        self.write(Entry::of_step(append), Answer::Step)
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        let key = key.clone();
        self.read_folded(self.unfolded(&key), move |archive| {
            queries::history(archive, &key)
        })
    }

    fn open(
        &self,
        partition: Option<u32>,
        after: u64,
        limit: usize,
    ) -> Promise<Result<OpenPage, JournalError>> {
        self.read(move |archive| {
            let page = queries::open(archive, after, limit);
            page.map(|page| page.only(partition))
        })
    }

    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>> {
        let shared = Arc::clone(&self.shared);
        self.read(move |archive| {
            let as_of = shared.as_of();
            queries::list(archive, &query, as_of)
        })
    }

    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>> {
        self.shared.will_bind();
        self.write(Ok(Entry::of_binding(binding)), Answer::Done)
    }

    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>> {
        if !self.shared.any_bound() {
            return Box::pin(ready(Ok(None)));
        }
        let derived = derived.clone();
        self.read_folded(self.unfolded(&derived), move |archive| {
            bindings::bound_to(archive, &derived)
        })
    }

    fn keep(&self, kept: Kept) -> Promise<Result<(), AppendError>> {
        self.write(Entry::of_kept(kept), Answer::Done)
    }

    fn referred(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Option<Key>, JournalError>> {
        if !finds(reference) {
            return Box::pin(ready(Ok(None)));
        }
        // Before the archive is asked: a reference leaves the tail only when the archive has it.
        let in_tail = self.shared.beside.references().owner(provider, reference);
        let (provider, reference) = (provider.to_owned(), reference.to_owned());
        self.read(move |archive| {
            let archived =
                references::owner(archive, &provider, &reference).map_err(queries::sqlite)?;
            Ok(archived.or(in_tail))
        })
    }

    fn kept_for(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Vec<Kept>, JournalError>> {
        let positions = self.shared.beside.inbox().kept_for(provider, reference);
        self.read_kept(positions)
    }

    fn release(
        &self,
        provider: &str,
        event_id: &str,
        statement: Option<&Statement>,
    ) -> Promise<Result<(), AppendError>> {
        let release = Release {
            provider: provider.into(),
            event_id: event_id.into(),
            statement: statement.cloned(),
        };
        self.write(Entry::of_release(release, self.now()), Answer::Done)
    }

    fn inbox(&self, query: InboxQuery) -> Promise<Result<InboxPage, JournalError>> {
        let limit = query.limit.clamp(1, MAX_LIST_ROWS);
        let provider = query.provider.as_deref();
        let (positions, next, total) =
            self.shared
                .beside
                .inbox()
                .page(provider, query.cursor, limit);
        let rows = self.read_kept(positions);
        Box::pin(async move {
            let rows = rows.await?;
            Ok(InboxPage { rows, next, total })
        })
    }

    fn expire_kept(&self, before: Timestamp) -> Promise<Result<u64, AppendError>> {
        self.write(Ok(Entry::of_expiry(before)), Answer::Count)
    }

    fn note(&self, name: &str, value: Option<String>) -> Promise<Result<(), AppendError>> {
        self.write(Entry::of_note(name, value, self.now()), Answer::Done)
    }

    fn noted(&self, prefix: &str) -> Promise<Result<Vec<(String, String)>, JournalError>> {
        Box::pin(ready(Ok(self.shared.beside.notes().of(prefix))))
    }

    fn folded_through(&self) -> u64 {
        self.shared.folded()
    }

    fn health(&self) -> JournalHealth {
        if let Some(reason) = self.shared.failure() {
            return JournalHealth::Failed(reason);
        }
        if self.shared.closed.load(Ordering::Acquire) {
            return JournalHealth::Failed(CLOSED.to_owned());
        }
        let lag = self.shared.lag();
        if lag >= self.shared.max_unfolded {
            return JournalHealth::Lagging(lag);
        }
        JournalHealth::Serving
    }
}

impl EmbeddedJournal {
    /// Hands a row to the writer.
    fn write<T: Send + 'static>(
        &self,
        entry: Result<Entry, AppendError>,
        kind: fn(oneshot::Sender<Result<T, AppendError>>) -> Answer,
    ) -> Promise<Result<T, AppendError>> {
        let (answer, answered) = oneshot::channel();
        match entry {
            Ok(entry) => self.submit(entry, kind(answer)),
            Err(error) => kind(answer).settle(Err(error)),
        }
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(cut_off())) })
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now().wall
    }

    /// The last row of a name in the tail.
    fn unfolded(&self, key: &Key) -> Option<u64> {
        let row = self.shared.unfolded(std::iter::once(Some(key)));
        row.into_iter().flatten().next().map(|row| row.sequence)
    }

    /// What is kept at these positions, in their order.
    fn read_kept(&self, positions: Vec<u64>) -> Promise<Result<Vec<Kept>, JournalError>> {
        let Some(last) = positions.iter().max().copied() else {
            return Box::pin(ready(Ok(Vec::new())));
        };
        let unfolded = Some(last).filter(|last| *last > self.shared.folded());
        self.read_folded(unfolded, move |archive| inbox::read(archive, &positions))
    }

    /// Reads once the archive has everything up to a row, if there is one to wait for.
    fn read_folded<T: Send + 'static>(
        &self,
        through: Option<u64>,
        query: impl FnOnce(&rusqlite::Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Promise<Result<T, JournalError>> {
        let shared = Arc::clone(&self.shared);
        let read = self.read(query);
        Box::pin(async move {
            if let Some(sequence) = through {
                wait_for_fold(&shared, sequence).await?;
            }
            read.await
        })
    }

    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&rusqlite::Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Promise<Result<T, JournalError>> {
        let readers = self.readers.clone();
        Box::pin(async move { readers.run(query).await })
    }
}

/// The writer went away with the append in its hands.
fn cut_off() -> AppendError {
    AppendError::Unavailable("it stopped before it could answer".to_owned())
}

/// Waits until the archive has everything up to `sequence`.
pub(super) async fn wait_for_fold(shared: &Shared, sequence: u64) -> Result<(), JournalError> {
    let mut folded = shared.watch_folded();
    let mut failed = shared.watch_failure();
    shared.ask_fold();
    tokio::select! {
        _ = folded.wait_for(|&folded| folded >= sequence) => Ok(()),
        _ = failed.wait_for(Option::is_some) => {
            Err(JournalError("the newest records can't be folded any more".to_owned()))
        }
        () = tokio::time::sleep(FOLD_WAIT) => {
            let waited = FOLD_WAIT.as_secs();
            Err(JournalError(format!("the newest records were not folded within {waited} s")))
        }
    }
}
