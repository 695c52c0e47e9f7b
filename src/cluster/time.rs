//! How far this machine's wall clock is from the store's, so that all nodes write one time.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::transaction::Timestamp;

/// Answers that are looked back on: the one that came fastest is the one that says most.
const LOOK_BACK: usize = 8;
/// An answer that took longer says too little.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);

/// What whoever follows the store's time is told: milliseconds to add to this machine's wall clock.
pub(super) type Publish = Box<dyn Fn(i64) + Send + Sync>;

/// Learns the offset from the store's answers.
pub(super) struct StoreTime {
    recent: VecDeque<(Duration, i64)>,
    offset_ms: Option<i64>,
    publish: Publish,
}

impl StoreTime {
    pub(super) fn new(publish: Publish) -> Self {
        Self {
            recent: VecDeque::with_capacity(LOOK_BACK),
            offset_ms: None,
            publish,
        }
    }

    /// The store said `now`, in answer to what was asked when the wall clock showed `asked_ms`; the
    /// answer took `round_trip`.
    pub(super) fn learn(&mut self, now: Timestamp, asked_ms: i64, round_trip: Duration) {
        if round_trip > ROUND_TRIP_MAX {
            return;
        }
        let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or_default();
        let offset = now.as_millis() - (asked_ms + half);
        if self.recent.len() == LOOK_BACK {
            self.recent.pop_front();
        }
        self.recent.push_back((round_trip, offset));
        let best = self.recent.iter().min_by_key(|(took, _)| *took);
        let best = best.map(|(_, offset)| *offset);
        if best != self.offset_ms {
            self.offset_ms = best;
            (self.publish)(best.unwrap_or_default());
        }
    }

    /// Milliseconds to add to this machine's wall clock; `None` until the store was heard.
    pub(super) fn offset_ms(&self) -> Option<i64> {
        self.offset_ms
    }
}

/// This machine's wall clock as it stands, in milliseconds since 1970: not the one that follows the
/// store.
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn the_fastest_of_the_last_answers_counts_and_only_changes_are_told() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let publish = move |offset| telling.lock().expect("whole").push(offset);
        let mut time = StoreTime::new(Box::new(publish));
        let at = Timestamp::from_millis;
        let ms = Duration::from_millis;
        time.learn(at(100_080), 0, ms(200));
        time.learn(at(100_500), 490, ms(20));
        time.learn(at(101_400), 990, ms(800));
        time.learn(at(105_000), 1_500, ms(1_500));
        assert_eq!(time.offset_ms(), Some(100_000));
        // The machine's clock was set: old answers are forgotten.
        (0..LOOK_BACK as i64).for_each(|n| time.learn(at(5_010 + n), n, ms(20)));
        assert_eq!(time.offset_ms(), Some(5_000));
        assert_eq!(*told.lock().expect("whole"), [99_980, 100_000, 5_000]);
    }
}
