//! The disk: the journal in memory, as slow as a disk, which outlives the process.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use teller::adapters::journal::memory::MemoryJournal;
use teller::ports::{
    Append, AppendError, Binding, Committed, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, Promise,
};
use teller::transaction::Statement;
use teller::transaction::{Key, Record, Timestamp, TransactionId};
use tokio::time::Instant;

use super::seed::Seed;

/// How slow a disk is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slowness {
    /// How long it usually takes to say that a record is on it.
    pub(crate) usual: Duration,
    /// The share of appends at which it begins to hang: everything waits then.
    pub(crate) hangs: f64,
    /// How long it hangs at most.
    pub(crate) longest: Duration,
}

impl Slowness {
    /// The same for every append.
    pub(crate) const fn steady(usual: Duration) -> Self {
        Self {
            usual,
            hangs: 0.0,
            longest: Duration::ZERO,
        }
    }
}

/// A journal that acknowledges its appends after a while. Until then a record may be on the disk already,
/// or not yet: a crash in between leaves either, as it does in life.
pub(crate) struct Disk {
    journal: Arc<MemoryJournal>,
    slowness: Slowness,
    hanging: Mutex<Hanging>,
    unreadable: AtomicUsize,
    inbox_unreadable: AtomicUsize,
    inbox_asked: AtomicUsize,
}

struct Hanging {
    dice: Seed,
    until: Option<Instant>,
}

impl Disk {
    pub(crate) fn new(slowness: Slowness, seed: u64) -> Self {
        Self {
            journal: Arc::new(MemoryJournal::new()),
            slowness,
            hanging: Mutex::new(Hanging {
                dice: Seed::new(seed, "disk"),
                until: None,
            }),
            unreadable: AtomicUsize::new(0),
            inbox_unreadable: AtomicUsize::new(0),
            inbox_asked: AtomicUsize::new(0),
        }
    }

    /// Another process uses it from now on, whose clock begins anew.
    pub(crate) fn handed_on(&self) {
        self.hanging().until = None;
    }

    fn hanging(&self) -> std::sync::MutexGuard<'_, Hanging> {
        self.hanging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the next append takes, and whether it is on the disk at once.
    fn next(&self) -> (Duration, bool) {
        if self.slowness.hangs <= 0.0 {
            return (self.slowness.usual, true);
        }
        let mut hanging = self.hanging();
        let now = Instant::now();
        if hanging.dice.happens(self.slowness.hangs)
            && hanging.until.is_none_or(|until| until <= now)
        {
            let longest_ms = self.slowness.longest.as_millis() as u64;
            let hangs = Duration::from_millis(hanging.dice.below(longest_ms));
            hanging.until = Some(now + hangs);
        }
        let hangs = hanging
            .until
            .map_or(Duration::ZERO, |until| until - now.min(until));
        (self.slowness.usual + hangs, hanging.dice.happens(0.5))
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

    /// Fails the next `n` looks into the inbox.
    pub(crate) fn refuse_inbox(&self, n: usize) {
        self.inbox_unreadable.store(n, Ordering::Relaxed);
    }

    /// How often somebody looked into the inbox.
    pub(crate) fn inbox_asked(&self) -> usize {
        self.inbox_asked.load(Ordering::Relaxed)
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

/// Takes one of those that are left; says whether there was one.
fn one_less(left: &AtomicUsize) -> bool {
    let less = |left: usize| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .is_ok()
}

impl Journal for Disk {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        let (takes, at_once) = self.next();
        if takes.is_zero() {
            return self.journal.append(append);
        }
        let journal = Arc::clone(&self.journal);
        if at_once {
            let written = journal.append(append);
            return Box::pin(async move {
                tokio::time::sleep(takes).await;
                written.await
            });
        }
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            journal.append(append).await
        })
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        if one_less(&self.unreadable) {
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
        self.inbox_asked.fetch_add(1, Ordering::Relaxed);
        if one_less(&self.inbox_unreadable) {
            return Box::pin(ready(Err(JournalError("a bad sector".to_owned()))));
        }
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
