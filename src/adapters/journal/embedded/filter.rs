//! What the archive surely does not hold: a Bloom filter over its keys.
//!
//! Nearly every acceptance brings a new id, and asking a large index for what is not in it costs more
//! than writing the row. The filter answers "surely not" from memory; "maybe" asks the archive. It
//! belongs to the writer thread, which adds every key that it writes, and it is built at opening.

use rusqlite::Connection;
use uuid::Uuid;

use crate::transaction::{AppId, Key, TransactionId};

/// Bits per key: with [`PROBES`] some 1 % of new keys are asked for in vain.
const BITS_PER_KEY: u64 = 10;
/// Bits looked at per key.
const PROBES: u64 = 7;
/// Room for new keys beside those that are there at opening; a full filter is given up until the next
/// opening.
const ROOM_MIN_KEYS: u64 = 4_000_000;
/// With more keys than this the filter is not built: reading them would hold a start up for seconds,
/// and a machine with so many has the memory to keep the index at hand.
const KEYS_MAX: u64 = 16_000_000;

#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
    keys: u64,
    capacity: u64,
}

impl Filter {
    /// A filter over all keys of the archive; `None` if there are too many.
    pub(super) fn over(archive: &Connection) -> rusqlite::Result<Option<Self>> {
        let count = "SELECT (SELECT count(*) FROM transactions) + (SELECT count(*) FROM bindings)";
        let keys: i64 = archive.query_row(count, [], |row| row.get(0))?;
        let keys = u64::try_from(keys).unwrap_or(u64::MAX);
        if keys > KEYS_MAX {
            return Ok(None);
        }
        let mut filter = Self::with_capacity(keys + ROOM_MIN_KEYS.max(keys));
        for table in ["transactions", "bindings"] {
            let mut statement = archive.prepare(&format!("SELECT id, app FROM {table}"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let id = Uuid::try_parse(row.get_ref(0)?.as_str()?);
                let app = AppId::parse(row.get_ref(1)?.as_str()?);
                let (Ok(id), Ok(app)) = (id, app) else {
                    // A name that can't be read can't be asked for either; but a filter that lacks
                    // something must not be trusted.
                    return Ok(None);
                };
                let id = TransactionId(id);
                filter.add(&Key { app, id });
            }
        }
        Ok(Some(filter))
    }

    fn with_capacity(capacity: u64) -> Self {
        let words = (capacity * BITS_PER_KEY).div_ceil(64).next_power_of_two();
        let words = usize::try_from(words).unwrap_or(usize::MAX);
        Self {
            words: vec![0; words],
            keys: 0,
            capacity,
        }
    }

    /// Whether the archive may hold this key. `false` is certain.
    pub(super) fn may_hold(&self, key: &Key) -> bool {
        self.probes(key)
            .all(|(word, bit)| self.words[word] & bit != 0)
    }

    pub(super) fn add(&mut self, key: &Key) {
        for (word, bit) in self.probes(key).collect::<Vec<_>>() {
            self.words[word] |= bit;
        }
        self.keys += 1;
    }

    /// Whether it holds more keys than it was made for: then it says "maybe" too often to be of use.
    pub(super) fn is_full(&self) -> bool {
        self.keys > self.capacity
    }

    /// Double hashing over one 64-bit hash: its halves are as good as two.
    fn probes(&self, key: &Key) -> impl Iterator<Item = (usize, u64)> + use<> {
        let hash = key.stable_hash();
        let (first, step) = (hash, hash.rotate_right(32) | 1);
        let mask = self.words.len() as u64 * 64 - 1;
        (0..PROBES).map(move |probe| {
            let bit = first.wrapping_add(step.wrapping_mul(probe)) & mask;
            (
                usize::try_from(bit / 64).unwrap_or_default(),
                1 << (bit % 64),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::key;
    use super::*;

    #[test]
    fn what_was_added_is_always_found_and_what_was_not_rarely() {
        let mut filter = Filter::with_capacity(20_000);
        (0..20_000).for_each(|n| filter.add(&key("shop", n)));
        assert!((0..20_000).all(|n| filter.may_hold(&key("shop", n))));
        let strangers = (0..20_000).filter(|&n| filter.may_hold(&key("till", n)));
        let in_vain = strangers.count();
        assert!(
            in_vain < 600,
            "{in_vain} of 20,000 new keys would be asked for"
        );
        assert!(!filter.is_full());
        filter.add(&key("till", 1));
        assert!(filter.is_full());
    }
}
