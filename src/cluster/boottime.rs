//! The clock that leases are counted on: `CLOCK_BOOTTIME`, which goes on while the machine sleeps, and
//! which nobody sets.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment on this machine's boot clock, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Boottime(u64);

impl Boottime {
    /// The present. A read of some 50 ns, without a system call on the usual machines.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default();
        Self(seconds * 1000 + millis)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Boottime {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward_with_the_time() {
        let before = Boottime::now();
        std::thread::sleep(Duration::from_millis(30));
        let passed = Boottime::now().since(before);
        assert!(passed >= Duration::from_millis(29), "{passed:?}");
        assert_eq!(before.since(Boottime::now()), Duration::ZERO);
        assert!(before + Duration::from_secs(60) > Boottime::now());
    }
}
