//! Tests with real files.

mod appending;
mod asking;
mod crashing;
mod failing;
mod folding;
mod keeping;
mod opening;
mod racing;
mod refiling;
mod upgrading;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::samples::{Life, kept, key, wall};
use super::schema::{ARCHIVE, Database, JOURNAL};
use super::{EmbeddedJournal, Knobs, OpenError, Options};
use crate::ports::{
    Append, AppendError, Committed, Expect, InboxQuery, Journal, JournalHealth, Kept, ListQuery,
    Promise,
};
use crate::transaction::{Key, Record};

/// After so long a journal counts as locked by somebody else.
const FORKED_FOR: Duration = Duration::from_secs(5);

fn open(dir: &Path) -> EmbeddedJournal {
    opened(dir, Knobs::default())
}

/// A server that another test of this process starts holds the lock of a journal that was just closed,
/// too, for the moment between its fork and its exec.
fn opened(dir: &Path, knobs: Knobs) -> EmbeddedJournal {
    let end = Instant::now() + FORKED_FOR;
    loop {
        match EmbeddedJournal::open_with(Options::new(dir), knobs) {
            Err(OpenError::Locked { .. }) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return opened.expect("a journal that opens"),
        }
    }
}

/// A journal that folds only when told so.
fn open_paused(dir: &Path) -> EmbeddedJournal {
    let knobs = Knobs {
        folds_paused: true,
        ..Knobs::default()
    };
    opened(dir, knobs)
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A look into one of the files, as an operator would take it.
fn sqlite(dir: &Path, database: &Database) -> Connection {
    Connection::open(dir.join(database.file)).expect("a database")
}

async fn load(journal: &EmbeddedJournal, key: &Key) -> Option<Vec<Record>> {
    journal.load(key).await.expect("readable")
}

/// Waits until everything committed so far is in the archive.
async fn folded(journal: &EmbeddedJournal) {
    let committed = journal.stats().committed_through;
    super::port::wait_for_fold(&journal.shared, committed)
        .await
        .expect("a fold");
}

/// Makes the writer commit all of `appends` in one batch.
async fn append_as_one_batch(
    dir: &Path,
    journal: &EmbeddedJournal,
    plug: Append,
    appends: Vec<Append>,
) -> Vec<Result<Committed, AppendError>> {
    let write = || appends.into_iter().map(|one| journal.append(one)).collect();
    as_one_batch(dir, journal, plug, write).await
}

/// Makes the writer commit all that `write` begins in one batch: it is held at an earlier commit, of
/// `plug`, until all of it waits. Answered when all of it is.
async fn as_one_batch<T>(
    dir: &Path,
    journal: &EmbeddedJournal,
    plug: Append,
    write: impl FnOnce() -> Vec<Promise<T>>,
) -> Vec<T> {
    let holder = sqlite(dir, &JOURNAL);
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let plugged = journal.append(plug);
    while journal.shared.queued_bytes.load(Ordering::Acquire) > 0 {
        tokio::task::yield_now().await;
    }
    let promises = write();
    holder.execute_batch("ROLLBACK").expect("released");
    plugged.await.expect("written");
    let mut results = Vec::new();
    for promise in promises {
        results.push(promise.await);
    }
    results
}

/// The store's files with their contents, without what carries nothing: lock and shared memory.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("readable");
    entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("readable"))
        })
        .filter(|(name, _)| !name.ends_with("-shm") && !name.ends_with(".lock"))
        .collect()
}

/// Writes a store's files into a directory of its own: what a crash at this moment would leave.
fn restore(contents: &BTreeMap<String, Vec<u8>>) -> tempfile::TempDir {
    let dir = tempdir();
    for (name, bytes) in contents {
        fs::write(dir.path().join(name), bytes).expect("writable");
    }
    dir
}
