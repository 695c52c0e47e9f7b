//! What becomes of a call when the network, or the server, does its worst.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use super::server::{Act, Server, answer};
use super::support::{
    REFERENCE, inquire, key, provider, reference_with, request, settings, submit,
};
use crate::adapters::provider::client::ANSWER_MAX_BYTES;
use crate::adapters::provider::{HttpProvider, Profile};
use crate::clock::Clock;
use crate::ports::{Provider, SendPermission, SubmissionResult};
use crate::transaction::Finding;

const COMPLETED: &str = r#"{"status":"completed"}"#;

fn assert_unclear(result: &SubmissionResult, because: &str) {
    let Finding::Unclear { why } = &result.report.finding else {
        panic!("{because}: {result:?}");
    };
    assert!(why.contains(because), "{because:?} is not in {why:?}");
    assert!(result.sent_at.is_some(), "{because}: {result:?}");
}

fn assert_never_left(result: &SubmissionResult) {
    assert!(
        matches!(result.report.finding, Finding::NotExecuted { .. }),
        "{result:?}"
    );
    assert_eq!(result.sent_at, None);
}

/// A port at which nobody listens.
async fn refusing_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn a_refused_connection_executes_nothing() {
    let provider = provider(REFERENCE, &refusing_url().await);
    let result = submit(&provider, 1).await;
    assert_never_left(&result);
    let Finding::NotExecuted { why, retry_after } = result.report.finding else {
        unreachable!("asserted above");
    };
    assert!(why.contains("refused"), "{why}");
    assert!(!why.contains("127.0.0.1"), "{why}");
    assert_eq!(retry_after, None);
    let asked = inquire(&provider, 1).await;
    assert!(matches!(asked.report.finding, Finding::Unclear { .. }));
}

#[tokio::test]
async fn a_name_that_nobody_has_executes_nothing() {
    let profile = reference_with("connect_time_out = \"5s\"", "connect_time_out = \"1s\"");
    let provider = provider(&profile, "http://nobody.invalid");
    assert_never_left(&submit(&provider, 1).await);
}

