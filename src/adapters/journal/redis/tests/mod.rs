//! The journal over real servers.

mod checking;
mod failing;
mod fencing;
mod keeping;
mod losing;
mod retiring;
mod sharding;
mod stepping;
mod upgrading;
mod weighing;

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::super::samples::{Life, kept, key};
use super::super::servers::{Cluster, Kind, Server};
use super::{Address, Options, Password, Place, RedisJournal, Tls};
use crate::ports::{
    Append, AppendError, Committed, Journal, JournalHealth, Letter, ListQuery, Posted, Shared,
    Subject, Tenure,
};
use crate::transaction::Key;

/// After so long a condition counts as never met.
const DEADLINE: Duration = Duration::from_secs(30);

/// Options for a server of a test.
fn at(server: &Server) -> Options {
    at_place(Place::Server(Address {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
    }))
}

/// The servers of a test have started, so that a start that is refused need not be waited for.
fn at_place(place: Place) -> Options {
    Options {
        start_within: Duration::from_secs(2),
        ..Options::new(place)
    }
}

/// Gives every partition whose slot a server has to whoever acts by [`Tenure::ALONE`].
fn own_everything(server: &Server) {
    let give = "for n = 0, 255 do redis.pcall('HSET', 'teller:{p' .. n .. '}:lease', \
                'epoch', '0', 'claim', ARGV[1]) end";
    let nobody = Uuid::nil().to_string();
    server.command(&["EVAL", give, "0", &nobody]);
}

/// A journal over a server, whose partitions are all owned.
pub(in super::super) async fn owned(server: &Server) -> RedisJournal {
    own_everything(server);
    connected(at(server)).await
}

/// The same over a Cluster.
pub(in super::super) async fn owned_cluster(cluster: &Cluster) -> RedisJournal {
    cluster.nodes.iter().for_each(own_everything);
    connected(at_place(in_cluster(cluster))).await
}

fn in_cluster(cluster: &Cluster) -> Place {
    let address = |node: &Server| Address {
        host: "127.0.0.1".to_owned(),
        port: node.port(),
    };
    Place::Cluster {
        // The others are found through it.
        seeds: vec![address(&cluster.nodes[0])],
    }
}

async fn connected(options: Options) -> RedisJournal {
    let journal = RedisJournal::connect(options).await;
    journal.expect("a server that was started for it")
}

/// An acceptance by a node that doesn't own the partition.
fn by_anybody(append: Append) -> Append {
    Append {
        tenure: None,
        ..append
    }
}

/// Looks until it holds.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn serves(journal: &RedisJournal) {
    eventually("a journal that serves", async || {
        journal.health() == JournalHealth::Serving
    })
    .await;
}

async fn stands(journal: &RedisJournal) -> String {
    eventually("a journal that says it can't", async || {
        journal.health() != JournalHealth::Serving
    })
    .await;
    match journal.health() {
        JournalHealth::Unreachable(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Repeats an append until the journal says what became of it.
async fn settled(journal: &RedisJournal, append: Append) -> Result<Committed, AppendError> {
    let end = Instant::now() + DEADLINE;
    loop {
        match journal.append(append.clone()).await {
            Err(AppendError::Unavailable(why) | AppendError::Unconfirmed(why)) => {
                assert!(Instant::now() < end, "never confirmed: {why}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            settled => return settled,
        }
    }
}

async fn version(journal: &RedisJournal, key: &Key) -> usize {
    let records = journal.load(key).await.expect("readable");
    records.map_or(0, |records| records.len())
}
