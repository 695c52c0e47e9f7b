//! Who owns what, and how long nobody does: take-over after a kill, hand-over at a stop and at a join,
//! and what becomes of a node that stood still past its lease.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::{Plan, Stage};
use crate::support::redis::Server;
use crate::support::{eventually, within};

/// A lease, and two seconds for a busy machine.
const TAKE_OVER_WITHIN: Duration = Duration::from_secs(6 + 2);
/// No id is without an owner for longer while nodes come and go in order.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(2);
/// Transactions whose owners are watched: two a partition on average.
const WATCHED: usize = 512;

fn plan() -> Plan {
    Plan {
        nodes: 3,
        time_scale: 50.0,
        ..Plan::default()
    }
}

async fn nodes(stage: &Stage, node: usize) -> Option<Value> {
    let url = format!("{}/v1/nodes", stage.node_url(node));
    stage.http().get(url).send().await.ok()?.json().await.ok()
}

/// How many partitions each living node owns, by name, as one node sees it.
pub(super) async fn owned(stage: &Stage, node: usize) -> Option<Vec<(String, u64)>> {
    let seen = nodes(stage, node).await?;
    let rows = seen["data"].as_array()?.iter();
    let living = rows.filter(|row| row["alive"] == json!(true));
    living
        .map(|row| {
            let name = row["node"].as_str()?.to_owned();
            Some((name, row["partitions_owned"].as_u64()?))
        })
        .collect()
}

/// Waits until so many living nodes own all partitions between them.
async fn wait_until_owned_by(stage: &Stage, node: usize, count: usize) {
    eventually(&format!("{count} nodes own everything"), || async move {
        let owned = owned(stage, node).await?;
        let all: u64 = owned.iter().map(|(_, partitions)| partitions).sum();
        let busy = owned
            .iter()
            .filter(|(_, partitions)| *partitions > 0)
            .count();
        (all == 256 && busy == count).then_some(())
    })
    .await;
}

async fn accept(stage: &Stage, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = Uuid::new_v4().to_string();
        let url = format!("{}/v1/transactions", stage.balancer.url);
        let body = json!({ "id": id, "payload": {} });
        let answer = stage.http().post(url).json(&body).send().await;
        assert!(answer.expect("an answer").status().is_success());
        ids.push(id);
    }
    ids
}

/// Reads every id again and again at one node until `over`, and says how long the longest time was in
/// which one of them could not be read.
async fn longest_silence(
    stage: &Stage,
    node: usize,
    ids: &[String],
    mut over: impl AsyncFnMut() -> bool,
) -> Duration {
    let mut since: Vec<Option<Instant>> = vec![None; ids.len()];
    let mut longest = Duration::ZERO;
    // Until it is over, and everybody who was silent has been heard again.
    while since.iter().any(Option::is_some) || !over().await {
        let reads = ids.iter().map(|id| {
            let url = format!("{}/v1/transactions/{id}", stage.node_url(node));
            async move {
                let answer = stage.http().get(url).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            }
        });
        let began = Instant::now();
        let answers = futures_util::future::join_all(reads).await;
        for (silent_since, answered) in since.iter_mut().zip(answers) {
            match (answered, *silent_since) {
                (true, Some(at)) => {
                    longest = longest.max(at.elapsed());
                    *silent_since = None;
                }
                (true, None) | (false, Some(_)) => {}
                (false, None) => *silent_since = Some(began),
            }
        }
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_nodes_partitions_are_taken_over_within_a_lease() {
    let store = Server::redis(&[]);
    let mut stage = Stage::set(&store.url(), plan()).await;
    wait_until_owned_by(&stage, 0, 3).await;
    stage.kill_node(1).await;
    let killed = Instant::now();
    let stage = &stage;
    within(
        TAKE_OVER_WITHIN,
        "two nodes own everything",
        || async move {
            let owned = owned(stage, 0).await?;
            let all: u64 = owned
                .iter()
                .filter(|(name, _)| name != "node-1")
                .map(|(_, partitions)| partitions)
                .sum();
            (all == 256).then_some(())
        },
    )
    .await;
    println!("taken over after {:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_id_is_silent_for_two_seconds_while_nodes_stop_and_join() {
    let store = Server::redis(&[]);
    let mut stage = Stage::set(&store.url(), plan()).await;
    wait_until_owned_by(&stage, 0, 3).await;
    let ids = accept(&stage, WATCHED).await;
    for id in &ids {
        eventually("final", || async {
            let url = format!("{}/v1/transactions/{id}", stage.balancer.url);
            let answer = stage.http().get(url).send().await.ok()?;
            let view: Value = answer.json().await.ok()?;
            crate::support::is_final(&view).then_some(())
        })
        .await;
    }
    stage.terminate_node(2).await;
    let silence = longest_silence(&stage, 0, &ids, async || {
        let owned = owned(&stage, 0).await.unwrap_or_default();
        let all: u64 = owned.iter().map(|(_, partitions)| partitions).sum();
        owned.len() == 2 && all == 256
    })
    .await;
    println!("at a stop, the longest silence was {silence:?}");
    assert!(silence <= HAND_OVER_WITHIN, "{silence:?} at a stop");
    stage.wait_for_end(2).await;
    stage.start_node(2).await;
    let silence = longest_silence(&stage, 0, &ids, async || {
        let owned = owned(&stage, 0).await.unwrap_or_default();
        let all: u64 = owned.iter().map(|(_, partitions)| partitions).sum();
        owned.len() == 3 && all == 256 && owned.iter().all(|(_, partitions)| *partitions > 40)
    })
    .await;
    println!("at a join, the longest silence was {silence:?}");
    assert!(silence <= HAND_OVER_WITHIN, "{silence:?} at a join");
}

/// A node that stands still past its lease finds itself fenced: it drops its actors, acknowledges
/// nothing of theirs, and joins again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_past_its_lease_is_fenced_and_joins_again() {
    let store = Server::redis(&[]);
    let mut stage = Stage::set(&store.url(), plan()).await;
    wait_until_owned_by(&stage, 0, 3).await;
    stage.pause_node(2).await;
    wait_until_owned_by(&stage, 0, 2).await;
    stage.resume_node(2).await;
    wait_until_owned_by(&stage, 2, 3).await;
    let seen = nodes(&stage, 2).await.expect("it answers");
    let fenced = seen["here"]["fenced_total"].as_u64().expect("a number");
    assert!(fenced > 0, "{seen}");
}
