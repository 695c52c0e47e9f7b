//! Panics: an actor that panics is rebuilt from the journal; one that keeps panicking is put aside and
//! harms no other.

use std::sync::Once;
use std::time::Duration;

use mock_provider::model::Draw;
use teller::actors::messages::{Call, Found};
use teller::transaction::Key;

use super::audit::{Audit, stored};
use super::disk::Slowness;
use super::seed::Seed;
use super::world::{Life, Plan, World};
use crate::core::fixture::{BEGINNING, key, s};

/// Keeps the panics that these tests make on purpose out of the output.
pub(crate) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let on_purpose = info.payload().downcast_ref::<&str>() == Some(&"crashed on purpose");
            if !on_purpose {
                show(info);
            }
        }));
    });
}

fn panic_in(life: &Life, key: &Key) {
    life.house
        .router
        .send(key.clone(), Call::Crash)
        .expect("the shard has room");
}

#[test]
fn panics_at_any_moment_are_survived() {
    quiet();
    for seed in 1..=8 {
        let mut plan = Plan::reference(seed, 300);
        plan.per_second = 5.0;
        plan.disk = Slowness::steady(Duration::from_millis(7));
        let world = World::new(plan);
        let arrivals = world.household.arrivals();
        world.live(0, |life| async move {
            let mut moments = Seed::new(seed, "panics");
            // Each of half of them once, somewhere in its first half minute.
            for arrival in arrivals.iter().filter(|one| one.n % 2 == 0) {
                life.until(arrival.at_ms + moments.below(30_000)).await;
                panic_in(&life, &key(arrival.n));
            }
            let statuses = life.house.router.shard_statuses().await;
            assert!(statuses[0].panics_total > 30, "seed {seed}: {statuses:?}");
            assert_eq!(statuses[0].quarantined, 0, "seed {seed}");
            life.until_content(s(24 * 3_600)).await;
        });
        Audit::of(&world).assert_clean(seed);
    }
}

/// Every POST is lost: everything is in doubt, and everything asks.
fn lost(_: &Key) -> Draw {
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: None,
    }
}

#[test]
fn repeated_panics_put_a_transaction_aside_for_a_while_and_harm_no_other() {
    quiet();
    let mut plan = Plan::reference(1, 40);
    plan.per_second = 40.0;
    plan.course = Some(lost);
    plan.policy.max_attempts = 1;
    // It ends after the last panic: a rebuilt actor goes on with the window of the one before.
    plan.policy.ghost_window = Some(s(400));
    // A round of inquiries takes 20 s, so that somebody always waits at the gate.
    plan.limits.inquiries_per_second = 2.0;
    plan.limits.inquiry_burst = 2;
    let world = World::new(plan);
    let keys: Vec<Key> = world
        .household
        .arrivals()
        .iter()
        .map(|one| key(one.n))
        .collect();
    let bad = keys[5].clone();
    world.live(0, |life| async move {
        // It panics whenever it is there: two times at once, and again after each pause.
        for at_ms in [50_000, 50_010, 50_020, 56_000, 72_000, 118_000, 254_000] {
            life.until(at_ms).await;
            panic_in(&life, &bad);
        }
        life.until(255_000).await;
        let statuses = life.house.router.shard_statuses().await;
        assert_eq!((statuses[0].quarantined, statuses[0].panics_total), (1, 7));
        let aside = life.house.router.put_aside(10).await;
        assert_eq!(aside.as_slice(), std::slice::from_ref(&bad));
        let found = life.house.router.read(bad.clone()).await;
        assert!(
            matches!(found, Ok(Found::Here(_))),
            "it can still be read: {found:?}"
        );
        let status = life
            .house
            .router
            .inspect(bad.clone())
            .await
            .expect("answered")
            .expect("there");
        assert!(status.quarantined);
        let because = status.not_final_because.expect("it is not final");
        assert!(because.contains("panics"), "{because}");
        let back_at = status.next_at.expect("it comes back");
        let back_ms = (back_at.as_millis() - BEGINNING) as u64;
        assert!((650_000..670_000).contains(&back_ms), "{back_ms}");
        let granted_before = life.house.gate_statuses()[0].inquiries_total;
        let sent_before = life.books.inquiries_ms().len() as u64;
        life.until(600_000).await;
        // What the budget gave out was used by those who are well.
        let granted = life.house.gate_statuses()[0].inquiries_total - granted_before;
        let sent = life.books.inquiries_ms().len() as u64 - sent_before;
        assert!(granted - sent <= 2, "{granted} permits, {sent} inquiries");
        for other in keys.iter().filter(|key| **key != bad) {
            let found = life.house.router.read(other.clone()).await;
            let Ok(Found::Here(transaction)) = found else {
                panic!("{other}: {found:?}")
            };
            assert!(
                transaction.state.is_final(),
                "{other}: {:?}",
                transaction.state
            );
        }
        let found = life.house.router.read(bad.clone()).await;
        assert!(matches!(found, Ok(Found::Here(found)) if !found.state.is_final()));
        // It comes out of it by itself.
        life.until(back_ms + 300_000).await;
        let statuses = life.house.router.shard_statuses().await;
        assert_eq!(statuses[0].quarantined, 0);
        life.until_content(s(3_600)).await;
    });
    Audit::of(&world).assert_clean(1);
    let end = stored(&world, &key(world.household.arrivals()[5].n)).expect("stored");
    assert!(end.state.is_final());
}

#[test]
fn a_rebuild_that_can_not_read_the_journal_is_tried_again() {
    quiet();
    let mut plan = Plan::reference(1, 20);
    plan.course = Some(lost);
    plan.policy.max_attempts = 1;
    let world = World::new(plan);
    let keys: Vec<Key> = world
        .household
        .arrivals()
        .iter()
        .map(|one| key(one.n))
        .collect();
    world.live(0, |life| async move {
        life.until(40_000).await;
        life.disk.refuse_reads(3);
        keys.iter().take(5).for_each(|key| panic_in(&life, key));
        life.until_content(s(3_600)).await;
    });
    Audit::of(&world).assert_clean(1);
}

#[test]
fn a_permit_for_a_transaction_that_can_not_be_read_does_not_go_round_in_circles() {
    let mut plan = Plan::reference(1, 20);
    plan.course = Some(lost);
    plan.policy.max_attempts = 1;
    plan.bounds.linger = s(1);
    plan.limits.submissions_at_once = 1;
    let world = World::new(plan);
    world.live(0, |life| async move {
        // The first call is out until 30 s; the others wait at the gate, and have left memory.
        life.until(25_000).await;
        assert_eq!(life.house.router.shard_statuses().await[0].dormant, 19);
        life.disk.refuse_reads(200);
        life.until(1_200_000).await;
        let granted = life.house.gate_statuses()[0].submissions_total;
        let sent = life.books.submissions_ms().len() as u64;
        assert_eq!(sent, 20);
        assert!(
            granted - sent <= 19,
            "{granted} permits, {sent} submissions"
        );
        life.until_content(s(3_600)).await;
    });
    Audit::of(&world).assert_clean(1);
}
