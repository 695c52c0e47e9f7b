//! An HMAC over what the profile describes, in a header or in the item itself.

use std::time::Duration;

use http::HeaderName;
use serde_json::Value;

use super::encoding::{Encoding, KeyEncoding};
use super::fields::{self, header_place};
use super::keys::{self, VerifyingKey, VerifyingKeys};
use super::mac::MacAlgorithm;
use super::signed_text::SignedText;
use super::table::{Algorithm, SignatureTable};
use super::{HEADER_MAX_BYTES, SignatureFault, Signed, Verified, age};
use crate::adapters::provider::outcome::Pointer;

/// What is signed where the profile doesn't say.
const SIGNED_DEFAULT: &str = "{body}";

/// The scheme.
#[derive(Clone, Debug)]
pub(crate) struct HmacScheme {
    algorithm: MacAlgorithm,
    encoding: Encoding,
    key_encoding: KeyEncoding,
    place: Place,
    prefix: String,
    signed: SignedText,
    timestamp: Option<SignedTime>,
}

/// Where the signature stands.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    Header(HeaderName),
    Item(Pointer),
}

/// The header that says when it was signed, and how far that may lie from now.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SignedTime {
    header: HeaderName,
    tolerance: Duration,
}

impl HmacScheme {
    pub(super) fn compile(table: &SignatureTable) -> Result<Self, String> {
        let algorithm = match table.algorithm_among(&[
            Algorithm::Sha1,
            Algorithm::Sha256,
            Algorithm::Sha512,
        ])? {
            Algorithm::Sha1 => MacAlgorithm::Sha1,
            Algorithm::Sha512 => MacAlgorithm::Sha512,
            _ => MacAlgorithm::Sha256,
        };
        let encoding = table.encoding.ok_or(
            "kind = \"hmac\" needs `encoding`: whether the signature is written in `hex` or `base64`",
        )?;
        let place = place(table)?;
        let signed = SignedText::compile(
            table.signed.as_deref().unwrap_or(SIGNED_DEFAULT),
            table.escape.unwrap_or_default(),
        )?;
        if !signed.covers_body() && !signed.covers_item() {
            return Err(
                "`signed` has neither {body} nor {at:…}, so that a good signature would say nothing about the payment"
                    .to_owned(),
            );
        }
        if matches!(place, Place::Item(_)) && signed.covers_body() {
            return Err(
                "`at` says that the signature stands in the body, so `signed` can't be the {body}: name the signed values with {at:…}"
                    .to_owned(),
            );
        }
        let timestamp = signed_time(table, &signed)?;
        Ok(Self {
            algorithm,
            encoding,
            key_encoding: table.key_encoding.unwrap_or_default(),
            place,
            prefix: prefix(table)?,
            signed,
            timestamp,
        })
    }

    pub(super) fn key(&self, text: &str) -> Result<VerifyingKey, String> {
        keys::encoded(text, self.key_encoding)
    }

    pub(super) fn is_per_item(&self) -> bool {
        matches!(self.place, Place::Item(_)) || self.signed.covers_item()
    }

    pub(super) fn has_timestamp(&self) -> bool {
        self.timestamp.is_some()
    }

    pub(super) fn describe(&self) -> String {
        let prefix = match self.prefix.as_str() {
            "" => String::new(),
            prefix => format!(" after `{prefix}`"),
        };
        let age = match &self.timestamp {
            Some(time) => format!(
                ", not more than {} from the time in the header {}",
                age::shown(time.tolerance),
                time.header
            ),
            None => String::new(),
        };
        format!(
            "{} {} of `{}` in {}{prefix}{age}",
            self.encoding.name(),
            self.algorithm.name(),
            self.signed.source(),
            self.place.shown(),
        )
    }

    /// The places that are signed, if the body isn't.
    pub(super) fn signed_places(&self) -> Option<Vec<&Pointer>> {
        (!self.signed.covers_body()).then(|| self.signed.places().collect())
    }

