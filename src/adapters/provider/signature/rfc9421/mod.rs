//! HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530).
//!
//! A request may carry several signatures, each under a label: intermediaries add their own. One
//! that meets everything the profile asks for is enough; the others don't matter.

mod base;
mod digest;
mod fields;

use std::time::Duration;

use http::HeaderName;

use self::fields::Input;
use super::encoding::KeyEncoding;
use super::keys::{self, VerifyingKey, VerifyingKeys};
use super::mac::MacAlgorithm;
use super::public_key::{PublicAlgorithm, PublicKey};
use super::table::{Algorithm, SignatureTable, listed};
use super::{SIGNATURES_MAX, SignatureFault, Signed, Verified, age};
use crate::adapters::provider::problem::nearest;

const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const CONTENT_DIGEST: &str = "content-digest";

/// What a signature has to cover where the profile doesn't say: the body, and that it is for here.
const COMPONENTS_DEFAULT: [&str; 3] = [CONTENT_DIGEST, "@method", "@path"];

/// The scheme.
#[derive(Clone, Debug)]
pub(crate) struct MessageSignatures {
    algorithm: SignatureAlgorithm,
    components: Vec<String>,
    key_ids: Vec<String>,
    max_age: Duration,
    label: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SignatureAlgorithm {
    HmacSha256(KeyEncoding),
    Public(PublicAlgorithm),
}

impl MessageSignatures {
    pub(super) fn compile(table: &SignatureTable) -> Result<Self, String> {
        let key_ids: Vec<String> = table
            .key_id
            .iter()
            .flat_map(|ids| ids.iter().cloned())
            .collect();
        if table.key_id.is_some() && key_ids.is_empty() {
            return Err("`key_id` is an empty list: leave it out to take every key id".to_owned());
        }
        Ok(Self {
            algorithm: algorithm(table)?,
            components: components(table)?,
            key_ids,
            max_age: age::tolerance(table.max_age, "max_age")?,
            label: label(table)?,
        })
    }

    pub(super) fn key(&self, text: &str) -> Result<VerifyingKey, String> {
        match self.algorithm {
            SignatureAlgorithm::HmacSha256(encoding) => keys::encoded(text, encoding),
            SignatureAlgorithm::Public(algorithm) => {
                PublicKey::read(algorithm, text).map(VerifyingKey::public)
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "an HTTP message signature (RFC 9421) by {} over {} at least, created not more than {} from now",
            self.algorithm.name(),
            self.components.join(", "),
            age::shown(self.max_age)
        )
    }

    /// Whether every signature that is taken covers the body.
    pub(super) fn covers_body(&self) -> bool {
        self.components.iter().any(|one| one == CONTENT_DIGEST)
    }

    pub(super) fn caution(&self) -> Option<String> {
        (!self.covers_body()).then(|| {
            "`components` doesn't ask for content-digest: a good signature may leave the body unprotected"
                .to_owned()
        })
    }

    pub(super) fn verify(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
    ) -> Result<Verified, SignatureFault> {
        let inputs = fields::inputs(signed, &SIGNATURE_INPUT)?;
        let signatures = fields::byte_sequences(signed, &SIGNATURE)?;
        if inputs.len() > SIGNATURES_MAX {
            let place = super::fields::header_place(&SIGNATURE_INPUT);
            return Err(SignatureFault::TooMany { place });
        }
        let mut first_fault = None;
        for input in &inputs {
            if self
                .label
                .as_ref()
                .is_some_and(|label| *label != input.label)
            {
                continue;
            }
            let Some((_, signature)) = signatures.iter().find(|(label, _)| *label == input.label)
            else {
                continue;
            };
            match self.verify_one(keys, signed, input, signature.as_deref()) {
                Ok(verified) => return Ok(verified),
                Err(fault) => first_fault.get_or_insert(fault),
            };
        }
        Err(first_fault.unwrap_or_else(|| SignatureFault::Missing {
            place: match &self.label {
                Some(label) => format!("the signature labelled {label}"),
                None => "a signature with its input".to_owned(),
            },
        }))
    }

    fn verify_one(
        &self,
        keys: &VerifyingKeys,
        signed: &Signed<'_>,
        input: &Input,
        signature: Option<&[u8]>,
    ) -> Result<Verified, SignatureFault> {
        let signature = signature.ok_or_else(|| SignatureFault::Malformed {
            place: super::fields::header_place(&SIGNATURE),
            what: "has a member that is no byte sequence",
        })?;
        input.check()?;
        let params = input.params()?;
        if params.alg.is_some_and(|alg| alg != self.algorithm.name()) {
            return Err(SignatureFault::OtherAlgorithm);
        }
        let is_expected = |id: &str| self.key_ids.iter().any(|known| known == id);
        if !self.key_ids.is_empty() && !params.key_id.is_some_and(is_expected) {
            return Err(SignatureFault::OtherKey);
        }
        let created = age::of_seconds(params.created);
        age::check(created, signed.now, self.max_age)?;
        if params
            .expires
            .is_some_and(|end| age::of_seconds(end) < signed.now)
        {
            return Err(SignatureFault::Expired);
        }
        if let Some(component) = self.components.iter().find(|one| !input.covers(one)) {
            return Err(SignatureFault::NotCovered {
                component: component.clone(),
            });
        }
        let base = base::signature_base(input, signed)?;
        self.algorithm.check(keys, &base, signature)?;
        // Whoever covers the digest says that the body has it.
        if input.covers(CONTENT_DIGEST) {
            digest::check(signed)?;
        }
        Ok(Verified {
            signed_at: Some(created),
            message_id: None,
        })
    }
}

impl SignatureAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::HmacSha256(_) => "hmac-sha256",
            Self::Public(algorithm) => algorithm.name(),
        }
    }

    fn check(
        self,
        keys: &VerifyingKeys,
        base: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        let signatures = [signature.to_vec()];
        let good = match self {
            Self::HmacSha256(_) if signature.len() != MacAlgorithm::Sha256.tag_bytes() => {
                return Err(SignatureFault::Malformed {
                    place: super::fields::header_place(&SIGNATURE),
                    what: "has a signature of the wrong length",
                });
            }
            Self::HmacSha256(_) => MacAlgorithm::Sha256.any_signed(keys, &[base], &signatures),
            Self::Public(_) => keys.any_public_signed(base, &signatures),
        };
        if good {
            Ok(())
        } else {
            Err(SignatureFault::Mismatch)
        }
    }
}

