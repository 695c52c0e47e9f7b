//! Explanations: the reference profile's as a whole, and that every key of a profile shows.

use std::collections::BTreeMap;
use std::path::Path;

use super::support::{REFERENCE, set_up, settings};
use crate::adapters::provider::{Profile, Secret};

/// Set to write the text anew instead of comparing it.
const UPDATE: &str = "UPDATE_SNAPSHOTS";
const STORED: &str = "src/adapters/provider/tests/explained_reference.txt";

/// A profile in which every key says something that stands nowhere else.
const EVERYTHING: &str = r#"
    name = "everything"
    base_url = { sandbox = "https://sandbox.example.com", live = "https://live.example.com" }
    reference = "attempt"
    unsure = ["whether the moon is cheese"]
    resend_safe_for = "23h"
    [secrets]
    client = { about = "the client's name" }
    hook = { about = "the signing key" }
    [settings]
    merchant = { about = "the merchant's account", default = "M-1" }
    [auth]
    kind = "oauth2"
    user = "{{ secret.client }}"
    password = "{{ secret.hook }}"
    token_url = "/oauth/token"
    token_method = "GET"
    client_auth = "form"
    token_form = { scope = "{{ setting.merchant }}" }
    token_headers = { x-early = "{{ secret.client }}" }
    token_at = "/data/token"
    expires_in_at = "/data/life"
    expires_in = "41m"
    renew_before = "37s"
    token_time_out = "9s"
    [auth.headers]
    x-proof = "{{ (method ~ body) | hmac_sha256(secret.hook) | hex }}"
    [sealed]
    pin = "{{ secret.client }}"
    [submit]
    method = "PUT"
    path = "/pay/{{ setting.merchant }}"
    headers = { idempotency-key = "{{ attempt.reference }}", x-pin = "{{ sealed.pin }}" }
    content_type = "application/vnd.pay+json"
    body = '{"ref": {{ attempt.reference }}, "to": {{ payload.customer.phone }}, "hook": {{ webhook_url }}, "sum": {{ transaction.amount.value }}}'
    time_out = "21s"
    connect_time_out = "3s"
    id = ["/our/id", "/error/our/id"]
    provider_reference = "/their/id"
    amount = { value = "/sum/value", currency = "/sum/currency", units = "major" }
    outcome = [
        { status = "2xx", at = "/s", word = ["done", 0], also = [{ at = "/c", pattern = "0+" }], means = "completed" },
        { status = 429, means = "not_executed" },
    ]
    [inquiry]
    method = "POST"
    path = "/ask"
    headers = { x-ask = "now" }
    content_type = "application/x-www-form-urlencoded"
    body = "id={{ attempt.provider_reference }}"
    time_out = "11s"
    connect_time_out = "2s"
    provider_reference = "/ask/id"
    amount = { value = "/ask/value", currency = "/ask/currency" }
    outcome = [{ status = 404, means = "not_found" }]
    [lost]
    method = "GET"
    path = "/search?ref={{ attempt.reference }}"
    time_out = "12s"
    id = { at = "/lost/id", sent = "/ref" }
    outcome = [{ status = 410, means = "declined" }]
    [webhook]
    trust = "signed"
    method = "PUT"
    content = "json"
    secret = "hook"
    signature = { kind = "hmac", algorithm = "sha512", encoding = "base64", header = "x-sign", signed = "{header:x-when}.{body}", timestamp_header = "x-when", tolerance = "7m" }
    items = "/batch"
    item = "/inner"
    event_id = "{{ event.number }}"
    id = "/ours"
    provider_reference = "/theirs"
    amount = { value = "/w/value", currency = "/w/currency" }
    outcome = [{ at = "/w", word = "lost", means = "ignored" }]
    acknowledge = { status = 202, body = "[thanks]", content_type = "text/x-thanks" }
    [ghost]
    window = "121s"
    margin = "4s"
    on_absence = "resubmit"
    max_attempts = 8
    [schedule]
    inquiry_gaps = 4
    pending = ["13s", "14s"]
    retry = ["15s", "16s"]
    review = ["17m", "18m"]
    review_after = "19m"
    pending_review_after = "20m"
    backoff = ["22s", "24s"]
    submit_within = "47m"
    [limits]
    submissions_at_once = 51
    submissions_per_second = 52.5
    inquiries_per_second = 53.5
    inquiry_burst = 54
    inquiries_at_once = 55
    breaker_failures = 56
    breaker_pause = "57s"
