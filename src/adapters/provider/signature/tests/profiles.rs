//! What a profile may say of signatures, what it is told when it says it wrongly, and how it is
//! described.

use serde::Deserialize;

use super::super::{VerifyingKey, VerifyingKeys};
use super::support::{Door, scheme};
use crate::adapters::provider::outcome::Pointer;

#[track_caller]
fn refused(profile: &str, expected: &[&str]) {
    let complaint = scheme(profile).expect_err(profile);
    for part in expected {
        assert!(
            complaint.contains(part),
            "{profile}\n{complaint}\nlacks {part:?}"
        );
    }
}

#[test]
fn a_word_that_is_none_is_refused_with_those_that_are() {
    for (profile, expected) in [
        ("", &["missing field `kind`"][..]),
        (
            "kind = \"stripee\"",
            &["unknown variant `stripee`", "`stripe`"],
        ),
        (
            "kind = \"stripe\"\ntolerence = \"1m\"",
            &["unknown field `tolerence`", "`tolerance`"],
        ),
        (
            "kind = \"hmac\"\nalgorithm = \"sha-256\"",
            &["unknown variant `sha-256`", "`sha256`"],
        ),
        (
            "kind = \"hmac\"\nencoding = \"base32\"",
            &["unknown variant `base32`", "`base64`"],
        ),
        (
            "kind = \"hmac\"\nheader = \"no name\"",
            &["expected a header's name", "no name"],
        ),
        ("kind = \"hmac\"\nat = \"x\"", &["expected a JSON pointer"]),
        (
            "kind = \"stripe\"\ntolerance = \"5\"",
            &["expected a duration"],
        ),
        (
            "kind = \"standard_webhooks\"\nheaders = \"Svix\"",
            &["unknown variant `Svix`", "`svix`"],
        ),
    ] {
        refused(profile, expected);
    }
}

#[test]
fn a_place_of_an_event_is_covered_only_if_the_signature_covers_it() {
    let hmac = "kind = 'hmac'\nalgorithm = 'sha256'\nencoding = 'hex'\nheader = 'x-sig'\n";
    let rfc9421 = "kind = 'rfc9421'\nalgorithm = 'hmac-sha256'\n";
    for (profile, ours, other) in [
        (
            "kind = 'shared_token'\nheader = 'x-key'".to_owned(),
            false,
            false,
        ),
        (hmac.to_owned(), true, true),
        (format!("{hmac}signed = '{{method}} {{body}}'"), true, true),
        (
            format!("{hmac}signed = '{{at:/ref}}:{{at:/state}}'"),
            true,
            false,
        ),
        (format!("{hmac}signed = '{{at:/state}}'"), false, false),
        ("kind = 'stripe'".to_owned(), true, true),
        ("kind = 'standard_webhooks'".to_owned(), true, true),
        (rfc9421.to_owned(), true, true),
        (
            format!("{rfc9421}components = ['@method', '@path']"),
            false,
            false,
        ),
    ] {
        let scheme = scheme(&profile).expect(&profile);
        assert_eq!(scheme.covers(&pointer("/ref")), ours, "{profile}");
        assert_eq!(scheme.covers(&pointer("/other")), other, "{profile}");
    }
}

fn pointer(text: &str) -> Pointer {
    Pointer::deserialize(serde_json::Value::from(text)).expect("legal")
}

#[test]
fn a_key_of_another_kind_is_refused_by_both_names() {
    for (profile, expected) in [
        (
            "kind = \"standard_webhooks\"\nheader = \"x\"",
            &[
                "`header` doesn't belong to kind = \"standard_webhooks\", which has `headers` and `tolerance`; did you mean `headers`?",
            ][..],
        ),
        (
            "kind = \"stripe\"\nprefix = \"v1=\"",
            &["`prefix` doesn't belong to kind = \"stripe\", which has `header` and `tolerance`"],
        ),
        (
            "kind = \"shared_token\"\nquery = \"t\"\nencoding = \"hex\"",
            &["`encoding`", "\"shared_token\""],
        ),
        (
            "kind = \"hmac\"\nmax_age = \"1m\"",
            &["`max_age`", "kind = \"hmac\""],
        ),
        (
            "kind = \"rfc9421\"\ntolerance = \"1m\"",
            &["`tolerance`", "kind = \"rfc9421\", which has"],
        ),
    ] {
        refused(profile, expected);
    }
}

