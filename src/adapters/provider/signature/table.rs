//! `[webhook.signature]` as a profile writes it.
//!
//! One flat table whose `kind` says which other keys belong to it. A tagged enum would lose the
//! lines of mistakes, and the words that would have been right.

use std::fmt;

use http::HeaderName;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::encoding::{Encoding, KeyEncoding};
use crate::adapters::provider::duration::Written;
use crate::adapters::provider::outcome::{OneOrMany, Pointer};
use crate::adapters::provider::problem::nearest;

/// The table. Every key but `kind` may be left out as far as reading goes;
/// [`compile`](super::SignatureScheme::compile) says what the kind needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureTable {
    pub(super) kind: Kind,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) encoding: Option<Encoding>,
    pub(super) key_encoding: Option<KeyEncoding>,
    pub(super) header: Option<HeaderField>,
    pub(super) headers: Option<HeaderNames>,
    pub(super) query: Option<String>,
    pub(super) at: Option<Pointer>,
    pub(super) prefix: Option<String>,
    pub(super) signed: Option<String>,
    pub(super) escape: Option<EscapeRule>,
    pub(super) timestamp_header: Option<HeaderField>,
    pub(super) tolerance: Option<Written>,
    pub(super) components: Option<Vec<String>>,
    pub(super) key_id: Option<OneOrMany<String>>,
    pub(super) max_age: Option<Written>,
    pub(super) label: Option<String>,
}

impl SignatureTable {
    /// Whether every key that is given belongs to the kind.
    pub(super) fn check_keys(&self) -> Result<(), String> {
        let allowed = self.kind.keys();
        let Some(stray) = self.given().find(|key| !allowed.contains(key)) else {
            return Ok(());
        };
        let meant = match nearest(stray, allowed.iter().copied()) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None => String::new(),
        };
        Err(format!(
            "`{stray}` doesn't belong to kind = \"{}\", which has {}{meant}",
            self.kind,
            listed(allowed)
        ))
    }

    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("algorithm", self.algorithm.is_some()),
            ("encoding", self.encoding.is_some()),
            ("key_encoding", self.key_encoding.is_some()),
            ("header", self.header.is_some()),
            ("headers", self.headers.is_some()),
            ("query", self.query.is_some()),
            ("at", self.at.is_some()),
            ("prefix", self.prefix.is_some()),
            ("signed", self.signed.is_some()),
            ("escape", self.escape.is_some()),
            ("timestamp_header", self.timestamp_header.is_some()),
            ("tolerance", self.tolerance.is_some()),
            ("components", self.components.is_some()),
            ("key_id", self.key_id.is_some()),
            ("max_age", self.max_age.is_some()),
            ("label", self.label.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
    }

    /// The algorithm, if it is one of those that the kind has.
    pub(super) fn algorithm_among(&self, allowed: &[Algorithm]) -> Result<Algorithm, String> {
        let names: Vec<&str> = allowed.iter().map(|one| one.name()).collect();
        let kind = self.kind;
        match self.algorithm {
            Some(algorithm) if allowed.contains(&algorithm) => Ok(algorithm),
            Some(algorithm) => {
                let name = algorithm.name();
                let meant = match nearest(name, names.iter().copied()) {
                    Some(nearest) => format!("; did you mean `{nearest}`?"),
                    None => String::new(),
                };
                Err(format!(
                    "`algorithm`: {name} doesn't belong to kind = \"{kind}\", which has {}{meant}",
                    listed(&names)
                ))
            }
            None => Err(format!(
                "kind = \"{kind}\" needs `algorithm`: {}",
                listed(&names)
            )),
        }
    }
}

/// Words in backticks, as a sentence lists them.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// How the provider signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    SharedToken,
    Hmac,
    StandardWebhooks,
    Stripe,
    Rfc9421,
}

impl Kind {
    /// The keys that belong to it.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::SharedToken => &["header", "query"],
            Self::Hmac => &[
                "algorithm",
                "encoding",
                "key_encoding",
                "header",
                "at",
                "prefix",
                "signed",
                "escape",
                "timestamp_header",
                "tolerance",
            ],
            Self::StandardWebhooks => &["headers", "tolerance"],
            Self::Stripe => &["header", "tolerance"],
            Self::Rfc9421 => &[
                "algorithm",
                "key_encoding",
                "components",
                "key_id",
                "max_age",
                "label",
            ],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SharedToken => "shared_token",
            Self::Hmac => "hmac",
            Self::StandardWebhooks => "standard_webhooks",
            Self::Stripe => "stripe",
            Self::Rfc9421 => "rfc9421",
        })
    }
}

/// Every word that `algorithm` can have, in whichever kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "sha1")]
    Sha1,
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "sha512")]
    Sha512,
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "ed25519")]
    Ed25519,
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    #[serde(rename = "ecdsa-p384-sha384")]
    EcdsaP384Sha384,
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
}

impl Algorithm {
    /// The word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
        }
    }
}

/// Under which names the headers of Standard Webhooks come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HeaderNames {
    /// `webhook-id` and so on.
    #[default]
    Standard,
    /// `svix-id` and so on.
    Svix,
}

/// How values of the item are written into what is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EscapeRule {
    /// As they are.
    #[default]
    None,
    /// With a backslash before each backslash and each colon.
    Backslash,
}

/// A header's name, kept in small letters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HeaderField(pub(super) HeaderName);

impl<'de> Deserialize<'de> for HeaderField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HeaderName::from_bytes(text.as_bytes())
            .map(Self)
            .map_err(|_| {
                D::Error::custom(format!(
                    "expected a header's name such as \"x-signature\", got {text:?}"
                ))
            })
    }
}
