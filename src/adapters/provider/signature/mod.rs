//! Whether a webhook was signed by the provider.
//!
//! ```text
//!   [webhook.signature] ──▶ SignatureTable ──compile──▶ SignatureScheme ◀── verify ── Signed, item
//!                           (as written)                 │        ▲                  (raw bytes)
//!   a secret, as written ────────────────────── key ─────┘        └── VerifyingKeys
//! ```
//!
//! What holds here: signatures are over the raw bytes that came, never over something parsed and
//! written again; every active secret is tried, and compared in constant time; a header that carries
//! a signature or its time stands there once, or the webhook is refused; nothing here panics at
//! hostile input, and nothing shows a secret or a signature.

mod age;
mod encoding;
mod fault;
mod fields;
mod hmac_scheme;
mod keys;
mod mac;
mod public_key;
mod rfc9421;
mod shared_token;
mod signed_text;
mod standard_webhooks;
mod stripe;
mod table;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::outcome::Pointer;

pub(crate) use fault::SignatureFault;
pub(crate) use keys::{VerifyingKey, VerifyingKeys};
pub(crate) use table::SignatureTable;

use crate::transaction::Timestamp;
use hmac_scheme::HmacScheme;
use rfc9421::MessageSignatures;
use shared_token::SharedToken;
use standard_webhooks::StandardWebhooks;
use stripe::Stripe;
use table::Kind;

/// The most signatures that one webhook may carry. During a rotation there are two; more than these
/// would only make us compute.
const SIGNATURES_MAX: usize = 16;
/// The most bytes of a header's value, its lines taken together, that are looked at. The longest in
/// use, two RSA signatures of 4096 bits, take a fifth of it.
const HEADER_MAX_BYTES: usize = 8 * 1024;

/// A webhook as it came: what may be signed.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// Every header line in the order of arrival: its name, and its value's bytes.
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    /// The method, in capitals.
    pub(crate) method: &'a str,
    /// The absolute URL as the provider knows it: public scheme, host, path and query.
    pub(crate) url: &'a str,
    /// The body, byte for byte.
    pub(crate) body: &'a [u8],
    /// When it came.
    pub(crate) now: Timestamp,
}

/// What a good signature vouches for, besides what it covers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verified {
    /// When it was signed, as the signature itself says.
    pub(crate) signed_at: Option<Timestamp>,
    /// The message's own id, where the scheme has one that is signed: the same whenever it is sent again.
    pub(crate) message_id: Option<String>,
}

/// How one provider signs its webhooks.
#[derive(Clone, Debug)]
pub(crate) enum SignatureScheme {
    /// A header or a parameter repeats a secret.
    SharedToken(SharedToken),
    /// An HMAC over something that the profile describes.
    Hmac(HmacScheme),
    /// The Standard Webhooks specification.
    StandardWebhooks(StandardWebhooks),
    /// Stripe's header.
    Stripe(Stripe),
    /// HTTP Message Signatures.
    MessageSignatures(MessageSignatures),
}

impl SignatureScheme {
    /// Checks what the profile says, and prepares it.
    ///
    /// # Errors
    /// What is wrong with it, for the profile's author. It names the key.
    pub(crate) fn compile(table: &SignatureTable) -> Result<Self, String> {
        table.check_keys()?;
        Ok(match table.kind {
            Kind::SharedToken => Self::SharedToken(SharedToken::compile(table)?),
            Kind::Hmac => Self::Hmac(HmacScheme::compile(table)?),
            Kind::StandardWebhooks => Self::StandardWebhooks(StandardWebhooks::compile(table)?),
            Kind::Stripe => Self::Stripe(Stripe::compile(table)?),
            Kind::Rfc9421 => Self::MessageSignatures(MessageSignatures::compile(table)?),
        })
    }

    /// Reads one secret as it is written in a file or a variable. White space around it doesn't count.
    ///
    /// # Errors
    /// What a secret of this scheme looks like. The secret itself is not shown.
    pub(crate) fn key(&self, text: &str) -> Result<VerifyingKey, String> {
        let text = keys::trimmed(text)?;
        match self {
            Self::SharedToken(_) | Self::Stripe(_) => keys::text(text),
            Self::Hmac(scheme) => scheme.key(text),
            Self::StandardWebhooks(_) => standard_webhooks::key(text),
            Self::MessageSignatures(scheme) => scheme.key(text),
        }
    }

    /// Whether each item of a batch has its own signature, so that [`Self::verify`] needs the item.
    pub(crate) fn is_per_item(&self) -> bool {
        match self {
            Self::Hmac(scheme) => scheme.is_per_item(),
            Self::SharedToken(_)
            | Self::StandardWebhooks(_)
            | Self::Stripe(_)
            | Self::MessageSignatures(_) => false,
        }
    }

    /// Whether an old webhook, sent again by somebody else, is refused. Where it isn't, only knowing
    /// every event id protects from a replay.
    pub(crate) fn has_timestamp(&self) -> bool {
        match self {
            Self::SharedToken(_) => false,
            Self::Hmac(scheme) => scheme.has_timestamp(),
            Self::StandardWebhooks(_) | Self::Stripe(_) | Self::MessageSignatures(_) => true,
        }
    }

    /// In one line, what is checked.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::SharedToken(scheme) => scheme.describe(),
            Self::Hmac(scheme) => scheme.describe(),
            Self::StandardWebhooks(scheme) => scheme.describe(),
            Self::Stripe(scheme) => scheme.describe(),
            Self::MessageSignatures(scheme) => scheme.describe(),
        }
    }

    /// What a good signature of this kind leaves unprotected, if it leaves anything.
    pub(crate) fn caution(&self) -> Option<String> {
        match self {
            Self::SharedToken(_) => Some(
                "a shared token covers nothing of the webhook: who sees one can write another"
                    .to_owned(),
            ),
            Self::Hmac(scheme) => scheme.caution(),
            Self::MessageSignatures(scheme) => scheme.caution(),
            Self::StandardWebhooks(_) | Self::Stripe(_) => None,
        }
    }

    /// The places of an event that are signed, where the signature covers single values and not the whole
    /// body.
    pub(crate) fn signed_places(&self) -> Option<Vec<&Pointer>> {
        match self {
            Self::Hmac(scheme) => scheme.signed_places(),
            Self::SharedToken(_)
            | Self::StandardWebhooks(_)
            | Self::Stripe(_)
            | Self::MessageSignatures(_) => None,
        }
    }

    /// Whether a good signature covers what stands at this place of an event.
    pub(crate) fn covers(&self, place: &Pointer) -> bool {
        match self {
            Self::SharedToken(_) => false,
            Self::Hmac(scheme) => scheme
                .signed_places()
                .is_none_or(|places| places.contains(&place)),
            Self::StandardWebhooks(_) | Self::Stripe(_) => true,
            Self::MessageSignatures(scheme) => scheme.covers_body(),
        }
    }

    /// Whether one of `keys` has signed this webhook. `item` is the item of a batch that is asked
    /// about, or the whole body where there is no batch; only schemes that are
    /// [per item](Self::is_per_item) look at it.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(crate) fn verify(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
        item: Option<&Value>,
    ) -> Result<Verified, SignatureFault> {
        match self {
            Self::SharedToken(scheme) => scheme.verify(keys, signed),
            Self::Hmac(scheme) => scheme.verify(keys, signed, item),
            Self::StandardWebhooks(scheme) => scheme.verify(keys, signed),
            Self::Stripe(scheme) => scheme.verify(keys, signed),
            Self::MessageSignatures(scheme) => scheme.verify(keys, signed),
        }
    }
}
