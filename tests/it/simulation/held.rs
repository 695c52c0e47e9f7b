//! A node whose lease is not renewed for a while, and is then renewed under the same claim: what it had
//! made up its mind to send waits, and what has waited too long is never sent.

use std::ops::Range;
use std::time::Duration;

use teller::clock::Clock;
use teller::ports::{Owner, Ownership, Promise, Tenure};

use super::audit::Audit;
use super::virtual_provider::world_ms;
use super::world::{Plan, World};
use crate::core::fixture::s;

/// The ownership of a node that has everything, and may not act at certain times.
pub(super) struct HeldBack {
    pub(super) clock: Clock,
    pub(super) held_ms: Range<u64>,
}

impl HeldBack {
    fn left(&self) -> Option<Duration> {
        let now = world_ms(self.clock);
        let held = self.held_ms.contains(&now);
        held.then(|| Duration::from_millis(self.held_ms.end - now))
    }
}

impl Ownership for HeldBack {
    fn tenure(&self, _: u32) -> Option<Tenure> {
        Some(Tenure::ALONE)
    }

    fn may_act(&self, _: u32, _: Tenure) -> bool {
        self.left().is_none()
    }

    fn when_allowed(&self, _: u32, _: Tenure) -> Promise<bool> {
        let left = self.left().unwrap_or_default();
        Box::pin(async move {
            tokio::time::sleep(left).await;
            true
        })
    }

    fn fenced(&self, _: u32, _: Tenure) {}

    fn owner(&self, _: u32) -> Owner {
        Owner::Here
    }

    fn max_pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// Held back for longer than a call may take, and then for longer than the ghost window too.
#[test]
fn what_was_held_back_for_too_long_is_never_sent() {
    for (seed, held_for_ms) in [(1, 3_000), (2, 60_000), (3, 240_000), (4, 3_600_000)] {
        let mut plan = Plan::reference(seed, 300);
        plan.per_second = 5.0;
        plan.held_ms = 20_000..20_000 + held_for_ms;
        let world = World::new(plan);
        world.run(s(24 * 3_600));
        let audit = Audit::of(&world);
        audit.assert_clean(seed);
        // What was held back does not go out all at once when the hold is over.
        assert!(audit.inquiries < 3 * 300, "seed {seed}: {audit:#?}");
    }
}

/// The same for requests that are sent again to a provider that remembers them for a day.
#[test]
fn what_was_held_back_for_too_long_is_not_sent_again_either() {
    for (seed, held_for_ms) in [(1, 3_000), (2, 240_000), (3, 1_800_000)] {
        let mut plan = Plan::reference(seed, 300);
        plan.policy = crate::core::fixture::resending(plan.policy, s(86_400));
        plan.remembers = Some(s(86_400));
        plan.torn_answers = 0.2;
        plan.per_second = 5.0;
        plan.held_ms = 20_000..20_000 + held_for_ms;
        let world = World::new(plan);
        world.run(s(24 * 3_600));
        Audit::of(&world).assert_clean(seed);
    }
}
