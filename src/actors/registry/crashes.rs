//! Panics survived, per transaction.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::transaction::{Key, Mono};

/// This many panics of one transaction …
const PANICS_MAX: usize = 3;
/// … within this long put it aside.
const PANICS_WITHIN: Duration = Duration::from_mins(10);
/// Transactions whose panics are remembered. Each costs a hundred bytes; if this many panic within
/// ten minutes, the trouble is not one transaction's.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Crashes {
    recent: HashMap<Key, VecDeque<Mono>>,
    aside: HashSet<Key>,
    total: u64,
}

impl Crashes {
    /// Notes a panic; says whether the transaction is to be rebuilt (else it is put aside).
    pub(super) fn note(&mut self, key: &Key, now: Mono) -> bool {
        self.total += 1;
        if self.recent.len() >= REMEMBERED_MAX {
            self.recent.retain(|_, panics| {
                panics
                    .back()
                    .is_some_and(|&last| now.since(last) < PANICS_WITHIN)
            });
        }
        let panics = self.recent.entry(key.clone()).or_default();
        panics.retain(|&at| now.since(at) < PANICS_WITHIN);
        panics.push_back(now);
        if panics.len() < PANICS_MAX {
            return true;
        }
        self.recent.remove(key);
        self.aside.insert(key.clone());
        false
    }

    pub(super) fn is_quarantined(&self, key: &Key) -> bool {
        self.aside.contains(key)
    }

    pub(super) fn quarantined(&self) -> usize {
        self.aside.len()
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}
