//! The store fails in every way that stores do, under load, and each time the accounts are compared:
//! nothing that was promised is lost, nothing is executed twice, wrong or untold.

use std::time::Duration;

use toml::Table;

use super::stage::{Plan, Stage};
use crate::support::put;
use crate::support::redis::{Kind, MASTER_NAME, SentinelSet, Server};

const TRANSACTIONS: usize = 400;
const PER_SECOND: f64 = 40.0;
/// The trouble begins this long after the first transaction.
const BEFORE: Duration = Duration::from_secs(3);
/// Everything has to be final and told within this long after the last promise.
const SETTLE_WITHIN: Duration = Duration::from_secs(180);

fn plan() -> Plan {
    Plan {
        nodes: 2,
        ..Plan::default()
    }
}

/// Sends transactions, has `trouble` happen in the middle, and audits.
async fn survive<T>(stage: Stage, trouble: impl AsyncFnOnce() -> T) {
    let sending = stage.send(0..TRANSACTIONS, PER_SECOND);
    tokio::time::sleep(BEFORE).await;
    let _kept = trouble().await;
    let promises = sending
        .await
        .expect("the customers do not panic")
        .expect("every good request is promised in the end");
    assert_eq!(promises.len(), TRANSACTIONS);
    stage.settle(&promises, SETTLE_WITHIN).await;
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_killed_and_comes_back() {
    let mut store = Server::redis(&[]);
    let stage = Stage::set(&store.url(), plan()).await;
    survive(stage, async move || {
        for _ in 0..2 {
            store.kill();
            pause(2).await;
            store.restart();
            pause(1).await;
        }
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_stands_still_for_ten_seconds() {
    let store = Server::valkey(&[]);
    let stage = Stage::set(&store.url(), plan()).await;
    survive(stage, async move || {
        store.pause();
        pause(10).await;
        store.resume();
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_has_no_memory_left() {
    let store = Server::redis(&[]);
    let stage = Stage::set(&store.url(), plan()).await;
    survive(stage, async move || {
        store.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
        pause(5).await;
        store.command(&["CONFIG", "SET", "maxmemory", "0"]);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_forgets_its_functions() {
    let store = Server::valkey(&[]);
    let stage = Stage::set(&store.url(), plan()).await;
    survive(stage, async move || {
        for _ in 0..5 {
            store.command(&["FUNCTION", "FLUSH"]);
            store.command(&["SCRIPT", "FLUSH"]);
            pause(1).await;
        }
        store
    })
    .await;
}

/// Every command takes 200 ms longer: a proxy that delays what the nodes send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_slow() {
    let store = Server::redis(&[]);
    let slow = SlowRoad::to(store.port(), Duration::from_millis(200)).await;
    let stage = Stage::set(&slow.url, plan()).await;
    survive(stage, async move || (store, slow)).await;
}

/// The primary is cut off from everybody, as far as a process can be: it stands still for longer than
/// the sentinels wait. The replica takes over; when the old primary goes on, it becomes a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_is_cut_off_and_its_replica_promoted() {
    let set = SentinelSet::start(Kind::Redis);
    let sentinels: Vec<toml::Value> = set
        .addresses()
        .iter()
        .map(|address| format!("redis://{address}").into())
        .collect();
    let mut redis = Table::new();
    put(&mut redis, "sentinels", sentinels);
    put(&mut redis, "master", MASTER_NAME);
    put(&mut redis, "replicas", 1);
    let stage = Stage::set("", Plan { redis, ..plan() }).await;
    survive(stage, async move || {
        let first = set.primary();
        set.servers[first].pause();
        let set = tokio::task::spawn_blocking(move || {
            set.wait_for_another_than(first);
            set
        })
        .await
        .expect("the sentinels agree");
        pause(2).await;
        set.servers[first].resume();
        set
    })
    .await;
}

/// A road to a server on which everything that is sent arrives later, in order.
struct SlowRoad {
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl SlowRoad {
    async fn to(port: u16, delay: Duration) -> Self {
        use tokio::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("redis://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, delay));
                tokio::spawn(carry(from_server, to_client, Duration::ZERO));
            }
        });
        Self { url, task }
    }
}

impl Drop for SlowRoad {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;
    let (on_its_way, mut arriving) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    tokio::spawn(async move {
        while let Some((at, piece)) = arriving.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let sent = on_its_way.send((Instant::now() + delay, piece[..read].to_vec()));
        if sent.await.is_err() {
            return;
        }
    }
}
