//! The one place where time is read. Everything else is handed a [`Now`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use crate::transaction::{LastingInstant, Mono, Now, Timestamp};

/// Reads both clocks. Cheap to copy: every shard and adapter has its own.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    wall: Wall,
    lasting: Lasting,
}

/// The timeline that outlives the process, if there is one.
#[derive(Clone, Copy, Debug)]
enum Lasting {
    None,
    /// The time since the machine's boot (`CLOCK_BOOTTIME`).
    Boot(Uuid),
    /// A wall clock that follows tokio's, within a boot of this name.
    Virtual(Uuid),
    /// The clock of the store that several nodes share, once it was read.
    Store(&'static RwLock<Option<StoreReading>>),
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
            lasting: boot().map_or(Lasting::None, Lasting::Boot),
        }
    }

    /// The real clocks, of which the wall clock can be put right while it runs: nodes that share a store
    /// go by the store's time, however wrong their own is. The correction lives as long as the process.
    #[must_use]
    pub fn correctable() -> (Self, Correction) {
        let correction: &'static AtomicI64 = Box::leak(Box::default());
        let reading: &'static RwLock<Option<StoreReading>> = Box::leak(Box::default());
        let clock = Self {
            origin: Instant::now(),
            wall: Wall::Corrected(correction),
            lasting: Lasting::Store(reading),
        };
        let correction = Correction {
            offset_ms: correction,
            reading,
        };
        (clock, correction)
    }

    /// A wall clock that follows tokio's clock, for simulations that pause and jump it.
    #[must_use]
    pub fn following_tokio(start: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall: Wall::Virtual(start),
            lasting: Lasting::None,
        }
    }

    /// The same clock with a timeline that outlives the process, as on a machine whose boot has this name.
    #[must_use]
    pub fn within_boot(self, name: Uuid) -> Self {
        Self {
            lasting: Lasting::Virtual(name),
            ..self
        }
    }

    /// A wall clock that stands at a moment, for what is only rehearsed as of then.
    #[must_use]
    pub fn standing(at: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall: Wall::Standing(at),
            lasting: Lasting::None,
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
        let exactly = |timeline, at_ms| LastingInstant {
            timeline,
            at_ms,
            uncertainty_ms: 0,
        };
        let lasting = match self.lasting {
            Lasting::None => None,
            Lasting::Boot(timeline) => Some(exactly(timeline, boottime_ms())),
            Lasting::Virtual(timeline) => {
                let at_ms = u64::try_from(wall.as_millis()).unwrap_or_default();
                Some(exactly(timeline, at_ms))
            }
            Lasting::Store(reading) => {
                let reading = reading.read().unwrap_or_else(PoisonError::into_inner);
                reading.map(|reading| reading.at(boottime_ms()))
            }
        };
        Now {
            wall,
            mono,
            lasting,
        }
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

/// Puts a clock right by what the shared store says.
#[derive(Clone, Copy, Debug)]
pub struct Correction {
    offset_ms: &'static AtomicI64,
    reading: &'static RwLock<Option<StoreReading>>,
}

impl Correction {
    /// From now on the wall clock shows the system's time and so many milliseconds more, or less.
    pub fn set_ms(self, by: i64) {
        self.offset_ms.store(by, Ordering::Relaxed);
    }

    /// The store's clock was read: from now on it is the timeline that outlives the process.
    pub fn read_store(self, reading: StoreReading) {
        let mut present = self.reading.write().unwrap_or_else(PoisonError::into_inner);
        *present = Some(reading);
    }
}

/// One reading of the clock of the store that several nodes share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreReading {
    timeline: Uuid,
    store_ms: u64,
    /// The middle of the time in which the store read its clock, on this machine's boot clock.
    boottime_ms: u64,
    uncertainty_ms: u64,
}

impl StoreReading {
    /// What every reading may be wrong by besides its round trip: the store's clock is a wall clock, which
    /// its time service slews.
    const UNCERTAINTY_MS: u64 = 250;
    /// Two clocks drift apart by less than this share of the time between a reading and its use, in parts
    /// per million. Quartz has 100; a time service may slew by 500.
    const DRIFT_PPM: u64 = 1_000;

    /// The store, which calls itself `primary` (another text: another server, or another run of it), showed
    /// `store_now` at some moment between `asked_ms` and `answered_ms` of this machine's boot clock.
    #[must_use]
    pub fn new(primary: &str, store_now: Timestamp, asked_ms: u64, answered_ms: u64) -> Self {
        let half = answered_ms.saturating_sub(asked_ms).div_ceil(2);
        Self {
            timeline: name(b"teller:store", &[primary.as_bytes()]),
            store_ms: u64::try_from(store_now.as_millis()).unwrap_or_default(),
            boottime_ms: asked_ms + half,
            uncertainty_ms: half + Self::UNCERTAINTY_MS,
        }
    }

