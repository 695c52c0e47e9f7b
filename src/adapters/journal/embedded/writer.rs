//! The writer thread: whatever arrived while the last fsync ran goes into one transaction with one
//! fsync, and is answered when that has returned.
//!
//! It also lets go of what the archive has, in whole chunks within a transaction that runs anyway, and
//! sees to it that the WAL stays small.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, Statement};
use uuid::Uuid;

use super::checkpoint::WalBound;
use super::entry::{Entry, Pending, STARTED};
use super::judge::{Judge, Verdict};
use super::schema::{self, integer};
use super::shared::{Sentinel, Shared};
use crate::ports::AppendError;

/// Rows in one commit, at most: beyond this an fsync costs next to nothing per row.
const BATCH_ROWS: usize = 1024;
/// Bytes in one commit, at most: what SQLite's cache holds without spilling.
const BATCH_BYTES: usize = 8 << 20;
/// A batch that has fewer rows waits for company where the disk is slow.
const LINGER_BELOW_ROWS: usize = 64;
/// Folded rows that leave the log at once: a few milliseconds of work, rarely.
pub(super) const TRIM_ROWS: u64 = 4096;

/// What reaches the writer.
#[derive(Debug)]
pub(super) enum Message {
    Append(Pending),
    /// There may be something to trim or to bring over.
    Tidy,
    Close,
}

pub(super) struct Writer {
    pub(super) log: Connection,
    pub(super) judge: Judge,
    pub(super) messages: Receiver<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) linger: Option<Duration>,
    /// The next row's sequence number.
    pub(super) next: u64,
    pub(super) wal: WalBound,
}

impl Writer {
    /// Serves until [`Message::Close`], or until nobody can send any more.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _sentinel = Sentinel {
            shared: &shared,
            thread: "writer",
        };
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let mut goes_on = true;
        while goes_on {
            goes_on = self.gather(&mut batch);
            if let Some(reason) = shared.failure() {
                refuse(&mut batch, &reason);
                continue;
            }
            let done = self.commit(&mut batch).and_then(|()| self.tidy());
            if let Err(error) = done {
                // A commit that failed may or may not be on disk, and asking again proves nothing
                // (after a failed fsync the kernel calls the pages clean). Only a restart finds out.
                let reason = format!("journal.db could not be written: {error}");
                shared.fail(reason.clone());
                refuse(&mut batch, &reason);
            }
        }
    }

    /// Collects what waits. Returns with an empty batch when only housekeeping is due.
    fn gather(&self, batch: &mut Vec<Pending>) -> bool {
        let first = if self.trimmable().is_some() {
            self.messages.try_recv()
        } else {
            self.messages.recv().map_err(|_| TryRecvError::Disconnected)
        };
        let mut bytes = 0;
        let mut message = first;
        let mut lingered = self.linger.is_none();
        loop {
            match message {
                Ok(Message::Append(pending)) => {
                    bytes += pending.entry.bytes();
                    batch.push(pending);
                }
                Ok(Message::Tidy) => {}
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => {
                    self.dequeued(bytes);
                    return false;
                }
                Err(TryRecvError::Empty) => {
                    let few = !batch.is_empty() && batch.len() < LINGER_BELOW_ROWS;
                    match self.linger.filter(|_| few && !lingered) {
                        Some(linger) => thread::sleep(linger),
                        None => break,
                    }
                    lingered = true;
                }
            }
            if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
                break;
            }
            message = self.messages.try_recv();
        }
        self.dequeued(bytes);
        true
    }

    fn dequeued(&self, bytes: usize) {
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Writes the batch and answers it. On an error nothing has been answered.
    fn commit(&mut self, batch: &mut Vec<Pending>) -> rusqlite::Result<()> {
        let verdicts = self.judge.judge(batch)?;
        let rows = verdicts.iter().filter(|one| one.is_written()).count() as u64;
        if rows > 0 {
            self.write(batch, &verdicts)?;
            let through = self.next + rows - 1;
            let written = written(batch, &verdicts).zip(self.next..);
            self.shared.publish_commit(written, through);
            self.count(rows);
        }
        let mut next = self.next;
        let mut written = Vec::with_capacity(batch.len());
        for (Pending { entry, answer }, verdict) in batch.drain(..).zip(verdicts) {
            answer.settle(match verdict {
                Verdict::Write => {
                    written.push(entry);
                    next += 1;
                    Ok(next - 1)
                }
                Verdict::Sweep(removed) => {
                    written.push(entry);
                    next += 1;
                    Ok(removed)
                }
                Verdict::Known => Ok(0),
                Verdict::Refuse(error) => Err(error),
            });
        }
        self.shared.hand_over(self.next, written);
        self.next = next;
        Ok(())
    }

    fn write(&self, batch: &[Pending], verdicts: &[Verdict]) -> rusqlite::Result<()> {
        self.log.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut statement = self.log.prepare_cached(INSERT)?;
        for (entry, sequence) in written(batch, verdicts).zip(self.next..) {
            insert(&mut statement, sequence, entry)?;
        }
        // In a transaction that is synced anyway.
        let trimmed = self.trimmable();
        if let Some(through) = trimmed {
            trim(&self.log, through)?;
        }
        self.log.prepare_cached("COMMIT")?.execute([])?;
        if let Some(through) = trimmed {
            self.shared.set_trimmed(through);
        }
        Ok(())
    }

    fn count(&self, rows: u64) {
        self.shared.rows.fetch_add(rows, Ordering::Relaxed);
        self.shared.batches.fetch_add(1, Ordering::Relaxed);
        self.shared.largest_batch.fetch_max(rows, Ordering::Relaxed);
    }

    // ---- housekeeping ----------------------------------------------------------------------------

    /// Through where the log can be trimmed, if that is a whole chunk.
    fn trimmable(&self) -> Option<u64> {
        let through = self.shared.trimmed() + TRIM_ROWS;
        (through <= self.shared.folded()).then_some(through)
    }

    fn tidy(&mut self) -> rusqlite::Result<()> {
        // A backlog of chunks is worked off while nobody waits; under load, with the batches.
        if let Some(through) = self.trimmable() {
            self.log.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            trim(&self.log, through)?;
            self.log.prepare_cached("COMMIT")?.execute([])?;
            self.shared.set_trimmed(through);
        }
        self.wal.keep(&self.log, &self.shared)
    }
}

