//! The bar: ten seeds of 100,000 transactions each against the reference behaviour, unscaled.

use std::time::Instant;

use super::audit::Audit;
use super::world::{Plan, World};
use crate::core::fixture::s;

/// Above what an oracle needs for the same draws.
const ABOVE_FLOOR_MAX_S: f64 = 0.60;
const INQUIRIES_EACH_MAX: f64 = 0.55;
const TRANSACTIONS: usize = 100_000;

/// Runs one seed and holds it to the bar.
fn hold(seed: u64, transactions: usize) {
    let began = Instant::now();
    let world = World::new(Plan::reference(seed, transactions));
    let ended_ms = world.run(s(24 * 3_600));
    let audit = Audit::of(&world);
    let above_s = audit.mean_s - audit.floor_s;
    eprintln!(
        "seed {seed}: mean {:.3} s, floor {:.3} s, above {above_s:.3} s; {:.4} inquiries each; \
         {:.0} virtual seconds in {:.1} s",
        audit.mean_s,
        audit.floor_s,
        audit.inquiries_each(),
        ended_ms as f64 / 1_000.0,
        began.elapsed().as_secs_f64(),
    );
    audit.assert_clean(seed);
    assert!(above_s <= ABOVE_FLOOR_MAX_S, "seed {seed}: {audit:#?}");
    assert!(
        audit.inquiries_each() <= INQUIRIES_EACH_MAX,
        "seed {seed}: {audit:#?}"
    );
}

#[test]
fn seeds_1_to_5_meet_the_bar() {
    (1..=5).for_each(|seed| hold(seed, TRANSACTIONS));
}

#[test]
fn seeds_6_to_10_meet_the_bar() {
    (6..=10).for_each(|seed| hold(seed, TRANSACTIONS));
}

#[test]
fn the_same_seed_is_the_same_world() {
    let world = |seed| {
        let world = World::new(Plan::reference(seed, 2_000));
        let ended_ms = world.run(s(24 * 3_600));
        (ended_ms, world.books.inquiries_ms(), Audit::of(&world))
    };
    let (one, same, other) = (world(11), world(11), world(12));
    assert_eq!((one.0, &one.1), (same.0, &same.1));
    assert_eq!(one.2, same.2);
    assert_ne!(one.1, other.1);
}