    pub(super) fn caution(&self) -> Option<String> {
        (!self.signed.covers_body()).then(|| {
            format!(
                "the signature covers only `{}`: whatever else the webhook says is not protected",
                self.signed.source()
            )
        })
    }

    pub(super) fn verify(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
        item: Option<&Value>,
    ) -> Result<Verified, SignatureFault> {
        let tag = self.tag(signed, item)?;
        let signed_at = match &self.timestamp {
            None => None,
            Some(time) => {
                let text = fields::one_text(signed, &time.header)?;
                let at = age::seconds_or_millis(text, || header_place(&time.header))?;
                age::check(at, signed.now, time.tolerance)?;
                Some(at)
            }
        };
        let parts = self.signed.render(signed, item)?;
        if !self.algorithm.any_signed(keys, &parts, &[tag]) {
            return Err(SignatureFault::Mismatch);
        }
        Ok(Verified {
            signed_at,
            message_id: None,
        })
    }

    /// The signature that came.
    fn tag(&self, signed: &Signed<'_>, item: Option<&Value>) -> Result<Vec<u8>, SignatureFault> {
        let text = match &self.place {
            Place::Header(name) => fields::one_text(signed, name)?,
            Place::Item(pointer) => self.text_in(pointer, item)?,
        };
        let malformed = |what| SignatureFault::Malformed {
            place: self.place.shown(),
            what,
        };
        let text = text
            .strip_prefix(self.prefix.as_str())
            .ok_or_else(|| malformed("doesn't begin with the prefix that the profile names"))?;
        self.encoding
            .decode(text, self.algorithm.tag_bytes())
            .map_err(malformed)
    }

    fn text_in<'a>(
        &self,
        pointer: &Pointer,
        item: Option<&'a Value>,
    ) -> Result<&'a str, SignatureFault> {
        let place = || self.place.shown();
        let text = match item.and_then(|item| pointer.find(item)) {
            None | Some(Value::Null) => return Err(SignatureFault::Missing { place: place() }),
            Some(Value::String(text)) => text,
            Some(_) => {
                return Err(SignatureFault::Malformed {
                    place: place(),
                    what: "is no string",
                });
            }
        };
        if text.len() > HEADER_MAX_BYTES {
            return Err(SignatureFault::TooLong { place: place() });
        }
        fields::visible(text.as_bytes(), place)
    }
}

impl Place {
    fn shown(&self) -> String {
        match self {
            Self::Header(name) => header_place(name),
            Self::Item(pointer) => format!("the item's signature at {pointer}"),
        }
    }
}

fn place(table: &SignatureTable) -> Result<Place, String> {
    match (&table.header, &table.at) {
        (Some(header), None) => Ok(Place::Header(header.0.clone())),
        (None, Some(at)) => Ok(Place::Item(at.clone())),
        (None, None) => Err(
            "kind = \"hmac\" needs `header` or `at`: where the signature stands, in a header or at a JSON pointer into the item"
                .to_owned(),
        ),
        (Some(_), Some(_)) => Err(
            "`header` and `at` both say where the signature stands: keep one of them".to_owned(),
        ),
    }
}

fn prefix(table: &SignatureTable) -> Result<String, String> {
    let prefix = table.prefix.clone().unwrap_or_default();
    if prefix.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(prefix)
    } else {
        Err("`prefix` has characters that no header can carry".to_owned())
    }
}

fn signed_time(table: &SignatureTable, signed: &SignedText) -> Result<Option<SignedTime>, String> {
    let Some(header) = &table.timestamp_header else {
        return match table.tolerance {
            None => Ok(None),
            Some(_) => Err(
                "`tolerance` is about the time of signing: say in `timestamp_header` where it stands"
                    .to_owned(),
            ),
        };
    };
    let header = header.0.clone();
    if !signed.covers_header(&header) {
        return Err(format!(
            "`timestamp_header`: {header} is not part of `signed`, so that anybody could renew an old webhook; put {{header:{header}}} into it"
        ));
    }
    let tolerance = age::tolerance(table.tolerance, "tolerance")?;
    Ok(Some(SignedTime { header, tolerance }))
}
