//! A raw append-only file with one `fdatasync` per group and no index: what the disk can do at best,
//! as the ceiling in benchmarks. Not for production: it takes an existing file for an empty one,
//! lists nothing and never gives space back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::ports::{
    Append, AppendError, Binding, Committed, Expect, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, Promise,
};
use crate::transaction::Statement;
use crate::transaction::{Key, Record, Timestamp, TransactionId};

/// Rows in one group, at most: the embedded journal's number, so that the two compare.
const GROUP_ROWS: usize = 1024;
/// Appends that wait, at most: the embedded journal's number.
const WAITING_APPENDS: usize = 16 * 1024;

/// The journal. See the [module](self).
#[derive(Debug)]
pub struct RawFileJournal {
    shared: Arc<Shared>,
    writer: SyncSender<Pending>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    rows: Mutex<HashMap<Key, Rows>>,
    committed: AtomicU64,
    failure: OnceLock<String>,
}

/// Where a transaction's rows are: offset and length in bytes.
#[derive(Default, Debug)]
struct Rows {
    version: u64,
    places: Vec<(u64, usize)>,
}

#[derive(Debug)]
struct Pending {
    key: Key,
    expect: Expect,
    version: u64,
    line: Vec<u8>,
    answer: oneshot::Sender<Result<Committed, AppendError>>,
}

impl RawFileJournal {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let shared = Arc::new(Shared {
            file,
            rows: Mutex::default(),
            committed: AtomicU64::new(0),
            failure: OnceLock::new(),
        });
        let (writer, waiting) = sync_channel(WAITING_APPENDS);
        let its_shared = Arc::clone(&shared);
        thread::spawn(move || its_shared.serve(&waiting));
        Ok(Self { shared, writer })
    }
}

impl Shared {
    fn serve(&self, waiting: &Receiver<Pending>) {
        let mut end = 0;
        while let Ok(first) = waiting.recv() {
            let more = waiting.try_iter().take(GROUP_ROWS - 1);
            let group: Vec<Pending> = std::iter::once(first).chain(more).collect();
            if let Err(error) = self.commit(group, &mut end) {
                // The group's answers were dropped unsent.
                self.failure.get_or_init(|| error.to_string());
                return;
            }
        }
    }

    fn commit(&self, group: Vec<Pending>, end: &mut u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut answers = Vec::with_capacity(group.len());
        let mut sequence = self.committed.load(Ordering::Acquire);
        let mut rows = self.locked();
        for pending in group {
            let version = rows.get(&pending.key).map(|rows| rows.version);
            let refused = match (pending.expect, version) {
                (Expect::Absent, Some(_)) => Some(AppendError::Exists),
                (Expect::Absent, None) => None,
                (Expect::Version(expected), _) if version == Some(expected) => None,
                (Expect::Version(_), _) => Some(AppendError::VersionConflict),
            };
            if let Some(error) = refused {
                answers.push((pending.answer, Err(error)));
                continue;
            }
            sequence += 1;
            let row = rows.entry(pending.key).or_default();
            row.version = pending.version;
            row.places
                .push((*end + bytes.len() as u64, pending.line.len()));
            bytes.extend(pending.line);
            answers.push((pending.answer, Ok(Committed { sequence })));
        }
        drop(rows);
        (&self.file).write_all(&bytes)?;
        self.file.sync_data()?;
        *end += bytes.len() as u64;
        self.committed.store(sequence, Ordering::Release);
        for (answer, result) in answers {
            let _ = answer.send(result);
        }
        Ok(())
    }

