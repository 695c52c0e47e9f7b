//! HMAC over parts, against every key.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::keys::VerifyingKeys;

/// The hash below an HMAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MacAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl MacAlgorithm {
    /// The length of a tag, in bytes.
    pub(super) fn tag_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// How it is named in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "HMAC-SHA1",
            Self::Sha256 => "HMAC-SHA256",
            Self::Sha512 => "HMAC-SHA512",
        }
    }

    /// Whether any of the keys gives any of the tags over the parts, one after the other. All keys
    /// and all tags are tried, so that the time taken doesn't tell which one it was.
    pub(super) fn any_signed<P: AsRef<[u8]>>(
        self,
        keys: &VerifyingKeys,
        parts: &[P],
        tags: &[Vec<u8>],
    ) -> bool {
        keys.shared().fold(false, |found, key| {
            found
                | match self {
                    Self::Sha1 => signed::<Hmac<Sha1>, P>(key, parts, tags),
                    Self::Sha256 => signed::<Hmac<Sha256>, P>(key, parts, tags),
                    Self::Sha512 => signed::<Hmac<Sha512>, P>(key, parts, tags),
                }
        })
    }
}

fn signed<M: Mac + KeyInit + Clone, P: AsRef<[u8]>>(
    key: &[u8],
    parts: &[P],
    tags: &[Vec<u8>],
) -> bool {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part.as_ref());
    }
    tags.iter().fold(false, |found, tag| {
        found | mac.clone().verify_slice(tag).is_ok()
    })
}
