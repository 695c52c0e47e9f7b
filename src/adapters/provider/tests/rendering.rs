//! What an attempt is committed to send.

use serde_json::{Value, json};

use super::support::{
    REFERENCE, attempt, key, provider, reference_with, request, set_up, settings,
};
use crate::adapters::provider::token;
use crate::ports::Provider;
use crate::transaction::Amount;

const BASE: &str = "http://127.0.0.1:9";
const BODY: &str = "{{ payload | merge({'id': attempt.reference, 'webhookUrl': webhook_url}) }}";

fn body(profile: &str, payload: Value) -> Value {
    let intent = provider(profile, BASE)
        .intent(&key(5), &request(payload), 1)
        .expect("renders");
    serde_json::from_str(&intent.request.body).expect("JSON")
}

#[test]
fn the_reference_body_is_the_payload_with_our_id_and_url() {
    let body = body(
        REFERENCE,
        json!({"amount": 12.5, "note": "a\"b\u{2028}</script>", "deep": {"x": [1, null, true]}}),
    );
    assert_eq!(body["id"], json!(key(5).id.to_string()));
    assert_eq!(body["amount"], json!(12.5));
    assert_eq!(body["note"], json!("a\"b\u{2028}</script>"));
    assert_eq!(body["deep"], json!({"x": [1, null, true]}));
    let url = body["webhookUrl"].as_str().expect("a URL");
    let token = url
        .strip_prefix("http://127.0.0.1:8080/webhooks/reference/")
        .expect("our door");
    let claim = token::verify(&[super::support::token_secret()], "reference", token);
    let claim = claim.expect("a valid token");
    assert_eq!((claim.key, claim.attempt), (key(5), 1));
}

#[test]
fn a_payload_cannot_take_our_fields() {
    let plain = body(REFERENCE, Value::Null);
    let sly = body(
        REFERENCE,
        json!({"id": "mine", "webhookUrl": "http://evil.example/", "ID": "kept"}),
    );
    assert_eq!(sly["id"], plain["id"]);
    assert_eq!(sly["webhookUrl"], plain["webhookUrl"]);
    assert_eq!(sly["ID"], json!("kept"));
    assert_eq!(plain.as_object().expect("an object").len(), 2);
}

#[test]
fn renderings_are_the_same_every_time() {
    let request = request(json!({"b": 1, "a": 2}));
    let render = || {
        provider(REFERENCE, BASE)
            .intent(&key(5), &request, 2)
            .expect("renders")
    };
    assert_eq!(render(), render());
    assert_eq!(render().reference, key(5).id.to_string());
    assert_eq!(render().profile_hash.len(), 64);
}

#[test]
fn attempts_have_references_of_their_own_if_the_profile_says_so() {
    let profile = reference_with("reference = \"transaction\"", "reference = \"attempt\"");
    let provider = provider(&profile, BASE);
    let intent = provider
        .intent(&key(5), &request(Value::Null), 12)
        .expect("renders");
    assert_eq!(intent.reference, format!("{}-12", key(5).id));
    assert!(intent.request.body.contains(&intent.reference));
    assert_eq!(intent.request.url, format!("{BASE}/transaction"));
}

#[test]
fn a_payload_that_is_no_object_can_not_be_rendered() {
    let provider = provider(REFERENCE, BASE);
    let complaint = provider.intent(&key(5), &request(json!([1])), 1);
    let complaint = complaint.expect_err("no object");
    assert!(complaint.contains("objects on both sides"), "{complaint}");
}

