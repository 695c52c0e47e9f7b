//! What it costs to interpret an answer or a webhook by a profile, templates compiled once. Beside it
//! the ceiling: parsing the same body as JSON and nothing else.
//!
//! `cargo bench --bench interpret`

use std::collections::BTreeMap;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use teller::adapters::provider::{HttpProvider, Profile, Secret, Settings};
use teller::clock::Clock;
use teller::ports::{IncomingWebhook, Provider};
use teller::transaction::{Amount, AppId, Finding, Intent, Key, Request, Timestamp, TransactionId};
use uuid::Uuid;

const REFERENCE: &str = include_str!("../providers/reference.toml");
const STRIPE: &str = include_str!("../providers/stripe.toml");
const ADYEN: &str = include_str!("../providers/adyen.toml");

const WEBHOOK_SECRET: &str = "whsec_a_secret_of_the_usual_length_00";
const ADYEN_KEY: &str = "DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00";

fn provider(profile: &str, secrets: &[(&str, &str)], settings: &[(&str, &str)]) -> HttpProvider {
    let profile = Profile::parse(profile, "bench").expect("a shipped profile");
    let settings = Settings {
        public_url: "https://teller.example.com".to_owned(),
        base_url: Some("http://127.0.0.1:9".to_owned()),
        environment: None,
        settings: settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        secrets: secrets
            .iter()
            .map(|(name, value)| ((*name).to_owned(), vec![Secret::new(*value)]))
            .collect::<BTreeMap<_, _>>(),
        token_secrets: vec![Secret::new("0123456789abcdef0123456789abcdef")],
        time_scale: 1.0,
    };
    HttpProvider::new(profile, settings, Clock::system()).expect("usable")
}

/// The first attempt of a transaction.
fn intent(provider: &HttpProvider, id: Uuid) -> Intent {
    let key = Key {
        app: AppId::parse("shop").expect("legal"),
        id: TransactionId(id),
    };
    let request = Request {
        provider: provider.name().to_owned(),
        amount: Some(Amount {
            value: 2000,
            currency: "USD".to_owned(),
        }),
        submit_by: Timestamp::from_millis(0),
        payload: json!({}),
        traceparent: None,
    };
    provider.intent(&key, &request, 1).expect("renders")
}

/// A PaymentIntent with as many fields as Stripe sends: about 1.5 kB.
fn payment_intent(id: &Uuid) -> Value {
    json!({
        "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "amount": 2000,
        "amount_capturable": 0, "amount_details": {"tip": {}}, "amount_received": 2000,
        "application": null, "application_fee_amount": null,
        "automatic_payment_methods": {"enabled": true}, "canceled_at": null,
        "cancellation_reason": null, "capture_method": "automatic",
        "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
        "confirmation_method": "automatic", "created": 1_680_800_504, "currency": "usd",
        "customer": null, "description": "Electricity, November", "last_payment_error": null,
        "latest_charge": "ch_3MtwBwLkdIwHu7ix0mHpDV1Y", "livemode": false,
        "metadata": {"teller_reference": format!("{id}-1")}, "next_action": null,
        "on_behalf_of": null, "payment_method": "pm_1MtwBwLkdIwHu7ix28a3tqPb",
        "payment_method_options": {"card": {"installments": null, "mandate_options": null,
            "network": null, "request_three_d_secure": "automatic"}},
        "payment_method_types": ["card", "link"], "processing": null, "receipt_email": null,
        "review": null, "setup_future_usage": null, "shipping": null, "source": null,
        "statement_descriptor": null, "statement_descriptor_suffix": null,
        "status": "succeeded", "transfer_data": null, "transfer_group": null
    })
}

fn answers(c: &mut Criterion) {
    let id = Uuid::from_u128(5);
    let reference = provider(REFERENCE, &[], &[]);
    let small = Bytes::from(json!({"id": id, "status": "completed", "webhookUrl": "http://teller/webhooks/reference/v1.x"}).to_string());
    let stripe = stripe();
    let large = Bytes::from(payment_intent(&id).to_string());
    let (small_asked, large_asked) = (intent(&reference, id), intent(&stripe, id));
    for report in [
        reference.read_answer(&small_asked, false, 200, small.clone()),
        stripe.read_answer(&large_asked, false, 200, large.clone()),
    ] {
        assert_eq!(report.finding, Finding::Completed, "{report:?}");
    }
    let mut group = c.benchmark_group("answer");
    group.bench_function("reference, 100 bytes", |b| {
        b.iter(|| reference.read_answer(&small_asked, false, 200, black_box(small.clone())));
    });
    group.bench_function("reference, no row fits", |b| {
        b.iter(|| reference.read_answer(&small_asked, false, 418, black_box(small.clone())));
    });
    group.bench_function("stripe, 1.5 kB", |b| {
        b.iter(|| stripe.read_answer(&large_asked, false, 200, black_box(large.clone())));
    });
    group.bench_function("ceiling: 1.5 kB of JSON parsed", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(&large)));
    });
    group.finish();
}

