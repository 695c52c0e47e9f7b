//! A provider that can't be trusted to answer: whatever its answer is like, the outcome is what the
//! provider did, and it did it once (laws 2 and 3).

use std::time::Duration;

use mock_provider::faults::Faults;
use serde_json::{Value, json};

use crate::support::{Rig, eventually, new_id, put};

/// Asks for a transaction per script, all at once.
async fn pay_all(rig: &Rig, scripts: &[Value]) -> Vec<String> {
    let mut ids = Vec::new();
    for script in scripts {
        let id = new_id();
        rig.client.paid(&id, script.clone()).await;
        ids.push(id);
    }
    ids
}

// ---- answers -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_final_answer_is_the_outcome_at_once_and_nobody_asks_again() {
    let rig = Rig::start().await;
    let scripts = [
        json!({"status": "completed"}),
        json!({"status": "declined"}),
    ];
    let ids = pay_all(&rig, &scripts).await;
    for (id, status) in ids.iter().zip(["completed", "declined"]) {
        let view = rig.audit(id).await;
        assert_eq!(view["status"], status);
        assert_eq!(view["outcome"]["source"], "answer");
        assert_eq!(
            (&view["outcome"]["attempt"], &view["attempts"]),
            (&json!(1), &json!(1))
        );
    }
    assert_eq!(rig.mock().stats().inquiries.total, 0);
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_unknown_and_found_by_inquiry() {
    let rig = Rig::start().await;
    let mut scripts = Vec::new();
    for answer in ["error_500", "reset", "garbage", "hang", "close", "timeout"] {
        for status in ["completed", "declined"] {
            scripts.push(json!({"answer": answer, "status": status, "executed": true, "answer_after_ms": 1_000}));
        }
    }
    let ids = pay_all(&rig, &scripts).await;
    for (id, script) in ids.iter().zip(&scripts) {
        let view = rig.audit(id).await;
        assert_eq!(view["status"], script["status"], "{script}");
        assert_eq!(view["outcome"]["source"], "inquiry", "{script}: {view}");
        assert_eq!(rig.posts(id).len(), 1, "{script}");
    }
}

