//! Acts: the app cancels, a person asks, resubmits or decides. What could pay twice, or end what may
//! still happen, is refused with the reason.

use serde_json::{Value, json};

use crate::support::{Rig, eventually, new_id, put};

fn nobody() -> Value {
    json!({})
}

fn ann(more: &[(&str, Value)]) -> Value {
    let mut body = json!({"by": "ann", "why": "seen in their portal"});
    more.iter()
        .for_each(|(name, value)| body[*name] = value.clone());
    body
}

/// One submission at once, which the first transaction holds for as long as the provider hangs.
async fn start_with_a_full_gate() -> (Rig, String) {
    let rig = Rig::start_with(|setup| {
        setup.time_scale = 10.0;
        put(&mut setup.profile, "limits.submissions_at_once", 1);
    })
    .await;
    let first = new_id();
    rig.client
        .paid(&first, json!({"answer_after_ms": 25_000}))
        .await;
    eventually("the first is out", || async { rig.posts(&first).pop() }).await;
    (rig, first)
}

// ---- while it waits ----------------------------------------------------------------------------------

#[tokio::test]
async fn what_waits_at_the_gate_can_be_cancelled_and_is_never_sent() {
    let (rig, first) = start_with_a_full_gate().await;
    let (cancelled, waiting) = (new_id(), new_id());
    rig.client.paid(&cancelled, json!({})).await;
    rig.client.paid(&waiting, json!({})).await;
    assert_eq!(rig.client.read(&cancelled).await["state"], "accepted");
    for (command, body, code) in [
        ("inquire", nobody(), "never_sent"),
        ("resubmit", ann(&[]), "already_queued"),
        (
            "resolve",
            ann(&[("outcome", json!("completed"))]),
            "never_sent",
        ),
    ] {
        rig.client
            .act(&cancelled, command, &body)
            .await
            .expect_problem(409, code);
    }
    let done = rig.client.act(&cancelled, "cancel", &nobody()).await;
    assert_eq!(
        (done.status, &done.json()["status"]),
        (200, &json!("failed")),
        "{done:?}"
    );
    rig.client
        .act(&cancelled, "cancel", &nobody())
        .await
        .expect_problem(409, "already_final");
    assert_eq!(
        rig.client.pay(&cancelled, json!({})).await.json()["status"],
        "failed"
    );
    for id in [&first, &waiting] {
        rig.audit(id).await;
    }
    assert!(rig.posts(&cancelled).is_empty());
    let history = rig.client.history(&cancelled).await;
    assert_eq!(
        (&history[1]["type"], &history[1]["command"]),
        (&json!("acted"), &json!("cancel"))
    );
    assert_eq!(history[1]["by"], "app");
}

#[tokio::test]
async fn what_is_not_sent_by_its_deadline_fails_and_is_never_sent() {
    let (rig, first) = start_with_a_full_gate().await;
    let (expiring, expired) = (new_id(), new_id());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let soon_ms = now.expect("after 1970").as_millis() as i64 + 500;
    let soon = teller::transaction::Timestamp::from_millis(soon_ms).to_string();
    for (id, submit_by) in [
        (&expiring, soon.as_str()),
        (&expired, "2020-01-01T00:00:00Z"),
    ] {
        let body = json!({"id": id, "submit_by": submit_by, "payload": {"script": {}}});
        assert!(rig.client.post("/v1/transactions", &body).await.status < 300);
    }
    for id in [&expiring, &expired] {
        let view = rig.client.wait_until_final(id).await;
        assert_eq!(
            (&view["status"], &view["outcome"]["source"]),
            (&json!("failed"), &json!("teller"))
        );
    }
    assert_eq!(
        rig.client.read(&first).await["status"],
        "pending",
        "they did not wait for the gate"
    );
    rig.audit(&first).await;
    for id in [&expiring, &expired] {
        assert!(rig.posts(id).is_empty());
        assert_eq!(rig.client.read(id).await["status"], "failed");
    }
}

#[tokio::test]
async fn what_the_provider_refused_can_be_cancelled_or_sent_at_once() {
    let mut rig =
        Rig::start_with(|setup| put(&mut setup.profile, "schedule.backoff", vec!["1000s"])).await;
    rig.stop_mock().await;
    let (cancelled, resubmitted) = (new_id(), new_id());
    for id in [&cancelled, &resubmitted] {
        rig.client.paid(id, json!({})).await;
        rig.client.wait_until_state(id, "backing_off").await;
    }
    rig.client
        .act(&cancelled, "inquire", &nobody())
        .await
        .expect_problem(409, "never_sent");
    assert_eq!(
        rig.client.act(&cancelled, "cancel", &nobody()).await.json()["status"],
        "failed"
    );
    rig.start_mock().await;
    assert_eq!(
        rig.client
            .act(&resubmitted, "resubmit", &ann(&[]))
            .await
            .status,
        200
    );
    let view = rig.audit(&resubmitted).await;
    assert_eq!(view["attempts"], 2, "{view}");
    assert!(rig.posts(&cancelled).is_empty());
}

// ---- while it is out ---------------------------------------------------------------------------------

