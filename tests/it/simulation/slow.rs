//! Time varies: the disk hangs for up to two minutes, a token or a connection takes twenty seconds, and
//! the process ends in between, with the machine or without it. Between a decision and the first byte
//! anything may pass, and nothing is paid twice.

use std::time::Duration;

use mock_provider::model::{Draw, Ghost, Status};

use super::audit::{Audit, stored};
use super::disk::Slowness;
use super::household::Manners;
use super::seed::Seed;
use super::world::{Plan, World};
use crate::core::fixture::{key, resending, s};

fn slow(seed: u64, transactions: usize) -> Plan {
    let mut plan = Plan::reference(seed, transactions);
    plan.per_second = 5.0;
    plan.manners = Manners {
        doubled: 0.2,
        deaf: 0.1,
    };
    plan.disk = Slowness {
        usual: Duration::from_millis(7),
        hangs: 0.004,
        longest: s(120),
    };
    plan.prepares_ms = 20_000;
    plan.torn_answers = 0.1;
    plan.reboots = 0.5;
    plan
}

#[test]
fn a_disk_that_hangs_for_minutes_costs_time_and_nothing_else() {
    for seed in 1..=40 {
        let world = World::new(slow(seed, 300));
        world.run(s(48 * 3_600));
        Audit::of(&world).assert_clean(seed);
    }
}

#[test]
fn a_disk_that_hangs_while_the_process_crashes() {
    for seed in 1..=40 {
        let world = World::new(slow(seed, 300));
        let mut moments = Seed::new(seed, "crashes");
        let mut now_ms = 0;
        for _ in 0..8 {
            let crash_ms = now_ms + moments.wait_ms(1.0 / 40.0) as u64;
            now_ms = world.live(now_ms, |life| async move { life.until(crash_ms).await });
            now_ms += moments.below(2) * moments.below(30_000);
        }
        world.live(now_ms, |life| life.until_content(s(48 * 3_600)));
        Audit::of(&world).assert_clean(seed);
    }
}

#[test]
fn a_disk_that_hangs_while_requests_are_sent_again() {
    for seed in 1..=20 {
        let mut plan = slow(seed, 300);
        plan.policy = resending(plan.policy, s(1_800));
        // What was still on its way when the promise ended arrives within the ghost window.
        plan.remembers = Some(s(1_800));
        let world = World::new(plan);
        world.run(s(48 * 3_600));
        Audit::of(&world).assert_clean(seed);
    }
}

/// Every POST times out, and is executed at the last moment of its ghost window.
fn latest_ghost(_: &teller::transaction::Key) -> Draw {
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: Some(Ghost {
            after_ms: 119_000,
            status: Status::Completed,
        }),
    }
}

#[test]
fn a_ghost_of_a_request_that_left_late_is_waited_for() {
    for seed in 1..=20 {
        let mut plan = slow(seed, 60);
        plan.course = Some(latest_ghost);
        plan.disk.hangs = 0.05;
        let world = World::new(plan);
        world.run(s(48 * 3_600));
        Audit::of(&world).assert_clean(seed);
    }
}

#[test]
fn nothing_leaves_after_submit_by_however_long_a_commit_takes() {
    for seed in 1..=20 {
        let mut plan = slow(seed, 200);
        plan.policy.submit_within = s(15);
        plan.disk.hangs = 0.05;
        let world = World::new(plan);
        world.run(s(48 * 3_600));
        let audit = Audit::of(&world);
        audit.assert_clean(seed);
        assert!(
            audit.failed > 0,
            "seed {seed}: nothing came too late: {audit:#?}"
        );
        for arrival in world.household.arrivals() {
            let Some(transaction) = stored(&world, &key(arrival.n)) else {
                continue;
            };
            let left = world.books.left_ms(&transaction.key.id.to_string());
            let submit_by = transaction.request.submit_by;
            let late = left.iter().filter(|&&left_ms| {
                let left = crate::core::fixture::BEGINNING + left_ms as i64;
                left >= submit_by.as_millis()
            });
            assert_eq!(late.count(), 0, "seed {seed}: {left:?} by {submit_by}");
        }
    }
}
