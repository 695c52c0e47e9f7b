//! The tokens in the webhook URLs that providers are given: who holds one was told it by us, for
//! this provider and this attempt.
//!
//! `v1.<base64url(id, attempt, app)>.<base64url(HMAC-SHA256)>`. The MAC covers the provider's name
//! too, so that one provider's token is worth nothing at another's door.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::secret::Secret;
use crate::transaction::{AppId, Key, TransactionId};

/// The shortest secret, in bytes, that tokens may be signed with: 128 bits.
pub(super) const SECRET_MIN_BYTES: usize = 16;

/// Separates this use of a secret from every other.
const PURPOSE: &[u8] = b"teller:webhook-token:v1";
const VERSION: &str = "v1";
const ID_BYTES: usize = 16;
const ATTEMPT_BYTES: usize = 4;
/// Characters of the longest token there is; a longer text is none, and is not decoded.
const TOKEN_MAX_CHARS: usize = 160;

/// What a valid token vouches for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    pub(super) key: Key,
    pub(super) attempt: u32,
}

/// The token for an attempt.
pub(super) fn issue(secret: &Secret, provider: &str, key: &Key, attempt: u32) -> String {
    let payload = payload(key, attempt);
    let tag = mac(secret, provider, &payload).finalize().into_bytes();
    format!(
        "{VERSION}.{}.{}",
        URL_SAFE_NO_PAD.encode(payload),
        URL_SAFE_NO_PAD.encode(tag)
    )
}

/// Where the provider is asked to send the webhooks of an attempt. Without secrets there is one URL
/// for all, and what comes there is a hint.
pub(super) fn webhook_url(
    secrets: &[Secret],
    public_url: &str,
    provider: &str,
    key: &Key,
    attempt: u32,
) -> String {
    match secrets.first() {
        Some(secret) => {
            let token = issue(secret, provider, key, attempt);
            format!("{public_url}/webhooks/{provider}/{token}")
        }
        None => format!("{public_url}/webhooks/{provider}"),
    }
}

/// What `token` vouches for, if any of the secrets has signed it for this provider. Compares in
/// constant time.
pub(super) fn verify(secrets: &[Secret], provider: &str, token: &str) -> Option<Claim> {
    if token.len() > TOKEN_MAX_CHARS {
        return None;
    }
    let (payload, tag) = token
        .strip_prefix(VERSION)?
        .strip_prefix('.')?
        .split_once('.')?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    // Every secret is tried, so that the time taken doesn't tell which one signed.
    let signed = secrets.iter().fold(false, |signed, secret| {
        signed | mac(secret, provider, &payload).verify_slice(&tag).is_ok()
    });
    signed.then(|| read(&payload)).flatten()
}

fn payload(key: &Key, attempt: u32) -> Vec<u8> {
    [
        key.id.0.as_bytes().as_slice(),
        &attempt.to_be_bytes(),
        key.app.as_str().as_bytes(),
    ]
    .concat()
}

fn read(payload: &[u8]) -> Option<Claim> {
    let (id, rest) = payload.split_first_chunk::<ID_BYTES>()?;
    let (attempt, app) = rest.split_first_chunk::<ATTEMPT_BYTES>()?;
    Some(Claim {
        key: Key {
            app: AppId::parse(std::str::from_utf8(app).ok()?).ok()?,
            id: TransactionId(Uuid::from_bytes(*id)),
        },
        attempt: u32::from_be_bytes(*attempt),
    })
}

fn mac(secret: &Secret, provider: &str, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
    for part in [PURPOSE, provider.as_bytes(), payload] {
        // The length before each part: otherwise bytes could move from one part to the next.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            app: AppId::parse("shop").expect("legal"),
            id: TransactionId(Uuid::from_u128(0x1234)),
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[test]
    fn a_token_vouches_for_what_it_was_issued_for() {
        let token = issue(&secret("one"), "acme", &key(), 3);
        let claim = verify(&[secret("one")], "acme", &token);
        assert_eq!(
            claim,
            Some(Claim {
                key: key(),
                attempt: 3
            })
        );
        assert!(token.len() <= TOKEN_MAX_CHARS);
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        );
    }

    #[test]
    fn the_longest_name_fits_into_a_token() {
        let app = "x".repeat(AppId::MAX_LENGTH_CHARS);
        let key = Key {
            app: AppId::parse(&app).expect("legal"),
            ..key()
        };
        let token = issue(&secret("one"), "acme", &key, u32::MAX);
        let claim = verify(&[secret("one")], "acme", &token);
        assert_eq!(
            claim,
            Some(Claim {
                key,
                attempt: u32::MAX
            })
        );
    }

    #[test]
    fn secrets_rotate() {
        let token = issue(&secret("old"), "acme", &key(), 1);
        assert!(verify(&[secret("new"), secret("old")], "acme", &token).is_some());
        assert!(verify(&[secret("new")], "acme", &token).is_none());
        assert!(verify(&[], "acme", &token).is_none());
    }

    #[test]
    fn every_changed_character_breaks_it() {
        let secrets = [secret("one")];
        let token = issue(&secrets[0], "acme", &key(), 1);
        for at in 0..token.len() {
            for other in ['A', 'B', '_', '.', '='] {
                let mut forged: Vec<char> = token.chars().collect();
                if forged[at] == other {
                    continue;
                }
                forged[at] = other;
                let forged: String = forged.into_iter().collect();
                assert_eq!(verify(&secrets, "acme", &forged), None, "{forged}");
            }
        }
        for cut in 0..token.len() {
            assert_eq!(verify(&secrets, "acme", &token[..cut]), None);
        }
        assert_eq!(verify(&secrets, "acme", &format!("{token}A")), None);
    }

    #[test]
    fn parts_of_two_tokens_don_t_make_a_third() {
        let secrets = [secret("one")];
        let mine = issue(&secrets[0], "acme", &key(), 1);
        let other = issue(&secrets[0], "acme", &key(), 2);
        let (head, _) = mine.rsplit_once('.').expect("three parts");
        let (_, tag) = other.rsplit_once('.').expect("three parts");
        assert_eq!(verify(&secrets, "acme", &format!("{head}.{tag}")), None);
        assert_eq!(verify(&secrets, "other", &mine), None);
        assert_eq!(verify(&secrets, "acm", &mine), None);
    }
}
