//! Out of memory and back: a transaction that waits leaves, and everything finds it all the same.

use mock_provider::faults::Faults;
use serde_json::{Value, json};

use crate::support::{Rig, Setup, eventually, is_final, new_id, put};

/// Nobody stays in memory longer than it has something to do.
fn leave_at_once(setup: &mut Setup) {
    put(&mut setup.config, "bounds.linger", "5ms");
    put(&mut setup.config, "bounds.passivate_beyond", "10ms");
}

/// In doubt for long, with one inquiry at the very end.
fn wait_long(setup: &mut Setup) {
    leave_at_once(setup);
    put(&mut setup.profile, "ghost.window", "3000s");
    put(&mut setup.profile, "schedule.inquiry_gaps", 1);
}

async fn wait_until_gone(rig: &Rig, id: &str) -> Value {
    eventually("out of memory", || async {
        let status = rig.client.inspect(id).await;
        (status["resident"] == false).then_some(status)
    })
    .await
}

/// In doubt and out of memory.
async fn start_asleep(rig: &Rig, ghost_after_ms: u32) -> String {
    let id = new_id();
    let script =
        json!({"answer": "timeout", "answer_after_ms": 500, "ghost_after_ms": ghost_after_ms});
    rig.client.paid(&id, script).await;
    rig.client.wait_until_state(&id, "unknown").await;
    let asleep = wait_until_gone(rig, &id).await;
    assert_eq!(
        asleep["timers"][0]["timer"], "inquire",
        "its clock stays: {asleep}"
    );
    assert!(asleep["next_at"].is_string(), "{asleep}");
    id
}

#[tokio::test]
async fn a_final_transaction_leaves_and_is_read_replayed_and_listed_all_the_same() {
    let rig = Rig::start_with(leave_at_once).await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    let view = rig.audit(&id).await;
    let status = wait_until_gone(&rig, &id).await;
    assert_eq!(status["status"], "completed");
    assert_eq!(rig.client.read(&id).await, view);
    let replay = rig.client.pay(&id, json!({})).await;
    assert_eq!(
        (replay.status, replay.is_replay(), replay.json()),
        (200, true, view)
    );
    rig.client
        .pay(&id, json!({"status": "declined"}))
        .await
        .expect_problem(422, "other_payload");
    rig.client
        .act(&id, "cancel", &json!({}))
        .await
        .expect_problem(409, "already_final");
    assert_eq!(rig.posts(&id).len(), 1);
}

#[tokio::test]
async fn a_sleeper_is_woken_by_proof_by_a_hint_and_by_an_act() {
    let rig = Rig::start_with(wait_long).await;
    let by_webhook = start_asleep(&rig, 1_000).await;
    let path = rig.webhook_path(&by_webhook, 1).await;
    let body = json!({"id": by_webhook, "status": "completed"});
    assert_eq!(rig.client.post(&path, &body).await.status, 200);
    assert_eq!(rig.audit(&by_webhook).await["outcome"]["source"], "webhook");
    for door in ["/webhook", "inquire"] {
        let id = start_asleep(&rig, 1_000).await;
        eventually("woken", || async {
            if door == "inquire" {
                rig.client.act(&id, door, &json!({})).await;
            } else {
                let hint = json!({"id": id, "status": "declined"});
                assert_eq!(rig.client.post(door, &hint).await.status, 200);
            }
            is_final(&rig.client.read(&id).await).then_some(())
        })
        .await;
        assert_eq!(rig.audit(&id).await["outcome"]["source"], "inquiry");
        assert!(rig.client.inspect(&id).await["attempts"].is_array());
    }
}

#[tokio::test]
async fn who_waits_for_a_sleeper_is_told_when_it_changes() {
    let rig = Rig::start_with(wait_long).await;
    let id = start_asleep(&rig, 1_000).await;
    let path = format!("/v1/transactions/{id}");
    let etag = rig.client.get(&path).await;
    let etag = etag.header("etag").expect("an ETag").to_owned();
    let headers = [("if-none-match", etag.as_str()), ("prefer", "wait=30")];
    let waiting = rig.client.get_with(&path, &headers);
    let acting = async {
        eventually("somebody waits", || async {
            let watchers = rig.client.inspect(&id).await["watchers"].as_u64();
            watchers.filter(|watchers| *watchers > 0)
        })
        .await;
        let insist =
            json!({"by": "ann", "why": "test", "outcome": "completed", "while_open": true});
        assert_eq!(rig.client.act(&id, "resolve", &insist).await.status, 200);
    };
    let (changed, ()) = tokio::join!(waiting, acting);
    assert_eq!(
        (changed.status, &changed.json()["status"]),
        (200, &json!("completed"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everybody_leaving_at_once_all_end_rightly() {
    const TRANSACTIONS: usize = 80;
    let rig = Rig::start_with(|setup| {
        leave_at_once(setup);
        setup.tell_by_template(&["0s", "5s", "5s", "5s", "5s"]);
        put(&mut setup.profile, "limits.submissions_at_once", 20);
        setup.mock.seed = 23;
        setup.mock.faults = Faults {
            refuse_503: 0.1,
            error_500: 0.1,
            garbage: 0.1,
            webhook_late: 0.2,
            webhook_duplicate: 0.2,
            webhook_forged: 0.2,
            ..Faults::default()
        };
    })
    .await;
    let ids: Vec<String> = (0..TRANSACTIONS).map(|_| new_id()).collect();
    for id in &ids {
        let answer = rig
            .client
            .post("/v1/transactions", &json!({"id": id}))
            .await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    for id in &ids {
        rig.audit(id).await;
        rig.wait_until_told(id, 1).await;
    }
    let mut activated = 0;
    for id in &ids {
        let status = rig.client.inspect(id).await;
        assert!(status["conflicts"].is_null(), "{status}");
        activated += u32::from(status["resident"] == false);
    }
    assert!(activated > 0, "nobody ever left memory");
}
