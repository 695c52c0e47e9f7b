//! The reference behaviour over real sockets.

use mock_provider::ledger::{Answer, Course, WebhookKind};
use mock_provider::model::{Draw, Status, draw};
use mock_provider::server::{self, Options};
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::*;

#[tokio::test]
async fn an_answer_and_its_webhook() {
    let (provider, receiver) = (provider().await, Receiver::start().await);
    let id = id_where(|draw| {
        matches!(
            draw,
            Draw::Answered {
                webhook_after_ms: Some(_),
                ..
            }
        )
    });
    let status = draw(SEED, &id, 1).outcome().expect("it is answered");
    let webhook_url = format!("{}/hook/token", receiver.url);
    let body = json!({"id": id, "webhookUrl": webhook_url, "amount": 12});

    let got = post(&provider.url, "/transaction", &body).await;
    assert_eq!(got.code, 200);
    let expected = json!({"id": id, "status": status, "webhookUrl": webhook_url});
    assert_eq!(got.json(), expected);
    assert_eq!(inquire(&provider, &id).await, (200, Some(status)));

    let expected = (
        "/hook/token".to_owned(),
        json!({"id": id, "status": status}),
    );
    assert_eq!(receiver.wait_for(1).await, [expected]);

    let entry = eventually("the ledger knows the webhook", || async {
        entry(&provider, &id).filter(|entry| !entry.webhooks.is_empty())
    })
    .await;
    assert_eq!(entry.course, Course::Answered);
    assert_eq!(entry.answer, Answer::Ok);
    assert_eq!(entry.status, Some(status));
    assert!(entry.executed);
    assert_eq!(json!(entry.payload), json!({"amount": 12}));
    assert_eq!(entry.webhooks[0].answer, Some(200));
    assert_eq!(entry.webhooks[0].kind, WebhookKind::Genuine);
    assert!(entry.exists_at_ms > Some(entry.received_at_ms));
    let ledger = get(&provider.url, "/ledger").await.json();
    assert_eq!(ledger, json!(provider.ledger()));
    assert!(!ledger.to_string().contains("token"));
    receiver.stop().await;
    provider.stop().await;
}

#[tokio::test]
async fn a_504_and_its_ghost() {
    let provider = provider().await;
    // Late enough that there is a 404 to be seen first, except on a very busy machine.
    let id = id_where(
        |draw| matches!(draw, Draw::TimedOut { ghost: Some(ghost), .. } if ghost.after_ms > 110_000),
    );
    let status = draw(SEED, &id, 1).outcome();

    let got = post(&provider.url, "/transaction", &json!({"id": id})).await;
    assert_eq!((got.code, got.text.as_str()), (504, "Timeout"));
    let exists_at_ms = entry(&provider, &id).and_then(|entry| entry.exists_at_ms);
    let early = inquire(&provider, &id).await;
    if Some(epoch_ms() + 10) < exists_at_ms {
        assert_eq!(early, (404, None));
    }
    let seen = eventually("the ghost", || async {
        let (code, status) = inquire(&provider, &id).await;
        (code == 200).then_some(status)
    })
    .await;
    assert_eq!(seen, status, "a ghost appears directly final");
    let entry = entry(&provider, &id).expect("it was posted");
    assert_eq!((entry.course, entry.executed), (Course::Ghost, true));
}

#[tokio::test]
async fn a_lost_one() {
    let provider = provider().await;
    let id = id_where(|draw| matches!(draw, Draw::TimedOut { ghost: None, .. }));
    let got = post(&provider.url, "/transaction", &json!({"id": id})).await;
    assert_eq!(got.code, 504);
    let entry = entry(&provider, &id).expect("it was posted");
    assert_eq!((entry.course, entry.executed), (Course::Lost, false));
    assert_eq!((entry.status, entry.exists_at_ms), (None, None));
}

#[tokio::test]
async fn a_client_that_hangs_up_changes_nothing() {
    let (provider, receiver) = (provider().await, Receiver::start().await);
    let id = id_where(
        |draw| matches!(draw, Draw::Answered { after_ms, webhook_after_ms: Some(_), .. } if after_ms > 9_000),
    );
    let status = draw(SEED, &id, 1).outcome();
    let body = json!({"id": id, "webhookUrl": receiver.url});

    let connection = raw_post(&provider.url, "/transaction", &body).await;
    eventually("the POST arrived", || async { entry(&provider, &id) }).await;
    drop(connection);

    let seen = eventually("the outcome", || async {
        let (_, status) = inquire(&provider, &id).await;
        status.filter(|status| status.is_final())
    })
    .await;
    assert_eq!(Some(seen), status);
    assert_eq!(receiver.wait_for(1).await[0].1["status"], json!(seen));
    receiver.stop().await;
}

