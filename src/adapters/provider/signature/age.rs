//! How old a signature may be.

use std::time::Duration;

use super::SignatureFault;
use crate::adapters::provider::duration::Written;
use crate::transaction::Timestamp;

/// How far a signature's time may lie from ours, where the profile doesn't say: what Standard
/// Webhooks and Stripe recommend.
const TOLERANCE_DEFAULT: Duration = Duration::from_secs(300);
/// The most digits of a time. More would be no time that a clock can show.
const DIGITS_MAX: usize = 16;
/// From here on a number can only be milliseconds: as seconds it lies beyond the year 5000.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// The tolerance that the profile gives under `key`.
pub(super) fn tolerance(written: Option<Written>, key: &str) -> Result<Duration, String> {
    match written {
        None => Ok(TOLERANCE_DEFAULT),
        Some(Written(Duration::ZERO)) => Err(format!(
            "`{key}` has to be longer than zero, or no webhook would ever be in time"
        )),
        Some(Written(tolerance)) => Ok(tolerance),
    }
}

/// Reads whole seconds since the Unix epoch.
pub(super) fn seconds(
    text: &str,
    place: impl FnOnce() -> String,
) -> Result<Timestamp, SignatureFault> {
    whole(text, place).map(of_seconds)
}

/// Reads whole seconds or milliseconds since the Unix epoch, whichever can be meant.
pub(super) fn seconds_or_millis(
    text: &str,
    place: impl FnOnce() -> String,
) -> Result<Timestamp, SignatureFault> {
    whole(text, place).map(|number| {
        if number >= MILLISECONDS_FROM {
            Timestamp::from_millis(number)
        } else {
            of_seconds(number)
        }
    })
}

/// The moment so many seconds after the Unix epoch.
pub(super) fn of_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

/// Whether `at` lies within `tolerance` of now, before it or after it.
pub(super) fn check(
    at: Timestamp,
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), SignatureFault> {
    let tolerance_s = tolerance.as_secs();
    if now.since(at) > tolerance {
        let age_s = now.since(at).as_secs();
        return Err(SignatureFault::Stale { age_s, tolerance_s });
    }
    if at.since(now) > tolerance {
        let ahead_s = at.since(now).as_secs();
        return Err(SignatureFault::FromTheFuture {
            ahead_s,
            tolerance_s,
        });
    }
    Ok(())
}

/// A duration in words.
pub(super) fn shown(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

fn whole(text: &str, place: impl FnOnce() -> String) -> Result<i64, SignatureFault> {
    (text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| SignatureFault::Malformed {
            place: place(),
            what: "is no time in Unix seconds",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> String {
        "the time".to_owned()
    }

    #[test]
    fn a_time_is_digits_and_nothing_else() {
        assert_eq!(
            seconds("1614265330", place).map(Timestamp::as_millis),
            Ok(1_614_265_330_000)
        );
        for wrong in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.5",
            "1e9",
            "99999999999999999",
        ] {
            let fault = seconds(wrong, place).expect_err("no time");
            assert_eq!(fault.to_string(), "the time is no time in Unix seconds");
        }
    }

    #[test]
    fn milliseconds_are_told_from_seconds_by_their_size() {
        for text in ["1614265330", "1614265330000"] {
            assert_eq!(
                seconds_or_millis(text, place).map(Timestamp::as_millis),
                Ok(1_614_265_330_000),
                "{text}"
            );
        }
        // A scheme that says seconds means seconds.
        let far = seconds("1614265330000", place).expect("digits");
        assert!(check(far, of_seconds(1_614_265_330), TOLERANCE_DEFAULT).is_err());
    }

    #[test]
    fn the_tolerance_counts_both_ways_and_includes_its_end() {
        let at = of_seconds(1_000_000);
        let check = |now_millis| check(at, Timestamp::from_millis(now_millis), TOLERANCE_DEFAULT);
        assert_eq!(check(1_000_300_000), Ok(()));
        assert_eq!(check(999_700_000), Ok(()));
        assert_eq!(
            check(1_000_301_000),
            Err(SignatureFault::Stale {
                age_s: 301,
                tolerance_s: 300
            })
        );
        assert_eq!(
            check(999_699_000),
            Err(SignatureFault::FromTheFuture {
                ahead_s: 301,
                tolerance_s: 300
            })
        );
        assert!(check(1_000_300_001).is_err());
    }

    #[test]
    fn a_tolerance_of_zero_is_refused_by_name() {
        let complaint = tolerance(Some(Written(Duration::ZERO)), "max_age").expect_err("zero");
        assert!(
            complaint.starts_with("`max_age` has to be longer"),
            "{complaint}"
        );
        assert_eq!(tolerance(None, "max_age"), Ok(TOLERANCE_DEFAULT));
    }
}
