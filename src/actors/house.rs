//! What every shard shares: the way to the world and the bounds of the house.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::calls_out::CallsOut;
use super::gate::{Gate, GateStatus};
use super::policies::Policies;
use super::router::Router;
use crate::clock::Clock;
use crate::ports::{Alone, Journal, Notifier, Ownership, Providers, Shared};
use crate::transaction::{AppId, Decision, Key, Policy, Transaction, invariants};

/// Bounds that an operator can set. All are per process.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bounds {
    /// Open transactions, in memory or waiting outside of it. Over it new ones get 503.
    pub open_transactions: usize,
    /// A transaction that has nothing to do for this long leaves memory.
    pub linger: Duration,
    /// One whose next timer lies further off than this leaves memory too, after the linger.
    pub passivate_beyond: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            // 116 bytes each as a wake-up: a million is 116 MB at most, and far less when they move.
            open_transactions: 1_000_000,
            // Long enough for the app's first question after the outcome.
            linger: Duration::from_secs(5),
            // Activation costs two microseconds and a read; a minute of memory is dearer.
            passivate_beyond: Duration::from_secs(60),
        }
    }
}

/// What the house stands on: the journal, and whose the transactions in it are.
#[derive(Clone)]
pub struct Ground {
    /// Where events become facts.
    pub journal: Arc<dyn Journal>,
    /// Which partitions this node may act for.
    pub ownership: Arc<dyn Ownership>,
    /// What the journal has for others' transactions, if several nodes share it.
    pub shared: Option<Arc<dyn Shared>>,
}

impl Ground {
    /// A journal that this node has for itself.
    #[must_use]
    pub fn alone(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            ownership: Arc::new(Alone),
            shared: None,
        }
    }
}

/// What the shards share.
pub struct House {
    /// Where events become facts.
    pub journal: Arc<dyn Journal>,
    /// Which partitions this node may act for.
    pub ownership: Arc<dyn Ownership>,
    /// What the journal has for others' transactions, if several nodes share it.
    pub shared: Option<Arc<dyn Shared>>,
    /// Who moves money.
    pub providers: Providers,
    /// Who tells the apps.
    pub notifier: Arc<dyn Notifier>,
    /// The clocks.
    pub clock: Clock,
    /// The way to every transaction.
    pub router: Router,
    /// The bounds.
    pub bounds: Bounds,
    policies: Policies,
    gates: BTreeMap<String, Arc<Gate>>,
    stand_ins: OnceLock<BTreeMap<String, String>>,
    calls_out: CallsOut,
    alarms: Vec<Alarms>,
    draining: AtomicBool,
}

/// What must not happen, counted for each shard since the start.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    pub(super) invariant_violations: AtomicU64,
    pub(super) appends_refused: AtomicU64,
    pub(super) answers_about_others: AtomicU64,
}

impl House {
    /// Puts the house together, with a gate per provider, for these apps.
    #[must_use]
    pub fn new(
        ground: Ground,
        providers: Providers,
        notifier: Arc<dyn Notifier>,
        clock: Clock,
        router: Router,
        bounds: Bounds,
        apps: &[AppId],
    ) -> Arc<Self> {
        let max_pause = ground.ownership.max_pause();
        let policies = Policies::new(&providers, &*notifier, apps, max_pause);
        let alarms: Vec<Alarms> = (0..router.shards()).map(|_| Alarms::default()).collect();
        let gate = |provider: &Arc<dyn crate::ports::Provider>| {
            let name = provider.name().to_owned();
            if let Err(law) = invariants::check_policy(provider.policy()) {
                tracing::error!(
                    provider = name,
                    law,
                    "a law is broken by a provider's numbers"
                );
                if let Some(first) = alarms.first() {
                    first.invariant_violations.fetch_add(1, Ordering::Relaxed);
                }
            }
            let gate = Gate::new(&name, provider.limits().clone(), clock);
            (name, gate)
        };
        let gates = providers.iter().map(gate).collect();
        Arc::new(Self {
            journal: ground.journal,
            ownership: ground.ownership,
            shared: ground.shared,
            providers,
            notifier,
            clock,
            router,
            bounds,
            policies,
            gates,
            stand_ins: OnceLock::new(),
            calls_out: CallsOut::default(),
            alarms,
            draining: AtomicBool::new(false),
        })
    }

