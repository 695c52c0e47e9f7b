//! Who is believed: a webhook with the token of its attempt is evidence, any other is a hint at
//! most, and costs nothing.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use teller::ports::InboxQuery;

use crate::support::{Answer, Client, Rig, Setup, eventually, new_id, put};

/// In doubt for two thousand unscaled seconds, and not asked about before they are over.
fn ask_only_at_the_end(setup: &mut Setup) {
    put(&mut setup.profile, "ghost.window", "2000s");
    put(&mut setup.profile, "schedule.inquiry_gaps", 1);
}

/// Soon in doubt; its outcome exists from `ghost_after_ms`.
fn doubtful(status: &str, ghost_after_ms: u32) -> Value {
    json!({"answer": "timeout", "answer_after_ms": 500, "ghost_after_ms": ghost_after_ms, "status": status})
}

async fn start_doubt(rig: &Rig, status: &str, ghost_after_ms: u32) -> String {
    let id = new_id();
    rig.client.paid(&id, doubtful(status, ghost_after_ms)).await;
    rig.client.wait_until_state(&id, "unknown").await;
    id
}

async fn call(rig: &Rig, path: &str, id: &str, status: &str) -> Answer {
    rig.client
        .post(path, &json!({"id": id, "status": status}))
        .await
}

/// Provider and body of what is kept for unknown transactions.
async fn inbox(rig: &Rig) -> Vec<(String, String)> {
    let query = InboxQuery {
        limit: 100,
        ..InboxQuery::default()
    };
    let page = rig.teller().house.journal.inbox(query).await;
    let rows = page.expect("readable").rows.into_iter();
    rows.map(|kept| (kept.provider, kept.body)).collect()
}

// ---- without proof -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_hint_advances_the_inquiry_and_decides_nothing() {
    let rig = Rig::start_with(ask_only_at_the_end).await;
    for path in [
        "/webhooks/reference",
        "/webhook",
        "/webhooks/reference/not-the-token",
    ] {
        let id = start_doubt(&rig, "declined", 1_000).await;
        eventually("the hint is followed", || async {
            let answer = call(&rig, path, &id, "completed").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let view = rig.client.read(&id).await;
            crate::support::is_final(&view).then_some(())
        })
        .await;
        let view = rig.audit(&id).await;
        assert_eq!(view["outcome"]["source"], "inquiry", "{path}");
        let history = rig.client.history(&id).await;
        let last = history.last().expect("records");
        assert_eq!(
            last["after_window"], false,
            "only the hint can have asked so early: {last}"
        );
    }
}

#[tokio::test]
async fn hints_cost_no_more_than_their_share_of_the_budget() {
    let rig = Rig::start_with(|setup| setup.time_scale = 1.0).await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"answer": "error_500", "answer_after_ms": 1, "executed": false}),
        )
        .await;
    rig.client.wait_until_state(&id, "unknown").await;
    let before = Instant::now();
    while before.elapsed().as_secs() < 3 {
        assert_eq!(call(&rig, "/webhook", &id, "completed").await.status, 200);
    }
    // A tenth of five a second, what may have been saved up, and the schedule's own.
    let asked = rig.mock().stats().inquiries.total;
    let share = 0.5 * before.elapsed().as_secs_f64() + 3.0;
    assert!(
        asked > 0 && asked as f64 <= share,
        "{asked} inquiries, {share} are allowed"
    );
}

#[tokio::test]
async fn a_hint_about_nothing_we_know_is_forgotten_and_blocks_nothing() {
    let rig = Rig::start().await;
    let id = new_id();
    for path in [
        "/webhooks/reference",
        "/webhook",
        "/webhooks/reference/v1.AAAA.BBBB",
    ] {
        assert_eq!(call(&rig, path, &id, "declined").await.status, 200);
    }
    rig.client
        .get(&format!("/v1/transactions/{id}"))
        .await
        .expect_problem(404, "unknown_transaction");
    let answer = rig.client.pay(&id, json!({})).await;
    assert_eq!((answer.status, answer.is_replay()), (202, false));
    let view = rig.audit(&id).await;
    assert_eq!(view["status"], "completed");
    assert_eq!(rig.mock().stats().inquiries.total, 0);
    assert_eq!(inbox(&rig).await, []);
}

