//! What this node knows of who owns what, in memory: asked at every step of every transaction.
//!
//! The keeper writes it. A partition is ours while it has a tenure here; effects are allowed under it
//! until half a lease after its claim or last renewal was *sent*, by the boot clock. The other half is
//! for the pause between that look at the clock and a request's first byte, and for clocks that run
//! at different speeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::boottime::Boottime;
use crate::ports::{Owner, Ownership, Promise, Tenure};
use crate::transaction::PARTITIONS;

/// The ownership of a node among several. Cheap to clone: all clones are one table.
#[derive(Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

struct Inner {
    /// One for each partition, with a lock that is held for a few instructions.
    slots: Vec<Mutex<Slot>>,
    /// Counts the changes, for those who wait for one.
    changes: watch::Sender<u64>,
    /// Tenures that the store has refused, until the keeper takes note.
    refused: Mutex<Vec<(u32, Tenure)>>,
    refusal: Notify,
    fenced: AtomicU64,
    max_pause: Duration,
}

#[derive(Clone, Default)]
struct Slot {
    tenure: Option<Tenure>,
    /// Effects may begin before this moment.
    effects_until: Boottime,
    /// It is being handed over: the tenure is good for writing only.
    moving: bool,
    /// Who else owns it.
    elsewhere: Option<Elsewhere>,
}

/// Another node that owns a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Elsewhere {
    pub(super) node: Arc<str>,
    pub(super) url: Arc<str>,
}

impl Table {
    /// A table in which nothing is ours and nothing is known of others.
    #[must_use]
    pub fn new(max_pause: Duration) -> Self {
        let slots = (0..PARTITIONS).map(|_| Mutex::default()).collect();
        let inner = Inner {
            slots,
            changes: watch::Sender::new(0),
            refused: Mutex::default(),
            refusal: Notify::new(),
            fenced: AtomicU64::new(0),
            max_pause,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// How many tenures the store has refused since the start.
    #[must_use]
    pub fn fenced_total(&self) -> u64 {
        self.inner.fenced.load(Ordering::Relaxed)
    }

    /// What is ours.
    #[must_use]
    pub fn held(&self) -> Vec<(u32, Tenure)> {
        let held = |partition| Some((partition, self.slot(partition)?.tenure?));
        (0..PARTITIONS).filter_map(held).collect()
    }

    /// These are ours from now on.
    pub(super) fn grant(&self, claimed: &[(u32, Tenure)], effects_until: Boottime) {
        for &(partition, tenure) in claimed {
            if let Some(mut slot) = self.slot(partition) {
                *slot = Slot {
                    tenure: Some(tenure),
                    effects_until,
                    moving: false,
                    elsewhere: None,
                };
            }
        }
        self.changed();
    }

    /// The leases of these were renewed.
    pub(super) fn extend(&self, renewed: &[(u32, Tenure)], effects_until: Boottime) {
        for &(partition, tenure) in renewed {
            if let Some(mut slot) = self.slot(partition)
                && slot.tenure == Some(tenure)
            {
                slot.effects_until = effects_until;
            }
        }
        self.changed();
    }

    /// These are about to be given up: what is out may be written down, nothing new begins.
    pub(super) fn moving(&self, partitions: &[u32]) {
        for &partition in partitions {
            if let Some(mut slot) = self.slot(partition) {
                slot.moving = true;
            }
        }
        self.changed();
    }

    /// Ends these tenures, and returns those that were not over yet. A later one stays.
    pub(super) fn end(&self, held: &[(u32, Tenure)]) -> Vec<(u32, Tenure)> {
        let end = |&&(partition, tenure): &&(u32, Tenure)| {
            let Some(mut slot) = self.slot(partition) else {
                return false;
            };
            let ends = slot.tenure == Some(tenure);
            if ends {
                slot.tenure = None;
                slot.moving = false;
            }
            ends
        };
        let ended = held.iter().filter(end).copied().collect();
        self.changed();
        ended
    }

    /// Who owns a partition that isn't ours, as the store had it just now.
    pub(super) fn know(&self, partition: u32, elsewhere: Option<Elsewhere>) {
        if let Some(mut slot) = self.slot(partition) {
            slot.elsewhere = elsewhere;
        }
    }

    /// The tenures that the store has refused since the last call.
    pub(super) fn take_refused(&self) -> Vec<(u32, Tenure)> {
        std::mem::take(&mut *self.refused())
    }

    /// The store has not renewed these: other claims followed. Returns those that were still ours.
    pub(super) fn not_renewed(&self, held: &[(u32, Tenure)]) -> Vec<(u32, Tenure)> {
        let ended = self.end(held);
        let count = u64::try_from(ended.len()).unwrap_or(u64::MAX);
        self.inner.fenced.fetch_add(count, Ordering::Relaxed);
        ended
    }

    /// Waits until the store has refused a tenure.
    pub(super) async fn refusal(&self) {
        self.inner.refusal.notified().await;
    }

    fn slot(&self, partition: u32) -> Option<MutexGuard<'_, Slot>> {
        self.inner.slot(partition)
    }

    fn refused(&self) -> MutexGuard<'_, Vec<(u32, Tenure)>> {
        // The list is whole, whatever its last holder died of.
        let refused = self.inner.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.inner.changes.send_modify(|count| *count += 1);
    }
}

impl Inner {
    fn slot(&self, partition: u32) -> Option<MutexGuard<'_, Slot>> {
        let slot = self.slots.get(partition as usize)?;
        // Every change under the lock is whole.
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether effects may begin now; `None` once the tenure is over, or as good as over.
    fn allowed(&self, partition: u32, tenure: Tenure) -> Option<bool> {
        let slot = self.slot(partition)?;
        (slot.tenure == Some(tenure) && !slot.moving).then(|| Boottime::now() < slot.effects_until)
    }
}

