//! The clock that leases are counted on: `CLOCK_BOOTTIME`, which goes on while the machine sleeps, and
//! which nobody sets.

use std::ops::Add;
use std::time::Duration;

use crate::clock::boottime_ms;

/// A moment on this machine's boot clock, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Boottime(u64);

impl Boottime {
    /// The present. A read of some 50 ns, without a system call on the usual machines.
    #[must_use]
    pub fn now() -> Self {
        Self(boottime_ms())
    }

    /// Milliseconds since the machine's boot.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0
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
