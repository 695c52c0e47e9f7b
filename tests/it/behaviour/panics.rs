//! A panic in one transaction's actor is survived: it is rebuilt from the journal, and harms no
//! other.

use serde_json::{Value, json};
use teller::actors::messages::Call;

use crate::support::{Rig, eventually, new_id};

async fn crash(rig: &Rig, id: &str) {
    let router = &rig.teller().house.router;
    let before = panics(rig).await;
    router
        .send(Rig::key(id), Call::Crash)
        .expect("the shard takes it");
    eventually("the panic is counted", || async {
        (panics(rig).await > before).then_some(())
    })
    .await;
}

async fn shards(rig: &Rig) -> Vec<Value> {
    rig.client.get("/v1/actors").await.json()["shards"]
        .as_array()
        .expect("a list")
        .clone()
}

async fn panics(rig: &Rig) -> u64 {
    shards(rig)
        .await
        .iter()
        .filter_map(|shard| shard["panics_total"].as_u64())
        .sum()
}

#[tokio::test]
async fn an_actor_that_panics_is_rebuilt_and_ends_rightly() {
    let rig = Rig::start().await;
    let scripts = [
        json!({"answer_after_ms": 20_000, "status": "declined"}),
        json!({"answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 60_000}),
        json!({"answer": "hang", "ghost_after_ms": 119_000}),
    ];
    let mut ids = Vec::new();
    for script in scripts {
        let id = new_id();
        rig.client.paid(&id, script).await;
        eventually("posted", || async { rig.posts(&id).pop() }).await;
        ids.push(id);
    }
    for id in &ids {
        crash(&rig, id).await;
    }
    for id in &ids {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1, "a panic must not submit again");
        let status = rig.client.inspect(id).await;
        assert_eq!(status["quarantined"], false);
    }
    let gate = rig.client.get("/v1/providers").await.json()["data"][0].clone();
    assert_eq!(
        gate["submissions_out"], 0,
        "a dead actor's permit comes back: {gate}"
    );
}

#[tokio::test]
async fn a_client_that_waits_for_an_actor_that_panics_is_answered() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, json!({"answer": "hang"})).await;
    eventually("posted", || async { rig.posts(&id).pop() }).await;
    let path = format!("/v1/transactions/{id}");
    let waits = [("prefer", "wait=30")];
    let waiting = rig.client.get_with(&path, &waits);
    let crashing = async {
        eventually("somebody waits", || async {
            let watchers = rig.client.inspect(&id).await["watchers"].as_u64();
            watchers.filter(|watchers| *watchers > 0)
        })
        .await;
        crash(&rig, &id).await;
    };
    let (answer, ()) = tokio::join!(waiting, crashing);
    assert_eq!(answer.status, 200, "{answer:?}");
    rig.audit(&id).await;
}

#[tokio::test]
async fn three_panics_put_a_transaction_aside_visibly_and_harm_no_other() {
    let mut rig = Rig::start().await;
    let (unlucky, other) = (new_id(), new_id());
    let script = json!({"answer": "hang", "ghost_after_ms": 60_000});
    for id in [&unlucky, &other] {
        rig.client.paid(id, script.clone()).await;
    }
    for _ in 0..3 {
        crash(&rig, &unlucky).await;
    }
    let status = rig.client.inspect(&unlucky).await;
    assert_eq!(
        (&status["quarantined"], &status["status"]),
        (&json!(true), &json!("pending")),
        "{status}"
    );
    let aside: u64 = shards(&rig)
        .await
        .iter()
        .filter_map(|shard| shard["quarantined"].as_u64())
        .sum();
    assert_eq!(aside, 1);
    let replay = rig.client.pay(&unlucky, script).await;
    replay.expect_problem(503, "unavailable");
    rig.client
        .act(&unlucky, "cancel", &json!({}))
        .await
        .expect_problem(503, "unavailable");
    assert_eq!(rig.client.read(&unlucky).await["status"], "pending");
    rig.audit(&other).await;
    let fresh = new_id();
    rig.client.paid(&fresh, json!({})).await;
    rig.audit(&fresh).await;
    // It was put aside in memory only: a restart tries again.
    rig.restart_teller().await;
    rig.audit(&unlucky).await;
    assert_eq!(rig.posts(&unlucky).len(), 1);
}