impl Ownership for Table {
    fn tenure(&self, partition: u32) -> Option<Tenure> {
        self.slot(partition)?.tenure
    }

    fn may_act(&self, partition: u32, tenure: Tenure) -> bool {
        self.inner.allowed(partition, tenure).unwrap_or(false)
    }

    fn when_allowed(&self, partition: u32, tenure: Tenure) -> Promise<bool> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mut changes = inner.changes.subscribe();
            loop {
                match inner.allowed(partition, tenure) {
                    None => return false,
                    Some(true) => return true,
                    // Only a renewal or the end can change that, and both are told.
                    Some(false) => {
                        if changes.changed().await.is_err() {
                            return false;
                        }
                    }
                }
            }
        })
    }

    fn fenced(&self, partition: u32, tenure: Tenure) {
        let Some(mut slot) = self.slot(partition) else {
            return;
        };
        if slot.tenure != Some(tenure) {
            return;
        }
        slot.tenure = None;
        slot.moving = false;
        self.inner.fenced.fetch_add(1, Ordering::Relaxed);
        // Under the slot's lock: whoever finds the slot empty finds the note as well.
        self.refused().push((partition, tenure));
        drop(slot);
        self.inner.refusal.notify_one();
        self.changed();
    }

    fn owner(&self, partition: u32) -> Owner {
        let Some(slot) = self.slot(partition) else {
            return Owner::Nobody;
        };
        match (slot.tenure, &slot.elsewhere) {
            (Some(_), _) if slot.moving => Owner::Nobody,
            (Some(_), _) => Owner::Here,
            (None, Some(elsewhere)) => Owner::Elsewhere {
                node: elsewhere.node.to_string(),
                url: elsewhere.url.to_string(),
            },
            (None, None) => Owner::Nobody,
        }
    }

    fn max_pause(&self) -> Duration {
        self.inner.max_pause
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn tenure(epoch: u64) -> Tenure {
        Tenure {
            epoch,
            claim: Uuid::from_u128(epoch.into()),
        }
    }

    fn owning(partition: u32, for_: Duration) -> Table {
        let table = Table::new(LONG);
        table.grant(&[(partition, tenure(1))], Boottime::now() + for_);
        table
    }

    #[test]
    fn effects_are_allowed_under_the_present_tenure_until_its_time_is_over() {
        let table = owning(7, Duration::from_millis(40));
        assert!(table.may_act(7, tenure(1)) && !table.may_act(7, tenure(2)));
        assert!(!table.may_act(8, tenure(1)) && !table.may_act(9_999, tenure(1)));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!table.may_act(7, tenure(1)));
        assert_eq!(table.tenure(7), Some(tenure(1)), "it may still write");
        table.extend(&[(7, tenure(2))], Boottime::now() + LONG);
        assert!(!table.may_act(7, tenure(1)), "another claim's renewal");
        table.extend(&[(7, tenure(1))], Boottime::now() + LONG);
        assert!(table.may_act(7, tenure(1)));
    }

    #[tokio::test]
    async fn who_waits_for_a_renewal_is_told_of_it_and_of_the_end() {
        for renewed in [true, false] {
            let table = owning(7, Duration::ZERO);
            let waiting = tokio::spawn(table.when_allowed(7, tenure(1)));
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            if renewed {
                table.extend(&[(7, tenure(1))], Boottime::now() + LONG);
            } else {
                table.end(&[(7, tenure(1))]);
            }
            let said = tokio::time::timeout(LONG, waiting).await.expect("told");
            assert_eq!(said.expect("no panic"), renewed);
        }
    }

    #[tokio::test]
    async fn a_refused_tenure_is_over_at_once_counted_once_and_told() {
        let table = owning(7, LONG);
        table.fenced(7, tenure(2));
        assert!(table.may_act(7, tenure(1)), "an older claim's refusal");
        table.fenced(7, tenure(1));
        table.fenced(7, tenure(1));
        table.refusal().await;
        assert_eq!((table.fenced_total(), table.tenure(7)), (1, None));
        assert_eq!(
            (table.take_refused(), table.take_refused()),
            (vec![(7, tenure(1))], vec![])
        );
        assert!(!table.when_allowed(7, tenure(1)).await);
    }

    #[tokio::test]
    async fn what_is_handed_over_may_be_written_and_begins_nothing() {
        let table = owning(7, LONG);
        table.moving(&[7]);
        assert_eq!(table.tenure(7), Some(tenure(1)));
        assert!(!table.may_act(7, tenure(1)) && !table.when_allowed(7, tenure(1)).await);
        assert_eq!(table.owner(7), Owner::Nobody);
        assert_eq!(table.end(&[(7, tenure(2))]), [], "an older tenure's end");
        let both = [(7, tenure(1)), (8, tenure(1))];
        assert_eq!(table.end(&both), [(7, tenure(1))]);
    }

    #[test]
    fn the_owner_is_here_elsewhere_or_nobody() {
        let table = owning(7, LONG);
        let other = Elsewhere {
            node: "b".into(),
            url: "http://b".into(),
        };
        table.know(8, Some(other));
        assert_eq!(table.owner(7), Owner::Here);
        let expected = Owner::Elsewhere {
            node: "b".to_owned(),
            url: "http://b".to_owned(),
        };
        assert_eq!(table.owner(8), expected);
        assert_eq!(table.owner(9), Owner::Nobody);
        assert_eq!(table.held(), [(7, tenure(1))]);
    }
}
