//! The journal as the actors see it: the port, answered by the threads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::entry::{Answer, Entry, Name};
use super::shared::Shared;
use super::{CLOSED, EmbeddedJournal, bindings, queries};
use crate::ports::{
    Append, AppendError, Binding, Committed, Journal, JournalError, JournalHealth, ListQuery,
    OpenPage, Page, Promise, Unmatched,
};
use crate::transaction::{Key, Record, TransactionId};

/// How long a load waits for the fold that it needs. A fold takes a fraction of a second; this is
/// for a disk that has stopped.
pub(super) const FOLD_WAIT: Duration = Duration::from_secs(30);

impl Journal for EmbeddedJournal {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        let (answer, answered) = oneshot::channel();
        match Entry::of_step(append) {
            Ok(entry) => self.submit(entry, Answer::Step(answer)),
            Err(error) => Answer::Step(answer).settle(Err(error)),
        }
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(cut_off())) })
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        let key = key.clone();
        let name = Name::Transaction(key.clone());
        self.read_folded(&name, move |archive| queries::history(archive, &key))
    }

    fn open(&self, after: u64, limit: usize) -> Promise<Result<OpenPage, JournalError>> {
        self.read(move |archive| queries::open(archive, after, limit))
    }

    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>> {
        let shared = Arc::clone(&self.shared);
        self.read(move |archive| {
            let as_of = shared.as_of();
            queries::list(archive, &query, as_of)
        })
    }

    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>> {
        let (answer, answered) = oneshot::channel();
        self.shared.will_bind();
        self.submit(Entry::of_binding(binding), Answer::Event(answer));
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(cut_off())) })
    }

    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>> {
        if !self.shared.any_bound() {
            return Box::pin(std::future::ready(Ok(None)));
        }
        let derived = derived.clone();
        let name = Name::Transaction(derived.clone());
        self.read_folded(&name, move |archive| bindings::bound_to(archive, &derived))
    }

    fn keep_unmatched(&self, webhook: Unmatched) -> Promise<Result<(), AppendError>> {
        let (answer, answered) = oneshot::channel();
        self.submit(Entry::of_event(webhook), Answer::Event(answer));
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(cut_off())) })
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
    /// Reads once the archive has everything that was committed for `name`.
    fn read_folded<T: Send + 'static>(
        &self,
        name: &Name,
        query: impl FnOnce(&rusqlite::Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Promise<Result<T, JournalError>> {
        let unfolded = self.shared.unfolded(std::iter::once(name));
        let unfolded = unfolded.into_iter().flatten().next();
        let shared = Arc::clone(&self.shared);
        let read = self.read(query);
        Box::pin(async move {
            if let Some(row) = unfolded {
                wait_for_fold(&shared, row.sequence).await?;
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
