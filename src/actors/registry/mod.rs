//! A shard: the supervisor of the transactions whose partitions belong to one thread.
//!
//! It routes by key, brings actors into memory from the journal, lets idle ones go and keeps their
//! wake-ups, and rebuilds an actor that panicked. Three panics within ten minutes put a transaction
//! aside for a while, visibly, and harm no other.

mod activation;
mod crashes;
mod notices;
mod recovery;
mod routing;
mod tenancy;
mod wakeups;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{Actor, Addr, Context, Handler, Message, SpawnHandle};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use activation::Waiting;
use crashes::Crashes;
pub(super) use notices::{Departure, Notice};
use tenancy::Tenures;
pub(super) use tenancy::{Gained, HandOver, Lost};
pub(super) use wakeups::Dormant;
use wakeups::Wakeups;

use super::house::{Alarms, House};
use super::messages::{Call, Deliver};
use super::status::ShardStatus;
use super::transaction::{Birth, Opening, TransactionActor};
use crate::transaction::Key;

/// Messages that may wait for a shard beyond those that hold a place (see
/// [`super::router::CALLS_AT_ONCE`]): permits, lists, reports.
const MAILBOX: usize = 2 * super::router::CALLS_AT_ONCE;

/// One shard.
pub struct Registry {
    shard: usize,
    house: Arc<House>,
    live: HashMap<Key, Live>,
    wakeups: Wakeups,
    activating: HashMap<Key, Waiting>,
    crashes: Crashes,
    notices: Option<UnboundedSender<Notice>>,
    alarm: Option<(crate::transaction::Mono, SpawnHandle)>,
    generations: u64,
    loads: u64,
    tenures: Tenures,
    /// Journals that are still being read for what is open.
    recovering: usize,
    recovered: bool,
}

/// An actor in memory.
struct Live {
    address: Addr<TransactionActor>,
    generation: u64,
    sent: u64,
}

impl Registry {
    /// Starts a shard on the present thread, once, in the first place that is vacant, and reports it
    /// to the router. It recovers its open transactions from the journal by itself. A web worker that
    /// replaces one that died so takes the dead one's place.
    pub fn start_on_this_thread(house: &Arc<House>) {
        thread_local!(static STARTED: Cell<bool> = const { Cell::new(false) });
        if STARTED.replace(true) {
            return;
        }
        Self::start_shard(house);
    }

    /// Starts a shard on the present arbiter in the first place that is vacant.
    pub fn start_shard(house: &Arc<House>) {
        house.router.fill_vacancy(|shard| {
            let registry = Self {
                shard,
                house: Arc::clone(house),
                live: HashMap::new(),
                wakeups: Wakeups::default(),
                activating: HashMap::new(),
                crashes: Crashes::default(),
                notices: None,
                alarm: None,
                generations: 0,
                loads: 0,
                tenures: Tenures::default(),
                recovering: 0,
                recovered: false,
            };
            registry.start()
        });
    }

    /// Whether another transaction may become open here.
    fn has_room(&self) -> bool {
        self.live.len() + self.wakeups.len() + self.activating.len() < self.house.open_per_shard()
    }

    fn bring_to_life(
        &mut self,
        key: &Key,
        opening: Opening,
        activations: u32,
    ) -> Option<&mut Live> {
        let notices = self.notices.clone()?;
        let tenure = self.tenure(key)?;
        self.generations += 1;
        let generation = self.generations;
        let house = Arc::clone(&self.house);
        let birth = Birth {
            key: key.clone(),
            house,
            notices,
            generation,
            tenure,
            activations,
            opening,
        };
        let address = TransactionActor::new(birth).start();
        Some(
            self.live
                .entry(key.clone())
                .insert_entry(Live {
                    address,
                    generation,
                    sent: 0,
                })
                .into_mut(),
        )
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let (sender, notices) = unbounded_channel();
        self.notices = Some(sender);
        self.listen(notices, ctx);
        self.recover(ctx);
    }
}

impl Handler<Deliver> for Registry {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Self::Context) {
        self.route(deliver, ctx);
    }
}

/// Asks a shard what it holds.
#[derive(Message)]
#[rtype(result = "ShardStatus")]
pub struct Recall;

impl Handler<Recall> for Registry {
    type Result = actix::MessageResult<Recall>;

    fn handle(&mut self, _: Recall, _: &mut Self::Context) -> Self::Result {
        let counted = |of: fn(&Alarms) -> &AtomicU64| {
            let alarms = self.house.alarms(self.shard);
            alarms.map_or(0, |alarms| of(alarms).load(Ordering::Relaxed))
        };
        actix::MessageResult(ShardStatus {
            shard: self.shard,
            live: self.live.len(),
            dormant: self.wakeups.len(),
            activating: self.activating.len(),
            quarantined: self.crashes.aside(self.house.clock.mono()).count(),
            panics_total: self.crashes.total(),
            invariant_violations: counted(|alarms| &alarms.invariant_violations),
            appends_refused: counted(|alarms| &alarms.appends_refused),
            answers_about_others: counted(|alarms| &alarms.answers_about_others),
            recovered: self.recovered,
        })
    }
}

/// Asks a shard for the keys of its live actors.
#[derive(Message)]
#[rtype(result = "Vec<Key>")]
pub struct List {
    /// Only keys after this one.
    pub after: Option<Key>,
    /// At most this many, in order.
    pub limit: usize,
}

impl Handler<List> for Registry {
    type Result = Vec<Key>;

    fn handle(&mut self, list: List, _: &mut Self::Context) -> Self::Result {
        let after = |key: &&Key| list.after.as_ref().is_none_or(|after| *key > after);
        let mut keys: Vec<Key> = self.live.keys().filter(after).cloned().collect();
        if keys.len() > list.limit {
            keys.select_nth_unstable(list.limit);
            keys.truncate(list.limit);
        }
        keys.sort();
        keys
    }
}

/// Asks a shard for the keys that are put aside after panics.
#[derive(Message)]
#[rtype(result = "Vec<Key>")]
pub struct PutAside {
    /// At most this many, in order.
    pub limit: usize,
}

impl Handler<PutAside> for Registry {
    type Result = Vec<Key>;

    fn handle(&mut self, PutAside { limit }: PutAside, _: &mut Self::Context) -> Self::Result {
        let now = self.house.clock.mono();
        let mut keys: Vec<Key> = self.crashes.aside(now).cloned().collect();
        keys.sort();
        keys.truncate(limit);
        keys
    }
}

/// Has every live actor write down what is out.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct StopAll;

impl Handler<StopAll> for Registry {
    type Result = actix::ResponseFuture<()>;

    fn handle(&mut self, _: StopAll, _: &mut Self::Context) -> Self::Result {
        let mut answers = Vec::new();
        for (key, live) in &mut self.live {
            let (reply, answer) = tokio::sync::oneshot::channel();
            let deliver = Deliver {
                key: key.clone(),
                call: Call::Stop { reply },
                place: None,
            };
            if live.address.try_send(deliver).is_ok() {
                live.sent += 1;
                answers.push(answer);
            }
        }
        Box::pin(async move {
            for answer in answers {
                // An actor that goes away meanwhile has nothing out any more.
                let _ = answer.await;
            }
        })
    }
}