// ---- with the wrong proof ----------------------------------------------------------------------------

#[tokio::test]
async fn a_token_vouches_for_its_own_transaction_only() {
    let rig = Rig::start_with(ask_only_at_the_end).await;
    let mine = start_doubt(&rig, "completed", 150_000).await;
    let other = start_doubt(&rig, "declined", 150_000).await;
    let path = rig.webhook_path(&mine, 1).await;
    assert_eq!(call(&rig, &path, &other, "completed").await.status, 200);
    let (head, token) = path.rsplit_once('/').expect("a token");
    let other_path = rig.webhook_path(&other, 1).await;
    let (_, other_token) = other_path.rsplit_once('/').expect("a token");
    let (payload, _) = other_token.rsplit_once('.').expect("a MAC");
    let (_, mac) = token.rsplit_once('.').expect("a MAC");
    for forged in [
        format!("{payload}.{mac}"),
        other_token[..other_token.len() - 1].to_owned(),
        format!("{other_token}A"),
    ] {
        assert_eq!(
            call(&rig, &format!("{head}/{forged}"), &other, "completed")
                .await
                .status,
            200
        );
    }
    for id in [&mine, &other] {
        let history = rig.client.history(id).await;
        assert!(
            history.iter().all(|record| record["type"] != "webhook"),
            "{history:?}"
        );
        assert_eq!(rig.client.read(id).await["status"], "pending");
    }
    assert_eq!(call(&rig, &path, &mine, "completed").await.status, 200);
    assert_eq!(
        call(&rig, &other_path, &other, "declined").await.status,
        200
    );
    for id in [&mine, &other] {
        let view = rig.audit(id).await;
        assert_eq!(view["outcome"]["source"], "webhook");
    }
}

#[tokio::test]
async fn the_token_of_an_earlier_attempt_speaks_of_that_attempt() {
    let rig = Rig::start_with(|setup| put(&mut setup.profile, "ghost.window", "20s")).await;
    let script = json!([
        {"answer": "timeout", "answer_after_ms": 500},
        {"answer": "timeout", "answer_after_ms": 500, "ghost_after_ms": 100_000, "get": [500, 500, 500, 500, 500, 500, 500, 500]},
    ]);
    let id = new_id();
    rig.client.paid(&id, script).await;
    rig.client
        .wait_until(&id, "is on its second attempt", |view| {
            view["attempts"] == 2
        })
        .await;
    rig.client.wait_until_state(&id, "unknown").await;
    let path = rig.webhook_path(&id, 1).await;
    assert_eq!(call(&rig, &path, &id, "declined").await.status, 200);
    let status = rig.client.inspect(&id).await;
    assert_eq!(
        status["status"], "pending",
        "the second attempt may still be executed: {status}"
    );
    assert_eq!(
        (
            &status["attempts"][0]["fate"],
            &status["attempts"][1]["fate"]
        ),
        (&json!("declined"), &json!("unknown"))
    );
    let path = rig.webhook_path(&id, 2).await;
    assert_eq!(call(&rig, &path, &id, "completed").await.status, 200);
    let view = rig.client.wait_until_final(&id).await;
    assert_eq!(
        (&view["status"], &view["outcome"]["attempt"]),
        (&json!("completed"), &json!(2))
    );
}

// ---- with proof --------------------------------------------------------------------------------------

