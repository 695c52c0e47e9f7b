//! Three kinds of time, kept apart by type.
//!
//! - [`Timestamp`] is the wall clock: it goes into records and is read by people. It may jump.
//! - [`Mono`] is the monotonic clock of this process: timers and ghost windows run on it. It means
//!   nothing after a restart.
//! - [`LastingInstant`] is a moment on a timeline that outlives the process, such as the time since the
//!   machine's boot. It lets a ghost window go on over a restart; where there is none, or another
//!   timeline, the window restarts in full (law 3).
//!
//! The core is handed all of them as a [`Now`]; it never reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A moment on the wall clock, in milliseconds since the Unix epoch. Written as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A timestamp from milliseconds since the Unix epoch, kept within the years that RFC 3339 can
    /// write (0000 to 9999).
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        const YEAR_0: i64 = -62_167_219_200_000;
        const YEAR_9999_END: i64 = 253_402_207_200_000;
        Self(millis.clamp(YEAR_0, YEAR_9999_END))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time from `earlier` to `self`; zero when the wall clock was set back in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self::from_millis(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_millis(
            text.parse::<jiff::Timestamp>()?.as_millisecond(),
        ))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A moment on this process's monotonic clock, in milliseconds since the process's own origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mono(u64);

impl Mono {
    /// A moment `millis` after the origin.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the origin.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

/// A moment on a timeline that outlives this process: within one boot of one machine and one time
/// namespace. Two of them can be compared only on one timeline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct LastingInstant {
    /// Which timeline.
    pub timeline: Uuid,
    /// Milliseconds since the timeline's origin.
    pub at_ms: u64,
}

impl LastingInstant {
    /// The time from `earlier` to `self`. `None` on different timelines, or where `earlier` lies in the
    /// future: then the timeline did not run steadily.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let passed = self.at_ms.checked_sub(earlier.at_ms)?;
        (self.timeline == earlier.timeline).then(|| Duration::from_millis(passed))
    }

    /// The moment that lies `by` before this one.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self {
            at_ms: self.at_ms.saturating_sub(by),
            ..self
        }
    }
}

/// The present, on all clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// For records and people.
    pub wall: Timestamp,
    /// For timers and windows.
    pub mono: Mono,
    /// For windows that go on over a restart; `None` where no clock outlives the process.
    pub lasting: Option<LastingInstant>,
}

/// Durations in records and configuration as whole milliseconds.
pub(super) mod millis {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    /// Writes whole milliseconds.
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads whole milliseconds.
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_with_milliseconds_in_utc() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(at.to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(at.to_string().parse::<Timestamp>().expect("own output"), at);
    }

    #[test]
    fn moments_are_compared_on_one_timeline_only() {
        let at = |timeline, at_ms| LastingInstant {
            timeline: Uuid::from_u128(timeline),
            at_ms,
        };
        let ms = Duration::from_millis;
        assert_eq!(at(1, 900).since(at(1, 500)), Some(ms(400)));
        assert_eq!(at(1, 500).since(at(1, 500)), Some(ms(0)));
        assert_eq!(at(1, 499).since(at(1, 500)), None);
        assert_eq!(at(2, 900).since(at(1, 500)), None);
    }

    #[test]
    fn a_clock_set_back_gives_zero_not_an_underflow() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(
            Mono::from_millis(5).since(Mono::from_millis(9)),
            Duration::ZERO
        );
    }
}
