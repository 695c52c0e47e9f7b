//! Durations as people write them in configuration, and the scale that rehearsals run them at.

use std::fmt;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The longest duration that configuration may state. Far beyond any sensible wait, and far below
/// what would overflow a timer at the smallest [`TimeScale`].
const LONGEST: Duration = Duration::from_hours(400 * 24);

/// The units that a written duration may have, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A duration written as a whole number and a unit: `"500ms"`, `"120s"`, `"2m"`, `"1h"`, `"30d"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Written(pub Duration);

impl Written {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence that says how a duration is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected a duration such as \"500ms\", \"120s\", \"2m\" or \"1h\", got {text:?}"
            )
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, length_ms) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(expected)?;
        let number: u64 = number.parse().map_err(|_| expected())?;
        number
            .checked_mul(length_ms)
            .map(Duration::from_millis)
            .filter(|duration| *duration <= LONGEST)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is more than {} days", LONGEST.as_secs() / 86_400))
    }
}

/// In the largest unit that it is a whole number of.
impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let whole = |length_ms: u64| ms > 0 && ms.is_multiple_of(length_ms.into());
        let unit = UNITS
            .into_iter()
            .rev()
            .find(|(_, length_ms)| whole(*length_ms));
        let (unit, length_ms) = unit.unwrap_or(UNITS[0]);
        write!(f, "{}{unit}", ms / u128::from(length_ms))
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Waits of which the last repeats: at least one, and none of them zero, for a ladder of zeros would
/// be a busy loop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ladder(Vec<Duration>);

impl Ladder {
    /// A ladder from code.
    pub(crate) fn of_seconds(seconds: &[u64]) -> Self {
        Self(seconds.iter().copied().map(Duration::from_secs).collect())
    }

    /// The waits, in order.
    pub(crate) fn steps(&self) -> &[Duration] {
        &self.0
    }

    pub(crate) fn scaled(&self, scale: TimeScale) -> Vec<Duration> {
        self.0.iter().map(|step| scale.duration(*step)).collect()
    }
}

impl<'de> Deserialize<'de> for Ladder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let steps: Vec<Written> = Vec::deserialize(deserializer)?;
        if steps.is_empty() || steps.iter().any(|step| step.0.is_zero()) {
            return Err(D::Error::custom(
                "expected at least one wait, each longer than zero",
            ));
        }
        Ok(Self(steps.into_iter().map(|step| step.0).collect()))
    }
}

/// By how much time runs faster than the profile says: 1 in production, more in rehearsals.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct TimeScale(f64);

impl TimeScale {
    /// The scales that keep every duration between a millisecond and what a timer can hold.
    const RANGE: std::ops::RangeInclusive<f64> = 0.001..=1_000.0;

    /// Checks the scale.
    pub(crate) fn new(scale: f64) -> Result<Self, String> {
        if Self::RANGE.contains(&scale) {
            Ok(Self(scale))
        } else {
            Err(format!(
                "the time scale lies between 0.001 and 1000, got {scale}"
            ))
        }
    }

    /// How long `duration` lasts at this scale.
    pub(crate) fn duration(self, duration: Duration) -> Duration {
        duration.div_f64(self.0)
    }

    /// What a rate per second becomes at this scale.
    pub(crate) fn rate(self, per_second: f64) -> f64 {
        per_second * self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_their_largest_whole_unit() {
        for (text, shown) in [
            ("0s", "0ms"),
            ("90s", "90s"),
            ("1500ms", "1500ms"),
            ("120s", "2m"),
            ("48h", "2d"),
        ] {
            let written = Written::parse(text).expect("legal");
            assert_eq!(written.to_string(), shown);
            assert_eq!(Written::parse(shown), Ok(written));
        }
    }

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("120s", 120_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(
                Written::parse(text),
                Ok(Written(Duration::from_millis(millis))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "5 s",
            "5sec",
            "99999999999999999999s",
        ] {
            let complaint = Written::parse(text).expect_err("no duration");
            assert!(complaint.contains("expected a duration"), "{complaint}");
        }
        let complaint = Written::parse("401d").expect_err("too long");
        assert_eq!(complaint, "\"401d\" is more than 400 days");
        assert!(Written::parse("18446744073709551615d").is_err());
    }

    #[test]
    fn a_scale_shortens_waits_and_raises_rates() {
        let scale = TimeScale::new(50.0).expect("in range");
        assert_eq!(
            scale.duration(Duration::from_secs(120)),
            Duration::from_millis(2_400)
        );
        assert!((scale.rate(5.0) - 250.0).abs() < f64::EPSILON);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9] {
            assert!(TimeScale::new(wrong).is_err(), "{wrong}");
        }
    }
}
