//! Deliveries to a real listener: what goes over the wire, and what is made of each answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::{HttpNotifier, NotifierConfig, NotifyConfig};
use crate::adapters::provider::tests::server::{Act, Server, answer};
use crate::clock::Clock;
use crate::ports::{Notification, Notifier};
use crate::transaction::{
    Amount, AppId, Delivery, DeliveryResult, Key, Notice, Outcome, Request, Resolution, Source,
    Status, Timestamp, TransactionId, notification_id,
};

const WORDS: &str =
    "words = { completed = 'accepted', declined = 'declined', failed = 'not_executed' }";
const KEY: [u8; 32] = [7; 32];

/// The configuration of one app; words are added where the format is a template.
pub(super) fn config(app: &str, table: &str, more: &str) -> NotifierConfig {
    let words = if table.contains("standard_webhooks") {
        ""
    } else {
        WORDS
    };
    let table: NotifyConfig =
        toml::from_str(&format!("{table}\n{words}\n{more}")).expect("a legal table");
    NotifierConfig {
        apps: [(AppId::parse(app).expect("legal"), table)].into(),
        time_scale: 1.0,
    }
}

/// What the app `shop` is told of transaction 5.
pub(super) fn notification(status: Status) -> Notification {
    let key = Key {
        app: AppId::parse("shop").expect("legal"),
        id: TransactionId(Uuid::from_u128(5)),
    };
    let outcome = match status {
        Status::Completed => Some(Outcome::Completed),
        Status::Declined => Some(Outcome::Declined),
        Status::Failed => Some(Outcome::Failed),
        Status::Pending | Status::InReview => None,
    };
    Notification {
        notice: Notice {
            id: notification_id(&key, 4),
            version: 4,
            status,
            since: Timestamp::from_millis(1_700_000_000_123),
            failures: 0,
            delivery: Delivery::Open,
        },
        key,
        request: Arc::new(Request {
            provider: "reference".to_owned(),
            amount: Some(Amount {
                value: 995,
                currency: "EUR".to_owned(),
            }),
            submit_by: Timestamp::from_millis(0),
            payload: json!({"card": "4242"}),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }),
        resolution: outcome.map(|outcome| Resolution {
            outcome,
            source: Source::Answer,
            attempt: Some(1),
            why: "the answer said \"so\"".to_owned(),
        }),
    }
}

fn notifier(config: NotifierConfig) -> HttpNotifier {
    HttpNotifier::new(config, Clock::system()).expect("usable")
}

fn reference_app(server: &Server) -> HttpNotifier {
    let url = format!("url = '{}/transaction'", server.url());
    notifier(config("shop", &url, ""))
}

/// An app with Standard Webhooks, whose secrets stand in files.
fn standard_app(server: &Server, keys: &[[u8; 32]]) -> HttpNotifier {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<String> = (0..)
        .zip(keys)
        .map(|(n, key)| {
            let path = folder.path().join(format!("{n}"));
            let text = format!("whsec_{}\n", STANDARD.encode(key));
            std::fs::write(&path, text).expect("a file");
            format!("{:?}", path.display().to_string())
        })
        .collect();
    let table = format!(
        "url = '{}/hooks?a=1'\nformat = 'standard_webhooks'\nsecret_file = [{}]",
        server.url(),
        files.join(", ")
    );
    notifier(config("shop", &table, ""))
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = request.split_once("\r\n\r\n")?;
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").expect("a head").1
}