"#;

#[test]
fn the_reference_profile_reads_as_it_is_stored() {
    let provider = set_up(REFERENCE, settings("http://127.0.0.1:4000")).expect("usable");
    let text = provider.explain();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(STORED);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &text).expect("writable");
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        stored, text,
        "if the code is right, run {UPDATE}=1 cargo test --lib explained"
    );
    // Samples are shown as they are.
    let mut wrapped = text.lines().filter(|line| !line.starts_with("      "));
    assert!(wrapped.all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn every_key_that_has_an_effect_shows() {
    let mut settings = settings("");
    settings.base_url = None;
    settings.environment = Some("live".to_owned());
    settings.secrets = BTreeMap::from(
        ["client", "hook"].map(|name| (name.to_owned(), vec![Secret::new("swordfish-swordfish")])),
    );
    let provider = set_up(EVERYTHING, settings).unwrap_or_else(|problem| panic!("{problem}"));
    let text = provider.explain();
    assert!(!text.contains("swordfish"), "a secret is shown:\n{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "PROVIDER EVERYTHING",
        "https://live.example.com (of sandbox and live)",
        "a hyphen and the attempt's number",
        "1. whether the moon is cheese",
        "Within 23 h after its start",
        "The secret client: the client's name.",
        "The setting merchant: the merchant's account. It is \"M-1\" (the profile's default).",
        "OAuth2",
        "made of the secret client",
        "made of the secret hook",
        "fetched from /oauth/token by GET, grant_type in the query",
        "in the same place",
        "scope (made of the setting merchant)",
        "x-early (made of the secret client)",
        "at /data/token",
        "at /data/life, else it lives 41 min",
        "renewed 37 s before its end",
        "Fetching may take 9 s",
        "The header x-proof of every call is made of the request's body, the request's method and the secret hook.",
        "x-proof: …",
        "authorization: Bearer …",
        "Where a request says sealed.pin, what stands there is made of the secret client",
        "PUT https://live.example.com/pay/M-1",
        "idempotency-key: 7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-1",
        "x-pin: …",
        "content-type: application/vnd.pay+json",
        "\"to\": \"CUSTOMER_PHONE\"",
        "CUSTOMER_PHONE for the app's payload.customer.phone",
        "http://127.0.0.1:8080/webhooks/everything/TOKEN",
        "Our id stands in the header idempotency-key and the body at /ref.",
        "within 21 s, of which the connection may take 3 s",
        "own id is read at /their/id",
        "read at /sum/value, in major units of the currency at /sum/currency",
        "1. HTTP 2xx with \"done\" or 0 at /s and a word like `0+` at /c: it was executed.",
        "2. HTTP 429: it was surely not executed",
        "Anything else: unknown; teller asks.",
        "attempted again after 22 s, then every 24 s (less or more",
        "POST https://live.example.com/ask",
        "x-ask: now",
        "content-type: application/x-www-form-urlencoded",
        "id=THEIR_ID",
        "within 11 s, of which the connection may take 2 s",
        "read at /ask/id",
        "read at /ask/value, in minor units",
        "1. HTTP 404: the provider doesn't know it.",
        "GET https://live.example.com/search?ref=7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-1",
        "Our id stands in the URL.",
        "within 12 s",
        "1. HTTP 410: it was refused",
        "signed with the secret hook",
        "by PUT, as JSON",
        "base64 HMAC-SHA512 of `{header:x-when}.{body}` in the header x-sign",
        "420 s from the time in the header x-when",
        "listed at /batch, in each of them at /inner",
        "`{{ event.number }}`",
        "our id at /ours or the provider's own at /theirs",
        "read at /w/value",
        "1. \"lost\" at /w: it is about something else",
        "HTTP 202 and \"[thanks]\" (text/x-thanks)",
        "until 125 s after it was sent (window 121 s, margin 4 s)",
        "After a time-out at 21 s it is asked about at 47 s, 73 s, 99 s and 125 s after it was sent",
        "submitted again, 8 attempts in all",
        "it is asked at 13 s and 27 s after that, then every 14 s",
        "asked again at 140 s and 156 s after it was sent, then every 16 s",
        "asked about after 17 min, then every 18 min",
        "After 19 min in doubt",
        "pending is no doubt, and may take 20 min",
        "Our id is looked for at /our/id and /error/our/id: an answer with another one there is about another payment",
        "What the submission's body has at /ref is looked for at /lost/id",
        "If the provider's own id is known and another one stands at /ask/id",
        "within 47 min after",
        "Submissions: 51 at once, 52.5 a second. Inquiries: 55 at once, 53.5 a second, of which 54 may be saved up.",
        "After 56 failures in a row all calls wait for 57 s",
    ] {
        assert!(
            flat.contains(expected),
            "{expected:?} doesn't show:\n{text}"
        );
    }
}

#[test]
fn every_shipped_profile_can_be_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let profile = Profile::parse(&text, "shipped.toml").expect("legal");
        let mut settings = settings("https://provider.example.com");
        // Good as any kind of key: text, hexadecimal, base64.
        let secret = || vec![Secret::new("abcdef0123456789abcdef0123456789")];
        settings.secrets = profile
            .secrets()
            .map(|(name, _)| (name.to_owned(), secret()))
            .collect();
        settings.settings = profile
            .settings()
            .map(|(name, _, default)| (name.to_owned(), default.unwrap_or("given").to_owned()))
            .collect();
        let name = profile.name().to_owned();
        // A secret of another form can't be invented here.
        let Ok(provider) = set_up(&text, settings) else {
            continue;
        };
        let told = provider.explain();
        assert!(told.contains("\nLIMITS\n"), "{name}: {told}");
        assert!(
            !told.contains("abcdef0123456789"),
            "{name}: a secret is shown: {told}"
        );
    }
}

