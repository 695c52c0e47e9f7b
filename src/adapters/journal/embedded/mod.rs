//! The journal of one node: two SQLite files in a directory.
//!
//! ```text
//!   append ──▶ writer thread ──one fsync per group──▶ journal.db   an append-only log
//!                   ▲ trim                                │         (its WAL: checkpoint thread)
//!                   │                                     ▼ groups, sorted by key
//!                   └──────────────────────────── keeper thread ──▶ archive.db   a row per transaction
//!                                                                        │
//!   load, open, list ◀──────────── reader threads ◀──────────────────────┘
//! ```
//!
//! - An append is answered after the fsync of the commit that holds it, never before (law 1).
//! - Both files are in WAL mode with `synchronous=FULL`. The log is trimmed only after the archive's
//!   own fsync, so that every record is in at least one of them at any moment.
//! - An error at a commit ends the journal for this process: whether that commit is on disk can only
//!   be found out by a restart. [`EmbeddedJournal::failed`] tells the application.
//! - A restart folds what is left of the log and then commits a `started` row, before it serves.
//! - Operators can read both files with `sqlite3` while teller runs.

mod beside;
mod bindings;
mod checkpoint;
mod desk;
mod disk;
mod entry;
mod files;
mod filter;
mod fold;
mod group;
mod inbox;
mod judge;
mod keeper;
mod migrate;
mod notes;
mod open;
mod port;
mod queries;
mod reader;
mod references;
mod refile;
mod remainder;
mod schema;
mod shared;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

pub use open::OpenError;

use self::beside::Beside;
use self::checkpoint::{Checkpointer, WalBound};
use self::entry::{Answer, Entry, Pending};
use self::fold::FoldError;
use self::group::Group;
use self::judge::Judge;
use self::keeper::Keeper;
use self::open::{Standing, Store};
use self::reader::Readers;
use self::schema::{ARCHIVE, JOURNAL};
use self::shared::Shared;
use self::writer::{Message, Writer};
use crate::ports::{AppendError, JournalError};

/// Appends that wait for the writer, at most: sixteen full commits, a few tens of milliseconds.
const WAITING_APPENDS: usize = 16 * 1024;
/// Bytes of appends that wait for the writer, at most, so that large payloads don't fill the memory.
const WAITING_BYTES: usize = 64 << 20;
/// How to open a journal.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory, created if it isn't there.
    pub dir: PathBuf,
    /// Log rows that may wait to be folded before new transactions are refused. They take memory
    /// (some 150 bytes each) and time at a restart (some 10 µs each).
    pub max_unfolded: u64,
}

impl Options {
    /// What suits most.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_unfolded: 500_000,
        }
    }
}

/// What tests change to provoke what is rare.
#[derive(Clone, Copy, Default, Debug)]
struct Knobs {
    /// Pages that `journal.db` may have: a disk that is full.
    max_journal_pages: Option<u32>,
    /// Nothing is folded until the test says so.
    folds_paused: bool,
}

/// What the journal has done since it was opened, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Rows committed.
    pub rows: u64,
    /// Commits, each with one fsync.
    pub batches: u64,
    /// Rows in the largest commit.
    pub largest_batch: u64,
    /// The last durable sequence number.
    pub committed_through: u64,
    /// The last sequence number that is in the archive.
    pub folded_through: u64,
    /// The last sequence number that is no longer in the log.
    pub trimmed_through: u64,
    /// Rows that wait to be folded.
    pub lag: u64,
    /// Time of an fsync of one page at its best, measured at opening.
    pub fsync: Duration,
}

/// The journal of one node. See the [module](self).
///
/// Dropping it does what [`EmbeddedJournal::close`] does.
pub struct EmbeddedJournal {
    shared: Arc<Shared>,
    writer: SyncSender<Message>,
    readers: Readers,
    threads: Mutex<Option<Threads>>,
    fsync: Duration,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
    keeper: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
    /// Released last.
    _lock: File,
}

