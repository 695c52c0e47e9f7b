//! Requests that say themselves what shall become of them.

use mock_provider::ledger::Course;
use mock_provider::model::Status;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn the_plain_default_is_a_completed_one() {
    let provider = provider().await;
    let got = post_scripted(&provider, "a", json!({})).await;
    assert_eq!(got.code, 200);
    let expected = json!({"id": "a", "status": "completed", "webhookUrl": null});
    assert_eq!(got.json(), expected);
}

/// Answer → (HTTP status, whether money moves).
#[tokio::test]
async fn every_answer_that_arrives() {
    let provider = provider().await;
    for (answer, code, executed) in [
        ("ok", 200, true),
        ("timeout", 504, false),
        ("error_500", 500, true),
        ("refuse_503", 503, false),
        ("refuse_429", 429, false),
        ("garbage", 200, true),
        ("drip", 200, true),
    ] {
        let script = json!({"answer": answer, "answer_after_ms": 0, "status": "declined"});
        let got = post_scripted(&provider, answer, script).await;
        assert_eq!(got.code, code, "{answer}");
        let is_json = serde_json::from_str::<Value>(&got.text).is_ok();
        assert_eq!(
            is_json,
            !matches!(answer, "garbage" | "timeout"),
            "{answer}"
        );
        assert_eq!(
            got.headers.contains_key("retry-after"),
            answer == "refuse_429",
            "{answer}"
        );
        let entry = entry(&provider, answer).expect("it was posted");
        assert_eq!(entry.executed, executed, "{answer}");
        let known = if executed {
            (200, Some(Status::Declined))
        } else {
            (404, None)
        };
        assert_eq!(inquire(&provider, answer).await, known, "{answer}");
    }
}

#[tokio::test]
async fn a_reset_is_seen_as_a_torn_connection() {
    let provider = provider().await;
    let body = json!({"id": "a", "script": {"answer": "reset"}});
    let stream = raw_post(&provider.url, "/transaction", &body).await;
    let all = String::from_utf8(read_to_the_end(stream).await).expect("text");
    let (head, half) = all.split_once("\r\n\r\n").expect("a whole head");
    let declared: usize = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .expect("a declared length");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(half.len(), declared / 2, "{half}");
    assert!(half.starts_with('{'), "{half}");

    let request = client()
        .post(format!("{}/transaction", provider.url))
        .body(json!({"id": "b", "script": {"answer": "reset"}}).to_string());
    let error = try_send(request).await.expect_err("half an answer is none");
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(
        inquire(&provider, "b").await,
        (200, Some(Status::Completed)),
        "executed all the same"
    );
}

#[tokio::test]
async fn a_close_comes_before_any_byte() {
    let provider = provider().await;
    let body = json!({"id": "a", "script": {"answer": "close"}});
    let stream = raw_post(&provider.url, "/transaction", &body).await;
    assert_eq!(read_to_the_end(stream).await, b"");
    assert!(entry(&provider, "a").expect("it was posted").executed);
}

