//! The council's own connection, and the function library that it needs in the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisResult, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::answers::Complaint;
use crate::ports::Promise;

/// The library's source; `LIBRARY` stands for its name.
const SOURCE: &str = include_str!("council.lua");
/// Bytes of the source's hash in the library's name, so that two releases can live side by side.
const HASH_BYTES: usize = 4;

/// Makes a connection to whoever is the primary now.
pub type Connect =
    Arc<dyn Fn() -> Promise<RedisResult<MultiplexedConnection>> + Send + Sync + 'static>;

/// Connects to one server, and waits for each answer, and for the connection, for so long at most.
#[must_use]
pub fn connect_to(client: Client, answer_max: Duration) -> Connect {
    Arc::new(move || {
        let client = client.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(answer_max))
            .set_response_timeout(Some(answer_max));
        Box::pin(async move {
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await
        })
    })
}

/// One connection that is made when it is needed.
pub(super) struct Line {
    connect: Connect,
    /// The present one, with its number.
    present: Mutex<(u64, Option<MultiplexedConnection>)>,
    /// The number of the last one on which something went wrong.
    broken: AtomicU64,
    library: String,
    /// It did not answer the last announcement: until it does, nothing else waits for it.
    silent: AtomicBool,
}

/// Breaks the connection unless what was asked on it was answered: whoever gives up waiting drops the
/// future, and a connection that is silent once would be silent for minutes.
struct Asked<'a> {
    broken: &'a AtomicU64,
    number: u64,
    answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.broken.fetch_max(self.number, Ordering::Relaxed);
        }
    }
}

/// The name of the library.
fn library() -> String {
    let hash = Sha256::digest(SOURCE);
    let hash: String = hash[..HASH_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("teller_council_{hash}")
}

/// The name of a function of the library.
pub(super) fn function(name: &str) -> String {
    format!("{}_{name}", library())
}

impl Line {
    pub(super) fn new(connect: Connect) -> Self {
        Self {
            connect,
            present: Mutex::new((0, None)),
            broken: AtomicU64::new(0),
            library: library(),
            silent: AtomicBool::new(false),
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Whether it has answered an announcement. Says whether that is news.
    pub(super) fn heard(&self, heard: bool) -> bool {
        self.silent.swap(!heard, Ordering::Relaxed) == heard
    }

    /// Sends a pipeline, and returns the answers to all its commands. A server without the library is
    /// given it first. After a failure the next one connects anew; how often it is tried is up to the
    /// keeper, whose ticks come a fifth of a second apart at the least.
    pub(super) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Complaint> {
        let (number, mut connection) = self.connection().await?;
        let mut asked = Asked {
            broken: &self.broken,
            number,
            answered: false,
        };
        let answer = self.exchange(&mut connection, pipeline).await;
        asked.answered = answer.is_ok();
        answer
    }

    /// What was answered was of no use: the present connection is not used again.
    pub(super) async fn doubt(&self) {
        let present = self.present.lock().await;
        self.broken.fetch_max(present.0, Ordering::Relaxed);
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), Complaint> {
        let mut present = self.present.lock().await;
        if let (number, Some(connection)) = &*present
            && *number > self.broken.load(Ordering::Relaxed)
        {
            return Ok((*number, connection.clone()));
        }
        let connection = (self.connect)().await?;
        *present = (present.0 + 1, Some(connection.clone()));
        Ok((present.0, connection))
    }

    async fn exchange(
        &self,
        connection: &mut MultiplexedConnection,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Complaint> {
        let count = pipeline.len();
        let answers = connection.send_packed_commands(pipeline, 0, count).await?;
        if !answers.iter().any(is_without_library) {
            return refuse_errors(answers);
        }
        let source = SOURCE.replace("LIBRARY", &self.library);
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(source);
        load.exec_async(connection).await?;
        // What ran before the library was gone runs once more: each function may.
        let answers = connection.send_packed_commands(pipeline, 0, count).await?;
        refuse_errors(answers)
    }
}

/// Whether the server doesn't know the function: it is new, or somebody has flushed its functions.
fn is_without_library(answer: &Value) -> bool {
    const SAID: &str = "Function not found";
    matches!(answer, Value::ServerError(error) if error.details().is_some_and(|said| said.contains(SAID)))
}

fn refuse_errors(answers: Vec<Value>) -> Result<Vec<Value>, Complaint> {
    let fine = |answer: Value| {
        if is_elsewhere(&answer) {
            return Ok(answer);
        }
        answer.extract_error().map_err(Complaint::from)
    };
    answers.into_iter().map(fine).collect()
}

/// Whether another node of the Cluster has the key's slot, or is about to.
pub(super) fn is_elsewhere(answer: &Value) -> bool {
    const CODES: [&str; 3] = ["MOVED", "ASK", "TRYAGAIN"];
    matches!(answer, Value::ServerError(error) if CODES.contains(&error.code()))
}
