//! How a node leaves: it hands everything over, gives its leases up, and is gone.

use std::time::Duration;

use tokio::time::timeout;
use tracing::{info, warn};

use super::boottime::Boottime;
use super::keeper::{Keeper, TICK_BRISK};

/// What it may take beyond its patience: the last hand-over and a slow store.
const SLACK: Duration = Duration::from_secs(3);

impl Keeper {
    /// Hands everything over and leaves.
    pub(super) async fn depart(&mut self, patience: Duration) {
        let began = Boottime::now();
        let mut left = false;
        info!("handing all partitions over to leave the cluster");
        loop {
            self.trouble = None;
            if !left {
                // First of all, so that the others claim what is given up.
                let call = self.council.leave(&self.card.id);
                left = self.ask(call).await.is_some();
            }
            self.renew().await;
            let held = self.table.held();
            let partitions: Vec<u32> = held.iter().map(|(partition, _)| *partition).collect();
            let passed = Boottime::now().since(began);
            self.send_off(&partitions, patience);
            self.release().await;
            self.show();
            if held.is_empty() && self.departures.are_over() && left {
                break;
            }
            if passed > patience + SLACK {
                warn!("the store was not told that this node leaves; its leases end by themselves");
                self.table.end(&held);
                self.lose(&held);
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK_BRISK / 2) => {}
                () = self.table.refusal() => self.mind_refusals(),
                departed = self.departures.next() => self.departed(&departed).await,
            }
        }
        let (answer_max, node) = (self.answer_max(), &self.card.id);
        let give_back = self.shares.give_back(&*self.council, node, self.lease);
        // What is not given back is free after its lease.
        let _ = timeout(answer_max, give_back).await;
    }
}
