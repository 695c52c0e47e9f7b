//! What the threads of one journal and its callers know in common: how far the log is committed,
//! folded and trimmed, which transactions are not folded yet, and whether a commit went wrong.
//!
//! Three watermarks, all of them sequence numbers of the log:
//!
//! ```text
//!   trimmed ≤ folded ≤ committed
//!      │         │         └─ durable in journal.db; whoever waited for it was answered
//!      │         └─ durable in archive.db as well
//!      └─ no longer in journal.db
//! ```
//!
//! The tail holds every transaction's name with a row in `folded+1 ..= committed`. A name enters it before
//! `committed` moves and leaves it after `folded` has moved, so whoever misses a name in the tail
//! finds it in the archive.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::beside::Beside;
use super::entry::Entry;
use super::fold::{Folded, GROUP_ROWS};
use crate::clock::Clock;
use crate::transaction::{Key, Timestamp};

/// Log rows that make a fold worth while at once.
pub(super) const FOLD_AT_ROWS: u64 = 100_000;
/// From this many on it is worth while to wait longer: the larger a group, the fewer pages of the
/// archive's index does each row cost.
const FOLD_LATER_FROM_ROWS: u64 = 2_000;
/// How much longer, at most. Under full load lists and the passivation of actors lag by this; a reader
/// who needs a transaction's newest record has it folded at once.
const FOLD_LATER: Duration = Duration::from_secs(4);
/// How long fewer rows wait for company. Passivation and lists lag by about this.
pub(super) const FOLD_AFTER: Duration = Duration::from_millis(300);
/// Bytes of rows that may wait for the keeper in memory: one large group and what comes meanwhile.
const HANDOVER_BYTES: usize = 128 << 20;
/// Names dropped from the tail under one lock: some ten microseconds that the writer may wait.
pub(super) const PRUNE_NAMES: usize = 512;

/// A name's newest row in the tail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfolded {
    pub(super) version: u64,
    pub(super) sequence: u64,
}

/// Committed rows on their way to the keeper: consecutive, the first numbered `first`.
#[derive(Default, Debug)]
struct Handover {
    first: u64,
    rows: VecDeque<Entry>,
    bytes: usize,
}

impl Handover {
    /// Takes the first `rows` of them, all at once.
    fn take(&mut self, rows: usize) -> impl Iterator<Item = Entry> + use<> {
        let taken: Vec<Entry> = self.rows.drain(..rows).collect();
        self.first += taken.len() as u64;
        self.bytes -= taken.iter().map(Entry::bytes).sum::<usize>();
        taken.into_iter()
    }
}

/// What the keeper is asked for.
#[derive(Default, Debug)]
struct Demand {
    fold_now: bool,
    closing: bool,
    paused: bool,
}

/// What the keeper should do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Errand {
    Fold,
    Close,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) max_unfolded: u64,
    committed: AtomicU64,
    folded: AtomicU64,
    folded_watch: watch::Sender<u64>,
    /// Milliseconds since the Unix epoch.
    folded_at: AtomicI64,
    trimmed: AtomicU64,
    tail: Mutex<HashMap<Key, Unfolded>>,
    pub(super) beside: Beside,
    handover: Mutex<Handover>,
    failed: AtomicBool,
    failure: watch::Sender<Option<String>>,
    pub(super) closed: AtomicBool,
    any_bound: AtomicBool,
    /// Set when a checkpoint has brought most of the log's WAL over, for the writer to finish.
    pub(super) brought_over: AtomicBool,
    /// Bytes of appends that wait for the writer.
    pub(super) queued_bytes: AtomicUsize,
    pub(super) rows: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) largest_batch: AtomicU64,
    demand: Mutex<Demand>,
    wake: Condvar,
}