#[tokio::test]
async fn the_reference_app_is_told_in_its_own_form() {
    let ok = || Act::Answer(answer(200, "", "OK"));
    let server = Server::start([ok(), ok(), ok()]).await;
    let notifier = reference_app(&server);
    for status in [Status::Completed, Status::Declined, Status::Failed] {
        let result = notifier.notify(notification(status)).await;
        assert_eq!(result, acknowledged());
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
    assert_eq!(result, acknowledged());
    let request = server.requests().remove(0);
    assert!(
        request.starts_with("POST /hooks?a=1 HTTP/1.1\r\n"),
        "{request}"
    );
    let id = header(&request, "webhook-id").expect("an id");
    let timestamp = header(&request, "webhook-timestamp").expect("a time");
    let sent_s: i64 = timestamp.parse().expect("seconds");
    assert!((0..=60).contains(&(sent_s - before_s)), "{timestamp}");
    let signatures: Vec<&str> = header(&request, "webhook-signature")
        .expect("signatures")
        .split(' ')
        .collect();
    let expected: Vec<String> = [KEY, [8; 32]]
        .iter()
        .map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
            mac.update(format!("{id}.{timestamp}.{}", body(&request)).as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
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
async fn a_repeated_delivery_has_the_same_id_and_body() {
    let server = Server::start([
        Act::Answer(answer(500, "", "")),
        Act::Answer(answer(200, "", "")),
    ])
    .await;
    let notifier = standard_app(&server, &[KEY]);
    for _ in 0..2 {
        notifier.notify(notification(Status::Declined)).await;
    }
    let requests = server.requests();
    assert_eq!(
        header(&requests[0], "webhook-id"),
        header(&requests[1], "webhook-id")
    );
    assert_eq!(body(&requests[0]), body(&requests[1]));
}

#[tokio::test]
async fn the_longest_reason_leaves_the_body_below_the_standard_s_limit() {
    let mut long = notification(Status::Failed);
    if let Some(resolution) = &mut long.resolution {
        resolution.why = "\u{1}".repeat(100_000);
    }
    let body = super::standard_webhooks::body(&long).expect("writable");
    assert!(body.len() < 20_000, "{}", body.len());
}

fn acknowledged() -> DeliveryResult {
    DeliveryResult::Acknowledged {
        status: None,
        took: None,
    }
}

#[tokio::test]
async fn only_2xx_acknowledges() {
    let failed = |why: &str, retry_after_s: Option<u64>| DeliveryResult::Failed {
        why: why.to_owned(),
        retry_after: retry_after_s.map(Duration::from_secs),
        status: None,
        took: None,
    };
    let elsewhere = Server::start([]).await;
    let location = format!("location: {}/x\r\n", elsewhere.url());
    for (bytes, expected) in [
        (answer(200, "", "no"), acknowledged()),
        (answer(299, "", ""), acknowledged()),
        (answer(200, "", &"x".repeat(100_000)), acknowledged()),
        (answer(410, "", ""), DeliveryResult::Gone { took: None }),
        (
            answer(307, &location, ""),
            failed(
                "the app answered HTTP 307; redirects are not followed",
                None,
            ),
        ),
        (
            answer(404, "", ""),
            failed("the app answered HTTP 404", None),
        ),
        (
            answer(429, "retry-after: 30\r\n", ""),
            failed("the app answered HTTP 429", Some(30)),
        ),
        (
            answer(503, "retry-after: 90\r\n", ""),
            failed("the app answered HTTP 503", Some(90)),
        ),
        (
            answer(500, "retry-after: 90\r\n", "secret"),
            failed("the app answered HTTP 500", None),
        ),
    ] {
        let server = Server::start([Act::Answer(bytes)]).await;
        let result = reference_app(&server)
            .notify(notification(Status::Completed))
            .await;
        assert_eq!(result, expected);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn what_breaks_is_a_failure_that_names_no_url() {
    for (act, expected) in [
        (Act::Close, "the connection broke"),
        (Act::Reset, "the connection broke"),
        (
            Act::AnswerAndClose(b"nonsense\r\n\r\n".to_vec()),
            "the connection broke",
        ),
        (Act::Hang, "no answer in time"),
    ] {
        let server = Server::start([act]).await;
        let url = format!("url = '{}/hidden-token'", server.url());
        let mut config = config("shop", &url, "");
        config.time_scale = 20.0;
        let result = notifier(config)
            .notify(notification(Status::Completed))
            .await;
        let DeliveryResult::Failed {
            why,
            retry_after: None,
            ..
        } = result
        else {
            panic!("{expected}: {result:?}");
        };
        assert!(why.contains(expected), "{why}");
        assert!(
            !why.contains("hidden-token") && !why.contains("127.0.0.1"),
            "{why}"
        );
        assert!(server.requests().len() <= 1);
    }
    let nobody = notifier(config(
        "shop",
        "url = 'http://127.0.0.1:1/hidden-token'",
        "",
    ));
    let result = format!("{:?}", nobody.notify(notification(Status::Completed)).await);
    assert!(
        result.contains("no connection") && !result.contains("hidden"),
        "{result}"
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
    assert_eq!(result, acknowledged());
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /form"), "{request}");
    assert_eq!(
        body(&request),
        "id=00000000-0000-0000-0000-000000000005&w=accepted&why=the%20answer%20said%20%22so%22&c=EUR"
    );
}

#[test]
fn setting_up_names_the_key_and_not_its_value() {
    let refused = |table: &str| {
        let config = config("shop", table, "");
        HttpNotifier::new(config, Clock::system())
            .expect_err("refused")
            .to_string()
    };
    let standard = "url = 'http://a.example/'\nformat = 'standard_webhooks'";
    let said = refused(&format!("{standard}\nsecret_env = 'TELLER_TEST_NEVER_SET'"));
    assert_eq!(
        said,
        "app shop: notify.secret_env: TELLER_TEST_NEVER_SET is not set"
    );
    let said = refused(&format!("{standard}\nsecret_file = '/nowhere/at/all'"));
    assert_eq!(
        said,
        "app shop: notify.secret_file: /nowhere/at/all can't be read"
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "open sesame").expect("written");
    let said = refused(&format!(
        "{standard}\nsecret_file = '{}'",
        file.path().display()
    ));
    assert!(
        said.contains("begins with whsec_") && !said.contains("sesame"),
        "{said}"
    );
    let said = refused("url = 'http://a.example/'\nbody = '{{ idd }}'");
    assert_eq!(
        said,
        "app shop: notify.body: there is no `idd` to print here; did you mean `id`?"
    );
}
