//! Standard Webhooks, v1 and v1a.

use super::support::{Door, Vector, Webhook, scheme};

const PROFILE: &str = "kind = \"standard_webhooks\"";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const V1A: &str =
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

fn first(signature: &str) -> Webhook {
    Webhook::new("{\"test\": 2432232314}")
        .with("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
        .with("webhook-timestamp", "1614265330")
        .with("webhook-signature", signature)
        .at(1_614_265_330)
}

fn vector(webhook: Webhook, secret: &'static str, other: &'static str) -> Vector<'static> {
    Vector {
        profile: PROFILE,
        secret,
        other,
        webhook,
        header: "webhook-signature",
        letters: *b"AB",
        changed_body: "mismatch",
    }
}

#[test]
fn the_first_vector() {
    vector(first(V1), SECRET, OTHER).holds();
}

#[test]
fn the_second_vector() {
    let webhook = Webhook::new(r#"{"email":"test@example.com","username":"test_user"}"#)
        .with("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk")
        .with("webhook-timestamp", "1649367553")
        .with(
            "webhook-signature",
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        )
        .at(1_649_367_553);
    vector(webhook, OTHER, SECRET).holds();
}

#[test]
fn the_vector_of_v1a() {
    vector(
        first(V1A),
        PUBLIC,
        "whpk_JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
    )
    .holds();
}

#[test]
fn either_kind_of_key_and_any_signature_will_do() {
    let both = Door::new(PROFILE, &[SECRET, PUBLIC]);
    assert!(both.verify(&first(V1)).is_ok());
    assert!(both.verify(&first(V1A)).is_ok());
    let zeros = format!("v1,{}=", "A".repeat(43));
    for good in [
        format!("{zeros} {V1}"),
        format!("{V1} {zeros}"),
        format!("v2,whatever!! {V1}"),
        format!("{V1A} {V1}"),
        format!("{zeros} {V1A}"),
    ] {
        assert!(both.verify(&first(&good)).is_ok(), "{good}");
    }
    // A signature of one version is none of the other.
    let swapped = V1A.replace("v1a,", "v1,");
    assert_eq!(both.fault(&first(&swapped)), "malformed");
    assert_eq!(Door::new(PROFILE, &[PUBLIC]).fault(&first(V1)), "mismatch");
    assert_eq!(Door::new(PROFILE, &[SECRET]).fault(&first(V1A)), "mismatch");
}

#[test]
fn the_list_is_read_strictly_and_within_its_bound() {
    let door = Door::new(PROFILE, &[SECRET]);
    let tag = V1.trim_start_matches("v1,");
    for (wrong, word) in [
        (tag.to_owned(), "malformed"),
        (format!("v1={tag}"), "malformed"),
        (format!("{V1}  {V1}"), "malformed"),
        (format!("{V1},{V1}"), "malformed"),
        (V1.trim_end_matches('=').to_owned(), "malformed"),
        (format!("v2,{tag}"), "unknown_version"),
        (format!("V1,{tag}"), "unknown_version"),
    ] {
        assert_eq!(door.fault(&first(&wrong)), word, "{wrong}");
    }
    let list = |others| [vec!["v0,x"; others], vec![V1]].concat().join(" ");
    assert!(door.verify(&first(&list(15))).is_ok());
    assert_eq!(door.fault(&first(&list(16))), "malformed");
}

#[test]
fn every_header_is_needed_once_and_is_signed() {
    let door = Door::new(PROFILE, &[SECRET]);
    for name in ["webhook-id", "webhook-timestamp"] {
        let good = first(V1).header(name);
        assert_eq!(door.fault(&first(V1).without(name)), "missing", "{name}");
        assert_eq!(
            door.fault(&first(V1).with(name, &good)),
            "duplicated",
            "{name}"
        );
        assert_eq!(
            door.fault(&first(V1).changed(name, "")),
            "malformed",
            "{name}"
        );
    }
    for (name, value, word) in [
        ("webhook-id", "msg_other", "mismatch"),
        ("webhook-id", "msg.p5jXN8AQM9LWM0D4loKWxJek", "malformed"),
        ("webhook-timestamp", "1614265331", "mismatch"),
        ("webhook-timestamp", "01614265330", "mismatch"),
        ("webhook-timestamp", "1614265330.0", "malformed"),
        ("webhook-timestamp", "-1", "malformed"),
    ] {
        assert_eq!(
            door.fault(&first(V1).changed(name, value)),
            word,
            "{name}: {value}"
        );
    }
    let long = "x".repeat(257);
    assert_eq!(
        door.fault(&first(V1).changed("webhook-id", long)),
        "malformed"
    );
}

#[test]
fn it_says_which_message_it_is_and_when_it_was_signed() {
    let verified = Door::new(PROFILE, &[SECRET])
        .verify(&first(V1))
        .expect("good");
    assert_eq!(
        verified.message_id.as_deref(),
        Some("msg_p5jXN8AQM9LWM0D4loKWxJek")
    );
    assert_eq!(
        verified.signed_at.map(|at| at.as_secs()),
        Some(1_614_265_330)
    );
}

#[test]
fn svix_has_names_of_its_own() {
    let profile = "kind = \"standard_webhooks\"\nheaders = \"svix\"\ntolerance = \"1m\"";
    let door = Door::new(profile, &[SECRET]);
    let mut webhook = first(V1);
    assert_eq!(door.fault(&webhook), "missing");
    for (name, _) in &mut webhook.headers {
        *name = name.replace("webhook-", "svix-");
    }
    assert!(door.verify(&webhook).is_ok());
    assert_eq!(door.fault(&webhook.at(1_614_265_391)), "stale");
}

#[test]
fn keys_are_checked_when_they_are_read() {
    let scheme = scheme(PROFILE).expect("good");
    let short = format!("whsec_{}", "A".repeat(31));
    let long = format!("whsec_{}", "A".repeat(87));
    for (text, expected) in [
        ("", "the secret is empty"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        ("whsec_sword fish", "not base64 after its whsec_"),
        (&short, "has 23 bytes after its whsec_"),
        (&long, "has 65 bytes after its whsec_"),
        ("whpk_AAAA", "base64 of 32 bytes after its whpk_"),
        ("whsk_AAAA", "that is a private key"),
    ] {
        let complaint = scheme.key(text).expect_err(text);
        assert!(complaint.contains(expected), "{text}: {complaint}");
        assert!(
            text.len() < 10 || !complaint.contains(&text[6..]),
            "{complaint}"
        );
    }
    assert_eq!(
        format!("{:?}", scheme.key(SECRET).expect("good")),
        "VerifyingKey(…)"
    );
}
