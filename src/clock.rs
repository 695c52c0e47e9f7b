//! The one place where time is read. Everything else is handed a [`Now`].

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
            Wall::System => {
                let since_epoch = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
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
