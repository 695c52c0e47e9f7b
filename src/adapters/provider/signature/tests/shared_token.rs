//! Secrets that come along.

use super::support::{Door, Webhook};

const HEADER: &str = "kind = \"shared_token\"\nheader = \"verif-hash\"";
const QUERY: &str = "kind = \"shared_token\"\nquery = \"token\"";

#[test]
fn a_header_repeats_the_secret() {
    let webhook = Webhook::new("{}").with("verif-hash", "open sesame");
    let door = Door::new(HEADER, &["open sesame"]);
    assert!(door.verify(&webhook).is_ok());
    assert!(
        Door::new(HEADER, &["other", "open sesame"])
            .verify(&webhook)
            .is_ok()
    );
    assert_eq!(Door::new(HEADER, &["other"]).fault(&webhook), "mismatch");
    assert_eq!(
        door.fault(&webhook.clone().without("verif-hash")),
        "missing"
    );
    assert_eq!(
        door.fault(&webhook.clone().with("verif-hash", "open sesame")),
        "duplicated"
    );
    for wrong in [
        "",
        "open",
        "open sesame ",
        " open sesame",
        "Open sesame",
        "open sesame\0",
    ] {
        assert_eq!(
            door.fault(&webhook.clone().changed("verif-hash", wrong)),
            "mismatch"
        );
    }
    for at in 0.."open sesame".len() {
        let mut twin = webhook.header("verif-hash");
        twin[at] ^= 1;
        assert_eq!(
            door.fault(&webhook.clone().changed("verif-hash", twin)),
            "mismatch"
        );
    }
    let huge = "x".repeat(10_000);
    assert_eq!(
        door.fault(&webhook.changed("verif-hash", huge)),
        "malformed"
    );
}

#[test]
fn so_does_a_parameter() {
    let webhook = |query: &str| Webhook::new("{}").url(&format!("https://pay.example/w{query}"));
    let door = Door::new(QUERY, &["open sesame&1"]);
    for good in [
        "?token=open%20sesame%261",
        "?a=b&token=open+sesame%261&c",
        "?%74oken=open+sesame%261",
    ] {
        assert!(door.verify(&webhook(good)).is_ok(), "{good}");
    }
    for (bad, word) in [
        ("", "missing"),
        ("?", "missing"),
        ("?Token=open+sesame%261", "missing"),
        ("?token=open+sesame%261&token=open+sesame%261", "duplicated"),
        ("?token=open+sesame%261&tok%65n=x", "duplicated"),
        ("?token=", "mismatch"),
        ("?token=open+sesame", "mismatch"),
        ("?token=%ff", "mismatch"),
    ] {
        assert_eq!(door.fault(&webhook(bad)), word, "{bad}");
    }
    assert_eq!(door.fault(&Webhook::new("{}").url("no url")), "malformed");
}

#[test]
fn it_protects_nothing_and_says_so() {
    let door = Door::new(HEADER, &["open sesame"]);
    assert!(door.scheme.caution().is_some());
    assert!(!door.scheme.has_timestamp());
    assert!(!door.scheme.is_per_item());
    let fault = door.verify(&Webhook::new("").with("verif-hash", "guess"));
    assert_eq!(
        fault.expect_err("wrong").to_string(),
        "none of the active secrets has signed it"
    );
}
