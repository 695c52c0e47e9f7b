//! The connections to the store.
//!
//! ```text
//!   write ──▶ queue ──▶ writer task ──one pipeline per group, WAIT──▶ primary
//!   query ────────────▶ reader ────────── multiplexed ─────────────▶ primary
//! ```
//!
//! - A writer collects whatever arrived while its last group was out ("natural batching"), and asks for
//!   the replicas' confirmation on the connection that wrote.
//! - All of it runs in one thread of its own, so that no web worker's stall delays a commit.
//! - A connection is made again with a growing pause. What arrives meanwhile is refused at once.
//! - Every connection looks which server answers. A change is counted, and makes all others look too.
//! - A writer remembers what was confirmed lately. Where another server answers than before, it writes
//!   that again before anything else: a replica that was promoted may have lost it.

mod confirm;
mod connect;
mod listen;
mod primary;
mod reader;
mod recent;
mod standing;
mod trouble;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use self::primary::Seen;
pub use self::trouble::Trouble;

use self::connect::Connector;
use self::primary::Primary;
use self::reader::Reader;
use self::standing::Standing;
use self::writer::{Job, Writer};
use super::keys::Keys;
use super::library::Library;
use super::options::Options;
use crate::ports::{JournalError, JournalHealth};

/// Writes that wait for one connection, at most: some thirty full groups, a fraction of a second.
const WAITING_JOBS: usize = 16 * 1024;
/// Bytes of writes that wait, at most, over all connections, so that large payloads don't fill memory.
const WAITING_BYTES: usize = 64 << 20;

/// The connections. Dropping the last handle lets the writers finish what they have, and ends them.
pub struct Link {
    writers: Vec<mpsc::Sender<Job>>,
    reader: Reader,
    primary: Arc<Primary>,
    standing: Arc<Standing>,
    queued_bytes: Arc<AtomicUsize>,
    connector: Arc<Connector>,
    keys: Keys,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seen = self.primary.seen();
        f.debug_tuple("Link").field(&seen).finish()
    }
}

impl Link {
    /// Starts the thread and its writers. They connect by themselves, and go on trying.
    ///
    /// # Errors
    /// When the system has no room for another thread.
    pub(super) fn start(options: Options) -> std::io::Result<Self> {
        let keys = Keys::new(&options.prefix);
        let connections = options.connections;
        let primary = Arc::new(Primary::default());
        let standing = Arc::new(Standing::new(connections));
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let connector = Arc::new(Connector::new(options, Arc::clone(&primary)));
        let (senders, writers): (Vec<_>, Vec<_>) = (0..connections)
            .map(|number| {
                let (sender, jobs) = mpsc::channel(WAITING_JOBS);
                let (connector, standing) = (Arc::clone(&connector), Arc::clone(&standing));
                let bytes = Arc::clone(&queued_bytes);
                let writer = Writer::new(number, jobs, connector, standing, bytes, &keys);
                (sender, writer)
            })
            .unzip();
        let runtime = start_thread(Arc::clone(&connector), writers)?;
        Ok(Self {
            writers: senders,
            reader: Reader::new(runtime, Arc::clone(&connector)),
            connector,
            primary,
            standing,
            queued_bytes,
            keys,
        })
    }

    /// The names in the store.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Sends commands that write, in their order, and answers what each says once the configured
    /// replicas have confirmed them. They are sent again after a library that they call was missing,
    /// so that doing them twice has to be as good as once. Those with the same `lane` follow on each
    /// other. The work goes on when the future is dropped.
    ///
    /// # Errors
    /// [`Trouble`], which tells whether anything may have been written.
    pub fn write(
        &self,
        lane: u32,
        library: &'static Library,
        commands: Vec<Cmd>,
    ) -> impl Future<Output = Result<Vec<Value>, Trouble>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let bytes = commands.iter().map(|one| one.get_packed_command().len());
        let job = Job {
            bytes: bytes.sum(),
            commands,
            library,
            answer,
            is_new: true,
        };
        self.submit(lane as usize % self.writers.len(), job);
        async move {
            let gone = Trouble::Unconfirmed("the connection's task is gone".to_owned());
            answered.await.unwrap_or(Err(gone))
        }
    }

    fn submit(&self, writer: usize, job: Job) {
        if let Some(why) = self.standing.why_not(writer) {
            return job.refuse(&why);
        }
        let bytes = job.bytes;
        let queued = self.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
        let full = "more wait already than the connection can write";
        let job = if queued + bytes > WAITING_BYTES {
            job
        } else {
            match self.writers[writer].try_send(job) {
                Ok(()) => return,
                Err(error) => error.into_inner(),
            }
        };
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        job.refuse(full);
    }

    /// Sends commands that only read, and answers what each says.
    ///
    /// # Errors
    /// Why the primary can't be read.
    pub async fn query(&self, pipeline: Pipeline) -> Result<Vec<Value>, JournalError> {
        self.reader.query(pipeline).await
    }

    /// Sends one command that only reads.
    ///
    /// # Errors
    /// Why the primary can't be read.
    pub async fn ask(&self, command: Cmd) -> Result<Value, JournalError> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(command);
        let answer = self.query(pipeline).await?.pop();
        answer.ok_or_else(|| JournalError("the server answered nothing".to_owned()))
    }

    /// Another connection to the primary, for what else nodes agree on through the store; an answer
    /// on it is waited for no longer than this.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn connect_for(
        &self,
        answer_max: Duration,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let connected = timeout(answer_max, self.connector.connect()).await;
        let why = match connected {
            Ok(Ok(mut connected)) => {
                connected.connection.set_response_timeout(answer_max);
                return Ok(connected.connection);
            }
            Ok(Err(why)) => why,
            Err(_) => "the store does not answer in time".to_owned(),
        };
        Err((redis::ErrorKind::Io, "no connection", why).into())
    }

    /// Whether writes can be taken.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        self.standing.health()
    }

    /// Which server answered last, and how many before it.
    #[must_use]
    pub fn primary(&self) -> Seen {
        self.primary.seen()
    }

    /// How many servers have answered, counting one again after another.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.primary.generation()
    }

    /// Changes whenever another server answers than before.
    #[must_use]
    pub fn watch_primary(&self) -> tokio::sync::watch::Receiver<u64> {
        self.primary.watch()
    }
}

/// Starts the thread that all connections live in. It ends with the last writer.
fn start_thread(connector: Arc<Connector>, writers: Vec<Writer>) -> std::io::Result<Handle> {
    let (sender, started) = std::sync::mpsc::sync_channel(1);
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(sender.send(Err(error))),
        };
        let tasks: Vec<_> = writers
            .into_iter()
            .map(|writer| runtime.spawn(writer.run()))
            .collect();
        let watch = runtime.spawn(async move { connector.watch().await });
        // Whoever started the thread waits for this.
        let _ = sender.send(Ok(runtime.handle().clone()));
        runtime.block_on(async {
            for task in tasks {
                // A task that panicked has been reported; its waiters hear that it is gone.
                let _ = task.await;
            }
        });
        watch.abort();
    };
    std::thread::Builder::new()
        .name("journal-link".to_owned())
        .spawn(run)?;
    let gone = |_| std::io::Error::other("the thread of the connections ended at once");
    started.recv().map_err(gone)?
}
