//! The reader threads: each with a read-only connection to the archive, so that reads hold up neither
//! commits nor each other.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{schema, spawn};
use crate::ports::JournalError;

/// Threads that read. Two, so that one slow list doesn't hold up every load.
const READERS: usize = 2;
/// Reads that wait, at most: at some 20 µs each, what is behind them waits 10 ms.
const WAITING_READS: usize = 1024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

enum Job {
    Read(Read),
    Stop,
}

/// The way to the threads.
#[derive(Clone)]
pub(super) struct Readers {
    jobs: SyncSender<Job>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(archive: &Path) -> rusqlite::Result<(Self, Vec<JoinHandle<()>>)> {
        let (jobs, waiting) = sync_channel(WAITING_READS);
        let waiting = Arc::new(Mutex::new(waiting));
        let threads = (0..READERS)
            .map(|_| {
                let connection = schema::reading(archive)?;
                let waiting = Arc::clone(&waiting);
                Ok(spawn("journal-reader", move || {
                    serve(&connection, &waiting)
                }))
            })
            .collect::<rusqlite::Result<_>>()?;
        Ok((Self { jobs }, threads))
    }

    /// Runs `read` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.submit(Box::new(move |connection| {
            drop(answer.send(read(connection)))
        }))?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Runs `read` on one of the threads and waits for it on this one.
    pub(super) fn run_blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = sync_channel(1);
        self.submit(Box::new(move |connection| {
            drop(answer.send(read(connection)))
        }))?;
        answered.recv().unwrap_or_else(|_| Err(stopped()))
    }

    fn submit(&self, read: Read) -> Result<(), JournalError> {
        self.jobs
            .try_send(Job::Read(read))
            .map_err(|error| match error {
                TrySendError::Full(_) => {
                    JournalError(format!("{WAITING_READS} reads are waiting already"))
                }
                TrySendError::Disconnected(_) => stopped(),
            })
    }

    /// Ends the threads after the reads that wait already, whoever else still has a way to them.
    pub(super) fn stop(&self) {
        for _ in 0..READERS {
            // Fails only if they have ended.
            let _ = self.jobs.send(Job::Stop);
        }
    }
}

fn stopped() -> JournalError {
    JournalError("its readers have stopped".to_owned())
}

fn serve(connection: &Connection, waiting: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: the next job goes to whoever holds it.
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(Job::Read(read)) => read(connection),
            Ok(Job::Stop) | Err(_) => return,
        }
    }
}
