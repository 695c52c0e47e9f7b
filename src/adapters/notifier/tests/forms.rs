//! What goes over the wire.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;

/// What `key` makes of a request's id, time and body.
fn signature_of(key: [u8; 32], request: &str) -> String {
    let [id, timestamp] = ["webhook-id", "webhook-timestamp"].map(|name| header(request, name));
    let signed = format!(
        "{}.{}.{}",
        id.expect("an id"),
        timestamp.expect("a time"),
        body(request)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(signed.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn the_reference_app_is_told_in_its_own_form() {
    let ok = || Act::Answer(answer(200, "", "OK"));
    let server = Server::start([ok(), ok(), ok()]).await;
    let notifier = reference_app(&server);
    for status in [Status::Completed, Status::Declined, Status::Failed] {
        let result = notifier.notify(notification(status)).await;
        assert_eq!(untimed(result), acknowledged(200));
    }
    let requests = server.requests();
    let id = "00000000-0000-0000-0000-000000000005";
    for (request, word) in requests
        .iter()
        .zip(["accepted", "declined", "not_executed"])
    {
        assert!(
            request.starts_with("PUT /transaction HTTP/1.1\r\n"),
            "{request}"
        );
        assert_eq!(
            body(request),
            format!(r#"{{"id": "{id}", "status": {{"id": "{id}", "status": "{word}"}}}}"#)
        );
        let notice = notification(Status::Completed).notice;
        assert_eq!(header(request, "webhook-id"), Some(&*notice.id.to_string()));
        assert_eq!(
            header(request, "idempotency-key"),
            Some(&*notice.id.to_string())
        );
        assert_eq!(header(request, "teller-transaction-version"), Some("4"));
        assert_eq!(header(request, "content-type"), Some("application/json"));
        assert_eq!(
            header(request, "content-length"),
            Some(&*body(request).len().to_string())
        );
        assert!(header(request, "traceparent").is_some());
        assert_eq!(header(request, "webhook-signature"), None);
    }
}

#[tokio::test]
async fn standard_webhooks_are_signed_over_what_is_sent() {
    let server = Server::start([Act::Answer(answer(204, "", ""))]).await;
    let notifier = standard_app(&server, &[KEY, [8; 32]]);
    let before_s = Clock::system().now().wall.as_secs();
    let result = notifier.notify(notification(Status::Failed)).await;
    assert_eq!(untimed(result), acknowledged(204));
    let request = server.requests().remove(0);
    assert!(
        request.starts_with("POST /hooks?a=1 HTTP/1.1\r\n"),
        "{request}"
    );
    let timestamp = header(&request, "webhook-timestamp").expect("a time");
    let sent_s: i64 = timestamp.parse().expect("seconds");
    assert!((0..=60).contains(&(sent_s - before_s)), "{timestamp}");
    let signatures: Vec<&str> = header(&request, "webhook-signature")
        .expect("signatures")
        .split(' ')
        .collect();
    let expected = [KEY, [8; 32]].map(|key| signature_of(key, &request));
    assert_eq!(signatures, expected);
    let body: Value = serde_json::from_str(body(&request)).expect("JSON");
    assert_eq!(
        body,
        json!({
            "type": "transaction.failed",
            "timestamp": "2023-11-14T22:13:20.123Z",
            "data": {
                "id": "00000000-0000-0000-0000-000000000005",
                "app": "shop",
                "provider": "reference",
                "status": "failed",
                "version": 4,
                "amount": {"value": 995, "currency": "EUR"},
                "source": "answer",
                "reason": "the answer said \"so\"",
            },
        })
    );
}

#[tokio::test]
async fn a_repeated_delivery_is_the_same_news_freshly_signed() {
    let server = Server::start([
        Act::Answer(answer(500, "", "")),
        Act::Answer(answer(200, "", "")),
    ])
    .await;
    let clock = Clock::following_tokio(Timestamp::from_millis(1_800_000_000_000));
    let notifier = standard_app_at(&server, &[KEY], clock);
    notifier.notify(notification(Status::Declined)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(400)).await;
    tokio::time::resume();
    notifier.notify(notification(Status::Declined)).await;
    let requests = server.requests();
    let [first, again] = &*requests else {
        panic!("two deliveries: {requests:?}");
    };
    assert_eq!(header(first, "webhook-id"), header(again, "webhook-id"));
    assert_eq!(body(first), body(again));
    // Receivers refuse what is older than five minutes.
    let sent_s = |request| -> i64 {
        let text = header(request, "webhook-timestamp").expect("a time");
        text.parse().expect("seconds")
    };
    assert!(sent_s(again) - sent_s(first) >= 400);
    for request in [first, again] {
        let expected = signature_of(KEY, request);
        assert_eq!(header(request, "webhook-signature"), Some(&*expected));
    }
}

#[tokio::test]
async fn the_longest_reason_leaves_the_body_below_the_standard_s_limit() {
    let mut long = notification(Status::Failed);
    if let Some(resolution) = &mut long.resolution {
        resolution.why = "\u{1}".repeat(100_000);
    }
    let body = super::super::standard_webhooks::body(&long).expect("writable");
    assert!(body.len() < 20_000, "{}", body.len());
}

#[tokio::test]
async fn a_body_of_the_app_s_own_making() {
    let server = Server::start([Act::Answer(answer(200, "", ""))]).await;
    let table = format!(
        "url = '{}/form'\nmethod = 'POST'\ncontent_type = 'application/x-www-form-urlencoded'\nbody = 'id={{{{ id }}}}&w={{{{ word }}}}&why={{{{ reason }}}}&c={{{{ amount.currency }}}}'",
        server.url()
    );
    let result = notifier(config("shop", &table, ""))
        .notify(notification(Status::Completed))
        .await;
    assert_eq!(untimed(result), acknowledged(200));
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /form"), "{request}");
    assert_eq!(
        body(&request),
        "id=00000000-0000-0000-0000-000000000005&w=accepted&why=the%20answer%20said%20%22so%22&c=EUR"
    );
}

#[tokio::test]
async fn an_app_is_not_told_what_it_has_no_word_for() {
    let server = Server::start([Act::Answer(answer(200, "", ""))]).await;
    let result = reference_app(&server)
        .notify(notification(Status::InReview))
        .await;
    assert!(
        format!("{result:?}").contains("no word for in_review"),
        "{result:?}"
    );
    assert_eq!(server.requests().len(), 0);
    let mut stranger = notification(Status::Completed);
    stranger.key.app = AppId::parse("stranger").expect("legal");
    let result = reference_app(&server).notify(stranger).await;
    assert!(
        format!("{result:?}").contains("not configured"),
        "{result:?}"
    );
}
