//! What this machine knows of other machines' boot clocks, without trusting a wall clock.
//!
//! Nodes show each other their boot clocks through the store that they share. A node that reads another's
//! clock knows one thing for certain: *their clock showed x before mine showed y*. Whatever happened on that
//! machine at s, no later than x, happened before y as well. So at least (x - s) + (now - y) has passed since,
//! where each difference is taken on one clock. Machines that were suspended or whose clock ran slowly make
//! this less than the truth, never more: a ghost window may last longer by it and never ends early.
//!
//! A store's wall clock can't serve for this: it can be set, and slewed by a twelfth, unseen.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::transaction::LastingInstant;

/// Readings of one clock that are kept, a second apart at least: enough for the windows that providers
/// declare. A moment before the oldest is judged by the oldest.
const READINGS_MAX: usize = 900;
/// The least time between two readings that are kept, in milliseconds.
const READINGS_APART_MS: u64 = 1_000;
/// Machines whose clocks are kept. Each start of a machine is another one.
const CLOCKS_MAX: usize = 256;

/// Readings of other machines' boot clocks, by timeline.
#[derive(Debug, Default)]
pub(super) struct OtherClocks(HashMap<Uuid, VecDeque<Reading>>);

/// Their clock showed `theirs_ms` before ours showed `ours_ms`.
#[derive(Clone, Copy, Debug)]
struct Reading {
    theirs_ms: u64,
    ours_ms: u64,
}

impl OtherClocks {
    pub(super) fn witness(&mut self, theirs: LastingInstant, ours_ms: u64) {
        if !self.0.contains_key(&theirs.timeline) && self.0.len() >= CLOCKS_MAX {
            self.forget_the_oldest();
        }
        let readings = self.0.entry(theirs.timeline).or_default();
        let reading = Reading {
            theirs_ms: theirs.at_ms,
            ours_ms,
        };
        let apart = |last: &Reading| last.theirs_ms + READINGS_APART_MS <= reading.theirs_ms;
        if readings.back().is_none_or(apart) {
            if readings.len() == READINGS_MAX {
                readings.pop_front();
            }
            readings.push_back(reading);
        }
    }

    /// A moment on the timeline of `earlier` that surely lies in the past when our clock shows `ours_ms`: the
    /// latest that the readings vouch for.
    pub(super) fn now_on(&self, earlier: LastingInstant, ours_ms: u64) -> Option<LastingInstant> {
        let readings = self.0.get(&earlier.timeline)?.iter();
        let after = readings.filter(|reading| reading.theirs_ms >= earlier.at_ms);
        let reached = after.map(|reading| {
            let passed = ours_ms.saturating_sub(reading.ours_ms);
            reading.theirs_ms + passed
        });
        Some(LastingInstant {
            at_ms: reached.max()?,
            ..earlier
        })
    }

    fn forget_the_oldest(&mut self) {
        let last_read = |readings: &VecDeque<Reading>| readings.back().map(|last| last.ours_ms);
        let oldest = self
            .0
            .iter()
            .min_by_key(|(_, readings)| last_read(readings));
        if let Some(oldest) = oldest.map(|(timeline, _)| *timeline) {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theirs(at_ms: u64) -> LastingInstant {
        LastingInstant {
            timeline: Uuid::from_u128(1),
            at_ms,
        }
    }

    fn passed(clocks: &OtherClocks, since_ms: u64, ours_ms: u64) -> Option<u64> {
        let now = clocks.now_on(theirs(since_ms), ours_ms)?;
        Some(now.at_ms - since_ms)
    }

    #[test]
    fn only_what_was_read_after_a_moment_says_how_long_ago_it_was() {
        let mut clocks = OtherClocks::default();
        assert_eq!(passed(&clocks, 0, 1_000_000), None);
        clocks.witness(theirs(10_000), 500_000);
        assert_eq!(passed(&clocks, 9_000, 500_000), Some(1_000));
        assert_eq!(passed(&clocks, 9_000, 560_000), Some(61_000));
        assert_eq!(passed(&clocks, 10_001, 560_000), None);
    }

    #[test]
    fn a_machine_that_stood_still_makes_it_less_and_never_more() {
        let mut clocks = OtherClocks::default();
        clocks.witness(theirs(10_000), 500_000);
        // It was suspended for a minute, which its clock does not show; then it sent something at 12 s.
        clocks.witness(theirs(13_000), 563_000);
        assert_eq!(passed(&clocks, 12_000, 563_000), Some(1_000));
        // What it had sent before the suspension is older than the second reading alone can tell.
        assert_eq!(passed(&clocks, 9_000, 563_000), Some(64_000));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut clocks = OtherClocks::default();
        for second in 0..2_000 {
            clocks.witness(theirs(second * 1_000), second * 1_000);
            clocks.witness(theirs(second * 1_000 + 1), second * 1_000 + 1);
        }
        assert_eq!(clocks.0[&Uuid::from_u128(1)].len(), READINGS_MAX);
        assert_eq!(passed(&clocks, 5_000, 2_000_000), Some(1_995_000));
        for timeline in 2..400_u128 {
            let timeline = Uuid::from_u128(timeline);
            clocks.witness(LastingInstant { timeline, at_ms: 0 }, 3_000_000);
        }
        assert_eq!(clocks.0.len(), CLOCKS_MAX);
    }
}
