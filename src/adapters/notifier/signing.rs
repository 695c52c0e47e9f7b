//! The signatures of Standard Webhooks: v1 by a secret that both sides know, v1a by a private key whose
//! public half the app knows. Every key that is valid signs, so that an app can change over while two
//! are.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::Sha256;

use crate::adapters::provider::Secret;
use crate::transaction::Timestamp;

/// Lengths that a shared key may have, in bytes.
const SHARED_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Written before a shared key in base64.
const SHARED_PREFIX: &str = "whsec_";
/// Written before a private key in base64.
const PRIVATE_PREFIX: &str = "whsk_";
/// Written before a public key in base64.
const PUBLIC_PREFIX: &str = "whpk_";
/// The part of a private key that is secret, in bytes; its public key may follow.
const SEED_BYTES: usize = 32;

/// One key that signs.
pub(super) enum SigningKey {
    /// v1: HMAC-SHA256.
    Shared(Secret),
    /// v1a: Ed25519.
    Private(Box<Ed25519KeyPair>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared(…)",
            Self::Private(_) => "Private(…)",
        })
    }
}

impl SigningKey {
    /// Reads a key as it is written in a file or variable.
    ///
    /// # Errors
    /// What is wrong with it, without any of it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(key) = text.strip_prefix(SHARED_PREFIX) {
            let key = decode(SHARED_PREFIX, key)?;
            return if SHARED_BYTES.contains(&key.len()) {
                Ok(Self::Shared(Secret::new(key)))
            } else {
                Err(format!(
                    "the key has {} bytes, expected {} to {}",
                    key.len(),
                    SHARED_BYTES.start(),
                    SHARED_BYTES.end()
                ))
            };
        }
        if let Some(key) = text.strip_prefix(PRIVATE_PREFIX) {
            let key = decode(PRIVATE_PREFIX, key)?;
            return private(&key).map(|pair| Self::Private(Box::new(pair)));
        }
        Err(format!(
            "expected a secret that begins with {SHARED_PREFIX} or {PRIVATE_PREFIX}"
        ))
    }

    fn sign(&self, signed: &[u8]) -> String {
        match self {
            Self::Shared(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose())
                    .expect("HMAC takes a key of any length");
                mac.update(signed);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Self::Private(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(signed))),
        }
    }
}

fn decode(prefix: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|_| format!("what follows {prefix} is no base64"))
}

fn private(key: &[u8]) -> Result<Ed25519KeyPair, String> {
    match key.split_at_checked(SEED_BYTES) {
        Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
        Some((seed, public)) if public.len() == SEED_BYTES => {
            Ed25519KeyPair::from_seed_and_public_key(seed, public)
        }
        _ => {
            return Err(format!(
                "the key has {} bytes, expected {SEED_BYTES}, or {} with its public key",
                key.len(),
                2 * SEED_BYTES
            ));
        }
    }
    .map_err(|_| "its second half is not the public key of its first".to_owned())
}

/// The public key of a secret that begins with `whsk_`, as apps are given it: `whpk_…`.
///
/// # Errors
/// What is wrong with the secret, without any of it.
pub fn public_key(secret: &str) -> Result<String, String> {
    match SigningKey::parse(secret)? {
        SigningKey::Private(pair) => Ok(format!(
            "{PUBLIC_PREFIX}{}",
            STANDARD.encode(pair.public_key())
        )),
        SigningKey::Shared(_) => Err(format!(
            "a secret that begins with {SHARED_PREFIX} has no public key; the app needs the secret itself"
        )),
    }
}

/// An app's keys, the newest first.
#[derive(Debug)]
pub(super) struct Signers(pub(super) Vec<Signer>);

/// A key, and until when it signs.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) key: SigningKey,
    pub(super) until: Option<Timestamp>,
}

