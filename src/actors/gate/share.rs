//! How much of the provider's limits this node may use, where several nodes share them.
//!
//! A share is leased: when its time is over and no other was granted, nothing goes out. A new one is
//! no refill: what was saved up under a larger share is cut to what the smaller one may save, and
//! after a time without any share the buckets are empty.

use crate::ports::Limits;
use crate::transaction::Mono;

use super::{Gate, GateState, HINT_SHARE};

/// What is lost when a fraction of a whole number is computed.
const ROUNDING: f64 = 1e-9;

/// A part of the limits, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    fraction: f64,
    /// `None`: for ever.
    until: Option<Mono>,
}

impl Share {
    /// That of a node that is alone.
    pub(super) const WHOLE: Self = Self {
        fraction: 1.0,
        until: None,
    };

    /// How many of `limit` places it is; one at least, or a small share would stop everything.
    pub(super) fn places(&self, limit: u32) -> u32 {
        let part = f64::from(limit) * self.fraction + ROUNDING;
        (part as u32).clamp(1, limit.max(1))
    }

    fn is_over(&self, now: Mono) -> bool {
        self.fraction <= 0.0 || self.until.is_some_and(|until| now >= until)
    }
}

impl Gate {
    /// From now on and until `until` this node may use this part (0.0 to 1.0) of the provider's limits:
    /// of both rates, of what may be saved up, and of the places, of which one at least is left. Then
    /// nothing goes out until another share is granted. A gate that was never told has all of it for
    /// ever.
    pub fn grant_share(&self, fraction: f64, until: Mono) {
        let now = self.clock.mono();
        let mut state = self.lock();
        // What the old share earned until now, or until its end, is settled before the new one counts.
        state.has_share(now);
        state.share = Share {
            fraction: fraction.clamp(0.0, 1.0),
            until: Some(until),
        };
        state.resize_buckets(&self.limits, now);
        drop(state);
        self.changed.notify_one();
    }
}

impl GateState {
    /// Whether anything may go out at all. Once the share is over the buckets are emptied: others may
    /// have used it since.
    pub(super) fn has_share(&mut self, now: Mono) -> bool {
        let over = self.share.is_over(now);
        if over {
            let rate = self.submission_rate.iter_mut();
            rate.chain([&mut self.inquiry_budget, &mut self.hint_budget])
                .for_each(|bucket| bucket.spill(now));
        }
        !over
    }