#[test]
fn everything_that_templates_can_print() {
    let body = "{\"a\": [{{ transaction.id }}, {{ transaction.app }}, {{ transaction.amount.value }}, {{ transaction.amount.currency }}, {{ attempt.number }}, {{ payload.card }}]}";
    let profile = REFERENCE
        .replace(&format!("\"{BODY}\""), &format!("'{body}'"))
        .replace(
            "[submit]",
            "[submit]\nheaders = { x-reference = 'r={{ attempt.reference }}' }",
        )
        .replace(
            "path = \"/transaction\"",
            "path = \"/pay/{{ payload.card }}?a={{ transaction.app }}\"",
        );
    let mut request = request(json!({"card": "4/2?&"}));
    request.amount = Some(Amount {
        value: 995,
        currency: "EUR".to_owned(),
    });
    let intent = provider(&profile, BASE)
        .intent(&key(5), &request, 3)
        .expect("renders");
    let id = key(5).id;
    assert_eq!(
        intent.request.body,
        format!("{{\"a\": [\"{id}\", \"shop\", 995, \"EUR\", 3, \"4/2?&\"]}}")
    );
    assert_eq!(intent.request.url, format!("{BASE}/pay/4%2F2%3F%26?a=shop"));
    assert_eq!(
        intent.request.headers,
        [
            ("x-reference".to_owned(), format!("r={id}")),
            ("content-type".to_owned(), "application/json".to_owned()),
        ]
    );
}

#[test]
fn what_is_missing_or_would_lead_elsewhere_is_refused() {
    let with_path =
        |path: &str| reference_with("path = \"/transaction\"", &format!("path = \"{path}\""));
    let with_body = |body: &str| REFERENCE.replace(&format!("\"{BODY}\""), &format!("'{body}'"));
    let with_header = REFERENCE.replace(
        "[submit]",
        "[submit]\nheaders = { x-note = '{{ payload.note }}' }",
    );
    for (profile, payload, expected) in [
        (
            with_path("/pay/{{ payload.card }}"),
            json!({}),
            "the path: there is no `payload.card`",
        ),
        (
            with_path("/pay/{{ payload.card }}"),
            json!({"card": ".."}),
            "lead elsewhere",
        ),
        (with_path("/pay/../admin"), json!({}), "lead elsewhere"),
        (with_path("/pay#x"), json!({}), "lead elsewhere"),
        (
            with_body("{{ payload.card }}"),
            json!({}),
            "the body: there is no `payload.card`",
        ),
        (
            with_body("{ \"id\": \"{{ attempt.reference }}\" }"),
            json!({}),
            "no JSON",
        ),
        (
            with_body("{{ transaction.amount.value }}"),
            json!({}),
            "the body: there is no `transaction.amount.value`",
        ),
        (
            with_body("{% if false %}x{% endif %}"),
            json!({}),
            "comes out empty",
        ),
        (
            with_header,
            json!({"note": "a\r\nx-evil: 1"}),
            "control characters",
        ),
    ] {
        let complaint = provider(&profile, BASE).intent(&key(5), &request(payload), 1);
        let complaint = complaint.expect_err(expected);
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn an_inquiry_can_name_the_provider_s_own_reference() {
    let profile = reference_with(
        "path = \"/transaction/{{ attempt.reference }}\"",
        "path = \"/t/{{ attempt.provider_reference }}\"",
    );
    let profile = profile.replace(
        "[inquiry]\n",
        "[lost]\nmethod = 'none'\n[inquiry]\nprovider_reference = '/pid'\n",
    );
    let provider = provider(&profile, BASE);
    let request = request(Value::Null);
    let mut asked = attempt(provider.intent(&key(5), &request, 1).expect("renders"));
    asked.provider_reference = Some("p 1".to_owned());
    // Rendering alone is of interest here: nobody listens at that port.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let known = runtime.block_on(provider.inquire(&key(5), &request, &asked));
    assert!(format!("{known:?}").contains("no connection"), "{known:?}");
    asked.provider_reference = None;
    let unknown = runtime.block_on(provider.inquire(&key(5), &request, &asked));
    assert!(
        format!("{unknown:?}").contains("no request for this inquiry"),
        "{unknown:?}"
    );
}

#[test]
fn without_secrets_there_is_one_url_for_all() {
    let profile = reference_with("trust = \"token\"", "trust = \"hint\"");
    let mut settings = settings(BASE);
    settings.token_secrets.clear();
    let provider = set_up(&profile, settings).expect("usable");
    let intent = provider
        .intent(&key(5), &request(Value::Null), 1)
        .expect("renders");
    assert!(
        intent
            .request
            .body
            .contains("\"http://127.0.0.1:8080/webhooks/reference\"")
    );
}