#[tokio::test]
async fn a_failed_tls_handshake_executes_nothing() {
    // The first server breaks the handshake. The second waits for a whole HTTP request, which a TLS
    // greeting is not, so that the time for connecting runs out.
    for (act, expected) in [(Act::Reset, "reset"), (Act::Hang, "")] {
        let server = Server::start([act]).await;
        let profile = reference_with("connect_time_out = \"5s\"", "connect_time_out = \"500ms\"");
        let provider = provider(&profile, &server.url().replace("http:", "https:"));
        let result = submit(&provider, 1).await;
        assert_never_left(&result);
        assert!(format!("{result:?}").contains(expected), "{result:?}");
        assert_eq!(server.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_reset_before_the_answer_is_unclear() {
    let server = Server::start([Act::Reset]).await;
    let provider = provider(REFERENCE, &server.url());
    assert_unclear(&submit(&provider, 1).await, "before an answer");
}

#[tokio::test]
async fn a_request_that_is_read_and_not_answered_is_unclear_and_was_sent_once() {
    let server = Server::start([Act::Close]).await;
    let provider = provider(REFERENCE, &server.url());
    assert_unclear(&submit(&provider, 1).await, "before an answer");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_is_torn_within_the_answer_is_unclear_whatever_it_began_with() {
    let torn = |act: fn(Vec<u8>) -> Act, status| {
        let mut bytes = answer(status, "", COMPLETED);
        bytes.truncate(bytes.len() - 1);
        act(bytes)
    };
    for act in [
        torn(Act::AnswerAndClose, 200),
        torn(Act::AnswerAndReset, 200),
        // Not even a status that needs no body is believed without its whole answer.
        torn(Act::AnswerAndClose, 503),
    ] {
        let server = Server::start([act]).await;
        let provider = provider(REFERENCE, &server.url());
        assert_unclear(&submit(&provider, 1).await, "connection broke");
    }
    let half_a_head = b"HTTP/1.1 200 OK\r\ncontent-le".to_vec();
    let server = Server::start([Act::AnswerAndClose(half_a_head)]).await;
    let provider = provider(REFERENCE, &server.url());
    assert_unclear(&submit(&provider, 1).await, "before an answer");
}

#[tokio::test]
async fn silence_and_slowness_are_unclear() {
    let drip = Act::Drip(answer(200, "", COMPLETED), Duration::from_millis(20));
    for act in [Act::Hang, drip] {
        let profile = reference_with(
            "time_out = \"35s\"\nconnect_time_out = \"5s\"",
            "time_out = \"400ms\"\nconnect_time_out = \"300ms\"",
        );
        let server = Server::start([act]).await;
        let provider = provider(&profile, &server.url());
        assert_unclear(&submit(&provider, 1).await, "in time");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn what_is_no_http_is_unclear() {
    let server = Server::start([Act::AnswerAndClose(b"SSH-2.0-OpenSSH\r\n".to_vec())]).await;
    let provider = provider(REFERENCE, &server.url());
    assert_unclear(&submit(&provider, 1).await, "before an answer");
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_unclear() {
    let padding = " ".repeat(ANSWER_MAX_BYTES);
    let large = format!("{COMPLETED}{padding}");
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    chunked.extend(format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len()).into_bytes());
    for bytes in [answer(200, "", &large), chunked] {
        let server = Server::start([Act::Answer(bytes)]).await;
        let provider = provider(REFERENCE, &server.url());
        assert_unclear(&submit(&provider, 1).await, "too large");
    }
    let exactly = format!("{COMPLETED}{}", &padding[COMPLETED.len()..]);
    assert_eq!(exactly.len(), ANSWER_MAX_BYTES);
    let server = Server::start([Act::Answer(answer(200, "", &exactly))]).await;
    let provider = provider(REFERENCE, &server.url());
    assert_eq!(
        submit(&provider, 1).await.report.finding,
        Finding::Completed
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([Act::Answer(answer(200, "", COMPLETED))]).await;
    for status in [301, 302, 307, 308] {
        let headers = format!("location: {}/transaction\r\n", elsewhere.url());
        let server = Server::start([Act::Answer(answer(status, &headers, ""))]).await;
        let provider = provider(REFERENCE, &server.url());
        assert_unclear(&submit(&provider, 1).await, "no outcome is listed");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn an_inquiry_concludes_nothing_from_a_failed_call() {
    for act in [
        Act::Reset,
        Act::Close,
        Act::AnswerAndClose(b"HTTP/1.1 404 X\r\ncontent-length: 9\r\n\r\nNot".to_vec()),
        Act::AnswerAndClose(b"gibberish\r\n\r\n".to_vec()),
    ] {
        let server = Server::start([act.clone()]).await;
        let provider = provider(REFERENCE, &server.url());
        let result = inquire(&provider, 1).await;
        assert!(
            matches!(result.report.finding, Finding::Unclear { .. }),
            "{act:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_request_states_its_length_and_comes_as_rendered() {
    let server = Server::start([Act::Answer(answer(200, "", COMPLETED))]).await;
    let provider = provider(REFERENCE, &server.url());
    let intent = provider
        .intent(&key(7), &request(Value::Null), 1)
        .expect("renders");
    let body = intent.request.body.clone();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let result = provider
        .submit(
            Arc::new(intent),
            Some(traceparent.to_owned()),
            SendPermission::always(),
        )
        .await;
    assert_eq!(result.report.finding, Finding::Completed);
    let sent = server.requests().remove(0);
    let (head, sent_body) = sent.split_once("\r\n\r\n").expect("a head");
    assert_eq!(sent_body, body);
    let head = head.to_ascii_lowercase();
    for line in [
        "post /transaction http/1.1".to_owned(),
        format!("content-length: {}", body.len()),
        "content-type: application/json".to_owned(),
        format!("traceparent: {traceparent}"),
        format!("user-agent: teller/{}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            head.lines().any(|one| one == line),
            "{line:?} is not in {head}"
        );
    }
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn sending_is_dated_between_the_call_and_the_answer() {
    let server = Server::start([Act::Answer(answer(200, "", COMPLETED))]).await;
    let clock = Clock::system();
    let profile = Profile::parse(REFERENCE, "test.toml").expect("legal");
    let provider = HttpProvider::new(profile, settings(&server.url()), clock).expect("usable");
    let before = clock.mono();
    let sent_at = submit(&provider, 1).await.sent_at.expect("it was sent");
    assert!(before <= sent_at && sent_at <= clock.mono());
}
