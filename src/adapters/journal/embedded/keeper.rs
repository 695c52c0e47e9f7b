//! The keeper thread: brings the archive up to date from the log, off the path of the commits, and the
//! archive's WAL into its file.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rusqlite::Connection;

use super::fold::{FoldError, fold_group};
use super::group::Group;
use super::schema;
use super::shared::{Errand, Sentinel, Shared};
use super::writer::Message;

/// A WAL of this size is brought over. It is larger than the log's, because the archive's pages are
/// written again and again and only their last state has to be copied.
const CHECKPOINT_BYTES: u64 = 64 << 20;
/// At this size the keeper waits for readers, up to the connection's patience, so that the WAL starts
/// again from its beginning.
const CHECKPOINT_HARD_BYTES: u64 = 256 << 20;
/// The archive's pages that the keeper has in memory. It is the only one who changes them, so they stay
/// valid; with fewer, a group spills its pages to the WAL before it is done and writes them again.
pub(super) const CACHE_KIB: i64 = 128 << 10;
/// Groups folded at closing, at most: a second or so. The rest is folded at the next start.
const CLOSING_GROUPS: usize = 16;

pub(super) struct Keeper {
    /// A connection of its own, which doesn't hold up the writer's.
    pub(super) log: Connection,
    pub(super) archive: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) writer: SyncSender<Message>,
    /// Size of the archive's WAL at which waiting for readers is worth while again.
    pub(super) retry_at_bytes: u64,
}

/// Takes this thread behind all others of the process: who waits for a commit goes first, and the
/// archive is brought up to date with what is left, which the bound on unfolded rows sees to.
fn yield_to_the_others() {
    /// In steps of the kernel's scheduler: about a tenth of a usual thread's share.
    const NICENESS: i32 = 10;
    // On Linux this is about the calling thread. A kernel that refuses only makes things slower.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the journal's keeper keeps the usual priority");
    }
}

impl Keeper {
    /// Works until the journal is closed or has failed.
    pub(super) fn run(mut self) {
        yield_to_the_others();
        let shared = Arc::clone(&self.shared);
        let _sentinel = Sentinel {
            shared: &shared,
            thread: "keeper",
        };
        loop {
            let errand = self.shared.next_errand();
            if self.shared.failure().is_some() {
                return;
            }
            let done = match errand {
                Errand::Fold => self.fold(),
                Errand::Close => self.fold_the_rest(),
            };
            if let Err(error) = done {
                self.shared.fail(format!(
                    "archive.db could not be brought up to date: {error}"
                ));
                return;
            }
            if errand == Errand::Close {
                return;
            }
            // A writer that is too busy to take this looks for itself after its batch.
            let _ = self.writer.try_send(Message::Tidy);
        }
    }

    fn fold(&mut self) -> Result<(), FoldError> {
        let (folded, committed) = (self.shared.folded(), self.shared.committed());
        if folded < committed {
            let group = match self.shared.handed_over(folded) {
                Some(entries) => Group::of_entries(folded, entries)?,
                None => Group::of_log(&self.log, folded, committed)?,
            };
            let done = fold_group(&self.archive, group)?;
            self.shared.publish_fold(&done);
        }
        Ok(self.bound_archive_wal()?)
    }

    fn fold_the_rest(&mut self) -> Result<(), FoldError> {
        let mut groups = 0;
        while self.shared.lag() > 0 && groups < CLOSING_GROUPS {
            self.fold()?;
            groups += 1;
        }
        Ok(())
    }

    /// The keeper is this file's only writer: between two folds a PASSIVE checkpoint brings all of it
    /// over, unless somebody is reading just then. Then the next one will.
    fn bound_archive_wal(&mut self) -> rusqlite::Result<()> {
        let wal = schema::checkpoint(&self.archive, "NOOP")?;
        if wal.bytes() >= CHECKPOINT_HARD_BYTES.max(self.retry_at_bytes) {
            let wal = schema::checkpoint(&self.archive, "RESTART")?;
            self.retry_at_bytes = 0;
            if !wal.is_done() {
                self.retry_at_bytes = wal.bytes() + CHECKPOINT_BYTES;
                tracing::warn!(
                    bytes = wal.bytes(),
                    "archive.db-wal grows because a reader holds it: close shells that have a transaction open on archive.db"
                );
            }
        } else if wal.bytes() >= CHECKPOINT_BYTES && !wal.is_done() {
            schema::checkpoint(&self.archive, "PASSIVE")?;
        }
        Ok(())
    }
}