#[test]
fn what_a_kind_needs_is_named() {
    let hmac = "kind = \"hmac\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\n";
    for (rest, expected) in [
        ("", &["needs `header` or `at`"][..]),
        ("header = \"x\"\nat = \"/x\"", &["`header` and `at` both"]),
        (
            "at = \"/x\"",
            &["`at` says that the signature stands in the body"],
        ),
        (
            "header = \"x\"\nsigned = \"{url}\"",
            &["`signed` has neither {body} nor {at:…}"],
        ),
        (
            "header = \"x\"\nsigned = \"{boby}\"",
            &["`signed`: ", "did you mean `{body}`?"],
        ),
        (
            "header = \"x\"\nprefix = \"é\"",
            &["`prefix` has characters that no header can carry"],
        ),
        (
            "header = \"x\"\nescape = \"backslash\"",
            &["`escape` is about {at:…}"],
        ),
        (
            "header = \"x\"\ntolerance = \"1m\"",
            &["`tolerance`", "`timestamp_header`"],
        ),
        (
            "header = \"x\"\ntimestamp_header = \"X-Time\"",
            &[
                "`timestamp_header`: x-time is not part of `signed`",
                "{header:x-time}",
            ],
        ),
        (
            "header = \"x\"\nsigned = \"{header:x-time}{body}\"\ntimestamp_header = \"X-Time\"\ntolerance = \"0s\"",
            &["`tolerance` has to be longer than zero"],
        ),
    ] {
        refused(&format!("{hmac}{rest}"), expected);
    }
    for (profile, expected) in [
        (
            "kind = \"hmac\"",
            &["needs `algorithm`: `sha1`, `sha256` and `sha512`"][..],
        ),
        (
            "kind = \"hmac\"\nalgorithm = \"sha256\"\nheader = \"x\"",
            &["needs `encoding`", "`hex`"],
        ),
        ("kind = \"shared_token\"", &["needs `header` or `query`"]),
        (
            "kind = \"shared_token\"\nheader = \"x\"\nquery = \"y\"",
            &["`header` and `query` both"],
        ),
        (
            "kind = \"shared_token\"\nquery = \"\"",
            &["`query` names the parameter"],
        ),
        (
            "kind = \"stripe\"\ntolerance = \"0s\"",
            &["`tolerance` has to be longer than zero"],
        ),
    ] {
        refused(profile, expected);
    }
}

#[test]
fn so_is_what_message_signatures_need() {
    let profile = |rest: &str| format!("kind = \"rfc9421\"\n{rest}");
    for (rest, expected) in [
        (
            "",
            &["kind = \"rfc9421\" needs `algorithm`: `hmac-sha256`, `ed25519`"][..],
        ),
        (
            "algorithm = \"sha256\"",
            &[
                "`algorithm`: sha256 doesn't belong to kind = \"rfc9421\"",
                "did you mean `hmac-sha256`?",
            ],
        ),
        (
            "algorithm = \"ed25519\"\nkey_encoding = \"hex\"",
            &["`key_encoding` is about shared secrets"],
        ),
        (
            "algorithm = \"ed25519\"\nmax_age = \"0s\"",
            &["`max_age` has to be longer than zero"],
        ),
        (
            "algorithm = \"ed25519\"\nkey_id = []",
            &["`key_id` is an empty list"],
        ),
        (
            "algorithm = \"ed25519\"\ncomponents = []",
            &["`components` is empty"],
        ),
        (
            "algorithm = \"ed25519\"\ncomponents = [\"@metod\"]",
            &["`components`: \"@metod\"", "did you mean `@method`?"],
        ),
        (
            "algorithm = \"ed25519\"\ncomponents = [\"@status\"]",
            &["nothing that can be derived from a request"],
        ),
        (
            "algorithm = \"ed25519\"\ncomponents = [\"Date\"]",
            &["\"Date\" is written date"],
        ),
        (
            "algorithm = \"ed25519\"\nlabel = \"Sig1\"",
            &["`label`: \"Sig1\" is no label"],
        ),
        (
            "algorithm = \"ed25519\"\ncomponents = [\"a b\"]",
            &["neither a header's name nor"],
        ),
    ] {
        refused(&profile(rest), expected);
    }
}