#[tokio::test]
async fn what_may_have_been_executed_is_neither_cancelled_nor_repeated_nor_decided_lightly() {
    let rig = Rig::start_with(|setup| setup.time_scale = 10.0).await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"answer": "timeout", "answer_after_ms": 10_000, "ghost_after_ms": 60_000}),
        )
        .await;
    let decide = ann(&[("outcome", json!("failed"))]);
    for state in ["submitting", "unknown"] {
        rig.client.wait_until_state(&id, state).await;
        for (command, body, code) in [
            ("cancel", nobody(), "may_be_executed"),
            ("resubmit", ann(&[]), "may_be_executed"),
            ("resolve", decide.clone(), "still_open"),
        ] {
            let problem = rig
                .client
                .act(&id, command, &body)
                .await
                .expect_problem(409, code);
            assert!(
                problem["detail"].as_str().unwrap_or_default().contains('1'),
                "{problem}"
            );
        }
    }
    let view = rig.audit(&id).await;
    assert_eq!(rig.posts(&id).len(), 1);
    for (command, body) in [
        ("cancel", nobody()),
        ("inquire", nobody()),
        ("resubmit", ann(&[])),
        ("resolve", decide),
    ] {
        rig.client
            .act(&id, command, &body)
            .await
            .expect_problem(409, "already_final");
    }
    assert_eq!(rig.client.read(&id).await, view);
}

#[tokio::test]
async fn a_person_can_have_the_provider_asked_now() {
    let rig = Rig::start_with(|setup| {
        put(&mut setup.profile, "ghost.window", "2000s");
        put(&mut setup.profile, "schedule.inquiry_gaps", 1);
    })
    .await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"answer": "timeout", "answer_after_ms": 500, "ghost_after_ms": 1_000}),
        )
        .await;
    rig.client.wait_until_state(&id, "unknown").await;
    eventually("asked", || async {
        let asked = rig.client.act(&id, "inquire", &json!({"by": "ann"})).await;
        assert!(matches!(asked.status, 200 | 409), "{asked:?}");
        crate::support::is_final(&rig.client.read(&id).await).then_some(())
    })
    .await;
    let view = rig.audit(&id).await;
    assert_eq!(view["outcome"]["source"], "inquiry");
    let history = rig.client.history(&id).await;
    let act = history
        .iter()
        .find(|record| record["type"] == "acted")
        .expect("the act is kept");
    assert_eq!(
        (&act["by"], &act["command"]),
        (&json!("ann"), &json!("inquire"))
    );
    let last = history.last().expect("records");
    assert_eq!(
        last["after_window"], false,
        "nobody else asks so early: {last}"
    );
}

#[tokio::test]
async fn a_person_who_insists_decides_and_later_evidence_is_a_conflict() {
    let rig = Rig::start().await;
    let id = new_id();
    let script = json!({"answer": "hang", "ghost_after_ms": 100_000, "webhook": "once", "webhook_after_ms": 110_000});
    rig.client.paid(&id, script).await;
    rig.client.wait_until_state(&id, "unknown").await;
    let insist = ann(&[("outcome", json!("declined")), ("while_open", json!(true))]);
    let done = rig.client.act(&id, "resolve", &insist).await;
    assert_eq!(
        (done.status, &done.json()["status"]),
        (200, &json!("declined")),
        "{done:?}"
    );
    assert_eq!(done.json()["outcome"]["source"], "operator");
    let status = eventually("the conflict", || async {
        let status = rig.client.inspect(&id).await;
        status["conflicts"].is_array().then_some(status)
    })
    .await;
    assert_eq!(
        status["conflicts"][0]["kind"], "completed_against_declined",
        "{status}"
    );
    assert_eq!(status["status"], "declined");
    let history = rig.client.history(&id).await;
    let act = history
        .iter()
        .find(|record| record["type"] == "acted")
        .expect("the act is kept");
    assert_eq!(
        (&act["why"], &act["while_open"]),
        (&json!("seen in their portal"), &json!(true))
    );
    let settle = ann(&[("outcome", json!("completed"))]);
    let settled = rig.client.act(&id, "resolve", &settle).await;
    assert_eq!(
        (settled.status, &settled.json()["status"]),
        (200, &json!("completed")),
        "{settled:?}"
    );
    assert_eq!(rig.posts(&id).len(), 1);
}

// ---- with the version that was seen ------------------------------------------------------------------

#[tokio::test]
async fn an_act_on_another_version_than_the_one_seen_is_refused() {
    let (rig, first) = start_with_a_full_gate().await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    let path = format!("/v1/transactions/{id}/cancel");
    let seen = rig.client.get(&format!("/v1/transactions/{id}")).await;
    let seen = seen.header("etag").expect("an ETag").to_owned();
    let stale = rig
        .client
        .post_with(&path, &nobody(), &[("if-match", "\"v7\"")])
        .await;
    stale.expect_problem(412, "version_mismatch");
    assert_eq!(rig.client.read(&id).await["status"], "pending");
    let fresh = rig
        .client
        .post_with(&path, &nobody(), &[("if-match", &seen)])
        .await;
    assert_eq!(
        (fresh.status, &fresh.json()["status"]),
        (200, &json!("failed")),
        "{fresh:?}"
    );
    rig.audit(&first).await;
    assert!(rig.posts(&id).is_empty());
}