#[tokio::test]
async fn the_same_id_is_executed_again() {
    let provider = provider().await;
    let id = id_where(|first| matches!(first, Draw::Answered { after_ms, .. } if after_ms < 1_000));
    post(&provider.url, "/transaction", &json!({"id": id})).await;
    let body = json!({"id": id, "script": {"answer_after_ms": 3_600_000}});
    let _held = raw_post(&provider.url, "/transaction", &body).await;
    eventually("final turns into pending", || async {
        (inquire(&provider, &id).await == (200, Some(Status::Pending))).then_some(())
    })
    .await;
    let ledger = provider.ledger();
    let entries: Vec<_> = ledger.of(&id).map(|entry| entry.execution).collect();
    assert_eq!(entries, [1, 2]);
    assert!(ledger.of(&id).all(|entry| entry.executed));
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_not_executed() {
    let provider = provider().await;
    for body in [
        json!({}),
        json!([]),
        json!({"id": 1}),
        json!({"id": ""}),
        json!({"id": "x".repeat(257)}),
        json!({"id": "a", "webhookUrl": "nowhere"}),
        json!({"id": "a", "webhookUrl": 1}),
    ] {
        let got = post(&provider.url, "/transaction", &body).await;
        assert_eq!(got.code, 400, "{body}");
    }
    let large = json!({"id": "a", "note": "x".repeat(65 * 1_024)});
    assert_eq!(post(&provider.url, "/transaction", &large).await.code, 413);
    assert_eq!(inquire(&provider, "a").await, (404, None));
    assert!(provider.ledger().executions.is_empty());
}

#[tokio::test]
async fn a_webhook_without_receiver_is_counted_and_not_repeated() {
    let provider = provider().await;
    let receiver = Receiver::start().await;
    let nowhere = receiver.url.clone();
    receiver.stop().await;
    let script = json!({"webhook": "once", "webhook_after_ms": 0});
    let body = json!({"id": "a", "webhookUrl": nowhere, "script": script});
    assert_eq!(post(&provider.url, "/transaction", &body).await.code, 200);
    eventually("the failure", || async {
        (provider.stats().webhooks.failed == 1).then_some(())
    })
    .await;
    assert_eq!(provider.stats().webhooks.sent, 1);
    let entry = entry(&provider, "a").expect("it was posted");
    assert_eq!(entry.webhooks[0].answer, None);
}

#[actix_web::test]
async fn it_starts_inside_actix_and_stops_for_good() {
    let provider = provider().await;
    assert_eq!(get(&provider.url, "/healthz").await.text, "ok\n");
    let address = provider
        .url
        .strip_prefix("http://")
        .expect("plain HTTP")
        .to_owned();
    let body = json!({"id": "a", "script": {"answer": "hang"}});
    let held = raw_post(&provider.url, "/transaction", &body).await;
    eventually("the POST arrived", || async { entry(&provider, "a") }).await;
    provider.stop().await;
    assert_eq!(read_to_the_end(held).await, b"");
    let refused = TcpStream::connect(&address).await;
    assert!(refused.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_free_again_after_a_stop() {
    let first = provider().await;
    let port = first
        .url
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a URL ends with its port");
    let taken = server::start(Options { port, ..options() }).await;
    assert!(taken.is_err(), "one port, one provider");
    first.stop().await;
    let second = server::start(Options { port, ..options() })
        .await
        .expect("the port is free as soon as the stop is over");
    assert_eq!(get(&second.url, "/healthz").await.code, 200);
}

#[tokio::test]
async fn impossible_options_are_refused() {
    for options in [
        Options {
            time_scale: 0.0,
            ..options()
        },
        Options {
            time_scale: f64::NAN,
            ..options()
        },
        Options {
            status_limit: Some(0.0),
            ..options()
        },
    ] {
        assert!(server::start(options.clone()).await.is_err(), "{options:?}");
    }
}
