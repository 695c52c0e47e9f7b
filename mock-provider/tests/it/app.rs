//! The reference app, with the provider standing in for teller: its `POST /transaction` will do.

use mock_provider::app::{self, FailMode, Form, Options};
use mock_provider::server;
use serde_json::{Value, json};

use crate::support::*;

struct House {
    teller: server::Running,
    app: app::Running,
}

async fn house(double_tap: f64) -> House {
    let teller = provider().await;
    let options = Options {
        teller: teller.url.clone(),
        double_tap,
        ..Options::default()
    };
    let app = app::start(options).await.expect("a free port");
    House { teller, app }
}

/// A script makes the stand-in answer soon.
fn quick(fields: &Value) -> Value {
    let mut body = json!({"script": {"answer_after_ms": 0}});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

async fn put(url: &str, body: &str) -> Got {
    let request = client().put(format!("{url}/transaction"));
    send(request.body(body.to_owned())).await
}

#[tokio::test]
async fn it_fills_in_an_id_and_passes_the_rest_on() {
    let House { teller, app } = house(0.0).await;
    let got = post(&app.url, "/transaction", &quick(&json!({"amount": 5}))).await;
    assert_eq!(got.code, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    let id = got.json()["id"].as_str().expect("an id").to_owned();
    assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    let entry = entry(&teller, &id).expect("teller got it");
    assert_eq!(entry.payload["amount"], 5);

    let sent = app.sent();
    assert_eq!((sent.len(), sent[0].times), (1, 1));
    assert_eq!(sent[0].id, id);
    assert_eq!(sent[0].answers[0].as_ref().map(|a| a.status), Some(200));
    assert_eq!(get(&app.url, "/sent").await.json(), json!(sent));
}

#[tokio::test]
async fn it_keeps_an_id_and_teller_s_refusal() {
    let House {
        teller: _teller,
        app,
    } = house(0.0).await;
    let body = json!({"id": "mine", "script": {"answer": "refuse_503"}});
    let got = post(&app.url, "/transaction", &body).await;
    assert_eq!(got.code, 503);
    assert_eq!(app.sent()[0].id, "mine");
    assert_eq!(post(&app.url, "/transaction", &json!([])).await.code, 400);
    assert_eq!(
        post(&app.url, "/transaction", &json!({"id": 1})).await.code,
        400
    );
}

#[tokio::test]
async fn it_taps_twice() {
    let House { teller, app } = house(1.0).await;
    let got = post(&app.url, "/transaction", &quick(&json!({"id": "a"}))).await;
    assert_eq!(got.code, 200);
    assert_eq!(teller.ledger().of("a").count(), 2);
    let sent = app.sent();
    assert_eq!((sent[0].times, sent[0].answers.len()), (2, 2));
}

#[tokio::test]
async fn without_teller_it_says_so() {
    let House { teller, app } = house(0.0).await;
    teller.stop().await;
    let got = post(&app.url, "/transaction", &json!({})).await;
    assert_eq!(got.code, 502);
    assert_eq!(app.sent()[0].answers, [None]);
}

/// Body → (answer, id, status).
#[tokio::test]
async fn it_reads_the_nested_callback_only() {
    let House { app, .. } = house(0.0).await;
    let table = [
        (
            r#"{"status":{"id":"a","status":"accepted"}}"#,
            200,
            Some("accepted"),
        ),
        (
            r#"{"id":"a","status":{"id":"a","status":"declined"}}"#,
            200,
            Some("declined"),
        ),
        (
            r#"{"status":{"id":"a","status":"whatever"}}"#,
            200,
            Some("whatever"),
        ),
        (r#"{"id":"a","status":"accepted"}"#, 400, None),
        (r#"{"status":{"status":"accepted"}}"#, 400, Some("accepted")),
        ("accepted", 400, None),
    ];
    for (body, code, status) in table {
        assert_eq!(put(&app.url, body).await.code, code, "{body}");
        let notification = app.notifications().pop().expect("recorded");
        assert_eq!(notification.form, Form::Callback);
        assert_eq!(notification.body, body);
        assert_eq!(notification.answered, Some(code));
        assert_eq!(notification.status.as_deref(), status, "{body}");
    }
    let of_a = get(&app.url, "/notifications?id=a").await.json();
    assert_eq!(of_a.as_array().map(Vec::len), Some(3));
    let all = get(&app.url, "/notifications").await.json();
    assert_eq!(all, json!(app.notifications()));
}

#[tokio::test]
async fn it_reads_standard_webhooks() {
    let House { app, .. } = house(0.0).await;
    let body = r#"{"type":"transaction.completed","data":{"id":"a","status":"completed"}}"#;
    let got = send(
        client()
            .post(format!("{}/notify", app.url))
            .header("content-type", "application/json")
            .header("webhook-id", "msg_1")
            .header("webhook-timestamp", "1")
            .header("webhook-signature", "v1,x")
            .header("x-other", "not kept")
            .body(body),
    )
    .await;
    assert_eq!(got.code, 200);
    let [notification] = &app.notifications()[..] else {
        panic!("one delivery");
    };
    assert_eq!(notification.form, Form::Standard);
    assert_eq!(notification.id.as_deref(), Some("a"));
    assert_eq!(notification.status.as_deref(), Some("completed"));
    assert_eq!(notification.body, body);
    let headers = json!({
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1",
        "webhook-signature": "v1,x",
    });
    assert_eq!(json!(notification.headers), headers);
}

#[tokio::test]
async fn deliveries_fail_on_request() {
    let House { app, .. } = house(0.0).await;
    let body = r#"{"status":{"id":"a","status":"accepted"}}"#;
    for (mode, code) in [
        (FailMode::Status500, 500),
        (FailMode::Status410, 410),
        (FailMode::Status429, 429),
    ] {
        app.fail(1, mode);
        assert_eq!(put(&app.url, body).await.code, code);
        assert_eq!(put(&app.url, body).await.code, 200, "only the next one");
    }
    let asked = post(&app.url, "/fail", &json!({"next": 2, "mode": "close"})).await;
    assert_eq!(asked.code, 200);
    for _ in 0..2 {
        let path = format!("{}/transaction", app.url);
        assert!(try_send(client().put(path).body(body)).await.is_err());
    }
    assert_eq!(put(&app.url, body).await.code, 200);

    app.fail(1, FailMode::Hang);
    let path = format!("{}/transaction", app.url);
    let short = std::time::Duration::from_millis(200);
    let hung = try_send(client().put(path).timeout(short).body(body)).await;
    assert!(hung.expect_err("no answer").is_timeout());

    let notifications = eventually("all ten are recorded", || async {
        Some(app.notifications()).filter(|list| list.len() == 10)
    })
    .await;
    let answered: Vec<_> = notifications.iter().map(|n| n.answered).collect();
    let expected = [500, 200, 410, 200, 429, 200, 0, 0, 200, 0];
    assert_eq!(
        answered,
        expected.map(|code| Some(code).filter(|code| *code != 0))
    );
    for bad in [json!({"next": 1}), json!({"next": 1, "mode": "explode"})] {
        assert_eq!(post(&app.url, "/fail", &bad).await.code, 400);
    }
}

#[tokio::test]
async fn impossible_options_are_refused() {
    let wrong = [
        Options {
            double_tap: 1.5,
            ..Options::default()
        },
        Options {
            teller: "nowhere".to_owned(),
            ..Options::default()
        },
    ];
    for options in wrong {
        assert!(app::start(options.clone()).await.is_err(), "{options:?}");
    }
}
