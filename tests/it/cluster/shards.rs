//! Two nodes over a Redis Cluster: slots that move and primaries that pause under load, each audited.

use std::time::Duration;

use toml::Table;

use super::stage::{Plan, Stage};
use crate::support::put;
use crate::support::redis::{Cluster, Kind};

const TRANSACTIONS: usize = 300;
const PER_SECOND: f64 = 40.0;
/// Three ghost windows at compressed time, and a machine that does other things.
const SETTLE_WITHIN: Duration = Duration::from_secs(150);

fn over(cluster: &Cluster) -> Plan {
    let seeds: Vec<String> = cluster.nodes.iter().map(|node| node.url()).collect();
    let mut redis = Table::new();
    // The others are found through them.
    put(&mut redis, "cluster", seeds[..2].to_vec());
    Plan {
        nodes: 2,
        redis,
        ..Plan::default()
    }
}

/// A primary that has no part in what all nodes share.
fn one_of_many(cluster: &Cluster) -> usize {
    let shared = cluster.holder("teller:{meta}:nodes");
    (shared + 1) % cluster.nodes.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_move_while_transactions_go_on() {
    let cluster = Cluster::start(Kind::Redis);
    let stage = Stage::set("", over(&cluster)).await;
    let sending = stage.send(0..TRANSACTIONS, PER_SECOND);
    let moving = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(2));
        for partition in (0..256).step_by(16) {
            let key = format!("teller:{{p{partition}}}:lease");
            let to = (cluster.holder(&key) + 1) % 3;
            // Not in an instant, so that steps fall into it.
            let pause = |_| std::thread::sleep(Duration::from_millis(20));
            cluster.migrate(&key, to, pause);
        }
        cluster
    });
    let promises = sending.await.expect("no panic").expect("all are promised");
    let cluster = moving.await.expect("moved");
    let verdict = stage.settle(&promises, SETTLE_WITHIN).await;
    println!("{verdict:#?}");
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_primary_is_paused_the_others_partitions_go_on_and_all_settle() {
    let cluster = Cluster::start(Kind::Redis);
    let stage = Stage::set("", over(&cluster)).await;
    let sending = stage.send(0..TRANSACTIONS, PER_SECOND);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let paused = one_of_many(&cluster);
    cluster.nodes[paused].pause();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.balancer.ready(), 2, "both nodes go on serving");
    cluster.nodes[paused].resume();
    let promises = sending.await.expect("no panic").expect("all are promised");
    let verdict = stage.settle(&promises, SETTLE_WITHIN).await;
    println!("{verdict:#?}");
}
