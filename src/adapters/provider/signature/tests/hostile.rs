//! Whatever comes, nothing panics, and nothing verifies that wasn't signed.

use proptest::prelude::*;
use serde_json::json;

use super::super::Signed;
use super::support::{Door, scheme};
use crate::transaction::Timestamp;

const NOW_S: i64 = 1_614_265_330;
const ED25519: &str = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";
/// One profile of each kind, with a secret.
const DOORS: [(&str, &str); 7] = [
    ("kind = \"shared_token\"\nheader = \"x-a\"", "swordfish"),
    ("kind = \"shared_token\"\nquery = \"x\"", "swordfish"),
    (
        "kind = \"hmac\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\nheader = \"x-a\"\nprefix = \"v=\"\nsigned = \"{header:x-b}{method}{path}{body}\"\ntimestamp_header = \"x-b\"",
        "swordfish",
    ),
    (
        "kind = \"hmac\"\nalgorithm = \"sha1\"\nencoding = \"base64\"\nat = \"/sig\"\nsigned = \"{at:/a}\"\nescape = \"backslash\"",
        "swordfish",
    ),
    (
        "kind = \"standard_webhooks\"",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    ("kind = \"stripe\"", "whsec_swordfish"),
    ("kind = \"rfc9421\"\nalgorithm = \"ed25519\"", ED25519),
];
const NAMES: [&str; 10] = [
    "x-a",
    "x-b",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "stripe-signature",
    "signature-input",
    "signature",
    "content-digest",
    "date",
];

/// Bytes that get far: pieces of what each scheme reads, mixed with anything.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "t=1614265330",
        "1614265330",
        ",",
        "v1=",
        "v1,",
        "v1a,",
        " ",
        "s=",
        ":",
        "(",
        ")",
        "\"@path\"",
        "\"content-digest\"",
        "\"@method\"",
        ";created=1614265330",
        ";keyid=\"k\"",
        ";alg=\"ed25519\"",
        "sha-256=:",
        "v=",
        "AAAA",
        "=",
        "s=(\"content-digest\" \"@method\" \"@path\");created=1614265330",
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    ];
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => Just([b"s=:".as_slice(), &b"A".repeat(86), b"==:"].concat()),
        1 => Just(b"0".repeat(64)),
        2 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_that_comes_panics_or_verifies(
        values in proptest::collection::vec((proptest::sample::select(NAMES.to_vec()), value()), 0..12),
        whole in any::<bool>(),
        method in ".{0,8}",
        url in prop_oneof!["https://pay\\.example/[a-z?&=%]{0,20}", ".{0,40}"],
        body in proptest::collection::vec(any::<u8>(), 0..40),
        sig in ".{0,40}",
        a in prop_oneof![Just(json!(null)), Just(json!([1])), any::<i64>().prop_map(|n| json!(n)), ".{0,9}".prop_map(|s| json!(s))],
    ) {
        let mut headers: Vec<(&str, &[u8])> =
            values.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        if whole {
            // Once each, so that what comes after the count of headers is reached as well.
            headers.sort_by_key(|(name, _)| *name);
            headers.dedup_by_key(|(name, _)| *name);
        }
        let item = json!({ "sig": sig, "a": a });
        for (profile, secret) in DOORS {
            let door = Door::new(profile, &[secret]);
            let signed = Signed {
                headers: &headers,
                method: &method,
                url: &url,
                body: &body,
                now: Timestamp::from_millis(NOW_S * 1000),
            };
            for item in [None, Some(&item)] {
                let verified = door.scheme.verify(&door.keys, &signed, item);
                let fault = verified.expect_err("nobody has signed it");
                prop_assert!(!fault.to_string().is_empty());
            }
        }
    }

    #[test]
    fn nothing_that_a_profile_says_panics(
        signed in "[{}a-z:/~]{0,20}|.{0,20}",
        prefix in ".{0,9}",
        at in "(/[a-z~]{0,3}){0,3}|.{0,9}",
        component in "@?[a-z-]{0,9}|.{0,9}",
        secret in ".{0,40}",
    ) {
        let quoted = |text: &str| serde_json::to_string(text).expect("a string");
        let hmac = "kind = \"hmac\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\n";
        for profile in [
            format!("{hmac}header = \"x\"\nprefix = {}\nsigned = {}", quoted(&prefix), quoted(&signed)),
            format!("{hmac}at = {}\nsigned = {}", quoted(&at), quoted(&signed)),
            format!("kind = \"shared_token\"\nquery = {}", quoted(&prefix)),
            format!("kind = \"rfc9421\"\nalgorithm = \"rsa-pss-sha512\"\ncomponents = [{}]", quoted(&component)),
            "kind = \"standard_webhooks\"".to_owned(),
        ] {
            if let Ok(scheme) = scheme(&profile) {
                prop_assert!(!scheme.describe().is_empty());
                for secret in [secret.clone(), format!("whsec_{secret}"), format!("whpk_{secret}"), format!("-----BEGIN {secret}")] {
                    if let Ok(key) = scheme.key(&secret) {
                        prop_assert_eq!(format!("{key:?}"), "VerifyingKey(…)");
                    }
                }
            }
        }
    }
}
