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
}

impl WalBound {
    pub(super) fn new(orders: SyncSender<()>) -> Self {
        Self {
            orders,
            ordered: false,
            retry_at_bytes: 0,
        }
    }

    /// Looks after the WAL of `log`, between two commits on the same connection.
    pub(super) fn keep(&mut self, log: &Connection, shared: &Shared) -> rusqlite::Result<()> {
        let brought_over = shared.brought_over.swap(false, Ordering::AcqRel);
        self.ordered &= !brought_over;
        let wal = schema::checkpoint(log, "NOOP")?;
        if brought_over || wal.bytes() >= HARD_BYTES.max(self.retry_at_bytes) {
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
        if wal.bytes() >= HARD_BYTES {
            tracing::warn!(
                bytes = wal.bytes(),
                "journal.db-wal grows because a reader holds it: close shells that have a transaction open on journal.db"
            );
        }
    }
}