    fn resize_buckets(&mut self, limits: &Limits, now: Mono) {
        let fraction = self.share.fraction;
        if let (Some(bucket), Some(rate)) =
            (&mut self.submission_rate, limits.submissions_per_second)
        {
            bucket.resize(rate * fraction, rate.max(1.0) * fraction, now);
        }
        let (rate, burst) = (
            limits.inquiries_per_second * fraction,
            f64::from(limits.inquiry_burst) * fraction,
        );
        self.inquiry_budget.resize(rate, burst, now);
        self.hint_budget
            .resize(rate * HINT_SHARE, burst * HINT_SHARE, now);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::advance;
    use uuid::Uuid;

    use super::*;
    use crate::clock::Clock;
    use crate::transaction::{AppId, Key, Timestamp, TransactionId};

    const LEASE: Duration = Duration::from_secs(6);
    const RENEW: Duration = Duration::from_secs(2);
    const STEP: Duration = Duration::from_millis(10);
    const LIMITS: Limits = Limits {
        submissions_at_once: 10,
        submissions_per_second: Some(9.0),
        inquiries_per_second: 6.0,
        inquiry_burst: 6,
        inquiries_at_once: 10,
        breaker_failures: 5,
        breaker_pause: Duration::from_secs(1),
    };

    /// What the provider sees: it bears `rate` a second and `burst` at once.
    struct Meter {
        rate: f64,
        burst: f64,
        level: f64,
        total: u32,
    }

    impl Meter {
        fn new(rate: f64, burst: f64) -> Self {
            Self {
                rate,
                burst,
                level: 0.0,
                total: 0,
            }
        }

        fn step(&mut self, calls: u32) {
            self.level = (self.level - self.rate * STEP.as_secs_f64()).max(0.0);
            self.level += f64::from(calls);
            self.total += calls;
            assert!(self.level <= self.burst + 1e-6, "{} at once", self.level);
        }
    }

    /// Three nodes that want all they can get, and the store's arithmetic between them.
    struct World {
        clock: Clock,
        gates: Vec<Arc<Gate>>,
        renews: [bool; 3],
        renewed_at: [Mono; 3],
        leases: BTreeMap<usize, (f64, Mono)>,
        submissions: Meter,
        inquiries: Meter,
    }

    impl World {
        fn new() -> Self {
            let clock = Clock::following_tokio(Timestamp::from_millis(0));
            let gate = |_| {
                let gate = Gate::new("acorn", LIMITS, clock);
                gate.grant_share(0.0, Mono::default());
                gate
            };
            Self {
                clock,
                gates: (0..3).map(gate).collect(),
                renews: [false; 3],
                renewed_at: [Mono::default(); 3],
                leases: BTreeMap::new(),
                submissions: Meter::new(9.0, 9.0),
                inquiries: Meter::new(6.0, 6.0),
            }
        }

        fn renew(&mut self, node: usize) {
            let now = self.clock.mono();
            let living = self.renews.iter().filter(|renews| **renews).count();
            let others = self.leases.iter();
            let others = others.filter(|(other, (_, until))| **other != node && *until > now);
            let taken: f64 = others.map(|(_, (part, _))| *part).sum();
            let part = (1.0 / living as f64).min(1.0 - taken).max(0.0);
            self.leases.insert(node, (part, now + LEASE));
            self.gates[node].grant_share(part, now + LEASE / 2);
            self.renewed_at[node] = now;
        }

        async fn live_for(&mut self, seconds: u64) -> (u32, u32) {
            let before = (self.submissions.total, self.inquiries.total);
            for _ in 0..seconds * 100 {
                advance(STEP).await;
                let now = self.clock.mono();
                for node in 0..3 {
                    if self.renews[node] && now.since(self.renewed_at[node]) >= RENEW {
                        self.renew(node);
                    }
                }
                let (mut submitted, mut inquired) = (0, 0);
                for gate in &self.gates {
                    while gate.try_submit().is_some() {
                        submitted += 1;
                    }
                    for n in 0..20 {
                        gate.ask_to_inquire(&key(n), now, false);
                    }
                    inquired += gate.grants().len() as u32;
                }
                self.submissions.step(submitted);
                self.inquiries.step(inquired);
            }
            (
                self.submissions.total - before.0,
                self.inquiries.total - before.1,
            )
        }
    }

    fn key(n: u128) -> Key {
        Key {
            app: AppId::parse("shop").expect("legal"),
            id: TransactionId(Uuid::from_u128(n)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_nodes_together_never_exceed_the_budget_whoever_comes_dies_or_stands_still() {
        let mut world = World::new();
        assert_eq!(
            world.live_for(20).await,
            (0, 0),
            "without a share nothing goes out"
        );
        let mut shared = (0, 0);
        let mut add = |(submitted, inquired)| shared = (shared.0 + submitted, shared.1 + inquired);
        for node in 0..3 {
            world.renews[node] = true;
            add(world.live_for(10).await);
        }
        // One dies: it uses its share until half a lease is over, and the others get it after a whole.
        world.renews[2] = false;
        add(world.live_for(20).await);
        // One stands still past its lease, and what it does when it wakes up is nothing.
        world.renews[1] = false;
        add(world.live_for(20).await);
        assert!(world.gates[1].try_submit().is_none() && !world.gates[1].take_hint());
        world.renews = [true; 3];
        add(world.live_for(20).await);
        // Ninety seconds, of which some of each share were lost between half a lease and a whole one.
        assert!((700..=810).contains(&shared.0), "submissions: {shared:?}");
        assert!((450..=540).contains(&shared.1), "inquiries: {shared:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_places_is_one_at_least_while_it_lasts() {
        let clock = Clock::following_tokio(Timestamp::from_millis(0));
        let unmetered = Limits {
            submissions_per_second: None,
            ..LIMITS
        };
        let gate = Gate::new("acorn", unmetered, clock);
        let hold = || {
            std::iter::from_fn(|| gate.try_submit())
                .collect::<Vec<_>>()
                .len()
        };
        assert_eq!(hold(), 10, "a gate that was never told has all");
        for (fraction, places) in [(1.0, 10), (0.5, 5), (1.0 / 3.0, 3), (0.01, 1), (0.0, 0)] {
            gate.grant_share(fraction, clock.mono() + LEASE);
            assert_eq!(hold(), places, "{fraction}");
        }
        gate.grant_share(1.0, clock.mono() + LEASE);
        advance(LEASE).await;
        assert_eq!(hold(), 0, "its time is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_share_wakes_whoever_waited_for_one_and_is_no_refill() {
        let clock = Clock::following_tokio(Timestamp::from_millis(0));
        let gate = Gate::new("acorn", LIMITS, clock);
        gate.grant_share(1.0, clock.mono() + LEASE / 2);
        gate.ask_to_inquire(&key(1), clock.mono(), false);
        advance(LEASE).await;
        assert_eq!((gate.next_at(), gate.grants().len()), (None, 0));
        gate.grant_share(0.5, clock.mono() + LEASE);
        let due = gate.next_at().expect("it waits for the bucket");
        assert!(
            due.since(clock.mono()) >= Duration::from_millis(333),
            "it is empty"
        );
        advance(due.since(clock.mono())).await;
        assert_eq!(gate.grants().len(), 1);
    }
}
