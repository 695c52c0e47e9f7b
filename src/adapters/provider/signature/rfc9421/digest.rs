//! Content-Digest (RFC 9530): whether the body is the one that was signed.

use http::HeaderName;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::super::fields::header_place;
use super::super::{SignatureFault, Signed};
use super::fields::byte_sequences;

const NAME: HeaderName = HeaderName::from_static(super::CONTENT_DIGEST);

/// Compares the body with every digest of a kind that can be trusted. One at least has to be there,
/// and all that are have to agree; others are passed over, as the RFC says.
pub(super) fn check(signed: &Signed<'_>) -> Result<(), SignatureFault> {
    let mut has_known = false;
    for (algorithm, digest) in byte_sequences(signed, &NAME)? {
        let is_same = |computed: &[u8]| match &digest {
            Some(digest) => Ok(bool::from(computed.ct_eq(digest))),
            None => Err(SignatureFault::Malformed {
                place: header_place(&NAME),
                what: "has a member that is no byte sequence",
            }),
        };
        let same = match algorithm.as_str() {
            "sha-256" => is_same(&Sha256::digest(signed.body))?,
            "sha-512" => is_same(&Sha512::digest(signed.body))?,
            _ => continue,
        };
        if !same {
            return Err(SignatureFault::DigestMismatch);
        }
        has_known = true;
    }
    if has_known {
        Ok(())
    } else {
        Err(SignatureFault::NoneKnown {
            place: header_place(&NAME),
        })
    }
}