fn algorithm(table: &SignatureTable) -> Result<SignatureAlgorithm, String> {
    let public = match table.algorithm_among(&[
        Algorithm::HmacSha256,
        Algorithm::Ed25519,
        Algorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384,
        Algorithm::RsaV15Sha256,
        Algorithm::RsaPssSha512,
    ])? {
        Algorithm::Ed25519 => PublicAlgorithm::Ed25519,
        Algorithm::EcdsaP256Sha256 => PublicAlgorithm::EcdsaP256Sha256,
        Algorithm::EcdsaP384Sha384 => PublicAlgorithm::EcdsaP384Sha384,
        Algorithm::RsaV15Sha256 => PublicAlgorithm::RsaV15Sha256,
        Algorithm::RsaPssSha512 => PublicAlgorithm::RsaPssSha512,
        Algorithm::HmacSha256 | Algorithm::Sha1 | Algorithm::Sha256 | Algorithm::Sha512 => {
            let encoding = table.key_encoding.unwrap_or_default();
            return Ok(SignatureAlgorithm::HmacSha256(encoding));
        }
    };
    if table.key_encoding.is_some() {
        return Err(format!(
            "`key_encoding` is about shared secrets, and {} has public keys, which are PEM or base64 of DER: leave it out",
            public.name()
        ));
    }
    Ok(SignatureAlgorithm::Public(public))
}

fn components(table: &SignatureTable) -> Result<Vec<String>, String> {
    let Some(written) = &table.components else {
        return Ok(COMPONENTS_DEFAULT.map(str::to_owned).to_vec());
    };
    if written.is_empty() {
        return Err(
            "`components` is empty, and a signature over nothing proves nothing".to_owned(),
        );
    }
    for one in written {
        check_component(one)?;
    }
    Ok(written.clone())
}

fn label(table: &SignatureTable) -> Result<Option<String>, String> {
    match &table.label {
        Some(label) if sfv::KeyRef::from_str(label).is_err() => Err(format!(
            "`label`: {label:?} is no label: they have small letters, digits and _ - . *"
        )),
        label => Ok(label.clone()),
    }
}

fn check_component(name: &str) -> Result<(), String> {
    if name.starts_with('@') {
        if base::DERIVED.contains(&name) {
            return Ok(());
        }
        let meant = match nearest(name, base::DERIVED) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None => String::new(),
        };
        return Err(format!(
            "`components`: {name:?} is nothing that can be derived from a request; there are {}{meant}",
            listed(&base::DERIVED)
        ));
    }
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) if header.as_str() == name => Ok(()),
        Ok(header) => Err(format!(
            "`components`: {name:?} is written {header} in signatures, in small letters"
        )),
        Err(_) => Err(format!(
            "`components`: {name:?} is neither a header's name nor begins with @"
        )),
    }
}