#[tokio::test]
async fn put_is_as_good_as_post() {
    let rig = Rig::start_with(ask_only_at_the_end).await;
    let id = start_doubt(&rig, "declined", 100_000).await;
    let request = rig
        .client
        .request(Method::PUT, &rig.webhook_path(&id, 1).await);
    let body = json!({"id": id, "status": "declined", "more": {"than": "we read"}}).to_string();
    let answer = Client::send(
        request
            .header("content-type", "application/json")
            .body(body),
    )
    .await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(rig.audit(&id).await["outcome"]["source"], "webhook");
}

#[tokio::test]
async fn a_word_that_nobody_explained_decides_nothing() {
    let rig = Rig::start_with(ask_only_at_the_end).await;
    let id = start_doubt(&rig, "completed", 100_000).await;
    let path = rig.webhook_path(&id, 1).await;
    for word in [
        json!("COMPLETED"),
        json!("refunded"),
        json!(true),
        Value::Null,
        json!(["completed"]),
    ] {
        let answer = rig
            .client
            .post(&path, &json!({"id": id, "status": word}))
            .await;
        assert_eq!(answer.status, 200, "{word}");
        assert_eq!(rig.client.read(&id).await["status"], "pending", "{word}");
    }
    assert_eq!(call(&rig, &path, &id, "completed").await.status, 200);
    assert_eq!(rig.audit(&id).await["outcome"]["source"], "webhook");
}

#[tokio::test]
async fn proof_of_what_we_do_not_know_is_kept_once() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(
        secret.path(),
        "a secret that two tellers share, for a while",
    )
    .expect("writable");
    let share = |setup: &mut Setup| {
        let file = secret.path().display().to_string();
        put(&mut setup.config, "webhooks.token_secret_files", vec![file]);
    };
    let (first, second) = (Rig::start_with(share).await, Rig::start_with(share).await);
    let id = start_doubt(&first, "completed", 5_000).await;
    let path = first.webhook_path(&id, 1).await;
    for _ in 0..3 {
        assert_eq!(call(&second, &path, &id, "completed").await.status, 200);
    }
    let body = json!({"id": id, "status": "completed"}).to_string();
    eventually("kept", || async {
        (!inbox(&second).await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(call(&second, &path, &id, "declined").await.status, 200);
    eventually("the other news is kept too", || async {
        (inbox(&second).await.len() == 2).then_some(())
    })
    .await;
    assert_eq!(inbox(&second).await[1], ("reference".to_owned(), body));
    second
        .client
        .get(&format!("/v1/transactions/{id}"))
        .await
        .expect_problem(404, "unknown_transaction");
    first.audit(&id).await;
}

// ---- at the door -------------------------------------------------------------------------------------

#[tokio::test]
async fn what_can_not_be_read_is_refused_by_the_table() {
    let rig = Rig::start_with(|setup| put(&mut setup.config, "bounds.webhook_bytes", 1_000)).await;
    let id = new_id();
    for door in [
        "/webhooks/reference",
        "/webhooks/reference/token",
        "/webhook",
    ] {
        for body in [
            "",
            "nope",
            "{\"id\":",
            "[]",
            "{}",
            "{\"id\": 5, \"status\": \"completed\"}",
            "{\"id\": \"5\", \"status\": \"completed\"}",
        ] {
            let answer = rig.client.post_text(door, body.to_owned(), &[]).await;
            answer.expect_problem(400, "unreadable_webhook");
        }
        let large = json!({"id": id, "status": "completed", "filler": "x".repeat(1_000)});
        rig.client
            .post(door, &large)
            .await
            .expect_problem(413, "body_too_large");
        let request = rig
            .client
            .request(Method::POST, door)
            .header("content-type", "text/xml");
        let answer =
            Client::send(request.body(json!({"id": id, "status": "completed"}).to_string())).await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    call(&rig, "/webhooks/acme", &id, "completed")
        .await
        .expect_problem(404, "unknown_provider");
    call(&rig, "/webhooks/acme/token", &id, "completed")
        .await
        .expect_problem(404, "unknown_provider");
    assert_eq!(inbox(&rig).await, []);
}
