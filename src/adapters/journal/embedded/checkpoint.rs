//! Checkpoints of the log's WAL, off the path of the commits.
//!
//! A thread of its own copies the bulk of the WAL into the file while commits go on: a PASSIVE
//! checkpoint, which holds nobody up. But under load it never ends level with the writer, and only
//! then does SQLite start the WAL again from its beginning. Therefore the writer brings the small
//! rest over itself, between two commits. Should the thread not keep up at all, the writer does the
//! whole of it at a hard bound.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};

use rusqlite::Connection;

use super::schema::{self, Wal};
use super::shared::{Sentinel, Shared};
use super::writer::Message;

/// A WAL of this size is brought over. Larger ones make a restart slow, smaller ones write more.
const CHECKPOINT_BYTES: u64 = 16 << 20;
/// At this size the writer itself brings everything over, and whoever appends waits for it.
const HARD_BYTES: u64 = 256 << 20;

/// The thread.
pub(super) struct Checkpointer {
    pub(super) log: Connection,
    /// Holds one order: the next one is given only after this one has been carried out.
    pub(super) orders: Receiver<()>,
    pub(super) shared: Arc<Shared>,
    pub(super) writer: SyncSender<Message>,
}

impl Checkpointer {
    /// Works until the writer has ended.
    pub(super) fn run(self) {
        let _sentinel = Sentinel {
            shared: &self.shared,
            thread: "checkpoint",
        };
        while self.orders.recv().is_ok() {
            if let Err(error) = schema::checkpoint(&self.log, "PASSIVE") {
                // As at a commit: what a failed fsync has left on disk nobody knows.
                self.shared
                    .fail(format!("journal.db-wal could not be brought over: {error}"));
                return;
            }
            self.shared.brought_over.store(true, Ordering::Release);
            // A writer that is too busy to take this looks for itself after its batch.
            let _ = self.writer.try_send(Message::Tidy);
        }
    }
}

/// The writer's part.
pub(super) struct WalBound {
    orders: SyncSender<()>,
    /// The thread is at work.
    ordered: bool,
    /// Size at which another attempt is worth while: it grows when a reader, an operator's shell
    /// perhaps, holds the WAL.
    retry_at_bytes: u64,
    /// [`HARD_BYTES`], but in tests.
    hard_bytes: u64,
}

impl WalBound {
    pub(super) fn new(orders: SyncSender<()>) -> Self {
        Self {
            orders,
            ordered: false,
            retry_at_bytes: 0,
            hard_bytes: HARD_BYTES,
        }
    }

    /// Looks after the WAL of `log`, between two commits on the same connection.
    pub(super) fn keep(&mut self, log: &Connection, shared: &Shared) -> rusqlite::Result<()> {
        let brought_over = shared.brought_over.swap(false, Ordering::AcqRel);
        self.ordered &= !brought_over;
        let wal = schema::checkpoint(log, "NOOP")?;
        if brought_over || wal.bytes() >= self.hard_bytes.max(self.retry_at_bytes) {
            let wal = schema::checkpoint(log, "PASSIVE")?;
            self.note(wal);
        } else if !self.ordered
            && !wal.is_done()
            && wal.bytes() >= CHECKPOINT_BYTES.max(self.retry_at_bytes)
        {
            self.ordered = self.orders.try_send(()).is_ok();
        }
        Ok(())
    }

    fn note(&mut self, wal: Wal) {
        if wal.is_done() {
            self.retry_at_bytes = 0;
            return;
        }
        self.retry_at_bytes = wal.bytes() + CHECKPOINT_BYTES;
        if wal.bytes() >= self.hard_bytes {
            tracing::warn!(
                bytes = wal.bytes(),
                "journal.db-wal grows because a reader holds it: close shells that have a transaction open on journal.db"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::sync_channel;

    use super::super::beside::Beside;
    use super::super::schema::{JOURNAL, create, reading, writing};
    use super::*;

    /// A WAL of about 200 KiB.
    fn grown(path: &Path) -> Connection {
        create(path, &JOURNAL, "a store").expect("a database");
        let log = writing(path).expect("a database");
        for n in 1..=50 {
            write(&log, n);
        }
        log
    }

    fn write(log: &Connection, n: i64) {
        log.execute(
            "INSERT INTO log VALUES (?1, 'step', 'a', 'b', 1, '', '', hex(zeroblob(1000)))",
            [n],
        )
        .expect("written");
    }

    fn bound(hard_bytes: u64) -> (WalBound, Receiver<()>) {
        let (orders, its_orders) = sync_channel(1);
        let wal = WalBound {
            hard_bytes,
            ..WalBound::new(orders)
        };
        (wal, its_orders)
    }

    #[test]
    fn at_the_hard_bound_the_writer_helps_itself() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = grown(&dir.path().join("log"));
        let shared = Shared::new(1, 0, 0, false, Beside::default());
        let (mut wal, _orders) = bound(100 << 10);
        wal.keep(&log, &shared).expect("brought over");
        write(&log, 100);
        let after = schema::checkpoint(&log, "NOOP").expect("readable");
        assert!(after.bytes() < 20 << 10, "begun again: {after:?}");
    }

    #[test]
    fn a_reader_that_holds_the_wal_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("log");
        let log = grown(&path);
        let reader = reading(&path).expect("a database");
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM log")
            .expect("a view");
        write(&log, 100);
        let shared = Shared::new(1, 0, 0, false, Beside::default());
        let (mut wal, _orders) = bound(100 << 10);
        wal.keep(&log, &shared).expect("nobody waits");
        assert!(wal.retry_at_bytes > CHECKPOINT_BYTES, "not at once again");
        reader.execute_batch("COMMIT").expect("done");
        wal.retry_at_bytes = 0;
        wal.keep(&log, &shared).expect("brought over");
        let after = schema::checkpoint(&log, "NOOP").expect("readable");
        assert!(after.is_done(), "{after:?}");
        assert_eq!(wal.retry_at_bytes, 0);
    }
}
