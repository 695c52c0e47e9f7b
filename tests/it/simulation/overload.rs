//! More than the house may hold: what is over the bound gets a clear error, and what was taken is kept.

use super::audit::Audit;
use super::world::{Plan, World};
use crate::core::fixture::s;

const OPEN_MAX: usize = 50;

#[test]
fn over_the_bound_new_ones_are_turned_away_and_none_is_lost() {
    for seed in 1..=3 {
        let mut plan = Plan::reference(seed, 500);
        plan.per_second = 100.0;
        plan.bounds.open_transactions = OPEN_MAX;
        plan.bounds.linger = s(1);
        let world = World::new(plan);
        let disk = std::sync::Arc::clone(&world.disk);
        world.live(0, |life| async move {
            for second in 1..=60 {
                life.until(second * 1_000).await;
                let open = disk.open_up_to(1_000);
                assert!(open <= OPEN_MAX, "seed {seed}: {open} are open");
            }
            life.until_content(s(24 * 3_600)).await;
        });
        assert!(
            world.household.turned_away() > 100,
            "seed {seed}: the bound was never reached"
        );
        Audit::of(&world).assert_clean(seed);
    }
}
