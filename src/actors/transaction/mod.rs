//! The actor of one transaction: a thin shell around the pure core.
//!
//! Every event goes the same way: `decide`, then [`commit`](TransactionActor::commit), then `perform`.
//! Calls to the world leave through [`TransactionActor::run`] and come back as events. While a commit is
//! under way nothing else is decided: everything that arrives waits in the actor's own queue ([`queue`]).
//! While a call is out everything else moves.

mod calls;
mod claiming;
mod commit;
mod leaving;
mod logbook;
mod perform;
mod queue;
mod stand_in;

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use tokio::sync::mpsc::UnboundedSender;

pub(super) use calls::replay;
pub(super) use leaving::Retire;
pub(super) use queue::MAILBOX;

use claiming::Claim;
use queue::ActorQueue;

use super::gate::{Gate, Permit};
use super::house::House;
use super::messages::{Deliver, Found, Reply, Until};
use super::registry::Notice;
use crate::ports::{Provider, Tenure};
use crate::transaction::{
    Decision, Event, Ignored, Key, Mono, Now, Policy, Transaction, Volatile, decide,
};

/// Clients that may wait for one transaction's change at once.
const WATCHERS_MAX: usize = 64;

/// How an actor begins.
pub(super) enum Opening {
    /// Nothing is known: the first message is an acceptance.
    Fresh,
    /// Back from outside of memory, in the same process: its clock is still good.
    Resumed(Box<Transaction>, Box<Volatile>),
    /// Rebuilt from the journal after a crash, a panic or a restart.
    Recovered(Box<Transaction>),
}

pub(super) struct TransactionActor {
    key: Key,
    house: Arc<House>,
    /// To the registry. Unbounded in itself; each actor has at most one notice under way.
    notices: UnboundedSender<Notice>,
    generation: u64,
    /// By what right it acts. An actor never outlives it: a new right makes a new actor.
    tenure: Tenure,
    activations: u32,
    opening: Option<Opening>,
    seat: Option<Transaction>,
    /// The journal's position of the last record.
    committed: u64,
    submission_permit: Option<Permit>,
    inquiry_permit: Option<Permit>,
    watchers: Vec<(Until, Reply<Found>)>,
    queue: ActorQueue,
    claim: Claim,
    alarm: Option<(Mono, SpawnHandle)>,
    handled: u64,
    last_active: Mono,
    leaving: bool,
}

/// What the registry gives an actor on its way.
pub(super) struct Birth {
    pub(super) key: Key,
    pub(super) house: Arc<House>,
    pub(super) notices: UnboundedSender<Notice>,
    pub(super) generation: u64,
    pub(super) tenure: Tenure,
    pub(super) activations: u32,
    pub(super) opening: Opening,
}

impl TransactionActor {
    pub(super) fn new(birth: Birth) -> Self {
        let last_active = birth.house.clock.mono();
        Self {
            key: birth.key,
            house: birth.house,
            notices: birth.notices,
            generation: birth.generation,
            tenure: birth.tenure,
            activations: birth.activations,
            opening: Some(birth.opening),
            seat: None,
            committed: 0,
            submission_permit: None,
            inquiry_permit: None,
            watchers: Vec::new(),
            queue: ActorQueue::default(),
            claim: Claim::default(),
            alarm: None,
            handled: 0,
            last_active,
            leaving: false,
        }
    }

    /// Decides what follows from `event` and does it. An event that changes nothing is logged once.
    fn happen(&mut self, event: Event, ctx: &mut Context<Self>) {
        self.happen_then(event, ctx, |_, _| {});
    }

    /// The provider of the present attempt.
    fn provider(&self) -> Option<&Arc<dyn Provider>> {
        self.house.providers.get(self.seat.as_ref()?.provider())
    }

    /// The gate of the present attempt's provider.
    fn gate(&self) -> Option<&Arc<Gate>> {
        self.house.gate(self.seat.as_ref()?.provider())
    }

