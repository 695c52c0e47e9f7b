//! Renewing what is ours, and claiming what should be.

use tracing::{info, warn};

use super::boottime::Boottime;
use super::keeper::Keeper;
use crate::ports::Renewal;

impl Keeper {
    pub(super) async fn renew(&mut self) {
        let now = Boottime::now();
        let held = self.table.held();
        // Half a tick early rather than half a tick late.
        let every = self.lease / 3 - self.lease / 24;
        let fresh = self.renewed_at.is_some_and(|at| now.since(at) < every);
        if held.is_empty() || fresh {
            return;
        }
        let call = self.council.renew(&held, self.lease);
        let Some(Renewal { renewed, lost }) = self.ask(call).await else {
            return;
        };
        // Those that a silent server has are tried again at the next tick, and all others with them.
        let all = renewed.len() + lost.len() == held.len();
        self.renewed_at = all.then_some(now).or(self.renewed_at);
        let kept = held.iter();
        let kept = kept.filter(|(partition, _)| renewed.contains(partition));
        let kept: Vec<_> = kept.copied().collect();
        self.table.extend(&kept, now + self.lease / 2);
        let lost = held
            .iter()
            .filter(|(partition, _)| lost.contains(partition));
        let lost: Vec<_> = lost.copied().collect();
        let ended = self.table.not_renewed(&lost);
        if !ended.is_empty() {
            warn!(
                partitions = ended.len(),
                "leases were not renewed: others have claimed them"
            );
            self.lose(&ended);
        }
    }

    pub(super) async fn claim(&mut self, partitions: &[u32]) {
        if partitions.is_empty() {
            return;
        }
        let sent = Boottime::now();
        let call = self.council.claim(&self.card, partitions, self.lease);
        let Some(claimed) = self.ask(call).await else {
            return;
        };
        if claimed.is_empty() {
            return;
        }
        // What was lost before is lost before it is gained again.
        self.mind_refusals();
        self.claimed += u64::try_from(claimed.len()).unwrap_or(u64::MAX);
        self.table.grant(&claimed, sent + self.lease / 2);
        let gained: Vec<u32> = claimed.iter().map(|(partition, _)| *partition).collect();
        info!(partitions = gained.len(), "partitions claimed");
        self.tenants.gained(&gained);
    }
}
