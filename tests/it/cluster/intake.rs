//! What any node takes in, whoever owns it.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::{Plan, Stage};
use crate::support::redis::Server;
use crate::support::{eventually, within};

/// Ids for which two payloads are sent at two nodes in the same instant.
const PAIRS: usize = 200;

async fn post(stage: &Stage, node: usize, body: &Value) -> u16 {
    let url = format!("{}/v1/transactions", stage.node_url(node));
    let sent = stage.http().post(url).json(body).send().await;
    sent.expect("an answer").status().as_u16()
}

async fn view(stage: &Stage, node: usize, id: &str) -> Option<Value> {
    let url = format!("{}/v1/transactions/{id}", stage.node_url(node));
    let answer = stage.http().get(url).send().await.ok()?;
    answer.status().is_success().then_some(())?;
    answer.json().await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_payloads_at_two_nodes_in_the_same_instant_one_is_taken() {
    let store = Server::redis(&[]);
    let plan = Plan {
        nodes: 2,
        time_scale: 50.0,
        ..Plan::default()
    };
    let stage = Stage::set(&store.url(), plan).await;
    for round in 0..PAIRS {
        let id = Uuid::new_v4().to_string();
        let body = |n: usize| json!({ "id": id, "payload": { "n": n } });
        let (one, other) = (body(1), body(2));
        let (one, other) = tokio::join!(post(&stage, 0, &one), post(&stage, 1, &other));
        let taken = [one, other]
            .into_iter()
            .filter(|code| *code == 202 || *code == 200);
        assert_eq!(taken.count(), 1, "round {round}: {one} and {other}");
        assert!(
            [one, other].contains(&422),
            "round {round}: {one} and {other}"
        );
    }
}

/// Each node shows what the other has taken in, and the same at both, also when its owner is the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_takes_in_the_other_shows_to_its_end() {
    let store = Server::valkey(&[]);
    let plan = Plan {
        nodes: 2,
        time_scale: 50.0,
        ..Plan::default()
    };
    let stage = Stage::set(&store.url(), plan).await;
    let stage = &stage;
    let ids: Vec<String> = (0..40).map(|_| Uuid::new_v4().to_string()).collect();
    for (n, id) in ids.iter().enumerate() {
        let body = json!({ "id": id, "payload": { "n": n } });
        assert_eq!(post(stage, n % 2, &body).await, 202);
        let again = post(stage, (n + 1) % 2, &body).await;
        assert!([200, 202].contains(&again), "{again}");
    }
    for id in &ids {
        for node in 0..2 {
            eventually(&format!("{id} is final at node {node}"), || async move {
                let view = view(stage, node, id).await?;
                crate::support::is_final(&view).then_some(())
            })
            .await;
        }
        let (one, other) = (view(stage, 0, id).await, view(stage, 1, id).await);
        assert_eq!(one, other);
    }
    let nodes: Value = stage
        .http()
        .get(format!("{}/v1/nodes", stage.node_url(0)))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let owned: u64 = nodes["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|node| node["partitions_owned"].as_u64().expect("a number"))
        .sum();
    assert_eq!(owned, 256, "{nodes}");
}

/// Acceptances go on while nobody owns anything: the owner was killed and its lease still runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acceptance_does_not_wait_for_an_owner() {
    let store = Server::redis(&[]);
    let plan = Plan {
        nodes: 2,
        time_scale: 50.0,
        ..Plan::default()
    };
    let mut stage = Stage::set(&store.url(), plan).await;
    stage.kill_node(0).await;
    let ids: Vec<String> = (0..60).map(|_| Uuid::new_v4().to_string()).collect();
    for id in &ids {
        let code = post(&stage, 1, &json!({ "id": id, "payload": {} })).await;
        assert_eq!(code, 202, "{id}: its owner may be the dead node");
    }
    let stage = &stage;
    for id in &ids {
        within(
            Duration::from_secs(90),
            &format!("{id} is final"),
            || async move {
                let view = view(stage, 1, id).await?;
                crate::support::is_final(&view).then_some(())
            },
        )
        .await;
    }
}
