//! Repeatable chance.
//!
//! A general-purpose generator may change its stream from one release to the next, and a hasher of
//! the standard library may differ from machine to machine. A failing seed must fail everywhere and
//! next year, so the stream is built here from two published algorithms: SHA-256 turns the name of
//! a draw into a starting point, SplitMix64 goes on from there.

use sha2::{Digest, Sha256};

/// A stream of numbers that belongs to one (seed, purpose, id, n).
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// The stream for the `n`th event of `id`. Different purposes are independent of each other, so
    /// that switching a fault on doesn't change what the provider would have done without it.
    pub(crate) fn new(seed: u64, purpose: &str, id: &str, n: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(n.to_le_bytes());
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((purpose.len() as u64).to_le_bytes());
        hash.update(purpose.as_bytes());
        hash.update(id.as_bytes());
        let digest = hash.finalize();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest[..8]);
        Self {
            state: u64::from_le_bytes(first),
        }
    }

    /// The next 64 bits (SplitMix64).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number in `0..bound`. Multiplying instead of dividing leaves a bias of less than
    /// `bound / 2^64`, far below anything measurable here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half of a 128-bit product fits 64 bits")
    }

    /// A whole number in `min..max`.
    pub(crate) fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.below(max - min)
    }

    /// True with probability `p`; 0 is never, 1 is always.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        // 53 bits are what a double holds exactly.
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < p
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 from state 0.
        let mut dice = Dice { state: 0 };
        assert_eq!(dice.next(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(dice.next(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn every_part_of_the_name_matters() {
        let first = |seed, purpose, id, n| Dice::new(seed, purpose, id, n).next();
        let base = first(1, "draw", "a", 1);
        assert_eq!(base, first(1, "draw", "a", 1));
        assert_ne!(base, first(2, "draw", "a", 1));
        assert_ne!(base, first(1, "drawa", "", 1));
        assert_ne!(base, first(1, "draw", "b", 1));
        assert_ne!(base, first(1, "draw", "a", 2));
    }

    #[test]
    fn certain_and_impossible_are_exact() {
        for n in 0..1_000 {
            assert!(!Dice::new(1, "p", "x", n).chance(0.0));
            assert!(Dice::new(1, "p", "x", n).chance(1.0));
        }
    }
}