    /// The gate of the provider that is asked next: another one's only where an earlier attempt is in doubt.
    fn gate_to_ask(&self) -> Option<&Arc<Gate>> {
        let seat = self.seat.as_ref()?;
        self.house.gate(seat.provider_of(seat.asked_about()))
    }

    /// The numbers that decide what this app's transactions do at `provider`.
    fn policy(&self, provider: &str) -> Option<&Policy> {
        self.house.policy(provider, &self.key.app)
    }

    fn decision(&self, event: Event, now: Now) -> Option<Result<Decision, Ignored>> {
        let transaction = self.seat.as_ref()?;
        // A new attempt is its own provider's from its first step on.
        let provider = if let Event::SubmissionPermitted { intent } = &event {
            let own = &transaction.request.provider;
            intent.provider.as_deref().unwrap_or(own)
        } else {
            transaction.provider()
        };
        let policy = self.policy(provider)?;
        Some(decide(transaction, event, now, policy))
    }

    /// Rings at the next timer, or when it is time to consider leaving memory.
    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let timer = self
            .seat
            .as_ref()
            .and_then(|transaction| transaction.volatile.timers.next());
        let idle = self.last_active + self.house.bounds.linger;
        let due = timer.map_or(idle, |(_, due)| due.min(idle));
        match self.alarm {
            // One that rings too early finds nothing due and is set anew.
            Some((armed, _)) if armed <= due => {}
            other => {
                if let Some((_, handle)) = other {
                    ctx.cancel_future(handle);
                }
                let wait = self
                    .house
                    .clock
                    .instant(due)
                    .saturating_duration_since(tokio::time::Instant::now());
                self.alarm = Some((due, ctx.run_later(wait, Self::ring)));
            }
        }
    }

    fn ring(&mut self, ctx: &mut Context<Self>) {
        self.alarm = None;
        if self.queue.is_busy() {
            // The end of the commit sets the alarm again, and what came home before it is heard first.
            return;
        }
        let now = self.house.clock.mono();
        let next = self
            .seat
            .as_ref()
            .and_then(|transaction| transaction.volatile.timers.next());
        if let Some((timer, _)) = next.filter(|&(_, due)| due <= now) {
            if self.leaving {
                // The registry is deciding; its answer sets the alarm again or ends this actor.
                return;
            }
            self.happen_then(Event::TimerFired(timer), ctx, move |actor, result| {
                if result.is_err()
                    && let Some(transaction) = &mut actor.seat
                {
                    // A timer that changes nothing must not ring again at once, for ever.
                    transaction.volatile.timers.disarm(timer);
                }
            });
        } else if now >= self.last_active + self.house.bounds.linger {
            self.consider_leaving(now);
        }
        if !self.leaving {
            self.set_alarm(ctx);
        }
    }
}

impl Actor for TransactionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        match self.opening.take() {
            None | Some(Opening::Fresh) => {}
            Some(Opening::Resumed(mut transaction, volatile)) => {
                transaction.volatile = *volatile;
                self.seat = Some(*transaction);
                self.set_alarm(ctx);
            }
            Some(Opening::Recovered(transaction)) => {
                self.seat = Some(*transaction);
                self.happen(Event::Recovered, ctx);
                self.set_alarm(ctx);
            }
        }
    }

    /// Runs while a panic unwinds too: so the registry learns of it and rebuilds the actor.
    fn stopped(&mut self, _: &mut Self::Context) {
        let panicked = std::thread::panicking();
        // The registry is gone only when the whole shard is.
        let _ = self.notices.send(Notice::Stopped {
            key: self.key.clone(),
            generation: self.generation,
            panicked,
        });
    }
}

impl Handler<Deliver> for TransactionActor {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Self::Context) {
        self.handled += 1;
        self.last_active = self.house.clock.mono();
        // The registry had counted this message when it decided about a departure: it says "stay", and
        // in a full mailbox even that would get lost.
        if std::mem::take(&mut self.leaving) {
            self.set_alarm(ctx);
        }
        self.take(deliver, ctx);
    }
}
