//! The audit: what the provider's books, the apps' and the disk say about each other in the end.

use mock_provider::model::{Status as Word, floor_ms};
use teller::transaction::{State, Status, Transaction};

use super::world::World;
use crate::core::fixture::key;

/// What was found.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Audit {
    pub(crate) transactions: usize,
    /// Paid more than once.
    pub(crate) twice: usize,
    /// An outcome that is not the provider's.
    pub(crate) wrong: usize,
    /// Without an outcome.
    pub(crate) stuck: usize,
    /// Shown to a person: in review, or with a contradiction.
    pub(crate) in_review: usize,
    /// An app that does not know the outcome, or another one.
    pub(crate) untold: usize,
    /// Answered as new more than once.
    pub(crate) new_twice: usize,
    /// Steps that broke a law.
    pub(crate) laws_broken: u64,
    /// Appends refused because the actor did not know what the disk holds.
    pub(crate) appends_refused: u64,
    /// Ended as never executed.
    pub(crate) failed: usize,
    pub(crate) inquiries: usize,
    pub(crate) mean_s: f64,
    /// What an oracle would have needed for the same draws.
    pub(crate) floor_s: f64,
}

impl Audit {
    pub(crate) fn of(world: &World) -> Self {
        let (laws_broken, appends_refused) = world.alarms();
        let mut audit = Self {
            laws_broken,
            appends_refused,
            inquiries: world.books.inquiries_ms().len(),
            ..Self::default()
        };
        let (mut sum_ms, mut floor_sum_ms) = (0, 0);
        for arrival in world.household.arrivals() {
            let key = key(arrival.n);
            let reference = key.id.to_string();
            audit.transactions += 1;
            let executed = world.books.executed(&reference);
            audit.twice += usize::from(executed > 1);
            audit.new_twice += usize::from(world.household.times_new(&key) > 1);
            floor_sum_ms += floor_ms(world.plan.seed, &reference);
            let Some(transaction) = stored(world, &key) else {
                audit.stuck += 1;
                continue;
            };
            let state = transaction.state;
            audit.stuck += usize::from(transaction.is_open());
            audit.in_review += usize::from(transaction.needs_review());
            audit.failed += usize::from(state == State::Failed);
            let truth = match world.books.outcome(&reference) {
                Some(Word::Completed) => Status::Completed,
                Some(Word::Declined) => Status::Declined,
                Some(Word::Pending) | None => Status::Failed,
            };
            audit.wrong += usize::from(state.is_final() && state.status() != truth);
            let told = world.household.told(&key);
            audit.untold += usize::from(
                told.as_ref()
                    .is_none_or(|told| told.status != state.status()),
            );
            sum_ms += told.map_or(0, |told| told.since_ms.saturating_sub(arrival.at_ms));
        }
        let mean_s = |sum_ms: u64| sum_ms as f64 / 1_000.0 / audit.transactions.max(1) as f64;
        audit.mean_s = mean_s(sum_ms);
        audit.floor_s = mean_s(floor_sum_ms);
        audit
    }

    pub(crate) fn inquiries_each(&self) -> f64 {
        self.inquiries as f64 / self.transactions.max(1) as f64
    }

    /// Nothing paid twice, wrong, stuck, untold or left to a person; no law broken on the way.
    #[track_caller]
    pub(crate) fn assert_clean(&self, seed: u64) {
        let bad = [
            self.twice,
            self.wrong,
            self.stuck,
            self.in_review,
            self.untold,
            self.new_twice,
        ];
        assert_eq!(bad, [0; 6], "seed {seed}: {self:#?}");
        assert_eq!(self.laws_broken, 0, "seed {seed}: {self:#?}");
        assert_eq!(self.appends_refused, 0, "seed {seed}: {self:#?}");
    }
}

/// A transaction as the disk has it.
pub(crate) fn stored(world: &World, key: &teller::transaction::Key) -> Option<Transaction> {
    let records = world.disk.history(key)?;
    Some(Transaction::fold(key, &records).expect("a whole history"))
}
