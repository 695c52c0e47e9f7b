//! The server's time: unscaled milliseconds since its start, run faster than the wall's by a factor.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Turns unscaled delays into real ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    scale: f64,
}

impl Clock {
    /// Starts now; `scale` is positive and finite.
    pub(crate) fn start(scale: f64) -> Self {
        Self {
            start: Instant::now(),
            scale,
        }
    }

    pub(crate) const fn scale(&self) -> f64 {
        self.scale
    }

    /// Unscaled milliseconds since the start.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.start.elapsed().as_secs_f64() * 1_000.0 * self.scale) as u64
    }

    /// Waits until the clock shows `at_ms`, so that whoever asks afterwards sees that moment passed.
    pub(crate) async fn sleep_until(&self, at_ms: u64) {
        // Rounding may wake a hair too early; asking the clock again is exact.
        while self.now_ms() < at_ms {
            tokio::time::sleep(self.real(at_ms.saturating_sub(self.now_ms()).max(1))).await;
        }
    }

    /// How long an unscaled delay really takes.
    pub(crate) fn real(&self, unscaled_ms: u64) -> Duration {
        Duration::from_secs_f64(unscaled_ms as f64 / 1_000.0 / self.scale)
    }
}

/// Milliseconds since 1970, for the ledger.
pub(crate) fn epoch_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
