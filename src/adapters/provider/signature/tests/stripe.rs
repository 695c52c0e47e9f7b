//! Stripe's header.

use super::support::{Door, Vector, Webhook};

const PROFILE: &str = "kind = \"stripe\"";
const SECRET: &str = "whsec_test_secret";
const TAG: &str = "f60156f07d9fcede64d2d4c42b7e1f12f459a2e0c0c293d0bd7f817fbc59ecf6";

fn webhook(signature: &str) -> Webhook {
    Webhook::new(r#"{"id":"evt_1","type":"payment_intent.succeeded"}"#)
        .with("stripe-signature", signature)
        .at(1_614_265_330)
}

fn good() -> String {
    format!("t=1614265330,v1={TAG}")
}

#[test]
fn the_key_is_the_whole_secret() {
    Vector {
        profile: PROFILE,
        secret: SECRET,
        other: "test_secret",
        webhook: webhook(&good()),
        header: "stripe-signature",
        letters: *b"01",
        changed_body: "mismatch",
    }
    .holds();
    let signed_at = Door::new(PROFILE, &[SECRET]).verify(&webhook(&good()));
    assert_eq!(
        signed_at.expect("good").signed_at.map(|at| at.as_secs()),
        Some(1_614_265_330)
    );
}

#[test]
fn any_v1_will_do_and_others_don_t_matter() {
    let door = Door::new(PROFILE, &[SECRET]);
    let zeros = "0".repeat(64);
    for pairs in [
        format!("t=1614265330,v1={zeros},v1={TAG}"),
        format!("t=1614265330,v1={TAG},v1={zeros}"),
        format!("v1={TAG},t=1614265330"),
        format!("t=1614265330,v1={TAG},v0=garbage!,x="),
    ] {
        assert!(door.verify(&webhook(&pairs)).is_ok(), "{pairs}");
    }
}

#[test]
fn pairs_are_read_strictly_and_within_their_bound() {
    let door = Door::new(PROFILE, &[SECRET]);
    for (pairs, word) in [
        (format!("v1={TAG}"), "missing"),
        ("t=1614265330".to_owned(), "unknown_version"),
        (format!("t=1614265330,v0={TAG}"), "unknown_version"),
        (format!("t=1614265330,t=1614265330,v1={TAG}"), "duplicated"),
        (format!("t=,v1={TAG}"), "malformed"),
        (format!("t=soon,v1={TAG}"), "malformed"),
        (format!("t=1614265330,v1={TAG},"), "malformed"),
        (format!("t=1614265330,v1={TAG},nothing"), "malformed"),
        (format!("t=1614265330,v1={}", &TAG[2..]), "malformed"),
        (format!("t=1614265330, v1={TAG}"), "unknown_version"),
        (format!("t=1614265331,v1={TAG}"), "mismatch"),
        (format!("t=1614265330000,v1={TAG}"), "future"),
    ] {
        assert_eq!(door.fault(&webhook(&pairs)), word, "{pairs}");
    }
    let zeros = format!(",v1={}", "0".repeat(64));
    let many = |others| format!("t=1614265330{},v1={TAG}", zeros.repeat(others));
    assert!(door.verify(&webhook(&many(15))).is_ok());
    assert_eq!(door.fault(&webhook(&many(16))), "malformed");
}

#[test]
fn the_header_and_the_tolerance_can_be_others() {
    let profile = "kind = \"stripe\"\nheader = \"Acme-Signature\"\ntolerance = \"1h\"";
    let door = Door::new(profile, &[SECRET]);
    assert_eq!(door.fault(&webhook(&good())), "missing");
    let renamed = Webhook::new(webhook("").body).with("acme-signature", good());
    assert!(
        door.verify(&renamed.clone().at(1_614_265_330 + 3600))
            .is_ok()
    );
    assert_eq!(door.fault(&renamed.at(1_614_265_330 + 3601)), "stale");
}