/// The rows of a batch that go into the log.
fn written<'a>(
    batch: &'a [Pending],
    verdicts: &'a [Verdict],
) -> impl Iterator<Item = &'a Entry> + Clone {
    let judged = batch.iter().zip(verdicts);
    judged.filter_map(|(pending, verdict)| verdict.is_written().then_some(&pending.entry))
}

fn refuse(batch: &mut Vec<Pending>, reason: &str) {
    for Pending { answer, .. } in batch.drain(..) {
        answer.settle(Err(AppendError::Unavailable(reason.to_owned())));
    }
}

fn insert(statement: &mut Statement<'_>, sequence: u64, entry: &Entry) -> rusqlite::Result<()> {
    let mut buffer = Uuid::encode_buffer();
    let (kind, app, id) = entry.columns(&mut buffer);
    statement.execute((
        integer(sequence),
        kind,
        app,
        id,
        integer(entry.version),
        &entry.at,
        &entry.summary,
        &entry.records,
    ))?;
    Ok(())
}

const INSERT: &str = "INSERT INTO log (seq, kind, app, id, version, at, summary, records) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Writes, durably, that a process has begun to serve: whatever it read before is now on disk for
/// certain, since this commit's fsync covers it.
pub(super) fn write_started(log: &Connection, sequence: u64, at: String) -> rusqlite::Result<()> {
    let process = Uuid::new_v4().to_string();
    let summary = concat!(r#"{"release":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    log.execute(
        INSERT,
        (integer(sequence), STARTED, "", process, 0, at, summary, ""),
    )?;
    Ok(())
}

fn trim(log: &Connection, through: u64) -> rusqlite::Result<()> {
    log.prepare_cached("DELETE FROM log WHERE seq <= ?1")?
        .execute([integer(through)])?;
    schema::set_watermark(log, "trimmed_through", through)
}
