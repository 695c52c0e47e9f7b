//! The keys with which callers show who they are:
//!
//! ```text
//!   tlr_<role>_<id>_<secret>     tlr_app_3f9a01c2d4_Zk0…     tlr_operator_night-shift_9cB…
//! ```
//!
//! The id finds the key among the configured ones and may be shown to anybody; the secret is 256
//! random bits as base64url. What is stored is the SHA-256 of the whole text: with 256 random bits in
//! it nobody can guess the text from its hash, and a copied `teller.toml` opens no door.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::transaction::AppId;

/// What every key begins with, so that people and scanners recognise one where it should not be.
const PREFIX: &str = "tlr";
/// Characters of a key, at most: the longest id and role leave room; a longer text is none.
const KEY_MAX_CHARS: usize = 160;

/// Whose a key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// An app's: it asks for transactions, and sees its own.
    App(AppId),
    /// An operator's: it sees all transactions, and acts on them.
    Operator,
}

impl Role {
    /// The word in keys and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::App(_) => "app",
            Self::Operator => "operator",
        }
    }
}

/// The name of a key: 1 to [`KeyId::MAX_LENGTH_CHARS`] of `a-z 0-9 -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Long enough for a team and a purpose.
    pub const MAX_LENGTH_CHARS: usize = 40;

    /// Checks the name.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > Self::MAX_LENGTH_CHARS || !text.chars().all(legal) {
            return Err(format!(
                "a key's id has 1 to {} characters of a-z, 0-9 and '-'; got {text:?}",
                Self::MAX_LENGTH_CHARS
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a key's whole text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// A sentence that says what is expected; never the text, which may be a key put there by mistake.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut hash = [0; 32];
        let digits = text.as_bytes();
        let written = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
        written.then_some(Self(hash)).ok_or_else(|| {
            "expected the SHA-256 of a key: 64 hexadecimal digits, as `teller key new` prints them"
                .to_owned()
        })
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes a key down from its parts.
#[must_use]
pub fn write(role: &Role, id: &KeyId, secret: &str) -> String {
    format!("{PREFIX}_{}_{id}_{secret}", role.as_str())
}

/// The keys that open doors.
#[derive(Clone, Debug, Default)]
pub struct Keys(BTreeMap<KeyId, (Role, KeyHash)>);

impl Keys {
    /// Adds a key; `false` if there is one of this id.
    pub fn add(&mut self, id: KeyId, role: Role, hash: KeyHash) -> bool {
        let is_new = !self.0.contains_key(&id);
        if is_new {
            self.0.insert(id, (role, hash));
        }
        is_new
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key this text is, if it is one. An unknown id costs the same hash and compare as a known
    /// one, and no part of the compare ends early.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<(&KeyId, &Role)> {
        if text.len() > KEY_MAX_CHARS {
            return None;
        }
        let presented = KeyHash::of(text);
        let mut parts = text.splitn(4, '_');
        let (prefix, role, id) = (parts.next(), parts.next(), parts.next());
        let found = id
            .and_then(|id| KeyId::parse(id).ok())
            .and_then(|id| self.0.get_key_value(&id));
        let stored = found.map_or(&[0; 32], |(_, (_, hash))| &hash.0);
        let is_same = bool::from(stored.ct_eq(&presented.0));
        let (id, (configured, _)) = found.filter(|_| is_same && prefix == Some(PREFIX))?;
        if role != Some(configured.as_str()) {
            tracing::warn!(
                key = %id,
                made_for = role.unwrap_or_default(),
                stands_among = configured.as_str(),
                "a key stands in the wrong table of teller.toml, and opens nothing"
            );
            return None;
        }
        Some((id, configured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).expect("legal")
    }

    fn shop() -> Role {
        Role::App(AppId::parse("shop").expect("legal"))
    }

    #[test]
    fn a_key_is_found_by_its_id_and_known_by_its_hash() {
        // A secret may hold the separator: base64url has it.
        let key = write(&shop(), &id("a1"), "se_cr-et");
        assert_eq!(key, "tlr_app_a1_se_cr-et");
        let mut keys = Keys::default();
        assert!(keys.is_empty());
        assert!(keys.add(id("a1"), shop(), KeyHash::of(&key)));
        assert!(!keys.add(id("a1"), Role::Operator, KeyHash::of("x")));
        assert_eq!(keys.find(&key), Some((&id("a1"), &shop())));
        for other in [
            "",
            "tlr",
            "tlr_app_a1",
            "tlr_app_a1_",
            "tlr_app_a1_se_cr-eT",
            "tlr_app_a2_se_cr-et",
            "tlr_operator_a1_se_cr-et",
            "tlr_app_a1_se_cr-et ",
            "TLR_app_a1_se_cr-et",
            &format!("{key}{}", "x".repeat(KEY_MAX_CHARS)),
        ] {
            assert_eq!(keys.find(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_of_another_role_or_prefix_opens_nothing_though_its_hash_stands_there() {
        for text in ["tlr_app_k_secret", "xyz_operator_k_secret"] {
            let mut keys = Keys::default();
            keys.add(id("k"), Role::Operator, KeyHash::of(text));
            assert_eq!(keys.find(text), None, "{text}");
        }
    }

    #[test]
    fn hashes_and_ids_are_read_strictly() {
        // The SHA-256 of "abc", from FIPS 180-2.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::parse(abc), Ok(KeyHash::of("abc")));
        assert_eq!(KeyHash::of("abc").to_string(), abc);
        assert_eq!(KeyHash::parse(&abc.to_uppercase()), Ok(KeyHash::of("abc")));
        for wrong in [
            "",
            "tlr_app_k_secret",
            &abc[1..],
            &format!("+{}", &abc[1..]),
        ] {
            let said = KeyHash::parse(wrong).expect_err("refused");
            assert!(said.contains("64 hexadecimal digits"), "{said}");
            assert!(wrong.is_empty() || !said.contains(wrong), "{said}");
        }
        for wrong in ["", "a_b", "A", "é", &"x".repeat(41)] {
            assert!(KeyId::parse(wrong).is_err(), "{wrong}");
        }
    }
}
