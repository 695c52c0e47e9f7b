//! Partitions that come and go while messages about them are late: the shard goes on, and forgets only
//! what belongs to the tenure that is over.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mock_provider::model::Draw;
use teller::actors::Landlord;
use teller::actors::messages::Found;
use teller::actors::router::Unanswered;
use teller::ports::{Owner, Ownership, Promise, Tenants, Tenure};
use teller::transaction::{Key, PARTITIONS};
use uuid::Uuid;

use super::audit::Audit;
use super::disk::Slowness;
use super::world::{Life, Plan, World};
use crate::core::fixture::{key, s};

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

/// Reads `key` so often at once; what comes of each is counted.
fn read_at_once(
    life: &Life,
    key: &Key,
    times: usize,
) -> Arc<Mutex<Vec<Result<Found, Unanswered>>>> {
    let answers = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..times {
        let (router, key, answers) = (life.house.router.clone(), key.clone(), Arc::clone(&answers));
        actix::spawn(async move {
            let answer = router.read(key).await;
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push(answer);
        });
    }
    answers
}

fn taken(answers: &Mutex<Vec<Result<Found, Unanswered>>>) -> Vec<Result<Found, Unanswered>> {
    std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner))
}

#[test]
fn during_a_commit_a_bounded_number_of_calls_wait_in_order_and_the_end_of_the_tenure_answers_them()
{
    let hung = |plan: &mut Plan| plan.disk = Slowness::steady(s(100));
    live(hung, |life, lease| async move {
        let landlord = Landlord::start(Arc::clone(&life.house));
        let key = key(life.household.arrivals()[0].n);
        life.until(5_000).await;
        // Its acceptance is on its way to the disk: one read after the other reaches the actor.
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(read_at_once(&life, &key, 60));
            life.until(life.now_ms() + 1).await;
        }
        let early: Vec<_> = answers.iter().flat_map(|some| taken(some)).collect();
        let turned_away = |one: &Result<Found, _>| matches!(one, Ok(Found::Unavailable(_)));
        assert_eq!(
            (early.len(), early.iter().all(turned_away)),
            (180 - 128, true)
        );
        // Durable: they are answered, each with what was accepted.
        life.until(101_000).await;
        let late: Vec<_> = answers.iter().flat_map(|some| taken(some)).collect();
        let here = |one: &Result<Found, _>| matches!(one, Ok(Found::Here(_)));
        assert_eq!((late.len(), late.iter().all(here)), (128, true));
        // The answer of the provider is on its way to the disk when the lease is lost.
        life.until(140_000).await;
        let waiting = read_at_once(&life, &key, 60);
        life.until(141_000).await;
        assert_eq!(taken(&waiting).len(), 0);
        landlord.lost(&all_under(tenure(1)));
        lease.give(Some(tenure(2)));
        landlord.gained(&all());
        life.until(142_000).await;
        let interrupted = taken(&waiting);
        assert_eq!(
            interrupted.len(),
            60,
            "nobody waits for an actor that is gone"
        );
        assert!(
            interrupted
                .iter()
                .all(|one| matches!(one, Err(Unanswered::Interrupted)))
        );
        life.until_content(s(24 * 3_600)).await;
    });
}
