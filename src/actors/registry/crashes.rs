//! Panics survived, per transaction, and who is put aside because of them, until when.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::transaction::{Key, Mono};

/// This many panics of one transaction …
const PANICS_MAX: usize = 3;
/// … within this long put it aside. After as long without a panic the count starts from zero.
const PANICS_WITHIN: Duration = Duration::from_mins(10);
/// How long it is put aside at first. A machine that had no thread or descriptor left for a moment has
/// some again by then.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Each panic after the return makes the pause so many times longer …
const PAUSE_FACTOR: u32 = 3;
/// … up to this: what is broken for good costs six rebuilds an hour.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Panics are remembered for this many transactions before those who are well again are forgotten. Each
/// costs some two hundred bytes; who is put aside is never forgotten, and is one of the open transactions,
/// which are bounded.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Crashes {
    troubled: HashMap<Key, Troubled>,
    total: u64,
}

#[derive(Default)]
struct Troubled {
    panics: VecDeque<Mono>,
    /// How long and until when it was put aside last.
    aside: Option<(Duration, Mono)>,
}

impl Troubled {
    /// Since when nothing has happened to it: its last panic, or its return.
    fn quiet_since(&self) -> Mono {
        let back = self.aside.map(|(_, until)| until);
        let last = self.panics.back().copied();
        last.max(back).unwrap_or_default()
    }
}

impl Crashes {
    /// Notes a panic; says until when the transaction is put aside, or `None` if it is to be rebuilt at
    /// once.
    pub(super) fn note(&mut self, key: &Key, now: Mono) -> Option<Mono> {
        self.total += 1;
        let is_well = |one: &Troubled| now.since(one.quiet_since()) >= PANICS_WITHIN;
        if self.troubled.len() >= REMEMBERED_MAX {
            self.troubled.retain(|_, one| !is_well(one));
        }
        let one = self.troubled.entry(key.clone()).or_default();
        if is_well(one) {
            *one = Troubled::default();
        }
        one.panics.retain(|&at| now.since(at) < PANICS_WITHIN);
        one.panics.push_back(now);
        let pause = match one.aside {
            Some((pause, _)) => (pause * PAUSE_FACTOR).min(LONGEST_PAUSE),
            None if one.panics.len() < PANICS_MAX => return None,
            None => FIRST_PAUSE,
        };
        while one.panics.len() > PANICS_MAX {
            one.panics.pop_front();
        }
        one.aside = Some((pause, now + pause));
        Some(now + pause)
    }

    /// Until when it is put aside; `None` if it isn't.
    pub(super) fn aside_until(&self, key: &Key, now: Mono) -> Option<Mono> {
        let (_, until) = self.troubled.get(key)?.aside?;
        (now < until).then_some(until)
    }

    /// Somebody acts on it: it comes back now. The next panic puts it aside for longer than before.
    pub(super) fn let_back(&mut self, key: &Key, now: Mono) {
        if let Some((_, until)) = self
            .troubled
            .get_mut(key)
            .and_then(|one| one.aside.as_mut())
        {
            *until = now.min(*until);
        }
    }

    /// Those that are put aside.
    pub(super) fn aside(&self, now: Mono) -> impl Iterator<Item = &Key> {
        let is_aside = move |one: &Troubled| one.aside.is_some_and(|(_, until)| now < until);
        let aside = self.troubled.iter().filter(move |(_, one)| is_aside(one));
        aside.map(|(key, _)| key)
    }

    /// Forgets those that `theirs` names: another node has them.
    pub(super) fn forget(&mut self, theirs: impl Fn(&Key) -> bool) {
        self.troubled.retain(|key, _| !theirs(key));
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::transaction::{AppId, TransactionId};

    fn at(seconds: u64) -> Mono {
        Mono::from_millis(seconds * 1_000)
    }

    fn key(n: u128) -> Key {
        Key {
            app: AppId::parse("shop").expect("legal"),
            id: TransactionId(Uuid::from_u128(n)),
        }
    }

    #[test]
    fn who_panics_again_and_again_is_put_aside_for_longer_and_longer_and_always_comes_back() {
        let (mut crashes, key) = (Crashes::default(), key(1));
        assert_eq!(crashes.note(&key, at(0)), None);
        assert_eq!(crashes.note(&key, at(0)), None);
        let (mut now, mut pauses) = (at(0), Vec::new());
        for _ in 0..7 {
            let until = crashes.note(&key, now).expect("put aside");
            pauses.push(until.since(now).as_secs());
            assert_eq!(crashes.aside_until(&key, now), Some(until));
            assert_eq!(crashes.aside_until(&key, until), None, "it is back");
            now = until;
        }
        assert_eq!(pauses, [5, 15, 45, 135, 405, 600, 600]);
        assert_eq!((crashes.aside(now).count(), crashes.total()), (0, 9));
    }

    #[test]
    fn who_has_been_well_for_long_enough_begins_anew() {
        let (mut crashes, key) = (Crashes::default(), key(1));
        let noted: Vec<_> = [0, 1, 2].map(|s| crashes.note(&key, at(s))).to_vec();
        assert_eq!(noted, [None, None, Some(at(7))]);
        assert_eq!(
            crashes.note(&key, at(7 + 600)),
            None,
            "ten minutes of peace"
        );
        assert_eq!(crashes.note(&key, at(608)), None);
        assert_eq!(crashes.note(&key, at(609)), Some(at(614)));
    }

    #[test]
    fn an_act_brings_back_at_once_and_the_next_panic_counts_as_before() {
        let (mut crashes, key) = (Crashes::default(), key(1));
        let noted = [0; 3].map(|s| crashes.note(&key, at(s)));
        assert_eq!(noted, [None, None, Some(at(5))]);
        crashes.let_back(&key, at(1));
        assert_eq!(crashes.aside_until(&key, at(1)), None);
        assert_eq!(crashes.note(&key, at(1)), Some(at(16)));
    }

    #[test]
    fn who_is_aside_is_remembered_however_many_others_panic() {
        let mut crashes = Crashes::default();
        let noted = [0; 3].map(|s| crashes.note(&key(0), at(s)));
        assert_eq!(noted, [None, None, Some(at(5))]);
        for n in 1..=2 * REMEMBERED_MAX as u128 {
            crashes.note(&key(n), at(1));
        }
        assert_eq!(crashes.aside_until(&key(0), at(2)), Some(at(5)));
        crashes.note(&key(1), at(3_600));
        assert_eq!(crashes.troubled.len(), 1, "all others are well again");
    }
}