impl Signers {
    /// The value of `webhook-signature` at `now`: one signature per key that is valid then.
    pub(super) fn signature(&self, id: &str, now: Timestamp, body: &str) -> String {
        let signed = format!("{id}.{}.{body}", now.as_secs());
        let signatures: Vec<String> = self
            .0
            .iter()
            .filter(|signer| signer.until.is_none_or(|until| now < until))
            .map(|signer| signer.key.sign(signed.as_bytes()))
            .collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const V1A: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const V1_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const V1A_SIGNATURE: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    fn signers(secrets: &[(&str, Option<i64>)]) -> Signers {
        let signer = |&(secret, until_s): &(&str, Option<i64>)| Signer {
            key: SigningKey::parse(secret).expect("a secret"),
            until: until_s.map(|s| Timestamp::from_millis(s * 1_000)),
        };
        Signers(secrets.iter().map(signer).collect())
    }

    fn sign(signers: &Signers, id: &str, timestamp_s: i64, body: &str) -> String {
        signers.signature(id, Timestamp::from_millis(timestamp_s * 1_000 + 999), body)
    }

    /// The first half of the standard's private key: what is secret of it.
    fn seed() -> String {
        let whole = STANDARD
            .decode(&V1A[PRIVATE_PREFIX.len()..])
            .expect("base64");
        format!("whsk_{}", STANDARD.encode(&whole[..32]))
    }

    #[test]
    fn signatures_match_the_standard_s_vectors() {
        let seed = seed();
        for (secret, id, timestamp_s, body, expected) in [
            (V1, ID, 1_614_265_330, BODY, V1_SIGNATURE),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (V1A, ID, 1_614_265_330, BODY, V1A_SIGNATURE),
            (&seed, ID, 1_614_265_330, BODY, V1A_SIGNATURE),
        ] {
            let signers = signers(&[(secret, None)]);
            assert_eq!(sign(&signers, id, timestamp_s, body), expected);
        }
    }

    #[test]
    fn every_valid_secret_signs_while_they_rotate() {
        const NOW_S: i64 = 1_614_265_330;
        let at = |until_s| {
            let signers = signers(&[(V1A, None), (V1, Some(until_s))]);
            sign(&signers, ID, NOW_S, BODY)
        };
        assert_eq!(
            at(NOW_S + 1),
            format!("{V1A_SIGNATURE} {V1_SIGNATURE}"),
            "the newest first"
        );
        assert_eq!(at(NOW_S), V1A_SIGNATURE, "its time is over");
    }

    #[test]
    fn the_app_gets_the_public_half() {
        let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!(public_key(V1A).as_deref(), Ok(public));
        assert_eq!(public_key(&format!("{}\n", seed())).as_deref(), Ok(public));
        let said = public_key(V1).expect_err("shared");
        assert!(said.contains("has no public key"), "{said}");
    }

    #[test]
    fn a_wrong_secret_is_described_without_being_shown() {
        let private = |bytes: &[u8]| format!("whsk_{}", STANDARD.encode(bytes));
        let shared = |bytes: &[u8]| format!("whsec_{}", STANDARD.encode(bytes));
        for (text, expected) in [
            ("sesame".to_owned(), "begins with whsec_ or whsk_"),
            ("whsec_s@same".to_owned(), "follows whsec_ is no base64"),
            ("whsk_s@same".to_owned(), "follows whsk_ is no base64"),
            (shared(&[7; 23]), "has 23 bytes, expected 24 to 64"),
            (shared(&[7; 65]), "has 65 bytes, expected 24 to 64"),
            (private(&[7; 31]), "has 31 bytes, expected 32, or 64"),
            (private(&[7; 33]), "has 33 bytes, expected 32, or 64"),
            (private(&[7; 65]), "has 65 bytes, expected 32, or 64"),
            (private(&[7; 64]), "is not the public key"),
        ] {
            let said = SigningKey::parse(&text).expect_err("wrong");
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("same") && !said.contains("Bwc"), "{said}");
        }
        assert!(SigningKey::parse(&format!("{}\n", shared(&[7; 64]))).is_ok());
    }

    #[test]
    fn printing_shows_nothing_of_a_key() {
        let shown = format!("{:?}", signers(&[(V1A, None), (V1, None)]));
        assert!(shown.contains("Private(…)") && shown.contains("Shared(…)"));
        // Neither half of the pair: not even ring's own form of the public one.
        assert!(
            !shown.contains("PublicKey") && !shown.to_lowercase().contains("d52880"),
            "{shown}"
        );
    }
}
