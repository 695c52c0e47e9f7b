//! Standard Webhooks: v1 (HMAC-SHA256) and v1a (Ed25519), over `id.timestamp.body`.

use std::time::Duration;

use http::HeaderName;

use super::encoding::{self, Encoding};
use super::fields::{self, header_place};
use super::keys::{VerifyingKey, VerifyingKeys};
use super::mac::MacAlgorithm;
use super::public_key::{PublicAlgorithm, PublicKey};
use super::table::{HeaderNames, SignatureTable};
use super::{SIGNATURES_MAX, SignatureFault, Signed, Verified, age};

/// What a shared secret begins with, and the lengths that the specification allows it, in bytes.
const SHARED_PREFIX: &str = "whsec_";
const SHARED_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// What a public key begins with.
const PUBLIC_PREFIX: &str = "whpk_";
/// What the private key to it begins with, which is no business of ours.
const PRIVATE_PREFIX: &str = "whsk_";

/// The length of an Ed25519 signature, in bytes.
const ED25519_BYTES: usize = 64;
/// The longest message id, in characters. Ids in use have 30; one is kept per event for a month.
const ID_MAX_CHARS: usize = 256;

/// The scheme.
#[derive(Clone, Debug)]
pub(crate) struct StandardWebhooks {
    id: HeaderName,
    timestamp: HeaderName,
    signature: HeaderName,
    tolerance: Duration,
}

/// The signatures that came, by version.
#[derive(Default)]
struct Signatures {
    v1: Vec<Vec<u8>>,
    v1a: Vec<Vec<u8>>,
}

impl StandardWebhooks {
    pub(super) fn compile(table: &SignatureTable) -> Result<Self, String> {
        let name = HeaderName::from_static;
        let (id, timestamp, signature) = match table.headers.unwrap_or_default() {
            HeaderNames::Standard => ("webhook-id", "webhook-timestamp", "webhook-signature"),
            HeaderNames::Svix => ("svix-id", "svix-timestamp", "svix-signature"),
        };
        Ok(Self {
            id: name(id),
            timestamp: name(timestamp),
            signature: name(signature),
            tolerance: age::tolerance(table.tolerance, "tolerance")?,
        })
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "Standard Webhooks v1 (HMAC-SHA256) or v1a (Ed25519) of `<id>.<timestamp>.<body>` in the header {}, not more than {} from now",
            self.signature,
            age::shown(self.tolerance)
        )
    }

    pub(super) fn verify(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
    ) -> Result<Verified, SignatureFault> {
        let id = self.message_id(signed)?;
        let timestamp = fields::one_text(signed, &self.timestamp)?;
        let signatures = self.signatures(signed)?;
        let at = age::seconds(timestamp, || header_place(&self.timestamp))?;
        age::check(at, signed.now, self.tolerance)?;
        let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", signed.body];
        let by_secret = MacAlgorithm::Sha256.any_signed(keys, &message, &signatures.v1);
        let by_key = !signatures.v1a.is_empty()
            && keys.any_public_signed(&message.concat(), &signatures.v1a);
        if !(by_secret || by_key) {
            return Err(SignatureFault::Mismatch);
        }
        Ok(Verified {
            signed_at: Some(at),
            message_id: Some(id.to_owned()),
        })
    }

    /// The message's id. One with a full stop could be cut in two ways, and then the same signature
    /// would be good for two messages.
    fn message_id<'a>(&self, signed: &Signed<'a>) -> Result<&'a str, SignatureFault> {
        let id = fields::one_text(signed, &self.id)?;
        let what = if id.contains('.') {
            "has a full stop in it, which separates what is signed"
        } else if id.len() > ID_MAX_CHARS {
            "is longer than any message's id"
        } else {
            return Ok(id);
        };
        Err(SignatureFault::Malformed {
            place: header_place(&self.id),
            what,
        })
    }

    fn signatures(&self, signed: &Signed<'_>) -> Result<Signatures, SignatureFault> {
        let place = || header_place(&self.signature);
        let malformed = |what| SignatureFault::Malformed {
            place: place(),
            what,
        };
        let mut signatures = Signatures::default();
        for (number, one) in fields::one_text(signed, &self.signature)?
            .split(' ')
            .enumerate()
        {
            if number >= SIGNATURES_MAX {
                return Err(SignatureFault::TooMany { place: place() });
            }
            let (version, text) = one
                .split_once(',')
                .ok_or_else(|| malformed("is no list of versions and signatures"))?;
            let (list, length) = match version {
                "v1" => (&mut signatures.v1, MacAlgorithm::Sha256.tag_bytes()),
                "v1a" => (&mut signatures.v1a, ED25519_BYTES),
                // The specification tells receivers to pass over versions that they don't know.
                _ => continue,
            };
            list.push(Encoding::Base64.decode(text, length).map_err(malformed)?);
        }
        if signatures.v1.is_empty() && signatures.v1a.is_empty() {
            return Err(SignatureFault::NoneKnown { place: place() });
        }
        Ok(signatures)
    }
}

/// Reads `whsec_…` or `whpk_…`.
pub(super) fn key(text: &str) -> Result<VerifyingKey, String> {
    if let Some(rest) = text.strip_prefix(SHARED_PREFIX) {
        let bytes = encoding::base64_key(rest)
            .ok_or("the secret is not base64 after its whsec_".to_owned())?;
        if !SHARED_BYTES.contains(&bytes.len()) {
            return Err(format!(
                "the secret has {} bytes after its whsec_, and Standard Webhooks wants {} to {}",
                bytes.len(),
                SHARED_BYTES.start(),
                SHARED_BYTES.end()
            ));
        }
        return Ok(VerifyingKey::shared(bytes));
    }
    if let Some(rest) = text.strip_prefix(PUBLIC_PREFIX) {
        return encoding::base64_key(rest)
            .and_then(|bytes| PublicKey::raw(PublicAlgorithm::Ed25519, &bytes))
            .map(VerifyingKey::public)
            .ok_or("the public key is not base64 of 32 bytes after its whpk_".to_owned());
    }
    if text.starts_with(PRIVATE_PREFIX) {
        return Err(
            "that is a private key (whsk_…), which only the provider should have: use the public one (whpk_…)"
                .to_owned(),
        );
    }
    Err("a secret of Standard Webhooks begins with whsec_, a public key with whpk_".to_owned())
}
