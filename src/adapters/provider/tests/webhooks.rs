//! What webhooks are taken for.

use serde_json::{Value, json};

use super::support::{
    REFERENCE, incoming, key, provider, reference_with, set_up, settings, token_secret,
};
use crate::adapters::provider::{HttpProvider, Secret, token};
use crate::ports::{Provider, Subject, WebhookEvent, WebhookRejected};
use crate::transaction::{Finding, Key};

const BASE: &str = "http://127.0.0.1:9";

fn token_for(key: &Key, attempt: u32) -> String {
    token::issue(&token_secret(), "reference", key, attempt)
}

/// The one event of a webhook.
fn read(
    provider: &HttpProvider,
    token: Option<&str>,
    body: &str,
) -> Result<WebhookEvent, WebhookRejected> {
    let mut reading = provider.read_webhook(&incoming(token, body.as_bytes()))?;
    assert_eq!(reading.events.len(), 1, "{reading:?}");
    Ok(reading.events.remove(0))
}

/// A hint at a transaction.
fn hint(key: &Key, attempt: Option<u32>) -> WebhookEvent {
    let subject = Subject::Ours {
        id: key.id,
        attempt,
        vouched: false,
    };
    WebhookEvent::Hint { subject }
}

fn body(id: &str, status: &Value) -> String {
    json!({"id": id, "status": status}).to_string()
}

#[test]
fn a_token_makes_a_webhook_evidence_about_its_attempt() {
    let provider = provider(REFERENCE, BASE);
    let (key, token) = (key(5), token_for(&key(5), 2));
    let id = key.id.to_string();
    for (word, expected) in [
        (json!("completed"), Finding::Completed),
        (json!("declined"), Finding::Declined),
        (json!("pending"), Finding::Pending),
    ] {
        let reading = read(&provider, Some(&token), &body(&id, &word));
        let Ok(WebhookEvent::Evidence {
            subject, report, ..
        }) = reading
        else {
            panic!("{word}: {reading:?}");
        };
        let named = Subject::Attempt {
            key: key.clone(),
            attempt: 2,
        };
        assert_eq!(subject, named);
        assert_eq!(report.finding, expected);
        assert_eq!(report.word.as_deref(), word.as_str());
    }
}

#[test]
fn an_unlisted_word_is_evidence_of_nothing() {
    let provider = provider(REFERENCE, BASE);
    let token = token_for(&key(5), 1);
    for word in [
        json!("Completed"),
        json!("refunded"),
        json!(1),
        json!(null),
        json!({}),
    ] {
        let reading = read(
            &provider,
            Some(&token),
            &body(&key(5).id.to_string(), &word),
        );
        let Ok(WebhookEvent::Evidence { report, .. }) = reading else {
            panic!("{reading:?}");
        };
        assert_eq!(report.finding.outcome(), None);
        assert!(matches!(report.finding, Finding::Unclear { .. }));
    }
}

