//! Answers that are about another payment than the one that was asked about.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::server::{Act, Server, answer};
use super::support::{
    REFERENCE, attempt, inquire, key, provider, reference_with, request, set_up, settings, submit,
};
use crate::adapters::provider::HttpProvider;
use crate::ports::{Provider, SendPermission, SubmissionResult};
use crate::transaction::{Finding, Report};

/// What becomes of a payment at the provider behind the hop: every third is declined.
fn is_declined(n: u128) -> bool {
    n.is_multiple_of(3)
}

/// The number of the transaction that a request names.
fn number_in(request: &str) -> u128 {
    let id = request
        .split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        .filter(|part| part.len() == 36)
        .find_map(|part| uuid::Uuid::try_parse(part).ok());
    id.expect("every request names a transaction").as_u128()
}

/// A hop that keeps its connection alive and is one answer late: what it says to a request is the answer
/// to the one before. The first is answered with what another client had left there.
async fn late_hop() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let body = |n: u128| {
            let id = key(n).id;
            let status = if is_declined(n) {
                "declined"
            } else {
                "completed"
            };
            answer(200, "", &format!(r#"{{"id":"{id}","status":"{status}"}}"#))
        };
        let mut late = body(1_000);
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while connection.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, sent)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .to_ascii_lowercase()
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                    .unwrap_or(0_usize);
                if sent.len() < length {
                    continue;
                }
                bytes.clear();
                let mine = std::mem::replace(&mut late, body(number_in(&text)));
                if connection.write_all(&mine).await.is_err() {
                    break;
                }
            }
        }
    });
    url
}

