//! The one task of a node that keeps its part in the cluster.
//!
//! Each tick it announces the node and reads the assembly, and then makes the difference smaller
//! between what is and what should be: renew, claim what should be ours and is free, hand over what
//! should be another's. A tick that fails changes nothing; the table lets effects end by themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::boottime::Boottime;
use super::departures::{Departed, Departures};
use super::plan::{self, Plan};
use super::shares::{Gates, Shares};
use super::snapshot::{Snapshot, before_the_first, millis};
use super::table::Table;
use super::time::{Publish, StoreTime, wall_ms};
use crate::clock::Clock;
use crate::ports::{
    Assembly, ClusterView, Council, JournalError, NodeCard, Ownership, Promise, Tenants, Tenure,
};

/// Between two looks at the assembly, at most; a short lease has more of them.
const TICK_MAX: Duration = Duration::from_millis(500);
/// Between two looks while something is about to be ours: part of the pause in a hand-over.
pub(super) const TICK_BRISK: Duration = Duration::from_millis(200);
/// How long a partition may wait, still served, for its calls to come back before it is handed over
/// with calls out. Under load one is always out, and the next owner asks the provider about it.
const PATIENCE: Duration = Duration::from_secs(5);
/// After the store was silent, the others' announcements are waited for this long before they count as
/// dead: they could not reach it either.
const GRACE: Duration = Duration::from_millis(1_500);
/// An answer of the store takes this long at most, however long the lease.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// For how long cards are believed after a change of the primary, whose clock may be another: as long
/// as the store keeps them.
const CARDS_KEPT: Duration = Duration::from_secs(3600);

/// What a keeper works with.
pub struct Parts {
    /// How this node shows itself. Its id is this process's own.
    pub card: NodeCard,
    /// The store.
    pub council: Arc<dyn Council>,
    /// The actors.
    pub tenants: Arc<dyn Tenants>,
    /// The gates, which stay shut until a share is leased.
    pub gates: Arc<dyn Gates>,
    /// What the actors and the doors read.
    pub table: Table,
    /// The length of a lease.
    pub lease: Duration,
    /// Told what has to be added to this machine's wall clock to get the store's, in milliseconds,
    /// whenever that changes.
    pub store_time: Box<dyn Fn(i64) + Send + Sync>,
    /// The clocks: this machine's boot clock is shown to the other nodes, and theirs are learned.
    pub clock: Clock,
}

/// The keeper of a node.
pub struct Keeper {
    pub(super) card: NodeCard,
    clock: Clock,
    pub(super) council: Arc<dyn Council>,
    pub(super) tenants: Arc<dyn Tenants>,
    pub(super) table: Table,
    pub(super) lease: Duration,
    pub(super) time: StoreTime,
    pub(super) shares: Shares,
    pub(super) departures: Departures,
    primary: Option<String>,
    pub(super) primary_changes: u64,
    pub(super) heard_at: Option<Boottime>,
    pub(super) renewed_at: Option<Boottime>,
    /// Until when the silent don't count as dead, and how long they may have been silent.
    lenient: Option<(Boottime, Duration)>,
    awaited: usize,
    pub(super) claimed: u64,
    pub(super) given_up: u64,
    /// What went wrong in this tick.
    pub(super) trouble: Option<String>,
    /// The last assembly.
    pub(super) assembly: Option<Assembly>,
    /// Of all nodes that are present or named in a lease, by id.
    pub(super) cards: BTreeMap<String, NodeCard>,
    asked_to_leave: watch::Receiver<Option<Duration>>,
    pub(super) shown: Arc<RwLock<Shown>>,
    /// Its drop tells the handle that the keeper has ended.
    _running: watch::Sender<()>,
}

/// What the handle shows.
pub(super) struct Shown {
    pub(super) heard_at: Option<Boottime>,
    pub(super) snapshot: Snapshot,
}

/// A keeper as the rest of the process sees it.
#[derive(Clone)]
pub struct Handle {
    shown: Arc<RwLock<Shown>>,
    leave: Arc<watch::Sender<Option<Duration>>>,
    running: watch::Receiver<()>,
}

impl ClusterView for Handle {
    fn cluster(&self) -> Snapshot {
        self.snapshot()
    }
}

impl Handle {
    /// What the node knew at the last tick.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        let mut snapshot = shown.snapshot.clone();
        // Counted here, so that it grows even if the keeper itself stands still.
        snapshot.heard_ms_ago = shown.heard_at.map(|at| millis(Boottime::now().since(at)));
        snapshot
    }

    /// Asks the keeper to hand everything over and to leave, and waits until it has: after `patience`
    /// calls to providers are not waited for any more, and some seconds later nothing is.
    pub async fn leave(mut self, patience: Duration) {
        self.leave.send_replace(Some(patience));
        // An error says that the keeper is gone, which is what is waited for.
        while self.running.changed().await.is_ok() {}
    }
}

