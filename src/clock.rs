//! The one place where time is read. Everything else is handed a [`Now`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use self::other_clocks::OtherClocks;
use crate::transaction::{LastingInstant, Mono, Now, Timestamp};

mod other_clocks;

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
    /// The time since the machine's boot (`CLOCK_BOOTTIME`), and what is known of other machines' clocks.
    Boot(Uuid, &'static Mutex<OtherClocks>),
    /// A wall clock that follows tokio's, within a boot of this name.
    Virtual(Uuid),
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
            lasting: lasting(),
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
            lasting: lasting(),
        };
        (clock, Correction(correction))
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
        let lasting = match self.lasting {
            Lasting::None => None,
            Lasting::Boot(timeline, _) => Some((timeline, boottime_ms())),
            Lasting::Virtual(timeline) => Some((
                timeline,
                u64::try_from(wall.as_millis()).unwrap_or_default(),
            )),
        };
        Now {
            wall,
            mono,
            lasting: lasting.map(|(timeline, at_ms)| LastingInstant { timeline, at_ms }),
        }
    }

    /// The present, with the lasting timeline of `earlier` in the place of this machine's own, where this
    /// node can tell how much time has passed since: never more than has.
    #[must_use]
    pub fn now_seen_from(&self, earlier: LastingInstant) -> Now {
        let now = self.now();
        let Lasting::Boot(_, others) = self.lasting else {
            return now;
        };
        let own = now.lasting.filter(|own| own.timeline != earlier.timeline);
        let others = others.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = own.and_then(|own| others.now_on(earlier, own.at_ms));
        Now {
            lasting: seen.or(now.lasting),
            ..now
        }
    }

    /// Another machine's boot clock showed `theirs` before this machine's showed `boottime_ms`.
    pub fn witness(&self, theirs: LastingInstant, boottime_ms: u64) {
        if let Lasting::Boot(own, others) = self.lasting
            && own != theirs.timeline
        {
            let mut others = others.lock().unwrap_or_else(PoisonError::into_inner);
            others.witness(theirs, boottime_ms);
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

/// Puts a wall clock right.
#[derive(Clone, Copy, Debug)]
pub struct Correction(&'static AtomicI64);

impl Correction {
    /// From now on the clock shows the system's time and so many milliseconds more, or less.
    pub fn set_ms(self, by: i64) {
        self.0.store(by, Ordering::Relaxed);
    }
}

fn lasting() -> Lasting {
    match boot() {
        Some(timeline) => Lasting::Boot(timeline, Box::leak(Box::default())),
        None => Lasting::None,
    }
}

/// The name of this machine's boot as this process sees it: the boot's id, and the time namespace with its
/// offsets, by which its `CLOCK_BOOTTIME` is shifted. The namespace's number alone is given to the next one
/// again. `None` where the kernel does not tell them.
fn boot() -> Option<Uuid> {
    let boot_id = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/time").ok()?;
    let namespace = namespace.as_os_str().as_encoded_bytes();
    let offsets = std::fs::read("/proc/self/timens_offsets").ok()?;
    Some(name(b"teller:boot", &[&boot_id, namespace, &offsets]))
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
    fn the_time_since_a_moment_on_another_machine_is_what_was_witnessed_and_no_more() {
        let clock = Clock::system();
        let theirs = |at_ms| LastingInstant {
            timeline: Uuid::from_u128(7),
            at_ms,
        };
        let passed = |earlier| {
            clock
                .now_seen_from(earlier)
                .lasting
                .and_then(|now| now.since(earlier))
        };
        assert_eq!(passed(theirs(500)), None);
        let own_ms = clock.now().lasting.expect("Linux tells its boot").at_ms;
        clock.witness(theirs(1_000), own_ms.saturating_sub(60_000));
        let since = passed(theirs(500)).expect("witnessed");
        assert!(since >= Duration::from_millis(60_500), "{since:?}");
        assert!(since < Duration::from_millis(90_000), "{since:?}");
        // Nothing of theirs was seen after this moment.
        assert_eq!(passed(theirs(1_001)), None);
    }

    #[test]
    fn two_processes_of_one_boot_share_a_timeline_and_it_runs() {
        let (one, other) = (Clock::system(), Clock::system());
        let earlier = one.now().lasting.expect("Linux tells its boot");
        std::thread::sleep(Duration::from_millis(20));
        let later = other.now().lasting.expect("Linux tells its boot");
        let passed = later.since(earlier).expect("one timeline");
        assert!(passed >= Duration::from_millis(19), "{passed:?}");
        assert_eq!(earlier.since(later), None);
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
