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
//! - All of that is a [`trunk`], for one primary. A Cluster has several: [`shards`] sends each command
//!   to the one that has its slot.

mod chart;
mod confirm;
mod connect;
mod listen;
mod primary;
mod reader;
mod recent;
mod shards;
mod slots;
mod standing;
mod ties;
mod trouble;
mod trunk;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::Notify;

pub use self::primary::Seen;
pub use self::trouble::Trouble;
pub(super) use self::trunk::Trunk;

use self::shards::Shards;
use self::ties::Ties;
use self::trouble::Refusal;
use super::keys::Keys;
use super::library::Library;
use super::options::{Options, Place};
use crate::ports::{JournalError, JournalHealth, Promise};

/// The connections to the store, wherever and however many its primaries are.
pub struct Link {
    keys: Keys,
    roads: Roads,
}

enum Roads {
    One(Arc<Trunk>),
    Many(Arc<Shards>),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Link").field(&self.primary()).finish()
    }
}

impl Link {
    /// Starts the threads and their writers. They connect by themselves, and go on trying.
    ///
    /// # Errors
    /// When the system has no room for another thread.
    pub(super) fn start(options: Options) -> std::io::Result<Self> {
        let keys = Keys::new(&options.prefix);
        let roads = if matches!(options.place, Place::Cluster { .. }) {
            Roads::Many(Shards::start(options)?)
        } else {
            let probe = keys.meta() + "probe";
            let ties = Ties::new(options.connections, probe, Arc::new(Notify::new()));
            Roads::One(Arc::new(Trunk::start(options, Arc::new(ties))?))
        };
        Ok(Self { keys, roads })
    }

    /// The names in the store.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Sends commands that write, in their order, and answers what each says once the configured
    /// replicas have confirmed them. They are sent again after a library that they call was missing,
    /// so that doing them twice has to be as good as once. Those with the same `lane` follow on each
    /// other. The work goes on when the future is dropped, as far as the primary of the first command
    /// does it.
    ///
    /// # Errors
    /// [`Trouble`], which tells whether anything may have been written.
    pub fn write(
        &self,
        lane: u32,
        library: &'static Library,
        commands: Vec<Cmd>,
    ) -> Promise<Result<Vec<Value>, Trouble>> {
        match &self.roads {
            Roads::One(trunk) => trunk.write(lane, library, commands),
            Roads::Many(shards) => shards.write(lane, library, commands),
        }
    }

    /// Sends commands that only read, and answers what each says.
    ///
    /// # Errors
    /// Why a primary can't be read.
    pub async fn query(&self, pipeline: Pipeline) -> Result<Vec<Value>, JournalError> {
        let values = match &self.roads {
            Roads::One(trunk) => trunk.query(pipeline).await?,
            Roads::Many(shards) => shards.query(pipeline).await?,
        };
        match values.iter().find_map(elsewhere) {
            Some(why) => Err(JournalError(why)),
            None => Ok(values),
        }
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

    /// The connections to each primary.
    pub(super) fn trunks(&self) -> Vec<Arc<Trunk>> {
        match &self.roads {
            Roads::One(trunk) => vec![Arc::clone(trunk)],
            Roads::Many(shards) => shards.trunks(),
        }
    }

    /// Whether the store is a Cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        matches!(self.roads, Roads::Many(_))
    }

    /// Which primary a key is at: a name that stays the same for as long as it is the same address.
    ///
    /// # Errors
    /// Why nobody knows.
    pub fn whereabouts(&self, key: &str) -> Result<String, JournalError> {
        match &self.roads {
            Roads::One(_) => Ok(String::new()),
            Roads::Many(shards) => shards.whereabouts(key),
        }
    }

    /// Another connection to the primary of this name, for what else nodes agree on through the store;
    /// an answer on it is waited for no longer than this.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn connect_for(
        &self,
        name: &str,
        answer_max: Duration,
    ) -> redis::RedisResult<MultiplexedConnection> {
        match &self.roads {
            Roads::One(trunk) => trunk.connect_for(answer_max).await,
            Roads::Many(shards) => shards.connect_for(name, answer_max).await,
        }
    }

    /// The map of slots may be out of date: it is read again.
    pub fn look_again(&self) {
        if let Roads::Many(shards) = &self.roads {
            shards.look_again();
        }
    }

    /// Whether writes can be taken: of a Cluster, by any of its primaries.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        match &self.roads {
            Roads::One(trunk) => trunk.health(),
            Roads::Many(shards) => shards.health(),
        }
    }

    /// Whether every primary takes writes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.roads {
            Roads::One(trunk) => trunk.health() == JournalHealth::Serving,
            Roads::Many(shards) => shards.is_whole(),
        }
    }

    /// Which servers answered last, and how many before them.
    #[must_use]
    pub fn primary(&self) -> Seen {
        match &self.roads {
            Roads::One(trunk) => trunk.primary(),
            Roads::Many(shards) => shards.primary(),
        }
    }

    /// How many servers have answered, counting one again after another.
    #[must_use]
    pub fn generation(&self) -> u64 {
        match &self.roads {
            Roads::One(trunk) => trunk.generation(),
            Roads::Many(shards) => shards.generation(),
        }
    }
}

/// What an answer says if it says that another node has the slot.
fn elsewhere(value: &Value) -> Option<String> {
    let Value::ServerError(error) = value else {
        return None;
    };
    match Refusal::of(error) {
        Refusal::Elsewhere(why) => Some(why),
        _ => None,
    }
}