    fn load(&self, key: &Key) -> io::Result<Option<Vec<Record>>> {
        let places = self.locked().get(key).map(|rows| rows.places.clone());
        let Some(places) = places else {
            return Ok(None);
        };
        let mut records = Vec::new();
        for (offset, length) in places {
            let mut line = vec![0; length];
            self.file.read_exact_at(&mut line, offset)?;
            records.extend(serde_json::from_slice::<Vec<Record>>(&line)?);
        }
        Ok(Some(records))
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Key, Rows>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for RawFileJournal {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        let unavailable = |why: &str| AppendError::Unavailable(why.to_owned());
        let (answer, answered) = oneshot::channel();
        let mut line = serde_json::to_vec(&append.records).unwrap_or_default();
        line.push(b'\n');
        let sent = self.writer.try_send(Pending {
            key: append.key,
            expect: append.expect,
            version: append.summary.version,
            line,
            answer,
        });
        Box::pin(async move {
            sent.map_err(|_| unavailable("its queue is full, or it has failed"))?;
            answered
                .await
                .unwrap_or_else(|_| Err(unavailable("the write failed")))
        })
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        let loaded = self.shared.load(key);
        let loaded = loaded.map_err(|error| JournalError(error.to_string()));
        Box::pin(std::future::ready(loaded))
    }

    fn open(&self, _: Option<u32>, _: u64, _: usize) -> Promise<Result<OpenPage, JournalError>> {
        let nothing = OpenPage {
            rows: Vec::new(),
            next: None,
        };
        Box::pin(std::future::ready(Ok(nothing)))
    }

    fn list(&self, _: ListQuery) -> Promise<Result<Page, JournalError>> {
        let nothing = Page {
            rows: Vec::new(),
            next: None,
            as_of: Timestamp::from_millis(0),
        };
        Box::pin(std::future::ready(Ok(nothing)))
    }

    fn bind(&self, _: Binding) -> Promise<Result<(), AppendError>> {
        not_offered("bindings")
    }

    fn bound_to(&self, _: &Key) -> Promise<Result<Option<TransactionId>, JournalError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn keep(&self, _: Kept) -> Promise<Result<(), AppendError>> {
        not_offered("webhooks")
    }

    fn referred(&self, _: &str, _: &str) -> Promise<Result<Option<Key>, JournalError>> {
        let no = JournalError("a raw file has no index of references".to_owned());
        Box::pin(std::future::ready(Err(no)))
    }

    fn kept_for(&self, _: &str, _: &str) -> Promise<Result<Vec<Kept>, JournalError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn release(&self, _: &str, _: &str, _: Option<&Statement>) -> Promise<Result<(), AppendError>> {
        not_offered("webhooks")
    }

    fn inbox(&self, _: InboxQuery) -> Promise<Result<InboxPage, JournalError>> {
        let nothing = InboxPage {
            rows: Vec::new(),
            next: None,
            total: 0,
        };
        Box::pin(std::future::ready(Ok(nothing)))
    }

    fn expire_kept(&self, _: Timestamp) -> Promise<Result<u64, AppendError>> {
        not_offered("webhooks")
    }

    fn note(&self, _: &str, _: Option<String>) -> Promise<Result<(), AppendError>> {
        not_offered("notes")
    }

    fn noted(&self, _: &str) -> Promise<Result<Vec<(String, String)>, JournalError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn folded_through(&self) -> u64 {
        self.shared.committed.load(Ordering::Acquire)
    }

    fn health(&self) -> JournalHealth {
        match self.shared.failure.get() {
            Some(reason) => JournalHealth::Failed(reason.clone()),
            None => JournalHealth::Serving,
        }
    }
}

fn not_offered<T: Send + 'static>(what: &str) -> Promise<Result<T, AppendError>> {
    let no = AppendError::Unavailable(format!("a raw file keeps no {what}"));
    Box::pin(std::future::ready(Err(no)))
}

#[cfg(test)]
mod tests {
    use super::super::samples::Life;
    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = RawFileJournal::create(&dir.path().join("raw")).expect("writable");
        let (mut life, first) = Life::begin("shop", 1, "bank");
        journal.append(first.clone()).await.expect("written");
        assert_eq!(journal.append(first).await, Err(AppendError::Exists));
        let second = journal.append(life.unknown()).await;
        assert_eq!(second, Ok(Committed { sequence: 2 }));
        let loaded = journal.load(&life.transaction.key).await;
        assert_eq!(loaded, Ok(Some(life.history)));
    }
}
