//! A secret that comes along with every webhook.

use std::borrow::Cow;

use http::HeaderName;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::fields::{self, header_place};
use super::keys::VerifyingKeys;
use super::table::SignatureTable;
use super::{HEADER_MAX_BYTES, SignatureFault, Signed, Verified};

/// Where the secret stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SharedToken {
    /// In a header.
    Header(HeaderName),
    /// In a parameter of the URL.
    Query(String),
}

impl SharedToken {
    pub(super) fn compile(table: &SignatureTable) -> Result<Self, String> {
        match (&table.header, &table.query) {
            (Some(header), None) => Ok(Self::Header(header.0.clone())),
            (None, Some(query)) if query.is_empty() => {
                Err("`query` names the parameter that carries the token, and is empty".to_owned())
            }
            (None, Some(query)) => Ok(Self::Query(query.clone())),
            (None, None) => Err(
                "kind = \"shared_token\" needs `header` or `query`: where the token stands"
                    .to_owned(),
            ),
            (Some(_), Some(_)) => Err(
                "`header` and `query` both say where the token stands: keep one of them".to_owned(),
            ),
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("the shared token in {}", self.place())
    }

    pub(super) fn verify(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
    ) -> Result<Verified, SignatureFault> {
        // Digests are compared, so that neither the time taken nor an early end tells the length.
        let presented = Sha256::digest(self.presented(signed)?);
        let known = keys.shared().fold(false, |known, secret| {
            known | bool::from(Sha256::digest(secret).ct_eq(&presented))
        });
        if known {
            Ok(Verified::default())
        } else {
            Err(SignatureFault::Mismatch)
        }
    }

    fn presented<'a>(&self, signed: &Signed<'a>) -> Result<Cow<'a, [u8]>, SignatureFault> {
        let name = match self {
            Self::Header(name) => return fields::one(signed, name).map(Cow::Borrowed),
            Self::Query(name) => name,
        };
        let url = reqwest::Url::parse(signed.url).map_err(|_| SignatureFault::Malformed {
            place: "the webhook's URL".to_owned(),
            what: "can't be read",
        })?;
        let mut values = url.query_pairs().filter(|(key, _)| key == name);
        let (_, value) = values.next().ok_or_else(|| SignatureFault::Missing {
            place: self.place(),
        })?;
        if values.next().is_some() {
            return Err(SignatureFault::Duplicated {
                place: self.place(),
            });
        }
        if value.len() > HEADER_MAX_BYTES {
            return Err(SignatureFault::TooLong {
                place: self.place(),
            });
        }
        Ok(Cow::Owned(value.into_owned().into_bytes()))
    }

    fn place(&self) -> String {
        match self {
            Self::Header(name) => header_place(name),
            Self::Query(name) => format!("the URL's parameter {name}"),
        }
    }
}
