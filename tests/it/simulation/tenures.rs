//! Partitions that come and go while messages about them are late: the shard goes on, and forgets only
//! what belongs to the tenure that is over.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mock_provider::model::Draw;
use teller::actors::Landlord;
use teller::ports::{Owner, Ownership, Promise, Tenants, Tenure};
use teller::transaction::{Key, PARTITIONS};
use uuid::Uuid;

use super::audit::Audit;
use super::disk::Slowness;
use super::world::{Life, Plan, World};
use crate::core::fixture::s;

const TRANSACTIONS: usize = 40;
/// More questions than any of these tests needs: somebody asks in circles.
const ASKED_MAX: usize = 1_000_000;

/// One lease over everything, which the test gives and takes.
#[derive(Default)]
struct Lease {
    tenure: Mutex<Option<Tenure>>,
    asked: AtomicUsize,
}

impl Lease {
    fn give(&self, tenure: Option<Tenure>) {
        *self.tenure.lock().unwrap_or_else(PoisonError::into_inner) = tenure;
    }

    fn is(&self, tenure: Tenure) -> bool {
        *self.tenure.lock().unwrap_or_else(PoisonError::into_inner) == Some(tenure)
    }
}

impl Ownership for Lease {
    fn tenure(&self, _: u32) -> Option<Tenure> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(asked < ASKED_MAX, "asked in circles");
        *self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_act(&self, _: u32, tenure: Tenure) -> bool {
        self.is(tenure)
    }

    fn when_allowed(&self, _: u32, tenure: Tenure) -> Promise<bool> {
        Box::pin(ready(self.is(tenure)))
    }

    fn fenced(&self, _: u32, _: Tenure) {}

    fn owner(&self, _: u32) -> Owner {
        Owner::Here
    }

    fn max_pause(&self) -> Duration {
        Duration::ZERO
    }
}

fn tenure(epoch: u64) -> Tenure {
    Tenure {
        epoch,
        claim: Uuid::from_u128(epoch.into()),
    }
}

fn all() -> Vec<u32> {
    (0..PARTITIONS).collect()
}

fn all_under(tenure: Tenure) -> Vec<(u32, Tenure)> {
    all().into_iter().map(|one| (one, tenure)).collect()
}

/// Every POST is lost: everything is in doubt for two minutes.
fn lost(_: &Key) -> Draw {
    Draw::TimedOut {
        after_ms: 30_000,
        ghost: None,
    }
}

/// A world whose lease the script gives and takes; it begins under the first tenure.
fn live<F: Future<Output = ()>>(
    change: impl FnOnce(&mut Plan),
    script: impl FnOnce(Life, Arc<Lease>) -> F,
) {
    let lease = Arc::new(Lease::default());
    lease.give(Some(tenure(1)));
    let mut plan = Plan::reference(1, TRANSACTIONS);
    plan.course = Some(lost);
    plan.policy.max_attempts = 1;
    plan.ownership = Arc::clone(&lease) as _;
    change(&mut plan);
    let world = World::new(plan);
    world.live(0, |life| script(life, lease));
    Audit::of(&world).assert_clean(1);
}

/// How many transactions the shard knows of, wherever they are.
async fn known(life: &Life) -> usize {
    let statuses = life.house.router.shard_statuses().await;
    let status = statuses.first().expect("the shard answers");
    status.live + status.dormant + status.activating
}

#[test]
fn a_due_wake_up_of_a_partition_without_tenure_does_not_hold_up_the_shard() {
    let change = |plan: &mut Plan| {
        plan.bounds.linger = s(1);
        plan.bounds.passivate_beyond = s(2);
    };
    live(change, |life, lease| async move {
        let landlord = Landlord::start(Arc::clone(&life.house));
        life.until(32_000).await;
        let statuses = life.house.router.shard_statuses().await;
        assert!(statuses[0].dormant > 20, "{statuses:?}");
        // The lease is over, and the shard has not been told yet: their times come all the same.
        lease.give(None);
        life.until(140_000).await;
        assert_eq!(known(&life).await, 0, "none of them is ours");
        landlord.lost(&all_under(tenure(1)));
        lease.give(Some(tenure(2)));
        landlord.gained(&all());
        life.until(141_000).await;
        assert_eq!(known(&life).await, TRANSACTIONS);
        life.until_content(s(3_600)).await;
    });
}

#[test]
fn what_was_gained_again_outlives_a_late_end_of_the_hand_over_before() {
    // Writing down what is out takes longer than the keeper waits.
    let slow = |plan: &mut Plan| plan.disk = Slowness::steady(s(3));
    live(slow, |life, lease| async move {
        let landlord = Landlord::start(Arc::clone(&life.house));
        life.until(20_000).await;
        let handed_over = landlord.hand_over(&all_under(tenure(1)));
        life.until(21_500).await;
        lease.give(None);
        life.until(21_600).await;
        lease.give(Some(tenure(2)));
        landlord.gained(&all());
        handed_over.await;
        // And the news that the first tenure is over comes last of all.
        life.until(30_000).await;
        assert_eq!(known(&life).await, TRANSACTIONS);
        landlord.lost(&all_under(tenure(1)));
        life.until(31_000).await;
        assert_eq!(known(&life).await, TRANSACTIONS);
        life.until_content(s(3_600)).await;
    });
}

#[test]
fn a_hand_over_that_begins_late_does_not_close_what_was_gained_again() {
    live(
        |_| {},
        |life, lease| async move {
            let landlord = Landlord::start(Arc::clone(&life.house));
            life.until(20_000).await;
            lease.give(Some(tenure(2)));
            landlord.gained(&all());
            life.until(21_000).await;
            landlord.hand_over(&all_under(tenure(1))).await;
            assert_eq!(known(&life).await, TRANSACTIONS);
            life.until_content(s(3_600)).await;
        },
    );
}