#[test]
fn other_ways_are_told_too() {
    let short = |change: &[(&str, &str)]| {
        let mut text = r#"
            name = "short"
            base_url = "https://api.example.com"
            reference = "transaction"
            [submit]
            method = "POST"
            path = "/pay"
            body = '{"n": {{ payload.rows | length + payload.count + 1 }}}'
            time_out = "20s"
            outcome = [{ status = 200, means = "pending" }]
            [inquiry]
            method = "none"
            [ghost]
            on_absence = "fail"
            max_attempts = 1
        "#
        .to_owned();
        for (old, new) in change {
            assert!(text.contains(old), "{old}");
            text = text.replacen(old, new, 1);
        }
        let mut settings = settings("");
        settings.base_url = None;
        let provider = set_up(&text, settings).unwrap_or_else(|problem| panic!("{problem}"));
        let text = provider.explain();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let told = short(&[]);
    for expected in [
        "No sample can be made of it without real values",
        "payload.rows | length",
        "There is no way to ask",
        "never proves anything (on_absence = \"fail\" and max_attempts = 1 have no effect).",
        "The provider sends none",
        "asks for no credentials",
        "a webhook that comes later still ends it",
    ] {
        assert!(told.contains(expected), "{expected:?}: {told}");
    }
    let told = short(&[(
        "'{\"n\": {{ payload.rows | length + payload.count + 1 }}}'",
        "'{{ {\"x\": payload.extra | default({}) | merge({\"ref\": attempt.reference}), \"to\": payload.to} }}'",
    )]);
    for expected in [
        r#"{"to":"TO","x":{"field":"EXTRA","ref":"7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01"}}"#,
        "EXTRA for the app's payload.extra and TO for the app's payload.to",
    ] {
        assert!(told.contains(expected), "{expected:?}: {told}");
    }
    let told = short(&[
        ("method = \"none\"", "method = \"resend\""),
        ("[submit]", "resend_safe_for = \"24h\"\n[submit]"),
        (
            "[ghost]",
            "[webhook]\ntrust = \"hint\"\nid = \"/id\"\ncontent = \"form\"\noutcome = [{ means = \"unknown\" }]\n[ghost]\nwindow = \"10s\"",
        ),
    ]);
    for expected in [
        "byte for byte",
        "for 24 h after the attempt's start",
        "None is believed",
        "by POST or PUT, as a form",
        "1. anything: it tells nothing.",
        "the same request is sent again at 35 s, 65 s",
        "only before the time by which attempts have to start",
    ] {
        assert!(told.contains(expected), "{expected:?}: {told}");
    }
}
