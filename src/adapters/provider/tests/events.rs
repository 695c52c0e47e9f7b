//! Webhooks that are signed, come in batches, or speak of the provider's own ids.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::support::{incoming, key, reference_with, set_up, settings};
use crate::adapters::provider::filters::hex;
use crate::adapters::provider::{HttpProvider, Profile, Secret};
use crate::ports::{
    IncomingWebhook, Provider, Subject, WebhookEvent, WebhookReading, WebhookRejected,
};
use crate::transaction::{Amount, Finding, ReportedAmount};

const KEY: &str = "the key that signs";

/// The reference profile with this webhook table instead of its own.
fn with_webhook(table: &str) -> String {
    let profile = reference_with("[webhook]", "[webhook]");
    let (before, rest) = profile.split_once("[webhook]").expect("a table");
    let (_, after) = rest.split_once("[ghost]").expect("a table");
    format!("{before}[secrets.key]\nabout = \"signs\"\n{table}\n[ghost]{after}")
}

const SIGNED: &str = r#"
[webhook]
trust = "signed"
secret = "key"
signature = { kind = "hmac", algorithm = "sha256", encoding = "hex", header = "x-sig" }
provider_reference = "/ref"
event_id = "{{ event.uid }}"
amount = { value = "/amount", currency = "/currency", units = "major" }
acknowledge = { status = 202, body = "OK" }
outcome = [
    { at = "/kind", word = "ping", means = "ignored" },
    { at = "/state", word = "paid", means = "completed" },
    { at = "/state", word = "rejected", means = "declined" },
]
"#;

const BATCHED: &str = r#"
[webhook]
trust = "signed"
secret = "key"
signature = { kind = "hmac", algorithm = "sha256", encoding = "hex", at = "/sig", signed = "{at:/uid}:{at:/state}" }
items = "/events"
item = "/event"
id = "/order"
event_id = "{{ event.uid }}"
outcome = [
    { at = "/state", word = "paid", means = "completed" },
    { at = "/state", word = "other", means = "ignored" },
]
"#;

fn provider(profile: &str) -> HttpProvider {
    let mut settings = settings("http://127.0.0.1:9");
    let keys = vec![Secret::new("a newer key"), Secret::new(KEY)];
    settings.secrets.insert("key".to_owned(), keys);
    set_up(profile, settings).expect("a usable profile")
}

