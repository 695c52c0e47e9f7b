//! The connections to one primary: writers with a queue each, and a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::connect::Connector;
use super::primary::{Primary, Seen};
use super::reader::Reader;
use super::standing::Standing;
use super::ties::Ties;
use super::trouble::Trouble;
use super::writer::{Job, Writer};
use crate::adapters::journal::redis::library::Library;
use crate::adapters::journal::redis::options::Options;
use crate::ports::{JournalError, JournalHealth, Promise};

/// Writes that wait for one connection, at most: some thirty full groups, a fraction of a second.
const WAITING_JOBS: usize = 16 * 1024;
/// Bytes of writes that wait, at most, over all connections, so that large payloads don't fill memory.
const WAITING_BYTES: usize = 64 << 20;

/// The connections. Dropping the last handle lets the writers finish what they have, and ends them.
pub(in crate::adapters::journal::redis) struct Trunk {
    writers: Vec<mpsc::Sender<Job>>,
    reader: Reader,
    primary: Arc<Primary>,
    standing: Arc<Standing>,
    queued_bytes: Arc<AtomicUsize>,
    connector: Arc<Connector>,
    ties: Arc<Ties>,
}

impl Trunk {
    /// Starts the thread and its writers. They connect by themselves, and go on trying.
    ///
    /// # Errors
    /// When the system has no room for another thread.
    pub(super) fn start(options: Options, ties: Arc<Ties>) -> std::io::Result<Self> {
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
                let writer =
                    Writer::new(number, jobs, connector, standing, bytes, Arc::clone(&ties));
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
            ties,
        })
    }

    /// What it shares with whoever manages several of them.
    pub(super) fn ties(&self) -> &Ties {
        &self.ties
    }

    /// The way in which its connections are made.
    pub(super) fn connector(&self) -> &Arc<Connector> {
        &self.connector
    }

    /// See [`super::Link::write`].
    pub(super) fn write(
        &self,
        lane: u32,
        library: &'static Library,
        commands: Vec<Cmd>,
    ) -> Promise<Result<Vec<Value>, Trouble>> {
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
        Box::pin(async move {
            let gone = Trouble::Unconfirmed("the connection's task is gone".to_owned());
            answered.await.unwrap_or(Err(gone))
        })
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

    /// Sends commands that only read. Where an answer says that another node of its Cluster has the
    /// slot, that is the answer.
    pub(super) async fn query(&self, pipeline: Pipeline) -> Result<Vec<Value>, JournalError> {
        self.reader.query(pipeline).await
    }

    /// Sends one command that only reads, and that needs no key.
    pub(in crate::adapters::journal::redis) async fn ask(
        &self,
        command: Cmd,
    ) -> Result<Value, JournalError> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(command);
        let answer = self.query(pipeline).await?.pop();
        answer.ok_or_else(|| JournalError("the server answered nothing".to_owned()))
    }

    /// See [`super::Link::connect_for`].
    pub(super) async fn connect_for(
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

    pub(super) fn health(&self) -> JournalHealth {
        self.standing.health()
    }

    pub(super) fn primary(&self) -> Seen {
        self.primary.seen()
    }

    pub(super) fn generation(&self) -> u64 {
        self.primary.generation()
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