impl EmbeddedJournal {
    /// Opens the journal in a directory, or creates it. Returns when everything committed before is
    /// in the archive and the beginning of this process is on disk. Blocks meanwhile.
    ///
    /// # Errors
    /// [`OpenError`]: what is wrong with the files, and the way out. They are left as they are.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_with(options, Knobs::default())
    }

    fn open_with(options: Options, knobs: Knobs) -> Result<Self, OpenError> {
        let Options { dir, max_unfolded } = options;
        let (journal_path, archive_path) = (dir.join(JOURNAL.file), dir.join(ARCHIVE.file));
        let in_journal = |source| OpenError::sqlite(&journal_path, source);
        let in_archive = |source| OpenError::sqlite(&archive_path, source);

        let store = open::open(&dir)?;
        // Negative: KiB instead of pages.
        store
            .archive
            .pragma_update(None, "cache_size", -keeper::CACHE_KIB)
            .map_err(in_archive)?;
        let fsync = disk::fsync_time(&dir).map_err(|source| OpenError::io(&dir, source))?;
        fold_tail(&store).map_err(|error| match error {
            FoldError::Sqlite(source) => in_archive(source),
            FoldError::Inconsistent(why) => OpenError::Inconsistent { dir, why },
        })?;
        refile::refile(&store.archive).map_err(in_archive)?;
        let Store {
            lock,
            journal,
            archive,
            standing: Standing { last, trimmed, .. },
        } = store;
        if let Some(pages) = knobs.max_journal_pages {
            journal
                .pragma_update(None, "max_page_count", pages)
                .map_err(in_journal)?;
        }

        let beside = Beside::over(&archive).map_err(in_archive)?;
        let shared = Shared::new(max_unfolded, last, trimmed, knobs.folds_paused, beside);
        let shared = Arc::new(shared);
        if bindings::any(&archive).map_err(in_archive)? {
            shared.will_bind();
        }
        let at = shared.clock.now().wall.to_string();
        let started = last + 1;
        writer::write_started(&journal, started, at).map_err(in_journal)?;
        shared.publish_commit(std::iter::empty(), started);

        let (sender, messages) = sync_channel(WAITING_APPENDS);
        let (orders, its_orders) = sync_channel(1);
        let judges_view = schema::reading(&archive_path).map_err(in_archive)?;
        let writer = Writer {
            log: journal,
            judge: Judge::new(Arc::clone(&shared), judges_view).map_err(in_archive)?,
            messages,
            shared: Arc::clone(&shared),
            linger: disk::linger(fsync),
            next: started + 1,
            wal: WalBound::new(orders),
        };
        let checkpointer = Checkpointer {
            log: schema::writing(&journal_path).map_err(in_journal)?,
            orders: its_orders,
            shared: Arc::clone(&shared),
            writer: sender.clone(),
        };
        let keeper = Keeper {
            log: schema::writing(&journal_path).map_err(in_journal)?,
            archive,
            shared: Arc::clone(&shared),
            writer: sender.clone(),
            retry_at_bytes: 0,
        };
        let (readers, reader_threads) = Readers::start(&archive_path).map_err(in_archive)?;
        let threads = Threads {
            writer: spawn("journal-writer", move || writer.run()),
            checkpointer: spawn("journal-wal", move || checkpointer.run()),
            keeper: spawn("journal-keeper", move || keeper.run()),
            readers: reader_threads,
            _lock: lock,
        };
        Ok(Self {
            shared,
            writer: sender,
            readers,
            threads: Mutex::new(Some(threads)),
            fsync,
        })
    }

    /// Changes once, to the reason, when the journal has failed for good: the process should say so
    /// and end, so that a restart can find out what is on disk.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.shared.watch_failure()
    }

    /// The time of an fsync in the data directory at its best, measured at opening.
    #[must_use]
    pub fn fsync_time(&self) -> Duration {
        self.fsync
    }

    /// What it has done, and where it stands. Costs a few atomic loads.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        Stats {
            rows: shared.rows.load(Ordering::Relaxed),
            batches: shared.batches.load(Ordering::Relaxed),
            largest_batch: shared.largest_batch.load(Ordering::Relaxed),
            committed_through: shared.committed(),
            folded_through: shared.folded(),
            trimmed_through: shared.trimmed(),
            lag: shared.lag(),
            fsync: self.fsync,
        }
    }

    /// Commits and answers what was appended before, folds it if that is quick, and lets go of the
    /// directory. What is appended afterwards is refused. Blocks meanwhile.
    pub fn close(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = threads.take();
        let Some(threads) = threads else { return };
        self.shared.closed.store(true, Ordering::Release);
        // The readers first: the last connection to each file has to be one that writes, because it
        // brings the WAL over and takes it away. A join fails only if the thread panicked, which has
        // been reported.
        self.readers.stop();
        for reader in threads.readers {
            let _ = reader.join();
        }
        let _ = self.writer.send(Message::Close);
        let _ = threads.writer.join();
        let _ = threads.checkpointer.join();
        self.shared.ask_close();
        let _ = threads.keeper.join();
    }

    /// The providers of open transactions, those of earlier attempts included, for a start that has to know
    /// that all are configured. Blocks.
    ///
    /// # Errors
    /// When the archive can't be read.
    pub fn open_providers(&self) -> Result<Vec<String>, JournalError> {
        self.readers.run_blocking(queries::open_providers)
    }

    /// Hands an entry to the writer.
    fn submit(&self, entry: Entry, answer: Answer) {
        if let Some(reason) = self.refusal(&entry) {
            return answer.settle(Err(AppendError::Unavailable(reason)));
        }
        let bytes = entry.bytes();
        let queued = &self.shared.queued_bytes;
        let full = queued.fetch_add(bytes, Ordering::AcqRel) + bytes > WAITING_BYTES;
        let message = Message::Append(Pending { entry, answer });
        let sent = if full {
            Err(TrySendError::Full(message))
        } else {
            self.writer.try_send(message)
        };
        let (message, why) = match sent {
            Ok(()) => return,
            Err(TrySendError::Full(message)) => (message, "more wait already than it can write"),
            Err(TrySendError::Disconnected(message)) => (message, CLOSED),
        };
        queued.fetch_sub(bytes, Ordering::AcqRel);
        if let Message::Append(Pending { answer, .. }) = message {
            answer.settle(Err(AppendError::Unavailable(why.to_owned())));
        }
    }

    /// Why an entry can't be taken now.
    fn refusal(&self, entry: &Entry) -> Option<String> {
        if let Some(reason) = self.shared.failure() {
            return Some(reason);
        }
        if self.shared.closed.load(Ordering::Acquire) {
            return Some(CLOSED.to_owned());
        }
        let lag = self.shared.lag();
        (entry.begins() && lag >= self.shared.max_unfolded)
            .then(|| format!("{lag} records wait to be folded into the archive"))
    }
}

const CLOSED: &str = "it is closed";

impl std::fmt::Debug for EmbeddedJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EmbeddedJournal")
            .field(&self.stats())
            .finish()
    }
}

impl Drop for EmbeddedJournal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Starts a thread under a name that operators see in `top -H`.
///
/// # Panics
/// If the system has no room for another thread: at start, before anything was promised.
fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .expect("a process that starts can have a handful of threads")
}

/// Brings the archive up to date with a log that nobody writes to.
fn fold_tail(store: &Store) -> Result<(), FoldError> {
    let Standing { last, folded, .. } = store.standing;
    let mut folded = folded;
    while folded < last {
        let group = Group::of_log(&store.journal, folded, last)?;
        folded = fold::fold_group(&store.archive, group)?.through;
    }
    Ok(())
}
