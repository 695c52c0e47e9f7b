//! What waits costs nothing: a waiting transaction leaves memory and comes back for its timer, a
//! webhook or its app, with its clock as it was.

use mock_provider::model::{Draw, Ghost, Status};
use teller::actors::messages::{Accepted, Call, Found, NamedBy, WebhookTaken};
use teller::actors::status::ActorStatus;
use teller::transaction::{Finding, Key, Report, State};

use super::audit::Audit;
use super::virtual_provider::Course;
use super::world::{Life, Plan, World};
use crate::core::fixture::{acceptance, key, policy, s};

/// A world of one transaction, in a house that likes to be empty.
fn world(course: Course) -> (World, Key) {
    let mut plan = Plan::reference(1, 1);
    plan.per_second = 1_000_000.0;
    plan.course = Some(course);
    plan.bounds.linger = s(1);
    plan.bounds.passivate_beyond = s(5);
    let world = World::new(plan);
    let key = key(world.household.arrivals()[0].n);
    (world, key)
}

/// How many are in memory, and how many wait outside of it.
async fn shard(life: &Life) -> (usize, usize) {
    let status = life.house.router.shard_statuses().await[0];
    (status.live, status.dormant)
}

async fn status(life: &Life, key: &Key) -> ActorStatus {
    let status = life.house.router.inspect(key.clone()).await;
    *status.expect("the shard answers").expect("it exists")
}

/// Lost at first, and at every other time.
fn lost(_: &Key) -> Draw {
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: None,
    }
}

fn ghost_at_100_s(_: &Key) -> Draw {
    let status = Status::Completed;
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: Some(Ghost {
            after_ms: 100_000,
            status,
        }),
    }
}

fn answered_after_9_s(_: &Key) -> Draw {
    Draw::Answered {
        after_ms: 9_000,
        status: Status::Completed,
        webhook_after_ms: None,
    }
}

#[test]
fn a_transaction_in_doubt_leaves_and_comes_back_for_each_inquiry_with_its_window_as_it_was() {
    let (world, key) = world(ghost_at_100_s);
    let end_key = key.clone();
    world.live(0, |life| async move {
        life.until(20_000).await;
        assert_eq!(shard(&life).await, (1, 0), "its call is out");
        life.until(40_000).await;
        assert_eq!(shard(&life).await, (0, 1), "it waits");
        let first = status(&life, &key).await;
        assert!(!first.resident && first.ghost_window_ends_at.is_some());
        for at_ms in [50_000, 80_000, 100_000] {
            life.until(at_ms).await;
            let now = status(&life, &key).await;
            assert_eq!(
                now.ghost_window_ends_at, first.ghost_window_ends_at,
                "at {at_ms}"
            );
            assert!(!now.resident, "at {at_ms}");
        }
        // Five inquiries by now, an activation each, and the first life.
        assert_eq!(status(&life, &key).await.activations, 5);
        life.until(115_000).await;
        assert_eq!(shard(&life).await, (0, 0), "nothing remains to be done");
    });
    assert_eq!(world.books.inquiries_ms().len(), 5);
    let told = world.household.told(&end_key).expect("told");
    assert!((105_800..106_100).contains(&told.since_ms), "{told:?}");
    Audit::of(&world).assert_clean(1);
}

#[test]
fn the_next_attempt_starts_exactly_at_the_end_of_the_first_window() {
    let (world, _) = world(lost);
    world.live(0, |life| async move { life.until(200_000).await });
    let sent_ms = world.books.submissions_ms();
    assert_eq!(sent_ms.len(), 2, "{sent_ms:?}");
    let after_ms = sent_ms[1] - sent_ms[0];
    assert!((121_000..121_100).contains(&after_ms), "{after_ms} ms");
}

#[test]
fn a_webhook_and_an_app_find_it_wherever_it_is() {
    let (world, key) = world(lost);
    let n = world.household.arrivals()[0].n;
    world.live(0, |life| async move {
        life.until(33_000).await;
        assert_eq!(shard(&life).await, (0, 1));
        let router = &life.house.router;
        let mut again = acceptance(n, &policy());
        let replayed = router.accept(again.clone()).await.expect("answered");
        assert!(matches!(replayed, Accepted::Replayed(_)), "{replayed:?}");
        again.payload_hash.0[0] ^= 1;
        let other = router.accept(again).await.expect("answered");
        assert!(matches!(other, Accepted::OtherPayload), "{other:?}");
        life.until(36_000).await;
        assert_eq!(shard(&life).await, (0, 1), "it left again");
        let report = Report::bare(Finding::Completed);
        let taken = router
            .webhook(
                key.clone(),
                "reference",
                (NamedBy::OurReference, None),
                None,
                report,
            )
            .await;
        assert_eq!(taken.expect("answered"), WebhookTaken::Yes);
        let found = router.read(key.clone()).await.expect("answered");
        assert!(matches!(found, Found::Here(found) if found.state == State::Completed));
        life.until(60_000).await;
        assert_eq!(shard(&life).await, (0, 0));
    });
    assert_eq!(
        world.books.inquiries_ms().len(),
        0,
        "nobody had to be asked"
    );
}

#[test]
fn a_call_that_is_outrun_by_its_webhook_is_waited_for_and_then_the_actor_leaves() {
    let (world, key) = world(answered_after_9_s);
    world.live(0, |life| async move {
        life.until(2_000).await;
        let report = Report::bare(Finding::Completed);
        let taken = life
            .house
            .router
            .webhook(
                key.clone(),
                "reference",
                (NamedBy::OurReference, None),
                None,
                report,
            )
            .await;
        assert_eq!(taken.expect("answered"), WebhookTaken::Yes);
        life.until(8_000).await;
        assert_eq!(shard(&life).await, (1, 0), "its call is still out");
        life.until(20_000).await;
        assert_eq!(shard(&life).await, (0, 0), "it is home");
    });
    Audit::of(&world).assert_clean(1);
}

#[test]
fn a_flood_at_the_moment_of_leaving_does_not_leave_a_zombie() {
    // The flood comes a few turns of the executor before or after the actor would leave.
    for turns in 0..12 {
        let (world, key) = world(ghost_at_100_s);
        world.live(0, |life| async move {
            // Its call came back at 30 s; it would leave a second later.
            life.until(31_000).await;
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            let hint = || {
                life.house.router.send(
                    key.clone(),
                    Call::Hint {
                        provider: "reference".to_owned(),
                    },
                )
            };
            (0..1_000).for_each(|_| hint().expect("the shard has room"));
            life.until(115_000).await;
        });
        Audit::of(&world).assert_clean(1);
    }
}
