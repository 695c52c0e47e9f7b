//! The actor's own queue: while a commit or a load is under way, nothing else is decided.
//!
//! The framework may poll spawned futures and the mailbox in any order, also while another future of the
//! same actor is pending. So the actor itself knows when it is busy ([`ActorQueue::busy`]), and everything that
//! arrives meanwhile waits here, in the order of its arrival, until the records are durable.

use std::collections::VecDeque;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{ActorContext, ActorState, AsyncContext, Context};

use super::TransactionActor;
use crate::actors::messages::{Call, Deliver, MAILBOX_FULL};

/// Calls that may wait for one actor: in its mailbox, and again in its own queue during a commit. It is
/// busy for a commit at a time, milliseconds; more than this is a client gone wild.
pub(in crate::actors) const MAILBOX: usize = 128;

type Task = Box<dyn FnOnce(&mut TransactionActor, &mut Context<TransactionActor>)>;

enum Turn {
    /// What the outside says.
    Call(Deliver),
    /// What comes back to the actor itself.
    Own(Task),
}

/// What waits until the actor is free.
#[derive(Default)]
pub(super) struct ActorQueue {
    /// Whether a commit or a load is under way.
    busy: bool,
    waiting: VecDeque<Turn>,
    /// How many of those that wait are subject to [`MAILBOX`].
    calls: usize,
}

impl ActorQueue {
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Whether nothing is under way and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy && self.waiting.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Queues what the actor itself has to do. It may not be turned away, because it comes only once; its
    /// number is bounded where it comes from: by the calls of this transaction that are out, and by the
    /// webhooks that the inbox gives out in one look.
    pub(super) fn push(
        &mut self,
        task: impl FnOnce(&mut TransactionActor, &mut Context<TransactionActor>) + 'static,
    ) {
        self.waiting.push_back(Turn::Own(Box::new(task)));
    }

    /// Queues a call, or hands it back when as many wait as may.
    fn push_call(&mut self, deliver: Deliver) -> Result<(), Deliver> {
        if is_bounded(&deliver.call) {
            if self.calls >= MAILBOX {
                return Err(deliver);
            }
            self.calls += 1;
        }
        self.waiting.push_back(Turn::Call(deliver));
        Ok(())
    }

    fn pop(&mut self) -> Option<Turn> {
        let turn = self.waiting.pop_front()?;
        if let Turn::Call(deliver) = &turn
            && is_bounded(&deliver.call)
        {
            self.calls -= 1;
        }
        Some(turn)
    }
}

/// A permit was asked for by this actor, which stands in each queue of a gate once; a stop comes once. A
/// permit that is put back would come again at once, for as long as the commit takes.
fn is_bounded(call: &Call) -> bool {
    !matches!(call, Call::Granted(_) | Call::Stop { .. })
}

impl TransactionActor {
    /// Is busy with `work`, then does `done`, then whatever has queued meanwhile.
    pub(super) fn wait_for<T: 'static>(
        &mut self,
        work: impl Future<Output = T> + 'static,
        ctx: &mut Context<Self>,
        done: impl FnOnce(&mut Self, T, &mut Context<Self>) + 'static,
    ) {
        self.queue.busy = true;
        ctx.spawn(work.into_actor(self).map(move |result, actor, ctx| {
            actor.queue.busy = false;
            done(actor, result, ctx);
            actor.work_off(ctx);
        }));
    }

    /// Takes a call: at once if it is free, else in its turn.
    pub(super) fn take(&mut self, deliver: Deliver, ctx: &mut Context<Self>) {
        if !self.queue.busy {
            return self.answer(deliver.call, deliver.place, ctx);
        }
        if let Err(deliver) = self.queue.push_call(deliver) {
            deliver.call.turn_away(MAILBOX_FULL);
        }
    }

    /// One after the other: each is decided on what the one before has made durable. What still waits when
    /// the actor stops is dropped with it: whoever asked learns that it was interrupted, and permits go
    /// back to their gates.
    fn work_off(&mut self, ctx: &mut Context<Self>) {
        while !self.queue.busy && ctx.state() == ActorState::Running {
            match self.queue.pop() {
                Some(Turn::Call(deliver)) => self.answer(deliver.call, deliver.place, ctx),
                Some(Turn::Own(task)) => task(self, ctx),
                None => return,
            }
        }
    }
}