#[test]
fn without_a_valid_token_a_webhook_is_a_hint() {
    let provider = provider(REFERENCE, BASE);
    let id = key(5).id;
    let other_provider = token::issue(&token_secret(), "other", &key(5), 1);
    let other_secret = token::issue(
        &Secret::new("another secret, as long"),
        "reference",
        &key(5),
        1,
    );
    let other_transaction = token_for(&key(6), 1);
    let long = "v1.".repeat(100_000);
    for token in [
        None,
        Some(""),
        Some("v1.."),
        Some("completed"),
        Some(long.as_str()),
        Some(other_provider.as_str()),
        Some(other_secret.as_str()),
        Some(other_transaction.as_str()),
    ] {
        let reading = read(
            &provider,
            token,
            &body(&id.to_string(), &json!("completed")),
        );
        assert_eq!(reading, Ok(hint(&key(5), None)));
        // What it says is of no interest then.
        let mute = format!(r#"{{"id": "{id}"}}"#);
        assert_eq!(read(&provider, token, &mute), Ok(hint(&key(5), None)));
    }
}

#[test]
fn a_hinting_profile_believes_no_token() {
    let profile = reference_with("trust = \"token\"", "trust = \"hint\"");
    let provider = provider(&profile, BASE);
    let (key, token) = (key(5), token_for(&key(5), 1));
    let reading = read(
        &provider,
        Some(&token),
        &body(&key.id.to_string(), &json!("completed")),
    );
    assert_eq!(reading, Ok(hint(&key, None)));
}

#[test]
fn secrets_rotate_without_losing_webhooks() {
    let mut settings = settings(BASE);
    settings.token_secrets = vec![Secret::new("the new secret, longer"), token_secret()];
    let provider = set_up(REFERENCE, settings).expect("usable");
    let old = token_for(&key(5), 1);
    let reading = read(
        &provider,
        Some(&old),
        &body(&key(5).id.to_string(), &json!("declined")),
    );
    assert!(
        matches!(reading, Ok(WebhookEvent::Evidence { .. })),
        "{reading:?}"
    );
}

#[test]
fn references_per_attempt_have_to_agree_with_the_token_s_attempt() {
    let profile = reference_with("reference = \"transaction\"", "reference = \"attempt\"");
    let provider = provider(&profile, BASE);
    let (id, token) = (key(5).id, token_for(&key(5), 3));
    let reading = read(
        &provider,
        Some(&token),
        &body(&format!("{id}-3"), &json!("completed")),
    );
    assert!(
        matches!(
            reading,
            Ok(WebhookEvent::Evidence {
                subject: Subject::Attempt { attempt: 3, .. },
                ..
            })
        ),
        "{reading:?}"
    );
    let reading = read(
        &provider,
        Some(&token),
        &body(&format!("{id}-4"), &json!("completed")),
    );
    assert_eq!(reading, Ok(hint(&key(5), Some(4))));
    for odd in [
        format!("{id}"),
        format!("{id}-"),
        format!("{id}-x"),
        format!("{id}-+3"),
        format!("{id}-99999999999"),
    ] {
        let reading = read(&provider, Some(&token), &body(&odd, &json!("completed")));
        assert!(reading.is_err(), "{odd}: {reading:?}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_a_sentence() {
    let provider = provider(REFERENCE, BASE);
    let token = token_for(&key(5), 1);
    for (body, expected) in [
        ("", "no JSON"),
        ("completed", "no JSON"),
        ("{\"id\": ", "no JSON"),
        ("{}", "nothing usable at /id"),
        ("[]", "nothing usable at /id"),
        (
            r#"{"id": 5, "status": "completed"}"#,
            "none that teller has given",
        ),
        (
            r#"{"id": "5", "status": "completed"}"#,
            "none that teller has given",
        ),
        (
            r#"{"id": "{00000000-0000-0000-0000-000000000005}"}"#,
            "none that teller has given",
        ),
    ] {
        let Err(WebhookRejected::Unreadable(said)) = read(&provider, Some(&token), body) else {
            panic!("{body} was read");
        };
        assert!(said.contains(expected), "{said}");
    }
    assert!(provider.read_webhook(&incoming(None, b"\xff\xfe")).is_err());
}

#[test]
fn where_bodies_hold_nothing_of_ours_the_token_alone_names_the_attempt() {
    let profile = reference_with(
        "trust = \"token\"\nid = \"/id\"",
        "trust = \"token\"\nprovider_reference = \"/theirs\"",
    );
    let provider = provider(&profile, BASE);
    let token = token_for(&key(5), 2);
    let body = r#"{"theirs": "ch_1", "status": "completed"}"#;
    let Ok(WebhookEvent::Evidence {
        subject, report, ..
    }) = read(&provider, Some(&token), body)
    else {
        panic!("no evidence");
    };
    let named = Subject::Attempt {
        key: key(5),
        attempt: 2,
    };
    assert_eq!(subject, named);
    assert_eq!(report.provider_reference.as_deref(), Some("ch_1"));
    for token in [None, Some("v1.."), Some(&token[1..])] {
        let subject = Subject::Theirs {
            reference: "ch_1".to_owned(),
        };
        let reading = read(&provider, token, body);
        assert_eq!(reading, Ok(WebhookEvent::Hint { subject }));
    }
}

#[test]
fn a_webhook_that_only_its_token_names_is_refused_without_one() {
    let provider = provider(
        &reference_with("trust = \"token\"\nid = \"/id\"\n", "trust = \"token\"\n"),
        BASE,
    );
    let body = r#"{"status": "completed"}"#;
    let token = token_for(&key(5), 2);
    assert!(matches!(
        read(&provider, Some(&token), body),
        Ok(WebhookEvent::Evidence { .. })
    ));
    let Err(WebhookRejected::Unreadable(said)) = read(&provider, None, body) else {
        panic!("it was read");
    };
    assert!(said.contains("no valid token"), "{said}");
}

#[test]
fn event_ids_are_the_same_for_the_same_news_only() {
    let event_id = |key: &Key, attempt, word: &str| {
        let provider = provider(REFERENCE, BASE);
        let token = token_for(key, attempt);
        match read(
            &provider,
            Some(&token),
            &body(&key.id.to_string(), &json!(word)),
        ) {
            Ok(WebhookEvent::Evidence { event_id, .. }) => event_id,
            other => panic!("{other:?}"),
        }
    };
    let first = event_id(&key(5), 1, "completed");
    assert_eq!(first, event_id(&key(5), 1, "completed"));
    let different = [
        event_id(&key(5), 1, "declined"),
        event_id(&key(5), 2, "completed"),
        event_id(&key(6), 1, "completed"),
    ];
    assert!(!different.contains(&first));
}

#[test]
fn derived_event_ids_differ_where_the_amount_or_the_provider_s_id_does() {
    let profile = reference_with(
        "trust = \"token\"\nid = \"/id\"",
        "trust = \"token\"\nid = \"/id\"\nprovider_reference = \"/theirs\"\namount = { value = \"/amount\", currency = \"/currency\" }",
    );
    let provider = provider(&profile, BASE);
    let id = key(5).id.to_string();
    let event_id = |theirs: &str, amount: Value| {
        let body = json!({"id": id, "status": "completed", "theirs": theirs, "amount": amount, "currency": "EUR"});
        match read(&provider, Some(&token_for(&key(5), 1)), &body.to_string()) {
            Ok(WebhookEvent::Evidence { event_id, .. }) => event_id,
            other => panic!("{other:?}"),
        }
    };
    let first = event_id("ch_1", json!(1000));
    assert_eq!(first, event_id("ch_1", json!("1000")));
    for (theirs, amount) in [
        ("ch_1", json!(600)),
        ("ch_1", json!("many")),
        ("ch_1", json!(null)),
        ("ch_2", json!(1000)),
    ] {
        assert_ne!(first, event_id(theirs, amount.clone()), "{theirs} {amount}");
    }
}

#[test]
fn a_provider_without_webhooks_takes_none() {
    let (before, after) = REFERENCE.split_once("[webhook]").expect("a table");
    let (_, after) = after.split_once("[ghost]").expect("a table");
    let profile = format!("{before}[ghost]{after}");
    let said = read(&provider(&profile, BASE), None, "{}").expect_err("none are sent");
    assert_eq!(said, WebhookRejected::NoneExpected);
}
