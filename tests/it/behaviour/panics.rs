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

/// Its third panic puts it aside, for five seconds at first.
async fn put_aside(rig: &Rig, id: &str) {
    for _ in 0..3 {
        crash(rig, id).await;
    }
    eventually("it is put aside", || async {
        let status = rig.client.inspect(id).await;
        (status["quarantined"] == true).then_some(())
    })
    .await;
}

#[tokio::test]
async fn three_panics_put_a_transaction_aside_visibly_for_a_while_and_harm_no_other() {
    let rig = Rig::start().await;
    let (unlucky, other) = (new_id(), new_id());
    let script = json!({"answer": "hang", "ghost_after_ms": 60_000});
    for id in [&unlucky, &other] {
        rig.client.paid(id, script.clone()).await;
    }
    put_aside(&rig, &unlucky).await;
    let status = rig.client.inspect(&unlucky).await;
    assert_eq!(status["status"], "pending", "{status}");
    let because = status["not_final_because"].as_str().expect("a reason");
    assert!(because.contains("panics"), "{because}");
    assert!(status["next_at"].is_string(), "{status}");
    let aside: u64 = shards(&rig)
        .await
        .iter()
        .filter_map(|shard| shard["quarantined"].as_u64())
        .sum();
    assert_eq!(aside, 1);
    let review = rig.client.get("/v1/review").await.json();
    let lines = review["data"].as_array().expect("a list");
    assert_eq!(lines.len(), 1, "{review}");
    let line = &lines[0];
    assert_eq!(
        (&line["id"], &line["put_aside"], &line["needs_review"]),
        (&json!(unlucky), &json!(true), &json!(true)),
    );
    let replay = rig.client.pay(&unlucky, script).await;
    replay.expect_problem(503, "unavailable");
    let why = json!({"by": "test", "why": "test"});
    let resubmitted = rig.client.act(&unlucky, "resubmit", &why).await;
    resubmitted.expect_problem(503, "unavailable");
    assert_eq!(rig.client.read(&unlucky).await["status"], "pending");
    rig.audit(&other).await;
    let fresh = new_id();
    rig.client.paid(&fresh, json!({})).await;
    rig.audit(&fresh).await;
    // It comes back by itself.
    rig.audit(&unlucky).await;
    assert_eq!(rig.posts(&unlucky).len(), 1);
    let review = rig.client.get("/v1/review").await.json();
    assert_eq!(review["data"], json!([]));
}

#[tokio::test]
async fn asking_and_ending_bring_back_at_once_what_is_put_aside() {
    let rig = Rig::start().await;
    let acts = [
        ("inquire", json!({}), 200),
        // Its request is out, so it can't be cancelled; but that is its own answer.
        ("cancel", json!({}), 409),
        (
            "resolve",
            json!({"by": "test", "why": "test", "outcome": "declined", "while_open": true}),
            200,
        ),
    ];
    for (act, body, expected) in acts {
        let id = new_id();
        let script = json!({"answer": "hang", "ghost_after_ms": 60_000});
        rig.client.paid(&id, script).await;
        eventually("posted", || async { rig.posts(&id).pop() }).await;
        put_aside(&rig, &id).await;
        let answer = rig.client.act(&id, act, &body).await;
        assert_eq!(answer.status, expected, "{act}: {answer:?}");
        let status = rig.client.inspect(&id).await;
        assert_eq!(status["quarantined"], false, "{act}: {status}");
    }
}
