//! Everything at once: crashes, panics, a provider that is gone for a while and loses answers, a
//! scarce budget, a house that likes to be empty and one that is full, a disk without room, apps that
//! ask twice and listen badly.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use teller::actors::messages::Call;

use super::audit::Audit;
use super::disk::Slowness;
use super::household::Manners;
use super::panics::quiet;
use super::seed::Seed;
use super::world::{Life, Plan, World};
use crate::core::fixture::{key, s};

const TRANSACTIONS: usize = 300;

fn plan(seed: u64) -> Plan {
    let mut plan = Plan::reference(seed, TRANSACTIONS);
    let mut draws = Seed::new(seed, "storm");
    plan.per_second = 4.0;
    plan.manners = Manners {
        doubled: 0.2,
        deaf: 0.3,
    };
    plan.disk = Slowness {
        usual: Duration::from_millis(draws.below(20)),
        hangs: 0.001,
        longest: s(120),
    };
    plan.prepares_ms = 20_000;
    plan.reboots = 0.5;
    plan.torn_answers = 0.2;
    let gone_ms = 20_000 + draws.below(100_000);
    plan.provider_down_ms = gone_ms..gone_ms + draws.below(120_000);
    plan.limits.inquiries_per_second = 5.0;
    plan.limits.inquiry_burst = 5;
    plan.limits.submissions_at_once = 30 + draws.below(50) as u32;
    plan.limits.submissions_per_second = Some(10.0);
    plan.limits.breaker_failures = 5;
    plan.bounds.open_transactions = 100 + draws.below(200) as usize;
    plan.bounds.linger = s(1);
    plan.bounds.passivate_beyond = s(5);
    plan
}

/// Panics and refused appends, about one of each every two seconds. Says how many panics.
async fn make_trouble(life: &Life, draws: &mut Seed, until_ms: u64) -> usize {
    let mut panicked = BTreeSet::new();
    loop {
        let next_ms = life.now_ms() + draws.wait_ms(1.0) as u64;
        life.until(next_ms.min(until_ms)).await;
        if next_ms >= until_ms {
            return panicked.len();
        }
        if draws.happens(0.5) {
            life.disk.refuse(1 + draws.below(3) as usize);
        } else {
            let arrivals = life.household.arrivals();
            let one = &arrivals[draws.below(arrivals.len() as u64) as usize];
            // The third of one transaction would put it aside, which another test is about.
            if panicked.insert(one.n) {
                // A shard that has no room is trouble enough.
                let _ = life.house.router.send(key(one.n), Call::Crash);
            }
        }
    }
}

#[test]
fn whatever_comes_together_every_transaction_ends_once_and_rightly() {
    quiet();
    let (panics, mut turned_away) = (Cell::new(0), 0);
    for seed in 1..=100 {
        let world = World::new(plan(seed));
        let mut draws = Seed::new(seed, "trouble");
        let mut now_ms = 0;
        for _ in 0..5 {
            let crash_ms = now_ms + 1_000 + draws.wait_ms(1.0 / 30.0) as u64;
            let (dice, panics) = (&mut draws, &panics);
            world.live(now_ms, |life| async move {
                panics.set(panics.get() + make_trouble(&life, dice, crash_ms).await);
            });
            now_ms = crash_ms + draws.below(10_000);
        }
        world.live(now_ms, |life| life.until_content(s(48 * 3_600)));
        let audit = Audit::of(&world);
        audit.assert_clean(seed);
        assert_eq!(audit.failed, 0, "seed {seed}: {audit:#?}");
        turned_away += world.household.turned_away();
    }
    assert!(
        panics.get() > 1_000 && turned_away > 1_000,
        "no storm: {panics:?}, {turned_away}"
    );
}
