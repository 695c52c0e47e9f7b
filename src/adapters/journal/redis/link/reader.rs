//! The connection that reads: many questions at once, each with its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Pipeline, Value};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connect::{Connected, Connector};
use super::trouble::{Refusal, of_connection};
use crate::ports::JournalError;

/// How long an answer may take. A page of a list takes a few milliseconds; this is for a server that
/// has stopped.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// After a failed connection no other is tried for so long: questions are answered with that failure.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

pub(super) struct Reader {
    /// Connections live in the link's thread, not in that of whoever asks first.
    runtime: Handle,
    connector: Arc<Connector>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connected: Option<Connected>,
    failed: Option<(Instant, String)>,
}

impl Reader {
    pub(super) fn new(runtime: Handle, connector: Arc<Connector>) -> Self {
        Self {
            runtime,
            connector,
            state: Arc::default(),
        }
    }

    /// Asks, and once more over a new connection if this one turns out to be closed.
    pub(super) async fn query(&self, pipeline: Pipeline) -> Result<Vec<Value>, JournalError> {
        let mut pipeline = pipeline;
        pipeline.ignore_errors();
        for last in [false, true] {
            let mut connection = self.connection().await.map_err(JournalError)?;
            let ask = pipeline.query_async::<Vec<Value>>(&mut connection.1);
            let (why, again) = match timeout(ANSWER_WITHIN, ask).await {
                Ok(Ok(values)) => match complaint(&values) {
                    None => return Ok(values),
                    Some(Refusal::Here(why)) => (why, true),
                    Some(Refusal::Now(why) | Refusal::Within(why) | Refusal::Elsewhere(why)) => {
                        return Err(JournalError(why));
                    }
                    Some(Refusal::NoFunction) => {
                        return Err(JournalError("a Function is missing".to_owned()));
                    }
                },
                Ok(Err(error)) => (format!("Redis {}", of_connection(&error)), true),
                Err(_) => ("Redis does not answer in time".to_owned(), false),
            };
            self.forget(connection.0).await;
            if last || !again {
                return Err(JournalError(why));
            }
        }
        Err(JournalError("Redis closes every connection".to_owned()))
    }

    /// The connection, made if there is none or if it leads to a server that isn't the primary any
    /// more; with its generation.
    async fn connection(&self) -> Result<(u64, redis::aio::MultiplexedConnection), String> {
        let (connector, state) = (Arc::clone(&self.connector), Arc::clone(&self.state));
        {
            let state = state.lock().await;
            if let Some(connected) = &state.connected
                && !connector.is_outdated(connected)
            {
                return Ok((connected.generation, connected.connection.clone()));
            }
        }
        let connect = self.runtime.spawn(async move {
            let mut state = state.lock().await;
            // Somebody else may have been quicker.
            let current = state.connected.take();
            state.connected = current.filter(|one| !connector.is_outdated(one));
            if state.connected.is_none() {
                let failed = state.failed.as_ref();
                if let Some((at, why)) = failed
                    && at.elapsed() < TRY_AGAIN_AFTER
                {
                    return Err(why.clone());
                }
                match connector.connect().await {
                    Ok(connected) => state.connected = Some(connected),
                    Err(why) => {
                        state.failed = Some((Instant::now(), why.clone()));
                        return Err(why);
                    }
                }
            }
            let connected = state.connected.as_ref();
            let copy = connected.map(|one| (one.generation, one.connection.clone()));
            copy.ok_or_else(|| "it is not connected".to_owned())
        });
        let gone = |_| "the thread of the connections is gone".to_owned();
        connect.await.map_err(gone)?
    }

    /// Lets go of a connection that doesn't work.
    async fn forget(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state
            .connected
            .as_ref()
            .is_some_and(|one| one.generation == generation)
        {
            state.connected = None;
        }
    }
}

/// What the server complains of, if it does.
fn complaint(values: &[Value]) -> Option<Refusal> {
    values.iter().find_map(|value| match value {
        // Whoever has the map of slots asks another.
        Value::ServerError(error) => match Refusal::of(error) {
            Refusal::Elsewhere(_) => None,
            refusal => Some(refusal),
        },
        _ => None,
    })
}
