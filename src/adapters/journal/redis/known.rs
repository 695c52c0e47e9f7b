//! Which references have been confirmed, so that each is written once and not with every step.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// References in each of the two halves, at most: a few megabytes. What is forgotten is written once
/// more, which changes nothing.
const HALF: usize = 32 * 1024;

/// A bounded memory that forgets the older half at a time.
#[derive(Default, Debug)]
pub(super) struct Known {
    halves: Mutex<Halves>,
}

#[derive(Default, Debug)]
struct Halves {
    recent: HashSet<String>,
    older: HashSet<String>,
    /// Of the primary that confirmed them.
    generation: u64,
}

impl Known {
    /// Whether it was confirmed by this primary.
    pub(super) fn has(&self, generation: u64, name: &str) -> bool {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.generation == generation
            && (halves.recent.contains(name) || halves.older.contains(name))
    }

    /// This primary has confirmed it.
    pub(super) fn learn(&self, generation: u64, name: String) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.generation != generation {
            *halves = Halves {
                generation,
                ..Halves::default()
            };
        }
        if halves.recent.len() >= HALF {
            halves.older = std::mem::take(&mut halves.recent);
        }
        halves.recent.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_the_oldest_and_another_primary_knows_nothing() {
        let known = Known::default();
        known.learn(1, "first".to_owned());
        assert!(known.has(1, "first"));
        assert!(!known.has(2, "first"));
        (0..2 * HALF).for_each(|n| known.learn(1, n.to_string()));
        assert!(!known.has(1, "first"));
        assert!(known.has(1, &(2 * HALF - 1).to_string()));
        known.learn(2, "other".to_owned());
        assert!(!known.has(2, "7"));
    }
}
