//! Stripe's header: `t=<seconds>,v1=<hex>[,v1=<hex>]`, an HMAC-SHA256 over `t.body`.

use std::time::Duration;

use http::HeaderName;

use super::encoding::Encoding;
use super::fields::{self, header_place};
use super::keys::VerifyingKeys;
use super::mac::MacAlgorithm;
use super::table::SignatureTable;
use super::{SIGNATURES_MAX, SignatureFault, Signed, Verified, age};

const HEADER_DEFAULT: &str = "stripe-signature";

/// The scheme.
#[derive(Clone, Debug)]
pub(crate) struct Stripe {
    header: HeaderName,
    tolerance: Duration,
}

impl Stripe {
    pub(super) fn compile(table: &SignatureTable) -> Result<Self, String> {
        let header = table.header.clone().map(|header| header.0);
        Ok(Self {
            header: header.unwrap_or(HeaderName::from_static(HEADER_DEFAULT)),
            tolerance: age::tolerance(table.tolerance, "tolerance")?,
        })
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "hex HMAC-SHA256 of `<t>.<body>` in the header {}, not more than {} from now",
            self.header,
            age::shown(self.tolerance)
        )
    }

    pub(super) fn verify(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
    ) -> Result<Verified, SignatureFault> {
        let (time, tags) = self.read(fields::one_text(signed, &self.header)?)?;
        let at = age::seconds(time, || self.time_place())?;
        age::check(at, signed.now, self.tolerance)?;
        let message = [time.as_bytes(), b".", signed.body];
        if !MacAlgorithm::Sha256.any_signed(keys, &message, &tags) {
            return Err(SignatureFault::Mismatch);
        }
        Ok(Verified {
            signed_at: Some(at),
            message_id: None,
        })
    }

    /// The time as it is written, and the signatures of version 1. Other pairs, v0 among them, are
    /// none of ours.
    fn read<'a>(&self, text: &'a str) -> Result<(&'a str, Vec<Vec<u8>>), SignatureFault> {
        let place = || header_place(&self.header);
        let malformed = |what| SignatureFault::Malformed {
            place: place(),
            what,
        };
        let mut time = None;
        let mut tags = Vec::new();
        for pair in text.split(',') {
            match pair.split_once('=') {
                Some(("t", _)) if time.is_some() => {
                    let place = self.time_place();
                    return Err(SignatureFault::Duplicated { place });
                }
                Some(("t", value)) => time = Some(value),
                Some(("v1", _)) if tags.len() >= SIGNATURES_MAX => {
                    return Err(SignatureFault::TooMany { place: place() });
                }
                Some(("v1", value)) => {
                    let length = MacAlgorithm::Sha256.tag_bytes();
                    tags.push(Encoding::Hex.decode(value, length).map_err(malformed)?);
                }
                Some(_) => {}
                None => return Err(malformed("is no list of t=… and v1=…")),
            }
        }
        let time = time.ok_or_else(|| SignatureFault::Missing {
            place: self.time_place(),
        })?;
        if tags.is_empty() {
            return Err(SignatureFault::NoneKnown { place: place() });
        }
        Ok((time, tags))
    }

    fn time_place(&self) -> String {
        format!("the time t in the header {}", self.header)
    }
}