#[test]
fn every_kind_is_described_in_one_line() {
    for (profile, expected) in [
        (
            "kind = \"shared_token\"\nheader = \"Verif-Hash\"",
            "the shared token in the header verif-hash",
        ),
        (
            "kind = \"shared_token\"\nquery = \"token\"",
            "the shared token in the URL's parameter token",
        ),
        (
            "kind = \"stripe\"",
            "hex HMAC-SHA256 of `<t>.<body>` in the header stripe-signature, not more than 300 s from now",
        ),
        (
            "kind = \"standard_webhooks\"\ntolerance = \"1500ms\"",
            "Standard Webhooks v1 (HMAC-SHA256) or v1a (Ed25519) of `<id>.<timestamp>.<body>` in the header webhook-signature, not more than 1500 ms from now",
        ),
        (
            "kind = \"hmac\"\nalgorithm = \"sha1\"\nencoding = \"hex\"\nheader = \"x-sig\"\nprefix = \"sha1=\"",
            "hex HMAC-SHA1 of `{body}` in the header x-sig after `sha1=`",
        ),
        (
            "kind = \"hmac\"\nalgorithm = \"sha512\"\nencoding = \"base64\"\nat = \"/sig\"\nsigned = \"{at:/a}{header:x-t}\"\ntimestamp_header = \"x-t\"",
            "base64 HMAC-SHA512 of `{at:/a}{header:x-t}` in the item's signature at /sig, not more than 300 s from the time in the header x-t",
        ),
        (
            "kind = \"rfc9421\"\nalgorithm = \"ed25519\"\nmax_age = \"1m\"",
            "an HTTP message signature (RFC 9421) by ed25519 over content-digest, @method, @path at least, created not more than 60 s from now",
        ),
    ] {
        assert_eq!(scheme(profile).expect(profile).describe(), expected);
    }
}

#[test]
fn secrets_are_read_as_the_profile_says() {
    let hmac = |encoding: &str| {
        let profile = format!(
            "kind = \"hmac\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\nheader = \"x\"\nkey_encoding = \"{encoding}\""
        );
        scheme(&profile).expect("good")
    };
    for (encoding, text, expected) in [
        ("text", " \n", "the secret is empty"),
        ("text", "swordfish\nswordfish", "one secret, on one line"),
        (
            "hex",
            "swordfish",
            "the secret is not hexadecimal, as `key_encoding` says",
        ),
        (
            "base64",
            "sword fish",
            "the secret is not base64, as `key_encoding` says",
        ),
        ("base64", "=", "the secret is not base64"),
    ] {
        let complaint = hmac(encoding).key(text).expect_err(encoding);
        assert!(complaint.contains(expected), "{complaint}");
        assert!(!complaint.contains("swordfish"), "{complaint}");
    }
    let huge = "x".repeat(16 * 1024 + 1);
    assert!(
        hmac("text")
            .key(&huge)
            .expect_err("huge")
            .contains("longer than 16384 bytes")
    );
}

#[test]
fn there_is_at_least_one_key_and_not_too_many() {
    let key = || {
        scheme("kind = \"stripe\"")
            .expect("good")
            .key("x")
            .expect("good")
    };
    let keys = |count| -> Vec<VerifyingKey> { (0..count).map(|_| key()).collect() };
    assert!(
        VerifyingKeys::new(keys(0))
            .expect_err("none")
            .contains("at least one secret")
    );
    assert!(VerifyingKeys::new(keys(VerifyingKeys::MAX)).is_ok());
    let complaint = VerifyingKeys::new(keys(VerifyingKeys::MAX + 1)).expect_err("many");
    assert_eq!(
        complaint,
        "9 secrets are active at once, and 8 are allowed: take out the old ones"
    );
    let shown = format!("{:?}", Door::new("kind = \"stripe\"", &["swordfish"]).keys);
    assert_eq!(shown, "VerifyingKeys([VerifyingKey(…)])");
}
