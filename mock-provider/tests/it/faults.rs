//! Faults on request, changed while the provider runs.

use mock_provider::faults::Faults;
use mock_provider::ledger::{Answer, Course, WebhookKind};
use mock_provider::model::{Draw, draw};
use serde_json::{Value, json};

use crate::support::*;

/// An id that is answered soon and sends a webhook.
fn quick_id() -> String {
    id_where(
        |draw| matches!(draw, Draw::Answered { after_ms, webhook_after_ms: Some(_), .. } if after_ms < 2_000),
    )
}

#[tokio::test]
async fn faults_change_while_it_runs() {
    let provider = provider().await;
    let id = quick_id();
    let transaction = json!({"id": id});
    let expected_code = |faults: Value, code| {
        let (url, transaction) = (provider.url.clone(), transaction.clone());
        async move {
            let got = post(&url, "/faults", &faults).await;
            assert_eq!(got.code, 200, "{}", got.text);
            assert_eq!(post(&url, "/transaction", &transaction).await.code, code);
        }
    };
    expected_code(json!({"refuse_503": 1}), 503).await;
    expected_code(json!({"refuse_429": 1}), 429).await;
    expected_code(json!({"error_500": 1}), 500).await;
    post(&provider.url, "/faults", &json!({})).await;
    let ledger = provider.ledger();
    let seen: Vec<_> = ledger
        .of(&id)
        .map(|entry| (entry.execution, entry.course))
        .collect();
    assert_eq!(seen[..2], [(1, Course::Refused), (2, Course::Refused)]);
    assert_eq!(
        ledger.executions[2].executed,
        draw(SEED, &id, 3).exists_after_ms().is_some(),
        "an error 500 says nothing about the course"
    );
}

#[tokio::test]
async fn bad_faults_are_refused_and_change_nothing() {
    let provider = provider().await;
    for faults in [json!({"reste": 1}), json!({"reset": 2}), json!([])] {
        let got = post(&provider.url, "/faults", &faults).await;
        assert_eq!(got.code, 400, "{faults}");
    }
    let id = quick_id();
    let got = post(&provider.url, "/transaction", &json!({"id": id})).await;
    assert_eq!(got.code, 200);
}

#[tokio::test]
async fn answers_arrive_badly() {
    let provider = provider().await;
    let id = quick_id();
    for (faults, answer) in [
        (
            Faults {
                reset: 1.0,
                ..Faults::default()
            },
            Answer::Reset,
        ),
        (
            Faults {
                drip: 1.0,
                ..Faults::default()
            },
            Answer::Drip,
        ),
    ] {
        provider.set_faults(faults).expect("probabilities");
        let request = client()
            .post(format!("{}/transaction", provider.url))
            .body(json!({"id": id}).to_string());
        let whole = try_send(request).await.is_ok();
        assert_eq!(whole, answer == Answer::Drip);
        let ledger = provider.ledger();
        assert_eq!(ledger.executions.last().map(|e| e.answer), Some(answer));
    }
}

#[tokio::test]
async fn down_closes_without_a_byte_and_executes_nothing() {
    let provider = provider().await;
    post(&provider.url, "/faults", &json!({"down": true})).await;
    let stream = raw_post(&provider.url, "/transaction", &json!({"id": "a"})).await;
    assert_eq!(read_to_the_end(stream).await, b"");
    let inquiry = client().get(format!("{}/transaction/a", provider.url));
    assert!(try_send(inquiry).await.is_err());
    assert!(provider.ledger().executions.is_empty());
    post(&provider.url, "/faults", &json!({"down": false})).await;
    assert_eq!(inquire(&provider, "a").await, (404, None));
}

#[tokio::test]
async fn inquiries_fail_on_request() {
    let provider = provider().await;
    post_scripted(&provider, "a", json!({})).await;
    post(&provider.url, "/faults", &json!({"get_500": 1})).await;
    assert_eq!(inquire(&provider, "a").await.0, 500);
    assert_eq!(inquire(&provider, "unknown").await.0, 500);
    let inquiries = get(&provider.url, "/stats").await.json()["inquiries"].take();
    assert_eq!(
        inquiries,
        json!({"total": 2, "200": 0, "404": 0, "429": 0, "403": 0, "other": 2})
    );
}

#[tokio::test]
async fn webhooks_go_wrong_together() {
    let (provider, receiver) = (provider().await, Receiver::start().await);
    let faults = json!({
        "webhook_early": 1, "webhook_duplicate": 1, "webhook_contradictory": 1, "webhook_forged": 1
    });
    post(&provider.url, "/faults", &faults).await;
    let id = quick_id();
    let body = json!({"id": id, "webhookUrl": format!("{}/hook/token", receiver.url)});
    post(&provider.url, "/transaction", &body).await;
    let entry = eventually("four webhooks", || async {
        entry(&provider, &id).filter(|entry| entry.webhooks.len() == 4)
    })
    .await;
    let truth = entry.status.expect("it is executed");
    for webhook in &entry.webhooks {
        let expected = match webhook.kind {
            WebhookKind::Genuine | WebhookKind::Duplicate => truth,
            WebhookKind::Contradictory | WebhookKind::Forged => truth.opposite(),
        };
        assert_eq!(webhook.status, expected, "{:?}", webhook.kind);
    }
    let paths: Vec<_> = receiver.got().into_iter().map(|(path, _)| path).collect();
    let forged = paths.iter().filter(|path| *path != "/hook/token").count();
    assert_eq!((paths.len(), forged), (4, 1));
    receiver.stop().await;
}
