//! The secrets and public keys that signatures are checked with.

use std::fmt;

use super::encoding::{self, KeyEncoding};
use super::public_key::PublicKey;
use crate::adapters::provider::secret::Secret;

/// The longest secret as it is written, in bytes: a public RSA key of 8192 bits takes a tenth of it.
const WRITTEN_MAX_BYTES: usize = 16 * 1024;

/// One secret, or one public key.
#[derive(Clone)]
pub(crate) struct VerifyingKey(Material);

#[derive(Clone)]
enum Material {
    /// Both sides have it.
    Shared(Secret),
    /// Only the provider can sign.
    Public(PublicKey),
}

impl VerifyingKey {
    pub(super) fn shared(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Material::Shared(Secret::new(bytes)))
    }

    pub(super) fn public(key: PublicKey) -> Self {
        Self(Material::Public(key))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(…)")
    }
}

/// The keys that are active at the same time, while they rotate: one at least.
#[derive(Clone, Debug)]
pub(crate) struct VerifyingKeys(Vec<VerifyingKey>);

impl VerifyingKeys {
    /// The most that may be active at once. A rotation needs two, and each costs every webhook a
    /// computation.
    pub(crate) const MAX: usize = 8;

    /// Takes them.
    ///
    /// # Errors
    /// There are none, or too many.
    pub(crate) fn new(keys: Vec<VerifyingKey>) -> Result<Self, String> {
        match keys.len() {
            0 => Err("a signature needs at least one secret to be checked with".to_owned()),
            1..=Self::MAX => Ok(Self(keys)),
            many => Err(format!(
                "{many} secrets are active at once, and {} are allowed: take out the old ones",
                Self::MAX
            )),
        }
    }

    /// The shared secrets among them.
    pub(super) fn shared(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter_map(|key| match &key.0 {
            Material::Shared(secret) => Some(secret.expose()),
            Material::Public(_) => None,
        })
    }

    /// Whether any public key among them has made any of the signatures over `message`.
    pub(super) fn any_public_signed(&self, message: &[u8], signatures: &[Vec<u8>]) -> bool {
        let public = self.0.iter().filter_map(|key| match &key.0 {
            Material::Public(public) => Some(public),
            Material::Shared(_) => None,
        });
        public.fold(false, |found, key| {
            signatures.iter().fold(found, |found, signature| {
                found | key.has_signed(message, signature)
            })
        })
    }
}

/// A secret as it is written, without the white space that files and shells put around it.
pub(super) fn trimmed(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the secret is empty".to_owned());
    }
    if text.len() > WRITTEN_MAX_BYTES {
        return Err(format!(
            "the secret is longer than {WRITTEN_MAX_BYTES} bytes"
        ));
    }
    Ok(text)
}

/// A shared secret whose characters are the key.
pub(super) fn text(text: &str) -> Result<VerifyingKey, String> {
    if text.chars().any(char::is_control) {
        return Err(
            "the secret has line breaks or other control characters in it: give one secret, on one line"
                .to_owned(),
        );
    }
    Ok(VerifyingKey::shared(text))
}

/// A shared secret written as the profile's `key_encoding` says.
pub(super) fn encoded(text_: &str, encoding: KeyEncoding) -> Result<VerifyingKey, String> {
    let (bytes, what) = match encoding {
        KeyEncoding::Text => return text(text_),
        KeyEncoding::Hex => (encoding::hex(text_), "hexadecimal"),
        KeyEncoding::Base64 => (encoding::base64_key(text_), "base64"),
    };
    bytes
        .filter(|bytes| !bytes.is_empty())
        .map(VerifyingKey::shared)
        .ok_or_else(|| format!("the secret is not {what}, as `key_encoding` says it is"))
}