fn stripe() -> HttpProvider {
    let secrets = [("api_key", "sk_test_x"), ("webhook_key", WEBHOOK_SECRET)];
    provider(STRIPE, &secrets, &[])
}

fn webhooks(c: &mut Criterion) {
    let id = Uuid::from_u128(5);
    let mut group = c.benchmark_group("webhook");

    let reference = provider(REFERENCE, &[], &[]);
    let intent = intent(&reference, id);
    let sent: Value = serde_json::from_str(&intent.request.body).expect("JSON");
    let url = sent["webhookUrl"].as_str().expect("a URL").to_owned();
    let (_, token) = url.rsplit_once('/').expect("a token");
    let body = json!({"id": id, "status": "completed"}).to_string();
    let with_token = IncomingWebhook {
        method: "POST",
        url: &url,
        token: Some(token),
        headers: &[("content-type", b"application/json")],
        body: body.as_bytes(),
    };
    assert_eq!(
        reference
            .read_webhook(&with_token)
            .expect("good")
            .events
            .len(),
        1
    );
    group.bench_function("reference, by token", |b| {
        b.iter(|| reference.read_webhook(black_box(&with_token)));
    });

    let stripe = stripe();
    let event = json!({
        "id": "evt_3MtwBwLkdIwHu7ix0snN0B15", "object": "event", "api_version": "2026-01-01",
        "created": 1_680_800_504, "data": {"object": payment_intent(&id)}, "livemode": false,
        "pending_webhooks": 1, "type": "payment_intent.succeeded"
    })
    .to_string();
    let now = jiff::Timestamp::now().as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("any length");
    mac.update(format!("{now}.{event}").as_bytes());
    let signature: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let signature = format!("t={now},v1={signature}");
    let headers: [(&str, &[u8]); 2] = [
        ("content-type", b"application/json"),
        ("stripe-signature", signature.as_bytes()),
    ];
    let signed = IncomingWebhook {
        method: "POST",
        url: "https://teller.example.com/webhooks/stripe",
        token: None,
        headers: &headers,
        body: event.as_bytes(),
    };
    assert_eq!(stripe.read_webhook(&signed).expect("good").events.len(), 1);
    group.bench_function("stripe, 1.7 kB, signed", |b| {
        b.iter(|| stripe.read_webhook(black_box(&signed)));
    });

    let adyen = provider(
        ADYEN,
        &[("api_key", "x"), ("hmac_key", ADYEN_KEY)],
        &[("merchant_account", "TestMerchant")],
    );
    let item = adyen_item(&id);
    let batch = json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
        .to_string();
    let batched = IncomingWebhook {
        url: "https://teller.example.com/webhooks/adyen",
        token: None,
        body: batch.as_bytes(),
        ..with_token
    };
    assert_eq!(adyen.read_webhook(&batched).expect("good").events.len(), 1);
    group.bench_function("adyen, a batch of one signed item", |b| {
        b.iter(|| adyen.read_webhook(black_box(&batched)));
    });
    group.finish();
}

/// An item signed as Adyen signs it.
fn adyen_item(id: &Uuid) -> Value {
    let signed = format!("7914073381342284::TestMerchant:{id}-1:1130:EUR:AUTHORISATION:true");
    let key: Vec<u8> = (0..ADYEN_KEY.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&ADYEN_KEY[at..at + 2], 16).expect("hex"))
        .collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(signed.as_bytes());
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        mac.finalize().into_bytes(),
    );
    json!({
        "pspReference": "7914073381342284", "merchantAccountCode": "TestMerchant",
        "merchantReference": format!("{id}-1"), "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION", "eventDate": "2026-11-22T10:00:00+01:00", "success": "true",
        "paymentMethod": "visa", "additionalData": {"hmacSignature": signature}
    })
}

criterion_group!(benches, answers, webhooks);
criterion_main!(benches);