/// A poisoned lock guards a map or a few flags that are whole after every statement: go on. That the
/// other thread panicked is reported by [`Sentinel`].
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        max_unfolded: u64,
        committed: u64,
        trimmed: u64,
        paused: bool,
        beside: Beside,
    ) -> Self {
        let clock = Clock::system();
        Self {
            clock,
            max_unfolded,
            committed: AtomicU64::new(committed),
            folded: AtomicU64::new(committed),
            folded_watch: watch::Sender::new(committed),
            folded_at: AtomicI64::new(clock.now().wall.as_millis()),
            trimmed: AtomicU64::new(trimmed),
            tail: Mutex::default(),
            beside,
            handover: Mutex::default(),
            failed: AtomicBool::new(false),
            failure: watch::Sender::new(None),
            closed: AtomicBool::new(false),
            any_bound: AtomicBool::new(false),
            brought_over: AtomicBool::new(false),
            queued_bytes: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            largest_batch: AtomicU64::new(0),
            demand: Mutex::new(Demand {
                paused,
                ..Demand::default()
            }),
            wake: Condvar::new(),
        }
    }

    // ---- watermarks ------------------------------------------------------------------------------

    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    pub(super) fn folded(&self) -> u64 {
        self.folded.load(Ordering::Acquire)
    }

    pub(super) fn trimmed(&self) -> u64 {
        self.trimmed.load(Ordering::Acquire)
    }

    pub(super) fn set_trimmed(&self, through: u64) {
        self.trimmed.store(through, Ordering::Release);
    }

    /// Log rows that are not folded yet.
    pub(super) fn lag(&self) -> u64 {
        self.committed().saturating_sub(self.folded())
    }

    /// What the archive's rows are as of.
    pub(super) fn as_of(&self) -> Timestamp {
        if self.lag() == 0 {
            self.clock.now().wall
        } else {
            Timestamp::from_millis(self.folded_at.load(Ordering::Acquire))
        }
    }

    pub(super) fn watch_folded(&self) -> watch::Receiver<u64> {
        self.folded_watch.subscribe()
    }

    // ---- tail ------------------------------------------------------------------------------------

    /// The tail's entry of each name, under one lock; none of what has no such name.
    pub(super) fn unfolded<'a>(
        &self,
        keys: impl Iterator<Item = Option<&'a Key>>,
    ) -> Vec<Option<Unfolded>> {
        let tail = locked(&self.tail);
        keys.map(|key| tail.get(key?).copied()).collect()
    }

    /// Makes a committed batch known, in the order that the module's header promises.
    pub(super) fn publish_commit<'a>(
        &self,
        written: impl Iterator<Item = (&'a Entry, u64)> + Clone,
        through: u64,
    ) {
        let keyed = written.clone().filter_map(|(entry, sequence)| {
            let version = entry.version;
            Some((entry.key()?.clone(), Unfolded { version, sequence }))
        });
        locked(&self.tail).extend(keyed);
        written.for_each(|(entry, sequence)| self.beside.publish(entry, sequence));
        let folded = self.folded();
        let before = self.committed.swap(through, Ordering::AcqRel);
        let (before, after) = (before.saturating_sub(folded), through - folded);
        let crossed = before < FOLD_AT_ROWS && after >= FOLD_AT_ROWS;
        if before == 0 || crossed {
            self.wake_keeper(|_| {});
        }
    }

    /// Makes a committed fold known, in the order that the module's header promises.
    pub(super) fn publish_fold(&self, done: &Folded) {
        let through = done.through;
        let now = self.clock.now().wall.as_millis();
        self.folded_at.store(now, Ordering::Release);
        self.folded.store(through, Ordering::Release);
        for some in done.keys.chunks(PRUNE_NAMES) {
            let mut tail = locked(&self.tail);
            for key in some {
                if tail.get(key).is_some_and(|row| row.sequence <= through) {
                    tail.remove(key);
                }
            }
        }
        self.beside.prune(&done.references, through);
        self.folded_watch.send_replace(through);
    }

    /// Whether any idempotency key was ever bound to an id.
    pub(super) fn any_bound(&self) -> bool {
        self.any_bound.load(Ordering::Acquire)
    }

    /// To be said before the first binding is written.
    pub(super) fn will_bind(&self) {
        self.any_bound.store(true, Ordering::Release);
    }

    // ---- handing over ----------------------------------------------------------------------------

    /// Gives the keeper the rows of a commit, of which the first has the number `first`.
    pub(super) fn hand_over(&self, first: u64, rows: Vec<Entry>) {
        let mut handover = locked(&self.handover);
        let follows = handover.first + handover.rows.len() as u64 == first;
        if !follows || handover.bytes > HANDOVER_BYTES {
            // The keeper is far behind: it reads these from the log when it comes to them.
            *handover = Handover {
                first,
                ..Handover::default()
            };
        }
        handover.bytes += rows.iter().map(Entry::bytes).sum::<usize>();
        handover.rows.extend(rows);
    }

    /// Takes what was handed over, if it is what follows `folded`; at most one group.
    pub(super) fn handed_over(&self, folded: u64) -> Option<Vec<Entry>> {
        let mut handover = locked(&self.handover);
        // What the keeper has read from the log meanwhile is of no use here any more.
        let stale = (folded + 1).saturating_sub(handover.first);
        let stale = usize::try_from(stale)
            .unwrap_or(usize::MAX)
            .min(handover.rows.len());
        handover.take(stale).for_each(drop);
        if handover.rows.is_empty() || handover.first != folded + 1 {
            return None;
        }
        let rows = usize::try_from(GROUP_ROWS).unwrap_or(usize::MAX);
        let rows = rows.min(handover.rows.len());
        Some(handover.take(rows).collect())
    }

    // ---- failure ---------------------------------------------------------------------------------

    /// Stops the journal for the rest of the process. The first reason stays.
    pub(super) fn fail(&self, reason: String) {
        let first = self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert(reason);
            first
        });
        self.failed.store(true, Ordering::Release);
        if first {
            tracing::error!(
                reason = self.failure.borrow().as_deref(),
                "the journal has stopped"
            );
        }
    }

    pub(super) fn failure(&self) -> Option<String> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        self.failure.borrow().clone()
    }

    pub(super) fn watch_failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    // ---- the keeper's orders ---------------------------------------------------------------------

    fn wake_keeper(&self, change: impl FnOnce(&mut Demand)) {
        // Under the lock, so that the keeper can't go to sleep between its look at the watermarks and
        // this call.
        change(&mut locked(&self.demand));
        self.wake.notify_one();
    }

    pub(super) fn ask_fold(&self) {
        self.wake_keeper(|demand| demand.fold_now = true);
    }

    pub(super) fn ask_close(&self) {
        self.wake_keeper(|demand| demand.closing = true);
    }

    /// Holds the keeper's folds back, so that a test can look at what lies between.
    #[cfg(test)]
    pub(super) fn pause_folds(&self, paused: bool) {
        self.wake_keeper(|demand| demand.paused = paused);
    }

    /// Sleeps until there is something to do.
    pub(super) fn next_errand(&self) -> Errand {
        let idle = |demand: &mut Demand| !demand.closing && (demand.paused || self.lag() == 0);
        let few = |demand: &mut Demand| {
            !demand.closing && !demand.fold_now && !demand.paused && self.lag() < FOLD_AT_ROWS
        };
        loop {
            let demand = self
                .wake
                .wait_while(locked(&self.demand), idle)
                .unwrap_or_else(PoisonError::into_inner);
            let (mut demand, _) = self
                .wake
                .wait_timeout_while(demand, FOLD_AFTER, few)
                .unwrap_or_else(PoisonError::into_inner);
            if self.lag() >= FOLD_LATER_FROM_ROWS {
                (demand, _) = self
                    .wake
                    .wait_timeout_while(demand, FOLD_LATER, few)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if demand.closing {
                return Errand::Close;
            }
            if !demand.paused {
                demand.fold_now = false;
                return Errand::Fold;
            }
        }
    }
}

/// Turns a panic of the thread that holds it into a failure of the journal.
pub(super) struct Sentinel<'a> {
    pub(super) shared: &'a Shared,
    pub(super) thread: &'static str,
}

impl Drop for Sentinel<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared
                .fail(format!("the journal's {} thread panicked", self.thread));
        }
    }
}
