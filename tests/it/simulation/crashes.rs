//! Crashes: the process ends at any moment, with calls and commits under way, and another one begins
//! over the same disk. Nothing is paid twice, lost, wrong or untold.

use std::time::Duration;

use super::audit::Audit;
use super::disk::Slowness;
use super::household::Manners;
use super::seed::Seed;
use super::world::{Plan, World};
use crate::core::fixture::s;

/// Apps that ask twice and listen badly, and a disk that takes its time.
fn rough(seed: u64, transactions: usize) -> Plan {
    let mut plan = Plan::reference(seed, transactions);
    plan.per_second = 5.0;
    plan.manners = Manners {
        doubled: 0.2,
        deaf: 0.3,
    };
    plan.reboots = 0.5;
    plan.disk = Slowness::steady(Duration::from_millis(7));
    plan
}

/// Crashes that world `crashes` times, about every `every_s` seconds, then lets it end in peace.
fn crash(seed: u64, crashes: u32, every_s: f64) -> Audit {
    let world = World::new(rough(seed, 400));
    let mut moments = Seed::new(seed, "crashes");
    let mut now_ms = 0;
    for _ in 0..crashes {
        let crash_ms = now_ms + moments.wait_ms(1.0 / every_s) as u64;
        now_ms = world.live(now_ms, |life| async move { life.until(crash_ms).await });
        assert_eq!(now_ms, crash_ms, "seed {seed}: it died at another moment");
        // Sometimes it is back at once, sometimes half a minute later.
        now_ms += moments.below(2) * moments.below(30_000);
    }
    world.live(now_ms, |life| life.until_content(s(48 * 3_600)));
    let audit = Audit::of(&world);
    audit.assert_clean(seed);
    assert!(audit.inquiries > 0, "seed {seed}: nothing was in doubt");
    audit
}

#[test]
fn crashes_now_and_then() {
    for seed in 1..=12 {
        crash(seed, 10, 15.0);
    }
}

#[test]
fn a_crash_loop() {
    for seed in 101..=106 {
        crash(seed, 200, 0.7);
    }
}

#[test]
fn no_crash_with_rough_apps() {
    for seed in 201..=204 {
        let world = World::new(rough(seed, 1_000));
        world.run(s(48 * 3_600));
        let audit = Audit::of(&world);
        audit.assert_clean(seed);
        let heard = |n: &u128| {
            world
                .household
                .told(&crate::core::fixture::key(*n))
                .map_or(0, |told| told.times)
        };
        let again = world
            .household
            .arrivals()
            .iter()
            .filter(|one| heard(&one.n) > 1)
            .count();
        assert!(
            again > 50,
            "seed {seed}: the apps listened too well for this test: {again}"
        );
    }
}

#[test]
fn a_stop_in_good_order_loses_nothing_either() {
    for seed in 301..=304 {
        let world = World::new(rough(seed, 300));
        let stopped_ms = world.live(0, |life| async move {
            life.until(40_000).await;
            life.house.drain();
            life.house.router.stop_all().await;
        });
        world.live(stopped_ms, |life| life.until_content(s(48 * 3_600)));
        Audit::of(&world).assert_clean(seed);
    }
}
