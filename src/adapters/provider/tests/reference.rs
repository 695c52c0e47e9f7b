//! Every row of the reference profile, over real sockets.

use std::time::Duration;

use super::server::{Act, Server, answer};
use super::support::{
    REFERENCE, inquire, key, provider, reference_with, request, set_up, settings, submit,
};
use crate::ports::{Limits, Provider};
use crate::transaction::{Finding, OnAbsence};

/// Stands for any `Finding::Unclear`.
fn unclear() -> Finding {
    Finding::Unclear { why: String::new() }
}

fn refused(retry_after: Option<u64>) -> Finding {
    Finding::NotExecuted {
        why: String::new(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

/// The finding without its words for people.
fn bare(finding: Finding) -> Finding {
    match finding {
        Finding::Unclear { .. } => unclear(),
        Finding::NotExecuted { retry_after, .. } => Finding::NotExecuted {
            why: String::new(),
            retry_after,
        },
        other => other,
    }
}

#[tokio::test]
async fn answers_to_a_submission() {
    let retry_after = "retry-after: 7\r\n";
    let cases = [
        (
            answer(
                200,
                "",
                r#"{"id":"00000000-0000-0000-0000-000000000001","status":"completed","webhookUrl":"u"}"#,
            ),
            Finding::Completed,
            "completed",
        ),
        (
            answer(200, "", r#"{"status":"declined"}"#),
            Finding::Declined,
            "declined",
        ),
        // About another payment.
        (
            answer(
                200,
                "",
                r#"{"id":"00000000-0000-0000-0000-000000000002","status":"declined"}"#,
            ),
            unclear(),
            "declined",
        ),
        (
            answer(200, "", r#"{"status":"pending"}"#),
            Finding::Pending,
            "pending",
        ),
        (
            answer(200, "", r#"{"status":"Completed"}"#),
            unclear(),
            "Completed",
        ),
        (
            answer(200, "", r#"{"status":"accepted"}"#),
            unclear(),
            "accepted",
        ),
        (answer(200, "", r#"{"status":true}"#), unclear(), "true"),
        (
            answer(200, "", r#"{"state":"completed"}"#),
            unclear(),
            "200",
        ),
        (answer(200, "", r#"["completed"]"#), unclear(), "200"),
        (answer(200, "", "completed"), unclear(), "200"),
        (answer(200, "", ""), unclear(), "200"),
        (
            answer(201, "", r#"{"status":"completed"}"#),
            unclear(),
            "201",
        ),
        (answer(204, "", ""), unclear(), "204"),
        (
            answer(400, "", r#"{"status":"declined"}"#),
            unclear(),
            "400",
        ),
        (answer(401, "", ""), unclear(), "401"),
        (answer(404, "", "Not Found"), unclear(), "404"),
        (
            answer(409, "", r#"{"status":"completed"}"#),
            unclear(),
            "409",
        ),
        (answer(429, retry_after, ""), refused(Some(7)), "429"),
        (answer(503, "", "Service Unavailable"), refused(None), "503"),
        (answer(500, retry_after, "x"), unclear(), "500"),
        (answer(501, "", ""), unclear(), "501"),
        (
            answer(502, "", r#"{"status":"declined"}"#),
            unclear(),
            "502",
        ),
        (answer(504, "", "Timeout"), unclear(), "504"),
    ];
    for (bytes, expected, word) in cases {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = Server::start([Act::Answer(bytes)]).await;
        let result = submit(&provider(REFERENCE, &server.url()), 1).await;
        assert_eq!(bare(result.report.finding), expected, "{shown}");
        assert_eq!(result.report.word.as_deref(), Some(word), "{shown}");
        assert!(result.sent_at.is_some(), "{shown}");
    }
}

#[tokio::test]
async fn status_reports() {
    let cases = [
        (
            answer(200, "", r#"{"status":"completed"}"#),
            Finding::Completed,
        ),
        (
            answer(200, "", r#"{"status":"declined"}"#),
            Finding::Declined,
        ),
        (answer(200, "", r#"{"status":"pending"}"#), Finding::Pending),
        (
            answer(
                200,
                "",
                r#"{"id":"00000000-0000-0000-0000-000000000001","status":"completed"}"#,
            ),
            unclear(),
        ),
        (answer(404, "", "Not Found"), Finding::NotFound),
        (
            answer(404, "", r#"{"status":"completed"}"#),
            Finding::NotFound,
        ),
        (answer(200, "", r#"{"status":"not_found"}"#), unclear()),
        (answer(200, "", ""), unclear()),
        (answer(403, "", "blocked"), unclear()),
        (answer(410, "", ""), unclear()),
        (answer(429, "", ""), unclear()),
        (answer(500, "", r#"{"status":"completed"}"#), unclear()),
        (answer(503, "", ""), unclear()),
        (answer(504, "", "Timeout"), unclear()),
    ];
    for (bytes, expected) in cases {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = Server::start([Act::Answer(bytes)]).await;
        let result = inquire(&provider(REFERENCE, &server.url()), 0xabc).await;
        assert_eq!(bare(result.report.finding), expected, "{shown}");
        let sent = server.requests().remove(0);
        let line = "GET /transaction/00000000-0000-0000-0000-000000000abc HTTP/1.1\r\n";
        assert!(sent.starts_with(line), "{sent}");
    }
}

#[test]
fn the_numbers_are_those_of_the_provider() {
    let provider = provider(REFERENCE, "http://127.0.0.1:1");
    let seconds = |list: &[Duration]| -> Vec<u64> { list.iter().map(Duration::as_secs).collect() };
    let policy = provider.policy();
    assert_eq!(policy.ghost_window, Some(Duration::from_secs(120)));
    assert_eq!(policy.ghost_margin, Duration::from_secs(1));
    assert_eq!(policy.inquiry_gaps, 6);
    assert_eq!(policy.on_absence, OnAbsence::Resubmit);
    assert_eq!(policy.max_attempts, 10);
    assert_eq!(policy.resend_safe_for, None);
    assert_eq!(seconds(&policy.pending_ladder), [5, 5, 10, 20, 30, 60]);
    assert_eq!(seconds(&policy.retry_ladder), [15, 30, 60, 120, 300]);
    assert_eq!(seconds(&policy.review_ladder), [600, 3_600, 21_600, 86_400]);
    assert_eq!(seconds(&policy.backoff_ladder), [1, 2, 5, 10, 30, 60]);
    assert_eq!(policy.submit_within, Duration::from_hours(1));
    assert_eq!(policy.review_after, Duration::from_hours(1));
    assert_eq!(policy.pending_review_after, policy.review_after);
    assert_eq!(policy.call_overdue_after, Duration::from_secs(45));
    let limits = Limits {
        submissions_at_once: 2_000,
        submissions_per_second: None,
        inquiries_per_second: 5.0,
        inquiry_burst: 5,
        inquiries_at_once: 16,
        breaker_failures: 10,
        breaker_pause: Duration::from_secs(10),
    };
    assert_eq!(provider.limits(), &limits);
}

#[test]
fn what_is_pending_has_a_time_of_its_own_before_a_person_is_asked() {
    let text = reference_with(
        "review_after = \"1h\"",
        "review_after = \"1h\"\npending_review_after = \"21d\"",
    );
    let provider = provider(&text, "http://127.0.0.1:1");
    let policy = provider.policy();
    assert_eq!(policy.review_after, Duration::from_hours(1));
    assert_eq!(policy.pending_review_after, Duration::from_hours(21 * 24));
}

#[tokio::test]
async fn everything_is_scaled_alike() {
    let server = Server::start([Act::Answer(answer(503, "retry-after: 40\r\n", ""))]).await;
    let mut settings = settings(&server.url());
    settings.time_scale = 4.0;
    let scaled = set_up(REFERENCE, settings).expect("usable");
    let plain = provider(REFERENCE, &server.url());
    let (fast, slow) = (scaled.policy(), plain.policy());
    let quarter = |duration: Duration| duration.div_f64(4.0);
    assert_eq!(fast.ghost_window, slow.ghost_window.map(quarter));
    assert_eq!(fast.ghost_margin, quarter(slow.ghost_margin));
    for (fast, slow) in [
        (&fast.pending_ladder, &slow.pending_ladder),
        (&fast.retry_ladder, &slow.retry_ladder),
        (&fast.review_ladder, &slow.review_ladder),
        (&fast.backoff_ladder, &slow.backoff_ladder),
    ] {
        let quarters: Vec<Duration> = slow.iter().copied().map(quarter).collect();
        assert_eq!(*fast, quarters);
    }
    assert_eq!(fast.review_after, quarter(slow.review_after));
    let (fast_pending, slow_pending) = (fast.pending_review_after, slow.pending_review_after);
    assert_eq!(fast_pending, quarter(slow_pending));
    assert_eq!(fast.submit_within, quarter(slow.submit_within));
    assert_eq!(fast.call_overdue_after, quarter(slow.call_overdue_after));
    assert!((scaled.limits().inquiries_per_second - 20.0).abs() < f64::EPSILON);
    assert_eq!(scaled.limits().breaker_pause, Duration::from_millis(2_500));
    assert_eq!(scaled.limits().inquiry_burst, plain.limits().inquiry_burst);
    let intent = scaled
        .intent(&key(1), &request(serde_json::Value::Null), 1)
        .expect("renders");
    let window = intent.window.expect("the profile states one");
    assert_eq!(window.ghost, Duration::from_secs(30));
    let refused = submit(&scaled, 1).await.report.finding;
    assert_eq!(bare(refused), self::refused(Some(10)));
}

#[test]
fn a_call_is_overdue_only_after_its_time_out_at_any_scale() {
    for time_scale in [0.5, 1.0, 50.0, 1_000.0] {
        let mut settings = settings("http://127.0.0.1:1");
        settings.time_scale = time_scale;
        let provider = set_up(REFERENCE, settings).expect("usable");
        let slowest = Duration::from_secs(35).div_f64(time_scale);
        let slack = provider.policy().call_overdue_after - slowest;
        assert!(slack >= Duration::from_secs(1), "{time_scale}: {slack:?}");
    }
}