    /// The numbers that decisions about this app's transactions at this provider depend on; `None` if
    /// the provider is not configured.
    #[must_use]
    pub fn policy(&self, provider: &str, app: &AppId) -> Option<&Policy> {
        self.policies.get(provider, app)
    }

    /// Names the providers that stand in for others while those can't be reached: provider → stand-in.
    /// Once, before anything runs; both have to be configured.
    #[must_use]
    pub fn with_stand_ins(self: Arc<Self>, stand_ins: BTreeMap<String, String>) -> Arc<Self> {
        for name in stand_ins
            .iter()
            .flat_map(|(provider, stand_in)| [provider, stand_in])
        {
            if let Some(gate) = self.gate(name) {
                gate.divert();
            }
        }
        let _ = self.stand_ins.set(stand_ins);
        self
    }

    /// Who stands in for a provider, if anybody does.
    #[must_use]
    pub fn stand_in(&self, provider: &str) -> Option<&str> {
        self.stand_ins.get()?.get(provider).map(String::as_str)
    }

    /// The gate of a provider that is configured.
    #[must_use]
    pub fn gate(&self, provider: &str) -> Option<&Arc<Gate>> {
        self.gates.get(provider)
    }

    /// All gates.
    pub fn gates(&self) -> impl Iterator<Item = &Arc<Gate>> {
        self.gates.values()
    }

    /// What operators see of the gates.
    #[must_use]
    pub fn gate_statuses(&self) -> Vec<GateStatus> {
        self.gates.values().map(|gate| gate.status()).collect()
    }

    /// Calls to the world that are out for each partition's transactions.
    #[must_use]
    pub fn calls_out(&self) -> &CallsOut {
        &self.calls_out
    }

    /// Decisions that broke a law, since the start. Each was logged.
    #[must_use]
    pub fn invariant_violations(&self) -> u64 {
        let of = |alarms: &Alarms| alarms.invariant_violations.load(Ordering::Relaxed);
        self.alarms.iter().map(of).sum()
    }

    /// Appends that the journal refused because it holds something else than the actor thought, since the
    /// start. What another owner's claim refuses is not among them.
    #[must_use]
    pub fn appends_refused(&self) -> u64 {
        let of = |alarms: &Alarms| alarms.appends_refused.load(Ordering::Relaxed);
        self.alarms.iter().map(of).sum()
    }

    pub(super) fn alarms(&self, shard: usize) -> Option<&Alarms> {
        self.alarms.get(shard)
    }

    /// Checks a decision against the laws. A violation is counted and logged, and the decision stands:
    /// an actor that stopped here would decide the same again.
    pub(super) fn check_step(&self, before: Option<&Transaction>, decision: &Decision) {
        if let Err(law) = invariants::check_step(before, decision) {
            let key = &decision.next.key;
            tracing::error!(%key, law, version = decision.next.version, "a law is broken");
            if let Some(alarms) = self.alarms(self.router.shard_of(key)) {
                alarms.invariant_violations.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn append_was_refused(&self, key: &Key) {
        if let Some(alarms) = self.alarms(self.router.shard_of(key)) {
            alarms.appends_refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn answer_was_about_another(&self, key: &Key) {
        if let Some(alarms) = self.alarms(self.router.shard_of(key)) {
            alarms.answers_about_others.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Open transactions that one shard may hold.
    #[must_use]
    pub fn open_per_shard(&self) -> usize {
        self.bounds.open_transactions.div_ceil(self.router.shards())
    }

    /// Begins the end: nothing new is taken or sent out.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.gates.values().for_each(|gate| gate.close());
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