fn why(report: &Report) -> &str {
    match &report.finding {
        Finding::Unclear { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn behind_a_hop_that_is_one_answer_late_no_declined_payment_becomes_completed() {
    const PAYMENTS: u128 = 30;
    let provider = provider(REFERENCE, &late_hop().await);
    for n in 1..=PAYMENTS {
        let result = submit(&provider, n).await;
        assert!(result.sent_at.is_some(), "{n}: {result:?}");
        let why = why(&result.report);
        assert!(why.contains(&key(n).id.to_string()), "{why}");
        assert!(
            why.contains("it is about another payment and tells nothing about this one"),
            "{why}"
        );
        assert_eq!(result.report.provider_reference, None);
        assert_eq!(result.report.amount, None);
    }
    assert_eq!(u128::from(provider.answers_about_others()), PAYMENTS);
    // The hop still has the answer to the last submission, which is about this payment.
    let asked = inquire(&provider, PAYMENTS).await.report.finding;
    assert_eq!(asked, Finding::Declined);
    for n in 1..=PAYMENTS {
        let finding = inquire(&provider, n).await.report.finding;
        assert!(matches!(finding, Finding::Unclear { .. }), "{finding:?}");
    }
    // Asked twice in a row, the second answer is about the payment.
    for n in 1..=PAYMENTS {
        inquire(&provider, n).await;
        let expected = if is_declined(n) {
            Finding::Declined
        } else {
            Finding::Completed
        };
        assert_eq!(inquire(&provider, n).await.report.finding, expected);
    }
}

/// The reference profile with the provider's own id in every answer.
fn with_their_id() -> String {
    reference_with(
        "[[inquiry.outcome]]",
        "provider_reference = \"/theirs\"\n\n[[inquiry.outcome]]",
    )
}

/// Asks about attempt 1 of transaction `n`, which the provider knows as `theirs`.
async fn inquire_known(provider: &HttpProvider, n: u128, theirs: &str) -> Report {
    let request = request(Value::Null);
    let intent = provider.intent(&key(n), &request, 1).expect("renders");
    let mut attempt = attempt(intent);
    attempt.provider_reference = Some(theirs.to_owned());
    let result = provider.inquire(&key(n), &request, &attempt).await;
    result.report
}

#[tokio::test]
async fn a_status_report_under_another_id_of_the_provider_tells_nothing() {
    let said = |theirs: &str| {
        let body = format!(r#"{{"theirs":{theirs},"status":"completed","amount":5}}"#);
        Act::Answer(answer(200, "", &body))
    };
    let server = Server::start([
        said("\"R-another\""),
        said("\"17\""),
        said("17"),
        said("18"),
    ]);
    let server = server.await;
    let provider = provider(&with_their_id(), &server.url());
    let other = inquire_known(&provider, 5, "R-mine").await;
    assert!(
        why(&other).contains("\"R-another\" at /theirs"),
        "{other:?}"
    );
    assert!(why(&other).contains("\"R-mine\""), "{other:?}");
    assert_eq!(other.provider_reference, None);
    for _ in 0..2 {
        let mine = inquire_known(&provider, 5, "17").await;
        assert_eq!(mine.finding, Finding::Completed);
        assert_eq!(mine.provider_reference.as_deref(), Some("17"));
    }
    why(&inquire_known(&provider, 5, "17").await);
    assert_eq!(provider.answers_about_others(), 2);
}

#[tokio::test]
async fn every_answer_about_another_payment_tells_nothing_whatever_its_row_says() {
    let other = key(6).id;
    for (status, word) in [
        (200, "completed"),
        (200, "declined"),
        (200, "pending"),
        (429, "busy"),
        (503, "busy"),
        (504, "busy"),
    ] {
        let body = format!(r#"{{"id":"{other}","status":"{word}"}}"#);
        let server = Server::start([
            Act::Answer(answer(status, "retry-after: 3\r\n", &body)),
            Act::Answer(answer(404, "", &body)),
        ])
        .await;
        let provider = provider(REFERENCE, &server.url());
        why(&submit(&provider, 5).await.report);
        why(&inquire(&provider, 5).await.report);
        assert_eq!(provider.answers_about_others(), 2, "{status}");
    }
}

/// A profile that asks by sending the submission again, and whose body carries an id of its own.
const RESENDS: &str = r#"
    name = "resends"
    base_url = "https://api.example.com"
    reference = "attempt"
    resend_safe_for = "24h"
    [submit]
    method = "POST"
    path = "/pay"
    body = "{{ {'deposit': attempt.reference | uuid, 'note': payload.note | default(none)} }}"
    time_out = "20s"
    id = { at = "/data/deposit", sent = "/deposit" }
    outcome = [{ status = 200, at = "/data/status", word = "done", means = "completed" }]
    [inquiry]
    method = "resend"
    [ghost]
    on_absence = "fail"
    max_attempts = 1
"#;

async fn send(provider: &HttpProvider, n: u128) -> SubmissionResult {
    let intent = provider
        .intent(&key(n), &request(Value::Null), 1)
        .expect("renders");
    let intent = Arc::new(intent);
    provider
        .submit(intent, None, SendPermission::always())
        .await
}

#[tokio::test]
async fn the_answer_to_a_repetition_is_compared_with_what_was_sent() {
    let provider_of = |url: &str| provider(RESENDS, url);
    let intent = provider_of("http://127.0.0.1:9")
        .intent(&key(5), &request(Value::Null), 1)
        .expect("renders");
    let sent: Value = serde_json::from_str(&intent.request.body).expect("JSON");
    let (mine, other) = (sent["deposit"].as_str().expect("an id"), key(6).id);
    let said = |id: &str| {
        let body = format!(r#"{{"data":{{"deposit":"{id}","status":"done"}}}}"#);
        Act::Answer(answer(200, "", &body))
    };
    let server = Server::start([said(&other.to_string()), said(mine)]).await;
    let provider = provider_of(&server.url());
    why(&send(&provider, 5).await.report);
    assert_eq!(
        send(&provider, 5).await.report.finding,
        Finding::Completed,
        "the repetition"
    );
}

#[test]
fn a_submission_without_the_id_that_answers_are_compared_with_is_never_made() {
    let text = RESENDS.replace("sent = \"/deposit\"", "sent = \"/note\"");
    let provider = set_up(&text, settings("http://127.0.0.1:9")).expect("usable");
    let refused = provider.intent(&key(5), &request(Value::Null), 1);
    let why = refused.expect_err("nothing stands at /note");
    assert!(why.contains("no id at /note"), "{why}");
    let noted = request(serde_json::json!({"note": "n-1"}));
    assert!(provider.intent(&key(5), &noted, 1).is_ok());
}

#[test]
fn places_of_ids_that_can_t_be_meant_are_refused() {
    for (old, new, expected) in [
        (
            "sent = \"/deposit\"",
            "snt = \"/deposit\"",
            "unknown field `snt`",
        ),
        (", sent = \"/deposit\"", "", "missing field `sent`"),
        (
            "id = { at = \"/data/deposit\", sent = \"/deposit\" }",
            "id = []",
            "expected 1 to 8 places",
        ),
        (
            "id = { at = \"/data/deposit\", sent = \"/deposit\" }",
            "id = \"ref\"",
            "expected a JSON pointer such as",
        ),
        (
            "method = \"resend\"",
            "method = \"resend\"\n    id = \"/ref\"",
            "id doesn't go with method = \"resend\"",
        ),
    ] {
        assert!(RESENDS.contains(old), "{old}");
        let text = RESENDS.replacen(old, new, 1);
        let said = set_up(&text, settings("http://127.0.0.1:9")).expect_err(expected);
        assert!(said.to_string().contains(expected), "{said}");
    }
}
