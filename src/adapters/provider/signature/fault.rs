//! Why a signature is not believed.

use super::{HEADER_MAX_BYTES, SIGNATURES_MAX};

/// What is wrong with a webhook's signature. The words are for logs and never repeat what came: no
/// signature, no secret, nothing that a stranger wrote.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum SignatureFault {
    /// Something that the check needs isn't there.
    #[error("{place} is missing")]
    Missing {
        /// What, and where it belongs.
        place: String,
    },
    /// Something that has to stand there once stands there again, so that two readers could read
    /// different things.
    #[error("{place} stands there more than once")]
    Duplicated {
        /// What, and where.
        place: String,
    },
    /// Something can't be read as what belongs there.
    #[error("{place} {what}")]
    Malformed {
        /// What, and where.
        place: String,
        /// Its fault, as the rest of a sentence.
        what: &'static str,
    },
    /// A header's value is longer than is looked at.
    #[error("{place} is longer than {HEADER_MAX_BYTES} bytes")]
    TooLong {
        /// Which.
        place: String,
    },
    /// There are more signatures than are looked at.
    #[error("{place} has more than {SIGNATURES_MAX} signatures")]
    TooMany {
        /// Where they stand.
        place: String,
    },
    /// It was signed too long ago.
    #[error("it was signed {age_s} s ago, and {tolerance_s} s are allowed")]
    Stale {
        /// Seconds since it was signed.
        age_s: u64,
        /// Seconds that are allowed.
        tolerance_s: u64,
    },
    /// It claims to be signed later than now.
    #[error("it claims to be signed {ahead_s} s from now, and {tolerance_s} s are allowed")]
    FromTheFuture {
        /// Seconds from now until then.
        ahead_s: u64,
        /// Seconds that are allowed, for clocks that differ.
        tolerance_s: u64,
    },
    /// The signer itself has limited it, and that time is over.
    #[error("the signature has expired, as its signer said it would")]
    Expired,
    /// There are signatures, but none of a kind that this scheme knows.
    #[error("{place} has no signature of a known version")]
    NoneKnown {
        /// Where they stand.
        place: String,
    },
    /// The signature names another key than the profile does.
    #[error("the signature names another key than the profile's `key_id`")]
    OtherKey,
    /// The signature names another algorithm than the profile does.
    #[error("the signature names another algorithm than the profile does")]
    OtherAlgorithm,
    /// A component that has to be covered is not.
    #[error("the signature doesn't cover {component}")]
    NotCovered {
        /// Which, as the profile lists it.
        component: String,
    },
    /// It covers something that this request doesn't have, or that can't be derived from a request.
    #[error("the signature covers a component that this request doesn't have")]
    Underivable,
    /// None of the active secrets has signed it.
    #[error("none of the active secrets has signed it")]
    Mismatch,
    /// The signature is good, but the body is not the one whose digest was signed.
    #[error("the body doesn't have the digest that was signed")]
    DigestMismatch,
}

impl SignatureFault {
    /// One word for it, for a metric's label.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Duplicated { .. } => "duplicated",
            Self::Malformed { .. } | Self::TooLong { .. } | Self::TooMany { .. } => "malformed",
            Self::Stale { .. } | Self::Expired => "stale",
            Self::FromTheFuture { .. } => "future",
            Self::NoneKnown { .. } => "unknown_version",
            Self::OtherKey => "other_key",
            Self::OtherAlgorithm => "other_algorithm",
            Self::NotCovered { .. } | Self::Underivable => "not_covered",
            Self::Mismatch => "mismatch",
            Self::DigestMismatch => "digest_mismatch",
        }
    }
}
