//! The one place where time is read. Everything else is handed a [`Now`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::transaction::{Mono, Now, Timestamp};

/// Reads both clocks. Cheap to copy: every shard and adapter has its own.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    wall: Wall,
}

#[derive(Clone, Copy, Debug)]
enum Wall {
    System,
    /// The system's, put right by so many milliseconds.
    Corrected(&'static AtomicI64),
    /// The wall clock at the origin; from there it goes with the monotonic clock.
    Virtual(Timestamp),
    /// A wall clock that stands.
    Standing(Timestamp),
}

impl Clock {
    /// The real clocks. The monotonic one is tokio's, which is `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn system() -> Self {
        Self {
            origin: Instant::now(),
            wall: Wall::System,
        }
    }

    /// The real clocks, of which the wall clock can be put right while it runs: nodes that share a store
    /// go by the store's time, however wrong their own is. The correction lives as long as the process.
    #[must_use]
    pub fn correctable() -> (Self, Correction) {
        let correction: &'static AtomicI64 = Box::leak(Box::default());
        let clock = Self {
            origin: Instant::now(),
            wall: Wall::Corrected(correction),
        };
        (clock, Correction(correction))
    }

    /// A wall clock that follows tokio's clock, for simulations that pause and jump it.
    #[must_use]
    pub fn following_tokio(start: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall: Wall::Virtual(start),
        }
    }

    /// A wall clock that stands at a moment, for what is only rehearsed as of then.
    #[must_use]
    pub fn standing(at: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall: Wall::Standing(at),
        }
    }

    /// The present, on both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono = self.mono();
        let wall = match self.wall {
            Wall::System => Timestamp::from_millis(system_ms()),
            Wall::Corrected(by) => Timestamp::from_millis(system_ms() + by.load(Ordering::Relaxed)),
            Wall::Virtual(start) => start + Duration::from_millis(mono.as_millis()),
            Wall::Standing(at) => at,
        };
        Now { wall, mono }
    }

    /// The monotonic clock alone.
    #[must_use]
    pub fn mono(&self) -> Mono {
        let since = Instant::now().saturating_duration_since(self.origin);
        Mono::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment `at` as tokio's clock names it, rounded up, so that a timer armed for it never
    /// fires before it.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        // tokio's instants overflow far beyond any timer; a century is the same as never.
        const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        self.origin + Duration::from_millis(at.as_millis()).min(NEVER)
    }
}

/// Puts a wall clock right.
#[derive(Clone, Copy, Debug)]
pub struct Correction(&'static AtomicI64);

impl Correction {
    /// From now on the clock shows the system's time and so many milliseconds more, or less.
    pub fn set_ms(self, by: i64) {
        self.0.store(by, Ordering::Relaxed);
    }
}

fn system_ms() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_minutes_wrong_can_be_put_right() {
        let (clock, correction) = Clock::correctable();
        let copy = clock;
        let before = system_ms();
        correction.set_ms(-180_000);
        let shown = copy.now().wall.as_millis();
        let after = system_ms();
        assert!((before - 180_000..=after - 180_000).contains(&shown));
    }
}