fn sign(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn read(
    provider: &HttpProvider,
    body: &str,
    signature: &str,
) -> Result<WebhookReading, WebhookRejected> {
    provider.read_webhook(&IncomingWebhook {
        headers: &[
            ("content-type", b"application/json; charset=utf-8"),
            ("x-sig", signature.as_bytes()),
        ],
        ..incoming(None, body.as_bytes())
    })
}

#[test]
fn a_signed_webhook_is_evidence_with_its_reference_amount_and_event_id() {
    let provider = provider(&with_webhook(SIGNED));
    let body = r#"{"uid":"e1","kind":"charge","ref":"ch_1","state":"paid","amount":"12.50","currency":"eur"}"#;
    let reading = read(&provider, body, &sign(body)).expect("good");
    assert_eq!(reading.acknowledgement.status, 202);
    assert_eq!(reading.acknowledgement.body, "OK");
    let [
        WebhookEvent::Evidence {
            subject,
            event_id,
            report,
        },
    ] = reading.events.as_slice()
    else {
        panic!("{reading:?}");
    };
    let reference = "ch_1".to_owned();
    assert_eq!(*subject, Subject::Theirs { reference });
    assert_eq!(event_id, "e1");
    assert_eq!(report.finding, Finding::Completed);
    assert_eq!(report.provider_reference.as_deref(), Some("ch_1"));
    let amount = Amount {
        value: 1250,
        currency: "EUR".to_owned(),
    };
    assert_eq!(report.amount, Some(ReportedAmount::Read(amount)));
}

#[test]
fn without_a_good_signature_nothing_is_read() {
    let provider = provider(&with_webhook(SIGNED));
    let body = r#"{"uid":"e1","ref":"ch_1","state":"paid"}"#;
    let good = sign(body);
    let bare = provider.read_webhook(&incoming(None, body.as_bytes()));
    assert!(
        matches!(bare, Err(WebhookRejected::NotSigned(_))),
        "{bare:?}"
    );
    for (body, signature) in [
        (body.replace("paid", "Paid"), good.clone()),
        (body.to_owned(), good.to_uppercase().replace('A', "B")),
        (body.to_owned(), String::new()),
        (body.to_owned(), sign("something else")),
        // Nothing is parsed before it is known who wrote it.
        ("{".to_owned(), good.clone()),
    ] {
        let refused = read(&provider, &body, &signature);
        let Err(WebhookRejected::NotSigned(why)) = &refused else {
            panic!("{refused:?}");
        };
        assert!(!why.contains(&good), "{why}");
    }
}

#[test]
fn what_is_about_something_else_is_acknowledged_and_forgotten() {
    let provider = provider(&with_webhook(SIGNED));
    let body = r#"{"kind":"ping"}"#;
    let reading = read(&provider, body, &sign(body)).expect("good");
    assert_eq!(reading.events, []);
    assert_eq!(reading.acknowledgement.status, 202);
}

fn event(uid: &str, state: &str) -> Value {
    let sig = sign(&format!("{uid}:{state}"));
    json!({"event": {"uid": uid, "state": state, "order": key(7).id.to_string(), "sig": sig}})
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let provider = provider(&with_webhook(BATCHED));
    let send = |events: Vec<Value>| read(&provider, &json!({"events": events}).to_string(), "");
    let reading = send(vec![
        event("a", "paid"),
        event("b", "other"),
        event("c", "paid"),
    ]);
    let ids: Vec<String> = reading
        .expect("good")
        .events
        .into_iter()
        .map(|event| match event {
            WebhookEvent::Evidence {
                subject, event_id, ..
            } => {
                let ours = Subject::Ours {
                    id: key(7).id,
                    attempt: None,
                    // The signature covers uid and state, and not the order.
                    vouched: false,
                };
                assert_eq!(subject, ours);
                event_id
            }
            WebhookEvent::Hint { .. } => panic!("it is signed"),
        })
        .collect();
    assert_eq!(ids, ["a", "c"]);
    let mut forged = event("b", "paid");
    forged["event"]["state"] = json!("other");
    let refused = send(vec![event("a", "paid"), forged]);
    assert!(
        matches!(refused, Err(WebhookRejected::NotSigned(_))),
        "{refused:?}"
    );
    let many = send(vec![event("a", "paid"); 501]);
    assert!(
        matches!(many, Err(WebhookRejected::Unreadable(_))),
        "{many:?}"
    );
    assert_eq!(send(Vec::new()).expect("an empty batch").events, []);
}

#[test]
fn event_ids_that_are_odd_are_replaced_by_their_digest_and_missing_ones_refused() {
    let provider = provider(&with_webhook(SIGNED));
    let event_id = |uid: &Value| -> Result<String, WebhookRejected> {
        let body = json!({"uid": uid, "ref": "ch_1", "state": "paid"}).to_string();
        let mut reading = read(&provider, &body, &sign(&body))?;
        match reading.events.remove(0) {
            WebhookEvent::Evidence { event_id, .. } => Ok(event_id),
            WebhookEvent::Hint { .. } => panic!("it is signed"),
        }
    };
    let long = event_id(&json!("x".repeat(1000))).expect("read");
    assert_eq!(long.len(), 32);
    assert_ne!(Ok(long), event_id(&json!("x".repeat(1001))));
    assert_eq!(event_id(&json!("a b")).expect("read").len(), 32);
    assert!(event_id(&json!("")).is_err());
    let body = r#"{"ref":"ch_1","state":"paid"}"#;
    assert!(read(&provider, body, &sign(body)).is_err());
}

#[test]
fn method_and_media_type_are_those_of_the_profile() {
    let profile = with_webhook(SIGNED).replace(
        "trust = \"signed\"",
        "trust = \"signed\"\nmethod = \"PUT\"\ncontent = \"form\"",
    );
    let provider = provider(&profile);
    let body = "ref=ch_1&state=paid&uid=a%20b";
    let send = |method: &'static str, kind: &'static str, body: &str| {
        provider.read_webhook(&IncomingWebhook {
            method,
            headers: &[
                ("content-type", kind.as_bytes()),
                ("x-sig", sign(body).as_bytes()),
            ],
            ..incoming(None, body.as_bytes())
        })
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(send("POST", form, body), Err(WebhookRejected::Method));
    assert_eq!(
        send("PUT", "application/json", body),
        Err(WebhookRejected::MediaType(form))
    );
    let reading = send("PUT", form, body).expect("good");
    assert!(matches!(
        reading.events.as_slice(),
        [WebhookEvent::Evidence { report, .. }] if report.finding == Finding::Completed
    ));
    let twice = send("PUT", form, "ref=ch_1&state=rejected&state=paid&uid=a");
    assert!(
        matches!(twice, Err(WebhookRejected::Unreadable(_))),
        "{twice:?}"
    );
}

#[test]
fn tables_that_don_t_go_together_are_refused() {
    for (table, expected) in [
        (SIGNED.replace("secret = \"key\"", ""), "needs secret"),
        (
            SIGNED.replace("secret = \"key\"", "secret = \"other\""),
            "add [secrets.other]",
        ),
        (
            SIGNED.replace("trust = \"signed\"", "trust = \"hint\""),
            "only looked at with trust",
        ),
        (
            SIGNED.replace("provider_reference = \"/ref\"", ""),
            "whom it speaks of",
        ),
        (
            BATCHED.replace("items = \"/events\"", ""),
            "item is a place within items",
        ),
        (
            SIGNED.replace("status = 202", "status = 404"),
            "from 200 to 299",
        ),
        (
            SIGNED.replace("event.uid", "evnt.uid"),
            "there is no `evnt.uid`",
        ),
        (SIGNED.replace("algorithm = \"sha256\", ", ""), "algorithm"),
        (
            SIGNED.replace("means = \"declined\"", "means = \"refused\""),
            "unknown variant `refused`",
        ),
    ] {
        let said = Profile::parse(&with_webhook(&table), "x.toml").expect_err(expected);
        assert!(said.to_string().contains(expected), "{said}");
    }
}
