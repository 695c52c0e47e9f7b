//! The disk: the journal in memory, as slow as a disk, which outlives the process.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use teller::adapters::journal::memory::MemoryJournal;
use teller::ports::{
    Append, AppendError, Binding, Committed, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, Promise, Statement,
};
use teller::transaction::{Key, Record, Timestamp, TransactionId};

/// A journal whose appends are on disk at once and acknowledged after a while: a crash in between
/// leaves a record that nobody was told of, as it does in life.
pub(crate) struct Disk {
    journal: Arc<MemoryJournal>,
    delay: Duration,
    unreadable: AtomicUsize,
}

impl Disk {
    pub(crate) fn new(delay: Duration) -> Self {
        Self {
            journal: Arc::new(MemoryJournal::new()),
            delay,
            unreadable: AtomicUsize::new(0),
        }
    }

    /// How many transactions are open, as far as `limit`.
    pub(crate) fn open_up_to(&self, limit: usize) -> usize {
        let page = self.journal.open(None, 0, limit).now_or_never();
        page.expect("memory answers at once")
            .expect("memory can be read")
            .rows
            .len()
    }

    /// Refuses the next `n` appends.
    pub(crate) fn refuse(&self, n: usize) {
        let why = "no room".to_owned();
        self.journal.fail_next(n, AppendError::Unavailable(why));
    }

    /// Fails the next `n` reads.
    pub(crate) fn refuse_reads(&self, n: usize) {
        self.unreadable.store(n, Ordering::Relaxed);
    }

    /// Whether nothing remains to be done.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open_up_to(1) == 0
    }

    /// A transaction's history.
    pub(crate) fn history(&self, key: &Key) -> Option<Vec<Record>> {
        let history = self.journal.load(key).now_or_never();
        history
            .expect("memory answers at once")
            .expect("memory can be read")
    }
}

impl Journal for Disk {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        let appended = self.journal.append(append);
        if self.delay.is_zero() {
            return appended;
        }
        let delay = self.delay;
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            appended.await
        })
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        let left = |left: usize| left.checked_sub(1);
        let failed = self
            .unreadable
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        if failed.is_ok() {
            return Box::pin(ready(Err(JournalError("a bad sector".to_owned()))));
        }
        self.journal.load(key)
    }

    fn open(
        &self,
        partition: Option<u32>,
        after: u64,
        limit: usize,
    ) -> Promise<Result<OpenPage, JournalError>> {
        self.journal.open(partition, after, limit)
    }

    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>> {
        self.journal.list(query)
    }

    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>> {
        self.journal.bind(binding)
    }

    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>> {
        self.journal.bound_to(derived)
    }

    fn keep(&self, kept: Kept) -> Promise<Result<(), AppendError>> {
        self.journal.keep(kept)
    }

    fn referred(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Option<Key>, JournalError>> {
        self.journal.referred(provider, reference)
    }

    fn kept_for(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Vec<Kept>, JournalError>> {
        self.journal.kept_for(provider, reference)
    }

    fn release(
        &self,
        provider: &str,
        event_id: &str,
        statement: Option<&Statement>,
    ) -> Promise<Result<(), AppendError>> {
        self.journal.release(provider, event_id, statement)
    }

    fn inbox(&self, query: InboxQuery) -> Promise<Result<InboxPage, JournalError>> {
        self.journal.inbox(query)
    }

    fn expire_kept(&self, before: Timestamp) -> Promise<Result<u64, AppendError>> {
        self.journal.expire_kept(before)
    }

    fn note(&self, name: &str, value: Option<String>) -> Promise<Result<(), AppendError>> {
        self.journal.note(name, value)
    }

    fn noted(&self, prefix: &str) -> Promise<Result<Vec<(String, String)>, JournalError>> {
        self.journal.noted(prefix)
    }

    fn folded_through(&self) -> u64 {
        self.journal.folded_through()
    }

    fn health(&self) -> JournalHealth {
        self.journal.health()
    }
}