impl Keeper {
    /// A keeper that has not begun, and the handle to it.
    #[must_use]
    pub fn new(parts: Parts) -> (Self, Handle) {
        let (leave, asked_to_leave) = watch::channel(None);
        let (running, runs) = watch::channel(());
        let shown = Shown {
            heard_at: None,
            snapshot: before_the_first(&parts.card),
        };
        let shown = Arc::new(RwLock::new(shown));
        let publish: Publish = parts.store_time;
        let keeper = Self {
            card: parts.card,
            council: parts.council,
            tenants: parts.tenants,
            table: parts.table,
            lease: parts.lease,
            clock: parts.clock,
            time: StoreTime::new(publish),
            shares: Shares::new(parts.gates),
            departures: Departures::default(),
            primary: None,
            primary_changes: 0,
            heard_at: None,
            renewed_at: None,
            lenient: None,
            awaited: 0,
            claimed: 0,
            given_up: 0,
            trouble: None,
            assembly: None,
            cards: BTreeMap::new(),
            asked_to_leave,
            shown: Arc::clone(&shown),
            _running: running,
        };
        let handle = Handle {
            shown,
            leave: Arc::new(leave),
            running: runs,
        };
        (keeper, handle)
    }

    /// Keeps the node's part until the handle says to leave. Best in a thread of its own: what keeps
    /// the other threads busy must not delay a renewal.
    pub async fn run(mut self) {
        let mut next = Instant::now();
        let patience = loop {
            tokio::select! {
                patience = patience_of(&mut self.asked_to_leave) => break patience,
                () = sleep_until(next) => {
                    let began = Instant::now();
                    self.tick().await;
                    next = began + self.pause();
                }
                () = self.table.refusal() => self.mind_refusals(),
                departed = self.departures.next() => self.departed(&departed).await,
            }
        };
        self.depart(patience).await;
    }

    fn pause(&self) -> Duration {
        let tick = TICK_MAX.min(self.lease / 12);
        let brisk = self.trouble.is_none() && (self.awaited > 0 || self.departures.count() > 0);
        if brisk { tick.min(TICK_BRISK) } else { tick }
    }

    async fn tick(&mut self) {
        let before = self.trouble.take();
        let (asked, asked_ms) = (Boottime::now(), wall_ms());
        // Read before it is sent: whoever reads it later knows that it was so before.
        self.card.boot = self.clock.now().lasting;
        let call = self.council.announce(&self.card);
        if let Some(assembly) = self.ask(call).await {
            let answered = Boottime::now();
            let took = answered.since(asked);
            self.time.learn(assembly.now, asked_ms, took);
            self.witness_clocks(&assembly, answered);
            self.heard(&assembly, asked, answered).await;
            self.assembly = Some(assembly);
        } else if self.council.is_spread() {
            // What all share can't be read; leases that live elsewhere are renewed all the same.
            self.renew().await;
        }
        match (&before, &self.trouble) {
            (before, Some(now)) if before.as_ref() != Some(now) => {
                warn!(trouble = %now, "the store of the cluster does not answer as it should; it is tried again");
            }
            (Some(_), None) => info!("the store of the cluster answers again"),
            (_, _) => {}
        }
        self.show();
    }

    /// Other nodes' boot clocks, as they showed them before this answer came.
    fn witness_clocks(&self, assembly: &Assembly, answered: Boottime) {
        let shown = assembly.nodes.iter().filter_map(|(card, _)| card.boot);
        shown.for_each(|theirs| self.clock.witness(theirs, answered.as_millis()));
    }

    async fn heard(&mut self, assembly: &Assembly, asked: Boottime, answered: Boottime) {
        let silence = self.heard_at.map_or(Duration::ZERO, |at| asked.since(at));
        self.heard_at = Some(answered);
        if silence > self.lease / 2 {
            self.lenient = Some((answered + GRACE, silence));
        }
        self.mind_primary(&assembly.primary, answered);
        self.lenient = self.lenient.filter(|(until, _)| answered < *until);
        let extra = self.lenient.map_or(Duration::ZERO, |(_, extra)| extra);
        let me = self.card.id.clone();
        let living = plan::living(assembly, &me, self.lease + extra);
        self.learn_owners(assembly);
        self.renew().await;
        let holds = |partition| self.table.tenure(partition).is_some();
        let plan = plan::plan(assembly, &me, &living, holds);
        let Plan {
            claim, hand_over, ..
        } = plan;
        self.awaited = plan.awaited;
        // To somebody who may be dead nothing is handed over.
        let hand_over = if extra.is_zero() {
            hand_over
        } else {
            Vec::new()
        };
        self.send_off(&hand_over, PATIENCE);
        self.claim(&claim).await;
        self.release().await;
        self.renew_shares(living.len()).await;
    }

