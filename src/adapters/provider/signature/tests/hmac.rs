//! HMACs that profiles describe.

use serde_json::{Value, json};

use super::support::{Door, Vector, Webhook};

const GITHUB: &str = r#"
    kind = "hmac"
    algorithm = "sha256"
    encoding = "hex"
    header = "X-Hub-Signature-256"
    prefix = "sha256="
"#;
const ADYEN: &str = r#"
    kind = "hmac"
    algorithm = "sha256"
    encoding = "base64"
    key_encoding = "hex"
    at = "/additionalData/hmacSignature"
    signed = "{at:/pspReference}:{at:/originalReference}:{at:/merchantAccountCode}:{at:/merchantReference}:{at:/amount/value}:{at:/amount/currency}:{at:/eventCode}:{at:/success}"
"#;
const ADYEN_KEY: &str = "DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00";
const TIMED: &str = r#"
    kind = "hmac"
    algorithm = "sha256"
    encoding = "base64"
    header = "x-signature"
    signed = "{header:x-time}:{body}"
    timestamp_header = "X-Time"
    tolerance = "5m"
"#;

fn github_webhook() -> Webhook {
    Webhook::new("Hello, World!").with(
        "x-hub-signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    )
}

fn timed() -> Webhook {
    Webhook::new("{\"id\":1}")
        .with(
            "x-signature",
            "MuDyi6rQDNic99IyZkc3O0D6WvDyy5k74o18RVKF/v8=",
        )
        .with("x-time", "1614265330")
        .at(1_614_265_330)
}

#[test]
fn github() {
    Vector {
        profile: GITHUB,
        secret: "It's a Secret to Everybody",
        other: "It's a Secret to Nobody",
        webhook: github_webhook(),
        header: "x-hub-signature-256",
        letters: *b"01",
        changed_body: "mismatch",
    }
    .holds();
}

#[test]
fn square_signs_its_url_and_the_body() {
    let webhook = Webhook::new(r#"{"data":{"type":"webhooks","id":"fake_id"}}"#)
        .url("https://webhook.site/webhooks")
        .with(
            "x-square-hmacsha256-signature",
            "W3FlCNk5IA3ZQ2LHTWoajvzfaDu/OwY2tNHIHC3IUOA=",
        );
    let vector = Vector {
        profile: r#"
            kind = "hmac"
            algorithm = "sha256"
            encoding = "base64"
            header = "x-square-hmacsha256-signature"
            signed = "{url}{body}"
        "#,
        secret: "signature-key",
        other: "signature-kex",
        webhook,
        header: "x-square-hmacsha256-signature",
        letters: *b"AB",
        changed_body: "mismatch",
    };
    vector.holds();
    let elsewhere = vector.webhook.clone().url("https://webhook.site/webhook");
    assert_eq!(
        Door::new(vector.profile, &[vector.secret]).fault(&elsewhere),
        "mismatch"
    );
}

#[test]
fn paystack_style_sha512() {
    Vector {
        profile: r#"
            kind = "hmac"
            algorithm = "sha512"
            encoding = "hex"
            header = "x-paystack-signature"
        "#,
        secret: "Jefe",
        other: "Jeff",
        webhook: Webhook::new("what do ya want for nothing?").with(
            "x-paystack-signature",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        header: "x-paystack-signature",
        letters: *b"01",
        changed_body: "mismatch",
    }
    .holds();
}

#[test]
fn sha1_as_in_rfc_2202() {
    Vector {
        profile: r#"
            kind = "hmac"
            algorithm = "sha1"
            encoding = "hex"
            header = "x-signature"
        "#,
        secret: "Jefe",
        other: "Jeff",
        webhook: Webhook::new("what do ya want for nothing?")
            .with("x-signature", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        header: "x-signature",
        letters: *b"01",
        changed_body: "mismatch",
    }
    .holds();
}

#[test]
fn the_time_of_a_header_counts_when_it_is_signed() {
    Vector {
        profile: TIMED,
        secret: "shared",
        other: "shared?",
        webhook: timed(),
        header: "x-signature",
        letters: *b"AB",
        changed_body: "mismatch",
    }
    .holds();
    let door = Door::new(TIMED, &["shared"]);
    let signed_at = door.verify(&timed()).expect("good").signed_at;
    assert_eq!(signed_at.map(|at| at.as_secs()), Some(1_614_265_330));
    assert_eq!(door.fault(&timed().without("x-time")), "missing");
    assert_eq!(
        door.fault(&timed().with("x-time", "1614265330")),
        "duplicated"
    );
    assert_eq!(door.fault(&timed().changed("x-time", "now")), "malformed");
    // A time that would be in order, but was not signed.
    assert_eq!(
        door.fault(&timed().changed("x-time", "1614265331")),
        "mismatch"
    );
}

#[test]
fn a_prefix_has_to_be_there_once_and_exactly() {
    let door = Door::new(GITHUB, &["It's a Secret to Everybody"]);
    let tag = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    for prefix in [
        "",
        "SHA256=",
        "sha1=",
        "sha256=sha256=",
        " sha256=",
        "sha256= ",
    ] {
        let twin = github_webhook().changed("x-hub-signature-256", format!("{prefix}{tag}"));
        assert_eq!(door.fault(&twin), "malformed", "{prefix:?}");
    }
    for spaced in [format!("sha256={tag} "), format!(" sha256={tag}")] {
        let twin = github_webhook().changed("x-hub-signature-256", &spaced);
        assert_eq!(door.fault(&twin), "malformed", "{spaced:?}");
    }
    let capital = format!("sha256={}", tag.to_uppercase());
    let twin = github_webhook().changed("x-hub-signature-256", capital);
    assert!(door.verify(&twin).is_ok(), "some providers write capitals");
}

fn adyen_item() -> Value {
    json!({
        "pspReference": "pspReference",
        "originalReference": "originalReference",
        "merchantAccountCode": "merchantAccount",
        "merchantReference": "reference",
        "amount": { "value": 1000, "currency": "EUR" },
        "eventCode": "EVENT",
        "success": "true",
        "additionalData": { "hmacSignature": "ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc=" },
    })
}

fn adyen(item: Value) -> Webhook {
    Webhook {
        item: Some(item),
        ..Webhook::new("{\"notificationItems\":[]}")
    }
}

/// The item with another value at the pointer.
fn adyen_with(pointer: &str, value: Value) -> Webhook {
    let mut item = adyen_item();
    *item.pointer_mut(pointer).expect("it has it") = value;
    adyen(item)
}

#[test]
fn adyen_signs_each_item() {
    let door = Door::new(ADYEN, &[ADYEN_KEY]);
    assert!(door.scheme.is_per_item());
    assert!(door.verify(&adyen(adyen_item())).is_ok());
    assert!(
        door.verify(&adyen_with("/success", json!(true))).is_ok(),
        "true and \"true\""
    );
    let other = ADYEN_KEY.replace("DFB1", "DFB2");
    assert_eq!(
        Door::new(ADYEN, &[&other]).fault(&adyen(adyen_item())),
        "mismatch"
    );
    assert!(
        Door::new(ADYEN, &[&other, ADYEN_KEY])
            .verify(&adyen(adyen_item()))
            .is_ok()
    );
    for (pointer, value) in [
        ("/pspReference", json!("pspReferencf")),
        ("/originalReference", Value::Null),
        ("/merchantAccountCode", json!("")),
        ("/merchantReference", json!("Reference")),
        ("/amount/value", json!(1001)),
        ("/amount/currency", json!("USD")),
        ("/eventCode", json!("EVENT2")),
        ("/success", json!(false)),
    ] {
        assert_eq!(
            door.fault(&adyen_with(pointer, value)),
            "mismatch",
            "{pointer}"
        );
    }
}

#[test]
fn an_item_s_signature_is_read_strictly() {
    let door = Door::new(ADYEN, &[ADYEN_KEY]);
    let at = "/additionalData/hmacSignature";
    for (value, word) in [
        (Value::Null, "missing"),
        (json!(7), "malformed"),
        (
            json!(["ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc="]),
            "malformed",
        ),
        (json!(""), "malformed"),
        (
            json!("ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc"),
            "malformed",
        ),
        (
            json!("ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc=\n"),
            "malformed",
        ),
        (json!("A".repeat(100_000)), "malformed"),
        (
            json!("jpnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc="),
            "mismatch",
        ),
    ] {
        assert_eq!(door.fault(&adyen_with(at, value.clone())), word, "{value}");
    }
    let mut bare = adyen_item();
    bare.as_object_mut()
        .expect("an object")
        .remove("additionalData");
    assert_eq!(door.fault(&adyen(bare)), "missing");
    assert_eq!(door.fault(&Webhook::new("no item")), "missing");
}

/// Adyen's own text with an empty second field, as for a payment that follows no other.
#[test]
fn what_an_item_lacks_is_signed_as_nothing() {
    use ::hmac::{Hmac, KeyInit, Mac};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    let key = (0..32).map(|at| u8::from_str_radix(&ADYEN_KEY[2 * at..2 * at + 2], 16));
    let key: Vec<u8> = key.collect::<Result<_, _>>().expect("hexadecimal");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any length");
    mac.update(b"pspReference::merchantAccount:reference:1000:EUR:EVENT:true");
    let tag = STANDARD.encode(mac.finalize().into_bytes());
    let door = Door::new(ADYEN, &[ADYEN_KEY]);
    let mut item = adyen_item();
    item["additionalData"]["hmacSignature"] = json!(tag);
    for absent in [Value::Null, json!("")] {
        item["originalReference"] = absent;
        assert!(door.verify(&adyen(item.clone())).is_ok());
    }
    item.as_object_mut()
        .expect("an object")
        .remove("originalReference");
    assert!(door.verify(&adyen(item)).is_ok());
}

#[test]
fn what_is_left_unprotected_is_said() {
    let caution = Door::new(ADYEN, &[ADYEN_KEY]).scheme.caution();
    assert!(caution.expect("a caution").contains("{at:/amount/value}"));
    assert_eq!(Door::new(GITHUB, &["x"]).scheme.caution(), None);
    assert!(!Door::new(GITHUB, &["x"]).scheme.has_timestamp());
    assert!(!Door::new(GITHUB, &["x"]).scheme.is_per_item());
    assert!(Door::new(TIMED, &["x"]).scheme.has_timestamp());
}