    /// The same moment by the store's clock when this machine's boot clock shows `boottime_ms`.
    #[must_use]
    pub fn at(self, boottime_ms: u64) -> LastingInstant {
        let passed = boottime_ms.saturating_sub(self.boottime_ms);
        LastingInstant {
            timeline: self.timeline,
            at_ms: self.store_ms + passed,
            uncertainty_ms: self.uncertainty_ms + passed.div_ceil(1_000_000 / Self::DRIFT_PPM),
        }
    }

    /// Whether the store's clock has been set between the two readings: then it is no timeline.
    #[must_use]
    pub fn was_set_since(self, earlier: Self) -> bool {
        let expected = earlier.at(self.boottime_ms);
        let doubt = expected.uncertainty_ms + self.uncertainty_ms;
        earlier.timeline == self.timeline && expected.at_ms.abs_diff(self.store_ms) > doubt
    }

    /// The timeline that begins with this reading, because the store's clock was set before it. No earlier
    /// moment lies on it.
    #[must_use]
    pub fn new_timeline(self) -> Uuid {
        let before = self.timeline.into_bytes();
        name(
            b"teller:store-clock-set",
            &[&before, &self.store_ms.to_be_bytes()],
        )
    }

    /// The same reading on that timeline.
    #[must_use]
    pub fn on(self, timeline: Uuid) -> Self {
        Self { timeline, ..self }
    }

    /// Whether both are of one run of the store.
    #[must_use]
    pub fn is_of_one_run_with(self, other: Self) -> bool {
        self.timeline == other.timeline
    }
}

/// The name of this machine's boot as this process sees it: the boot's id, and the time namespace, whose
/// `CLOCK_BOOTTIME` may be shifted against that of others. `None` where the kernel tells neither.
fn boot() -> Option<Uuid> {
    let boot_id = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/time").ok()?;
    let namespace = namespace.as_os_str().as_encoded_bytes();
    Some(name(b"teller:boot", &[&boot_id, namespace]))
}

/// A name that only these parts have.
fn name(purpose: &[u8], parts: &[&[u8]]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in [&[purpose], parts].concat() {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut name = [0; 16];
    name.copy_from_slice(&digest[..16]);
    Uuid::new_v8(name)
}

/// Milliseconds since the machine's boot, the time that it slept included.
pub(crate) fn boottime_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default();
    seconds * 1000 + millis
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
    fn nodes_compare_moments_by_the_stores_clock_less_what_they_do_not_know() {
        let at = Timestamp::from_millis;
        // Two machines, whose boot clocks have nothing in common, read one store.
        let one = StoreReading::new("run 1", at(1_000_000), 5_000, 5_020);
        let other = StoreReading::new("run 1", at(1_060_000), 777_000, 777_100);
        let earlier = one.at(5_010);
        let later = other.at(777_050);
        let passed = later.surely_since(earlier).expect("one timeline");
        assert_eq!(passed, Duration::from_millis(60_000 - 10 - 50 - 2 * 250));
        // What is read long after the reading is less certain.
        assert_eq!(one.at(5_010 + 1_000_000).uncertainty_ms, 260 + 1_000);
        let promoted = StoreReading::new("run 2", at(1_060_000), 777_000, 777_100);
        assert_eq!(promoted.at(777_050).surely_since(earlier), None);
    }

    #[test]
    fn a_store_whose_clock_is_set_begins_another_timeline() {
        let at = Timestamp::from_millis;
        let before = StoreReading::new("run 1", at(1_000_000), 5_000, 5_020);
        let steady = StoreReading::new("run 1", at(1_010_100), 15_000, 15_020);
        let set = StoreReading::new("run 1", at(1_070_000), 15_000, 15_020);
        assert!(!steady.was_set_since(before));
        assert!(set.was_set_since(before));
        let after = set.on(set.new_timeline()).at(15_010);
        assert_eq!(after.surely_since(before.at(5_010)), None);
    }

    #[test]
    fn two_processes_of_one_boot_share_a_timeline_and_it_runs() {
        let (one, other) = (Clock::system(), Clock::system());
        let earlier = one.now().lasting.expect("Linux tells its boot");
        std::thread::sleep(Duration::from_millis(20));
        let later = other.now().lasting.expect("Linux tells its boot");
        let passed = later.surely_since(earlier).expect("one timeline");
        assert!(passed >= Duration::from_millis(19), "{passed:?}");
        assert_eq!(earlier.surely_since(later), None);
    }

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
