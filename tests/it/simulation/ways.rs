//! Providers that are asked by sending again, and such as can't be asked at all.

use teller::transaction::State;

use super::audit::{Audit, stored};
use super::household::Manners;
use super::world::{Plan, World};
use crate::core::fixture::{key, resending, s, silent};

const TRANSACTIONS: usize = 20_000;

fn rough(seed: u64) -> Plan {
    let mut plan = Plan::reference(seed, TRANSACTIONS);
    plan.manners = Manners {
        doubled: 0.1,
        deaf: 0.1,
    };
    plan.torn_answers = 0.2;
    plan
}

#[test]
fn twenty_thousand_in_doubt_are_sent_again_and_none_is_paid_twice() {
    let mut plan = rough(21);
    // The provider forgets exactly when it says: whatever comes later would be a second payment.
    plan.remembers = Some(s(1_800));
    plan.policy = resending(plan.policy, s(1_800));
    plan.policy.submit_within = s(3_600);
    plan.provider_down_ms = 40_000..70_000;
    let world = World::new(plan);
    let mut now_ms = 0;
    // Three crashes while requests are out, some of them for the second time.
    for crash_ms in [35_000, 61_000, 99_000] {
        now_ms = world.live(now_ms, |life| async move { life.until(crash_ms).await });
    }
    world.live(now_ms, |life| life.until_content(s(24 * 3_600)));
    let audit = Audit::of(&world);
    audit.assert_clean(21);
    assert_eq!(audit.inquiries, 0, "it can't be asked otherwise");
    assert!(world.books.repeated() > 2_000, "{}", world.books.repeated());
}

#[test]
fn without_any_inquiry_what_no_webhook_tells_ends_in_review_and_nothing_wrongly() {
    let mut plan = rough(22);
    plan.policy = silent(plan.policy);
    if let Some(notify) = &mut plan.policy.notify {
        notify.tells_review = true;
    }
    let world = World::new(plan);
    world.run(s(6 * 3_600));
    let audit = Audit::of(&world);
    let bad = [audit.twice, audit.wrong, audit.untold, audit.new_twice];
    assert_eq!(bad, [0; 4], "{audit:#?}");
    assert_eq!(audit.inquiries, 0);
    assert_eq!(
        audit.stuck, audit.in_review,
        "open, but shown to nobody: {audit:#?}"
    );
    assert!(
        audit.in_review > 500 && audit.in_review < TRANSACTIONS / 4,
        "{audit:#?}"
    );
    let in_review = |n: u128| {
        stored(&world, &key(n)).is_some_and(|one| matches!(one.state, State::InReview { .. }))
    };
    let shown = world.household.arrivals();
    let shown = shown.iter().filter(|one| in_review(one.n)).count();
    assert_eq!(shown, audit.in_review);
}