#[tokio::test]
async fn a_hang_executes() {
    let provider = provider().await;
    let body = json!({"id": "a", "script": {"answer": "hang"}});
    let _held = raw_post(&provider.url, "/transaction", &body).await;
    eventually("the outcome", || async {
        (inquire(&provider, "a").await == (200, Some(Status::Completed))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_timeout_with_a_ghost() {
    let provider = provider().await;
    let script = json!({
        "answer": "timeout", "answer_after_ms": 10, "ghost_after_ms": 40_000, "status": "declined"
    });
    let got = post_scripted(&provider, "a", script).await;
    assert_eq!(got.code, 504);
    let seen = eventually("the ghost", || async { inquire(&provider, "a").await.1 }).await;
    assert_eq!(seen, Status::Declined);
    let entry = entry(&provider, "a").expect("it was posted");
    assert_eq!(entry.course, Course::Ghost);
}

#[tokio::test]
async fn an_array_speaks_of_one_post_after_the_other() {
    let provider = provider().await;
    let script = json!([
        {"answer": "timeout", "answer_after_ms": 10},
        {"status": "declined", "answer_after_ms": 10}
    ]);
    for code in [504, 200, 200] {
        let got = post_scripted(&provider, "a", script.clone()).await;
        assert_eq!(got.code, code);
    }
    let ledger = provider.ledger();
    let executed: Vec<_> = ledger.of("a").map(|entry| entry.executed).collect();
    assert_eq!(executed, [false, true, true]);
}

#[tokio::test]
async fn the_header_wins_and_stays_out_of_the_ledger() {
    let provider = provider().await;
    let got = send(
        client()
            .post(format!("{}/transaction", provider.url))
            .header("X-Mock-Script", r#"{"status": "declined"}"#)
            .body(json!({"id": "a", "script": {"status": "completed"}, "n": 1}).to_string()),
    )
    .await;
    assert_eq!(got.json()["status"], "declined");
    let entry = entry(&provider, "a").expect("it was posted");
    let expected = json!({"n": 1, "script": {"status": "completed"}});
    assert_eq!(json!(entry.payload), expected);
}

#[tokio::test]
async fn inquiries_follow_their_script_first() {
    let provider = provider().await;
    post_scripted(&provider, "a", json!({"get": [500, 429, 404]})).await;
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(inquire(&provider, "a").await.0);
    }
    assert_eq!(codes, [500, 429, 404, 200, 200]);
}

#[tokio::test]
async fn a_malformed_script_executes_nothing() {
    let provider = provider().await;
    for (script, named) in [
        (json!({"answr": "ok"}), "answr"),
        (json!({"answer": "yes"}), "answer"),
        (json!({"ghost_after_ms": "soon"}), "ghost_after_ms"),
        (json!(7), "object"),
    ] {
        let got = post_scripted(&provider, "a", script).await;
        assert_eq!(got.code, 400);
        assert!(got.text.contains(named), "{}", got.text);
    }
    let got = send(
        client()
            .post(format!("{}/transaction", provider.url))
            .header("X-Mock-Script", "{")
            .body(r#"{"id": "a"}"#),
    )
    .await;
    assert_eq!(got.code, 400);
    assert!(got.text.contains("x-mock-script"), "{}", got.text);
    assert!(provider.ledger().executions.is_empty());
}

/// Webhook script → (path, status) of what arrives, in order.
#[tokio::test]
async fn scripted_webhooks() {
    let (provider, receiver) = (provider().await, Receiver::start().await);
    let mut before = 0;
    for (webhook, expected) in [
        ("once", vec!["completed"]),
        ("duplicate", vec!["completed", "completed"]),
        ("contradictory", vec!["completed", "declined"]),
        ("late", vec!["completed"]),
        ("early", vec!["completed"]),
    ] {
        let script = json!({"webhook": webhook, "webhook_after_ms": 100});
        let url = format!("{}/hook/token", receiver.url);
        let body = json!({"id": webhook, "webhookUrl": url, "script": script});
        assert_eq!(post(&provider.url, "/transaction", &body).await.code, 200);
        let got = receiver.wait_for(before + expected.len()).await;
        let statuses: Vec<_> = got[before..]
            .iter()
            .map(|(_, body)| body["status"].as_str().expect("a word").to_owned())
            .collect();
        assert_eq!(statuses, expected, "{webhook}");
        assert!(got.iter().all(|(path, _)| path == "/hook/token"));
        before = got.len();
    }
    let body = json!({
        "id": "forged",
        "webhookUrl": format!("{}/hook/token", receiver.url),
        "script": {"webhook": "forged"}
    });
    post(&provider.url, "/transaction", &body).await;
    let got = receiver.wait_for(before + 1).await;
    let (path, body) = &got[before];
    assert!(["/hook", "/hook/not-the-token"].contains(&path.as_str()));
    assert_eq!(body["status"], "declined");
    receiver.stop().await;
}
