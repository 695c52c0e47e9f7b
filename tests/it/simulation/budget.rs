//! A scarce budget: ten thousand transactions in doubt, and five inquiries a second for all of them.

use mock_provider::model::{Draw, Ghost, Status};
use teller::transaction::{Fact, Key};

use super::audit::Audit;
use super::world::{Plan, World};
use crate::core::fixture::{key, s};

const PER_SECOND: f64 = 5.0;
const BURST: u32 = 5;

/// Every POST times out. Half of the transactions are ghosts, which appear between 30 and 120 s; the
/// other half never come.
fn all_time_out(key: &Key) -> Draw {
    let after_ms = 30_000 + (key.jitter(1) * 90_000.0) as u64;
    let status = if key.jitter(2) < 2.0 / 3.0 {
        Status::Completed
    } else {
        Status::Declined
    };
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: (key.jitter(3) < 0.5).then_some(Ghost { after_ms, status }),
    }
}

#[test]
fn ten_thousand_in_doubt_share_five_inquiries_a_second() {
    let mut plan = Plan::reference(1, 10_000);
    plan.per_second = 1_000.0;
    plan.course = Some(all_time_out);
    plan.limits.inquiries_per_second = PER_SECOND;
    plan.limits.inquiry_burst = BURST;
    plan.limits.inquiries_at_once = 100;
    let world = World::new(plan);
    let ended_ms = world.run(s(48 * 3_600));
    let audit = Audit::of(&world);
    eprintln!(
        "{} inquiries in {:.0} virtual seconds; mean {:.0} s to final; {} failed",
        audit.inquiries,
        ended_ms as f64 / 1_000.0,
        audit.mean_s,
        audit.failed,
    );
    audit.assert_clean(1);
    assert_never_exceeded(&world.books.inquiries_ms());
    // Nobody starves: a round takes 2,000 s, and after an hour nothing is submitted any more.
    let longest_ms = world
        .household
        .arrivals()
        .iter()
        .filter_map(|one| Some(world.household.told(&key(one.n))?.since_ms - one.at_ms))
        .max();
    assert!(
        longest_ms.is_some_and(|ms| ms < 3 * 3_600_000),
        "{longest_ms:?} ms"
    );
    // The budget was ours: not one of them is held against the provider.
    for arrival in world.household.arrivals() {
        let history = world.disk.history(&key(arrival.n)).expect("stored");
        let reviewed =
            |one: &teller::transaction::Record| matches!(one.fact, Fact::ReviewOpened { .. });
        assert!(
            !history.iter().any(reviewed),
            "{}: a review for our own budget",
            arrival.n
        );
    }
}

/// In no span of time were more sent than the rate and the burst allow.
#[track_caller]
fn assert_never_exceeded(sent_ms: &[u64]) {
    let mut tokens = f64::from(BURST);
    let mut before_ms = 0;
    for &at_ms in sent_ms {
        let refilled = tokens + (at_ms - before_ms) as f64 / 1_000.0 * PER_SECOND;
        tokens = refilled.min(f64::from(BURST)) - 1.0;
        before_ms = at_ms;
        // A millisecond of the clock's grain.
        assert!(tokens > -0.01, "too many at {at_ms} ms");
    }
}

#[test]
#[should_panic(expected = "too many")]
fn the_check_of_the_budget_finds_an_excess() {
    assert_never_exceeded(&[1_000, 1_000, 1_000, 1_000, 1_000, 1_100]);
}
