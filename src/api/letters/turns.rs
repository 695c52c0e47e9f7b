//! Whose turn it is: first come, first served, and nobody stands in the line twice. Were the smallest
//! number always first, a slow store would never be asked about the large ones.

use std::collections::{BTreeSet, VecDeque};

/// Partitions that want to be looked at, in the order in which they began to.
#[derive(Default)]
pub(super) struct Turns {
    line: VecDeque<u32>,
    standing: BTreeSet<u32>,
}

impl Turns {
    /// These want to be looked at; who stands in the line already keeps its place.
    pub(super) fn extend(&mut self, partitions: impl IntoIterator<Item = u32>) {
        for partition in partitions {
            if self.standing.insert(partition) {
                self.line.push_back(partition);
            }
        }
    }

    /// The first that may be looked at now.
    pub(super) fn next(&mut self, may: impl Fn(u32) -> bool) -> Option<u32> {
        let place = self.line.iter().position(|&partition| may(partition))?;
        let partition = self.line.remove(place)?;
        self.standing.remove(&partition);
        Some(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_comes_to_their_turn_however_often_the_first_ask_again() {
        let mut turns = Turns::default();
        let mut seen = BTreeSet::new();
        for _ in 0..64 {
            turns.extend(0..256);
            seen.extend((0..4).filter_map(|_| turns.next(|_| true)));
        }
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn who_may_not_yet_keeps_the_place() {
        let mut turns = Turns::default();
        turns.extend([7, 8, 7, 9]);
        assert_eq!(turns.next(|one| one != 7), Some(8));
        assert_eq!(turns.next(|_| true), Some(7));
        assert_eq!(turns.next(|_| true), Some(9));
        assert_eq!(turns.next(|_| true), None);
    }
}
