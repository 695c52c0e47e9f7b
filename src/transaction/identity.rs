//! Who is who: apps, transactions, attempts, and the hashes that decide "the same request" (law 7).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How many fixed slices the ids are cut into. A transaction's slice never changes, so this number
/// can't either: nodes own partitions, worker threads own partitions.
pub const PARTITIONS: u32 = 256;

/// The name of an app, 1 to [`AppId::MAX_LENGTH_CHARS`] of `a-z 0-9 - _`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct AppId(Arc<str>);

impl AppId {
    /// Long enough for any sensible name, short enough for a webhook URL.
    pub const MAX_LENGTH_CHARS: usize = 40;

    /// Checks the name.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(name: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.is_empty() || name.len() > Self::MAX_LENGTH_CHARS || !name.chars().all(legal) {
            return Err(format!(
                "an app's name has 1 to {} characters of a-z, 0-9, '-' and '_'; got {name:?}",
                Self::MAX_LENGTH_CHARS
            ));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AppId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A transaction's id: any RFC 9562 UUID the app chose, or one derived from its idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(pub Uuid);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The full name of a transaction: ids are unique within one app only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The app that asked.
    pub app: AppId,
    /// The app's id for it.
    pub id: TransactionId,
}

impl Key {
    /// A 64-bit hash that is the same on every machine and in every release (FNV-1a, folded once
    /// more so that the low bits depend on all input): partitions and jitter come from it.
    #[must_use]
    pub fn stable_hash(&self) -> u64 {
        let bytes = self.app.0.bytes().chain([0]).chain(*self.id.0.as_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        mix(hash)
    }

    /// The partition, 0 to [`PARTITIONS`] - 1.
    #[must_use]
    pub fn partition(&self) -> u32 {
        (self.stable_hash() % u64::from(PARTITIONS)) as u32
    }

    /// A number in 0.0..1.0 that depends on nothing but the key and `n`: law 9's only "randomness".
    #[must_use]
    pub fn jitter(&self, n: u32) -> f64 {
        let bits = mix(self.stable_hash() ^ (u64::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.id)
    }
}

/// The finaliser of SplitMix64: every input bit changes about half of the output bits.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// SHA-256 of a request's canonical JSON (RFC 8785): two requests are the same if theirs are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadHash(pub [u8; 32]);

impl PayloadHash {
    /// Hashes text that is canonical already.
    #[must_use]
    pub fn of_canonical(canonical: &[u8]) -> Self {
        Self(Sha256::digest(canonical).into())
    }
}

impl fmt::Display for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PayloadHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PayloadHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(Error::custom("a payload hash has 64 hexadecimal digits"));
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(Error::custom)?;
            *byte = u8::from_str_radix(digits, 16).map_err(Error::custom)?;
        }
        Ok(Self(hash))
    }
}

/// The id of a transaction that the app named by an idempotency key only: a UUIDv8 (RFC 9562 §5.8)
/// of (app, key), so that the same key is the same transaction on every node, without a lookup.
#[must_use]
pub fn id_from_idempotency_key(app: &AppId, idempotency_key: &str) -> TransactionId {
    TransactionId(hashed_uuid(&[
        b"teller:idempotency-key",
        app.0.as_bytes(),
        idempotency_key.as_bytes(),
    ]))
}

/// The id under which an app is told about `version` of a transaction: the same at every delivery,
/// after a restart too, because it is derived and not drawn.
#[must_use]
pub fn notification_id(key: &Key, version: u64) -> Uuid {
    hashed_uuid(&[
        b"teller:notification",
        key.app.0.as_bytes(),
        key.id.0.as_bytes(),
        &version.to_be_bytes(),
    ])
}

fn hashed_uuid(parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u128) -> Key {
        Key {
            app: AppId::parse("shop").expect("legal"),
            id: TransactionId(Uuid::from_u128(n)),
        }
    }

    #[test]
    fn partitions_never_move() {
        // Recorded once: a change here would orphan every stored transaction.
        let seen: Vec<u32> = (1..=6).map(|n| key(n).partition()).collect();
        assert_eq!(seen, [206, 150, 139, 8, 234, 134]);
    }

    #[test]
    fn partitions_and_jitter_are_spread_evenly() {
        let mut counts = vec![0; PARTITIONS as usize];
        let mut sum = 0.0;
        for n in 0..25_600 {
            counts[key(n).partition() as usize] += 1;
            sum += key(n).jitter(1);
        }
        assert!(
            counts.iter().all(|&count| (50..=160).contains(&count)),
            "{counts:?}"
        );
        assert!((0.49..0.51).contains(&(sum / 25_600.0)));
    }

    #[test]
    fn derived_ids_depend_on_app_and_key_and_cannot_be_shifted_between_them() {
        let app = |name| AppId::parse(name).expect("legal");
        let id = id_from_idempotency_key(&app("ab"), "c");
        assert_eq!(id, id_from_idempotency_key(&app("ab"), "c"));
        assert_ne!(id, id_from_idempotency_key(&app("a"), "bc"));
        assert_eq!(id.0.get_version_num(), 8);
    }

    #[test]
    fn illegal_app_names_are_refused() {
        for name in ["", "Shop", "a b", "a/b", &"x".repeat(41)] {
            assert!(AppId::parse(name).is_err(), "{name:?}");
        }
    }
}
