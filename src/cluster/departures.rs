//! Partitions on their way out: waiting until their calls have come back, handed over by their actors,
//! given up in the store.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::boottime::Boottime;
use crate::ports::{Tenants, Tenure};

/// How long the actors of a partition may take to write down what is out and go. With the next
/// owner's look (0.2 s) and claim, nobody waits longer than two seconds.
pub(super) const HAND_OVER_MAX: Duration = Duration::from_millis(1_500);

/// What is on its way out.
#[derive(Default)]
pub(super) struct Departures {
    /// Since when each waits for its calls to come back.
    waiting: BTreeMap<u32, Boottime>,
    /// Under which tenure each is being handed over.
    moving: BTreeMap<u32, Tenure>,
    going: JoinSet<Departed>,
    /// Not ours any more, and not given up in the store yet.
    unreleased: BTreeMap<u32, Tenure>,
}

/// The end of a hand-over.
pub(super) struct Departed {
    held: Vec<(u32, Tenure)>,
    /// Whether the actors said that they are gone.
    pub(super) finished: bool,
}

impl Departures {
    /// From now on it is these that should go; others that wait need not any more.
    pub(super) fn want(&mut self, partitions: &[u32], now: Boottime) {
        let mut before = std::mem::take(&mut self.waiting);
        for partition in partitions {
            if !self.moving.contains_key(partition) {
                let since = before.remove(partition).unwrap_or(now);
                self.waiting.insert(*partition, since);
            }
        }
    }

    /// Those of `held` that may go now: no call is out, or they have waited for `patience`.
    pub(super) fn ready(
        &self,
        held: &[(u32, Tenure)],
        calls_out: impl Fn(u32) -> usize,
        patience: Duration,
        now: Boottime,
    ) -> Vec<(u32, Tenure)> {
        let ready = |(partition, _): &&(u32, Tenure)| {
            let since = self.waiting.get(partition);
            since.is_some_and(|since| now.since(*since) >= patience || calls_out(*partition) == 0)
        };
        held.iter().filter(ready).copied().collect()
    }

    /// Their actors are asked to go.
    pub(super) fn start(&mut self, held: Vec<(u32, Tenure)>, tenants: &Arc<dyn Tenants>) {
        if held.is_empty() {
            return;
        }
        for (partition, tenure) in &held {
            self.waiting.remove(partition);
            self.moving.insert(*partition, *tenure);
        }
        let (tenants, theirs) = (Arc::clone(tenants), held.clone());
        self.going.spawn(async move {
            // A task of its own: what panics in there must not take the list along.
            let going = async move { tenants.hand_over(&theirs).await };
            let went = timeout(HAND_OVER_MAX, tokio::spawn(going)).await;
            let finished = matches!(went, Ok(Ok(())));
            Departed { held, finished }
        });
    }

    /// The next hand-over that ends. Never, while there is none.
    pub(super) async fn next(&mut self) -> Departed {
        loop {
            match self.going.join_next().await {
                Some(Ok(departed)) => return departed,
                // Only an abort of this task's own makes it so.
                Some(Err(_)) => {}
                None => pending().await,
            }
        }
    }

    /// The parts of a hand-over that are still what was handed over.
    pub(super) fn settle(&mut self, departed: &Departed) -> Vec<(u32, Tenure)> {
        let ours = |(partition, tenure): &&(u32, Tenure)| {
            self.moving.get(partition) == Some(tenure) && self.moving.remove(partition).is_some()
        };
        departed.held.iter().filter(ours).copied().collect()
    }

    /// These tenures are over, however far their hand-over was.
    pub(super) fn forget(&mut self, held: &[(u32, Tenure)]) {
        for (partition, tenure) in held {
            self.waiting.remove(partition);
            if self.moving.get(partition) == Some(tenure) {
                self.moving.remove(partition);
            }
        }
    }

    /// These have to be given up in the store.
    pub(super) fn release(&mut self, held: impl IntoIterator<Item = (u32, Tenure)>) {
        self.unreleased.extend(held);
    }

    /// What has to be given up in the store still.
    pub(super) fn unreleased(&self) -> Vec<(u32, Tenure)> {
        let unreleased = self.unreleased.iter();
        unreleased
            .map(|(partition, tenure)| (*partition, *tenure))
            .collect()
    }

    /// The store has given these up.
    pub(super) fn released(&mut self) {
        self.unreleased.clear();
    }

    /// How many are on their way.
    pub(super) fn count(&self) -> usize {
        self.waiting.len() + self.moving.len()
    }

    /// Whether everything has gone and is given up.
    pub(super) fn are_over(&self) -> bool {
        self.count() == 0 && self.unreleased.is_empty()
    }
}