#[tokio::test]
async fn an_answer_that_drips_is_waited_for_or_found_by_inquiry() {
    let rig = Rig::start().await;
    let scripts = [
        json!({"answer": "drip"}),
        json!({"answer": "drip", "answer_after_ms": 25_000}),
    ];
    for id in &pay_all(&rig, &scripts).await {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

// ---- ghosts ------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_ghost_is_found_whenever_it_appears_and_never_submitted_again() {
    let rig = Rig::start().await;
    let appears_ms = [
        31_000, 45_000, 60_000, 75_000, 90_000, 105_000, 115_000, 119_900,
    ];
    let scripts = appears_ms.map(|ghost| json!({"answer": "timeout", "ghost_after_ms": ghost}));
    let ids = pay_all(&rig, &scripts).await;
    for (id, script) in ids.iter().zip(&scripts) {
        let view = rig.audit(id).await;
        assert_eq!(view["outcome"]["source"], "inquiry", "{script}");
        assert_eq!(rig.posts(id).len(), 1, "{script}");
    }
}

#[tokio::test]
async fn a_lost_one_is_submitted_again_but_only_after_the_window() {
    let rig = Rig::start().await;
    let window_ms = rig.scaled_ms(120.0);
    let lost = json!([{"answer": "timeout"}, {"status": "declined"}]);
    let lost_early = json!([{"answer": "close", "executed": false}, {}]);
    for id in &pay_all(&rig, &[lost, lost_early]).await {
        let view = rig.audit(id).await;
        assert_eq!(
            (&view["attempts"], &view["outcome"]["attempt"]),
            (&json!(2), &json!(2)),
            "{view}"
        );
        let posts = rig.posts(id);
        assert_eq!(posts.len(), 2, "{posts:?}");
        let gap_ms = posts[1].received_at_ms - posts[0].received_at_ms;
        assert!(
            gap_ms >= window_ms,
            "{gap_ms} ms after the first, the window is {window_ms} ms"
        );
        let history = rig.client.history(id).await;
        let proof = history
            .iter()
            .find(|record| record["to"]["name"] == "backing_off");
        let proof = proof.expect("absence is proven before the second attempt");
        assert_eq!(
            (&proof["type"], &proof["after_window"]),
            (&json!("inquired"), &json!(true))
        );
        assert_eq!(
            proof["finding"]
                .as_str()
                .or(proof["report"]["finding"].as_str()),
            Some("not_found")
        );
    }
}

#[tokio::test]
async fn a_profile_without_a_window_never_submits_again() {
    let rig = Rig::start_with(|setup| {
        let ghost = setup.profile["ghost"].as_table_mut().expect("a table");
        ghost.remove("window");
        put(&mut setup.profile, "schedule.review_after", "60s");
        put(&mut setup.profile, "schedule.review", vec!["20s"]);
    })
    .await;
    let id = new_id();
    let script =
        json!([{"answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 250_000}]);
    rig.client.paid(&id, script).await;
    rig.client.wait_until_state(&id, "in_review").await;
    let review = eventually("in the review list", || async {
        let list = rig.client.get("/v1/review").await.json()["data"].clone();
        (list[0]["id"] == id).then_some(list)
    })
    .await;
    assert_eq!(review[0]["status"], "in_review");
    // Late evidence still ends it.
    let view = rig.audit(&id).await;
    assert_eq!(view["outcome"]["source"], "inquiry");
    assert_eq!(rig.posts(&id).len(), 1);
}

// ---- refusals ----------------------------------------------------------------------------------------

#[tokio::test]
async fn what_was_refused_at_the_door_is_tried_again_with_growing_pauses() {
    let rig = Rig::start().await;
    let refusals = ["refuse_503", "refuse_429"].map(|answer| {
        let refused = json!({"answer": answer});
        json!([refused, refused, refused, {"status": "declined"}])
    });
    for id in &pay_all(&rig, &refusals).await {
        let view = rig.audit(id).await;
        assert_eq!(
            (&view["attempts"], &view["outcome"]["source"]),
            (&json!(4), &json!("answer")),
            "{view}"
        );
        let posts = rig.posts(id);
        assert_eq!(posts.len(), 4, "{posts:?}");
        // 1, 2 and 5 s, each spread over 80 to 120 %.
        for (pair, pause) in posts.windows(2).zip([0.8, 1.6, 4.0]) {
            let gap_ms = pair[1].received_at_ms - pair[0].received_at_ms;
            assert!(
                gap_ms + 1 >= rig.scaled_ms(pause),
                "{gap_ms} ms for {pause} s"
            );
        }
    }
    assert_eq!(
        rig.mock().stats().inquiries.total,
        0,
        "a refusal leaves nothing to ask about"
    );
}

// ---- the status API ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_status_api_that_stumbles_is_asked_again() {
    let rig = Rig::start().await;
    let script = json!({
        "answer": "reset", "answer_after_ms": 1_000, "get": [500, 429, 500, 429, 200, 302],
    });
    let id = new_id();
    rig.client.paid(&id, script).await;
    let view = rig.audit(&id).await;
    assert_eq!(view["outcome"]["source"], "inquiry");
    assert_eq!(rig.posts(&id).len(), 1);
    let unclear = rig.client.history(&id).await;
    let unclear = unclear
        .iter()
        .filter(|record| record["type"] == "inquired")
        .count();
    assert!(unclear >= 7, "{unclear} status reports");
}

/// "Not found" proves nothing when the provider can't be asked after the window.
#[tokio::test]
async fn a_status_api_that_fails_over_the_whole_window_proves_nothing() {
    let rig = Rig::start().await;
    let silent: Vec<u16> = vec![500; 9];
    let id = new_id();
    let script = json!([{"answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 119_000, "get": silent}]);
    rig.client.paid(&id, script).await;
    let view = rig.audit(&id).await;
    assert_eq!(view["outcome"]["source"], "inquiry");
    assert_eq!(rig.posts(&id).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_in_doubt_never_ask_faster_than_the_provider_bears() {
    const IN_DOUBT: usize = 250;
    const PER_SECOND: f64 = 40.0;
    let rig = Rig::start_with(|setup| {
        setup.time_scale = 4.0;
        setup.mock.status_limit = Some(PER_SECOND);
        put(
            &mut setup.profile,
            "limits.inquiries_per_second",
            PER_SECOND,
        );
        put(&mut setup.profile, "limits.inquiry_burst", 1);
        put(&mut setup.profile, "ghost.window", "20s");
        put(&mut setup.profile, "ghost.margin", "2s");
        put(&mut setup.profile, "schedule.retry", vec!["4s"]);
    })
    .await;
    let scripts: Vec<Value> = (0..IN_DOUBT)
        .map(|n| json!({"answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 2_000 + 60 * n}))
        .collect();
    let ids = pay_all(&rig, &scripts).await;
    for id in &ids {
        let view = rig.audit(id).await;
        assert_eq!(view["outcome"]["source"], "inquiry");
        assert_eq!(rig.posts(id).len(), 1);
    }
    let inquiries = rig.mock().stats().inquiries;
    assert_eq!(
        (inquiries.limited, inquiries.blocked),
        (0, 0),
        "{inquiries:?}"
    );
    assert!(inquiries.total >= IN_DOUBT as u64, "{inquiries:?}");
    assert!(rig.client.get("/v1/review").await.json()["data"] == json!([]));
}

// ---- everything at once ------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_every_fault_at_once_each_ends_as_the_provider_has_it_and_is_told_once() {
    const TRANSACTIONS: usize = 120;
    let rig = Rig::start_with(|setup| {
        setup.mock.seed = 11;
        setup.mock.faults = Faults {
            refuse_503: 0.05,
            refuse_429: 0.05,
            error_500: 0.05,
            reset: 0.05,
            garbage: 0.05,
            drip: 0.05,
            webhook_duplicate: 0.2,
            webhook_early: 0.1,
            webhook_forged: 0.3,
            webhook_lost: 0.1,
            get_500: 0.1,
            ..Faults::default()
        };
        setup.tell_by_template(&["0s", "5s", "5s", "5s", "5s"]);
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..TRANSACTIONS {
        let id = new_id();
        let answer = rig
            .client
            .post("/v1/transactions", &json!({"id": id}))
            .await;
        assert_eq!(answer.status, 202, "{answer:?}");
        ids.push(id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for id in &ids {
        let view = rig.audit(id).await;
        let word = if view["status"] == "completed" {
            "accepted"
        } else {
            "declined"
        };
        let told = rig.wait_until_told(id, 1).await;
        assert!(
            told.iter().all(|told| told.status.as_deref() == Some(word)),
            "{id}: {told:?}"
        );
        let conflicts = rig.client.inspect(id).await["conflicts"].clone();
        assert!(conflicts.is_null(), "{id}: {conflicts}");
    }
}
