//! Each node's share of each provider's limits, leased in the store.
//!
//! Every node wants one part in as many as live, and the store gives it no more than the others'
//! leases leave. So the sum never exceeds the whole, whatever the nodes believe:
//!
//! - who wants less, uses less before it says so;
//! - a share is used until half a lease after its renewal was sent, and is given to others after a
//!   whole one: a node that is cut off or paused has stopped before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::boottime::Boottime;
use crate::ports::{Council, JournalError};

/// Shares that differ by less are the same.
const GRAIN: f64 = 1e-9;

/// The gates of this node, as whoever leases their shares sees them.
pub trait Gates: Send + Sync {
    /// The names of the providers.
    fn providers(&self) -> Vec<String>;

    /// From now on, and for this long, the gate of this provider lets through this part of its limits
    /// (0.0 to 1.0), and then nothing.
    fn grant_share(&self, provider: &str, fraction: f64, good_for: Duration);
}

/// The shares that this node has.
pub(super) struct Shares {
    gates: Arc<dyn Gates>,
    granted: BTreeMap<String, Share>,
    wanted: f64,
    renewed_at: Option<Boottime>,
}

#[derive(Clone, Copy)]
struct Share {
    fraction: f64,
    until: Boottime,
}

impl Shares {
    /// No shares: the gates are shut until the first are granted.
    pub(super) fn new(gates: Arc<dyn Gates>) -> Self {
        let mut shares = Self {
            gates,
            granted: BTreeMap::new(),
            wanted: 0.0,
            renewed_at: None,
        };
        shares.revoke();
        shares
    }

    /// Shuts the gates.
    pub(super) fn revoke(&mut self) {
        for provider in self.gates.providers() {
            self.gates.grant_share(&provider, 0.0, Duration::ZERO);
        }
        self.granted.clear();
        self.renewed_at = None;
    }

    /// Whether the shares should be asked for again, with so many nodes living.
    pub(super) fn is_due(&self, living: usize, renew_every: Duration, now: Boottime) -> bool {
        let wanted = part(living);
        let short = |share: &Share| share.fraction < wanted - GRAIN;
        (wanted - self.wanted).abs() > GRAIN
            || self
                .renewed_at
                .is_none_or(|at| now.since(at) >= renew_every)
            || self.granted.values().any(short)
    }

    /// Leases anew: one part in `living` of every provider's limits. Returns the store's complaint.
    pub(super) async fn renew(
        &mut self,
        council: &dyn Council,
        node: &str,
        living: usize,
        lease: Duration,
    ) -> Result<(), JournalError> {
        let wanted = part(living);
        let sent = Boottime::now();
        let until = sent + lease / 2;
        for (provider, share) in &mut self.granted {
            if share.fraction > wanted {
                share.fraction = wanted;
                let good_for = share.until.since(sent);
                self.gates.grant_share(provider, wanted, good_for);
            }
        }
        let ask = |provider: String| {
            let asked = council.lease_share(node, &provider, wanted, lease);
            async move { (provider, asked.await) }
        };
        let answers = join_all(self.gates.providers().into_iter().map(ask)).await;
        self.wanted = wanted;
        let mut outcome = Ok(());
        for (provider, answer) in answers {
            match answer {
                Ok(fraction) => {
                    let good_for = until.since(Boottime::now());
                    self.gates.grant_share(&provider, fraction, good_for);
                    self.granted.insert(provider, Share { fraction, until });
                }
                Err(error) => outcome = Err(error),
            }
        }
        if outcome.is_ok() {
            self.renewed_at = Some(sent);
        }
        outcome
    }

    /// Shuts the gates and gives the shares back.
    pub(super) async fn give_back(&mut self, council: &dyn Council, node: &str, lease: Duration) {
        self.revoke();
        let providers = self.gates.providers();
        let asked = providers
            .iter()
            .map(|provider| council.lease_share(node, provider, 0.0, lease));
        // What can't be given back now is free after its lease.
        let _ = join_all(asked).await;
    }
}

fn part(living: usize) -> f64 {
    1.0 / living.max(1) as f64
}