    /// Another primary, or the same one restarted, may have forgotten what was agreed on: everything
    /// ours is dropped and claimed anew.
    fn mind_primary(&mut self, primary: &str, now: Boottime) {
        let before = self.primary.replace(primary.to_owned());
        if before.is_none_or(|before| before == primary) {
            return;
        }
        self.primary_changes += 1;
        self.lenient = Some((now + GRACE, CARDS_KEPT));
        warn!(
            primary,
            "another server answers as the primary: claiming everything anew"
        );
        let held = self.table.held();
        self.table.end(&held);
        self.shares.revoke();
        self.lose(&held);
    }

    /// Starts what may go of these partitions, which should be another's.
    pub(super) fn send_off(&mut self, partitions: &[u32], patience: Duration) {
        let now = Boottime::now();
        self.departures.want(partitions, now);
        let held = self.table.held();
        let calls_out = |partition| self.tenants.calls_out(partition);
        let ready = self.departures.ready(&held, calls_out, patience, now);
        let going: Vec<u32> = ready.iter().map(|(partition, _)| *partition).collect();
        self.table.moving(&going);
        self.departures.start(ready, &self.tenants);
    }

    pub(super) async fn departed(&mut self, departed: &Departed) {
        let settled = self.departures.settle(departed);
        if !departed.finished {
            warn!(
                partitions = settled.len(),
                "actors did not go in time at a hand-over, and are dropped"
            );
            self.tenants.lost(&settled);
        }
        let ended = self.table.end(&settled);
        info!(partitions = ended.len(), "partitions handed over");
        self.departures.release(ended);
        self.release().await;
    }

    pub(super) async fn release(&mut self) {
        let unreleased = self.departures.unreleased();
        if unreleased.is_empty() {
            return;
        }
        let call = self.council.give_up(&unreleased);
        if self.ask(call).await.is_some() {
            self.given_up += u64::try_from(unreleased.len()).unwrap_or(u64::MAX);
            self.departures.released();
        }
    }

    async fn renew_shares(&mut self, living: usize) {
        if !self.shares.is_due(living, self.lease / 3, Boottime::now()) {
            return;
        }
        let (answer_max, node) = (self.answer_max(), &self.card.id);
        let asked = self.shares.renew(&*self.council, node, living, self.lease);
        let answer = timeout(answer_max, asked).await;
        let error = match answer {
            Ok(Ok(())) => return,
            Ok(Err(JournalError(error))) => error,
            Err(_) => "it did not answer in time".to_owned(),
        };
        self.trouble = Some(error);
    }

    /// Drops the actors of what the store has refused to this node.
    pub(super) fn mind_refusals(&mut self) {
        let refused = self.table.take_refused();
        if !refused.is_empty() {
            warn!(
                ?refused,
                "the store has refused this node's tenures: others own these partitions"
            );
            self.lose(&refused);
        }
    }

    pub(super) fn lose(&mut self, held: &[(u32, Tenure)]) {
        if held.is_empty() {
            return;
        }
        self.departures.forget(held);
        self.tenants.lost(held);
    }

    /// An answer of the store takes this long at most: half the time between two renewals, or less.
    pub(super) fn answer_max(&self) -> Duration {
        (self.lease / 6).min(ANSWER_MAX)
    }

    /// Waits for the store's answer, and minds refusals meanwhile. A complaint becomes the trouble.
    pub(super) async fn ask<T>(&mut self, call: Promise<Result<T, JournalError>>) -> Option<T> {
        let mut answer = std::pin::pin!(timeout(self.answer_max(), call));
        let answered = loop {
            tokio::select! {
                answered = &mut answer => break answered,
                () = self.table.refusal() => self.mind_refusals(),
            }
        };
        let error = match answered {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(JournalError(error))) => error,
            Err(_) => "it did not answer in time".to_owned(),
        };
        self.trouble = Some(error);
        None
    }
}

/// Waits until somebody wants the keeper to leave, and says how patient it may be.
async fn patience_of(asked: &mut watch::Receiver<Option<Duration>>) -> Duration {
    loop {
        let patience = *asked.borrow_and_update();
        match patience {
            Some(patience) => return patience,
            None if asked.changed().await.is_err() => std::future::pending().await,
            None => {}
        }
    }
}
