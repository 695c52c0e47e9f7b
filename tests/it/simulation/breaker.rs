//! The provider is gone for an hour: what arrives waits, nothing fails, and all of it ends once the
//! provider is back.

use super::audit::Audit;
use super::world::{Plan, World};
use crate::core::fixture::s;
use teller::actors::gate::BreakerState;

const GONE_MS: std::ops::Range<u64> = 60_000..3_660_000;

#[test]
fn an_hour_without_the_provider_delays_and_harms_nothing() {
    for seed in 1..=3 {
        let mut plan = Plan::reference(seed, 1_200);
        plan.per_second = 1.0;
        plan.policy.submit_within = s(6 * 3_600);
        plan.provider_down_ms = GONE_MS;
        plan.limits.breaker_failures = 5;
        plan.limits.breaker_pause = s(10);
        let world = World::new(plan);
        world.live(0, |life| async move {
            life.until(3_600_000).await;
            let gate = life.house.gate_statuses().remove(0);
            assert_ne!(gate.breaker, BreakerState::Closed, "seed {seed}: {gate:?}");
            assert!(gate.submissions_waiting > 1_000, "seed {seed}: {gate:?}");
            life.until_content(s(24 * 3_600)).await;
        });
        let audit = Audit::of(&world);
        audit.assert_clean(seed);
        assert_eq!(audit.failed, 0, "seed {seed}: {audit:#?}");
        let calls = [world.books.submissions_ms(), world.books.inquiries_ms()].concat();
        let knocks = calls.iter().filter(|at_ms| GONE_MS.contains(at_ms)).count();
        // Until it opens, and then a probe now and then: the pause grows to 80 s.
        assert!(
            (40..=80).contains(&knocks),
            "seed {seed}: it was called {knocks} times while it was gone"
        );
    }
}
