//! Ghost windows over a change of owner: a node is killed, another takes over, and the boot clocks that they
//! have shown each other say how much of the window has passed.

use std::time::Duration;

use serde_json::json;

use super::ownership::owned;
use super::stage::{Plan, Stage};
use crate::support::redis::Server;
use crate::support::{Preload, epoch_ms, eventually, new_id, other_boot, put};

/// How long after it lost the right to act a node might still send something.
const MAX_PAUSE: Duration = Duration::from_secs(3);

async fn stage(store: &Server, time_scale: f64, preload: Option<Preload>) -> Stage {
    let mut plan = Plan {
        nodes: 2,
        time_scale,
        preload,
        ..Plan::default()
    };
    // A call that is to be out at a kill does not come home before it.
    put(&mut plan.profile, "submit.time_out", "120s");
    put(&mut plan.cluster, "lease", "3s");
    put(&mut plan.cluster, "max_pause", "3s");
    let stage = Stage::set(&store.url(), plan).await;
    wait_until_dealt(&stage).await;
    stage
}

fn ms(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).expect("short")
}

/// Waits until each of the two nodes has its part, so that nothing is on its way between them any more.
async fn wait_until_dealt(stage: &Stage) {
    eventually("both nodes have their part", || async {
        let owned = owned(stage, 0).await?;
        let all: u64 = owned.iter().map(|(_, partitions)| partitions).sum();
        let dealt = owned.iter().all(|(_, partitions)| *partitions > 80);
        (all == 256 && owned.len() == 2 && dealt).then_some(())
    })
    .await;
}

/// The node that owns a transaction, and the other one.
async fn owner(stage: &Stage, id: &str) -> (usize, usize) {
    let node = stage.client(0).inspect(id).await["node"].clone();
    let owner = ["node-0", "node-1"].iter().position(|name| node == *name);
    let owner = owner.unwrap_or_else(|| panic!("one of two nodes: {node}"));
    (owner, 1 - owner)
}

/// Waits at a node until the second attempt has ended the transaction, and says when the provider got each.
async fn arrivals(stage: &Stage, node: usize, id: &str) -> [u64; 2] {
    let client = stage.client(node);
    let client = &client;
    eventually("completed", || async move {
        let answer = client.get(&format!("/v1/transactions/{id}")).await;
        // Between two owners it is 503.
        (answer.status == 200 && answer.json()["status"] == "completed").then_some(())
    })
    .await;
    let posts = stage.posts(id);
    let [first, second] = posts.as_slice() else {
        panic!("two attempts: {posts:#?}");
    };
    assert!(!first.executed && second.executed, "{posts:#?}");
    [first.received_at_ms, second.received_at_ms]
}

/// `boots` is what makes the second node's machine another one than the first's.
async fn keeps_the_window_of_a_durable_answer(boots: Option<Preload>) {
    let (window, stated) = (Duration::from_secs(14), Duration::from_secs(12));
    let store = Server::redis(&[]);
    let mut stage = stage(&store, 10.0, boots).await;
    let id = new_id();
    let lost = json!({"answer": "timeout", "answer_after_ms": 1_000, "executed": false});
    stage.client(0).paid(&id, json!([lost, {}])).await;
    stage.client(0).wait_until_state(&id, "unknown").await;
    // The third of six gaps has passed, and with it half of the window.
    eventually("three inquiries", || async {
        (stage.provider.stats().inquiries.not_found >= 3).then_some(())
    })
    .await;
    let (owner, other) = owner(&stage, &id).await;
    stage.kill_node(owner).await;
    let killed_ms = epoch_ms();
    let [first, second] = arrivals(&stage, other, &id).await;
    assert!(second >= first + ms(stated), "{first}, {second}");
    assert!(
        second < killed_ms + ms(window),
        "the window started again: sent {first}, killed {killed_ms}, sent again {second}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_owner_keeps_the_ghost_window_of_an_answer_that_is_durable() {
    keeps_the_window_of_a_durable_answer(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_owner_on_another_machine_keeps_the_window_by_the_clock_that_it_was_shown() {
    keeps_the_window_of_a_durable_answer(Some(other_boot())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_flight_at_a_killed_node_gets_a_whole_ghost_window_and_the_longest_pause() {
    let window = Duration::from_secs(7);
    let store = Server::redis(&[]);
    let mut stage = stage(&store, 20.0, None).await;
    let id = new_id();
    let lost = json!({"answer": "hang", "executed": false});
    stage.client(0).paid(&id, json!([lost, {}])).await;
    eventually("posted", || async { stage.posts(&id).pop() }).await;
    let (owner, other) = owner(&stage, &id).await;
    stage.kill_node(owner).await;
    let killed_ms = epoch_ms();
    let [first, second] = arrivals(&stage, other, &id).await;
    assert!(
        second >= killed_ms + ms(window + MAX_PAUSE),
        "the window went on: sent {first}, killed {killed_ms}, sent again {second}"
    );
    assert!(
        second < killed_ms + ms(2 * window + 2 * MAX_PAUSE),
        "{killed_ms}, {second}"
    );
}
