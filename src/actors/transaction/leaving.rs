//! Passivation: an actor with nothing to do leaves memory, and its wake-up stays with the registry.
//!
//! Nothing may be lost in between: the actor says how many messages it has handled, and the registry
//! lets it go only if that is how many it has sent. Else it stays.

use actix::{ActorContext, Context, Handler, Message};

use super::TransactionActor;
use crate::actors::registry::{Departure, Dormant, Notice};
use crate::transaction::{Errand, Mono};

/// The registry's answer to a departure.
#[derive(Message)]
#[rtype(result = "()")]
pub(in crate::actors) enum Retire {
    /// Nothing is on its way to you: go.
    Go,
    /// Something is: stay.
    Stay,
}

impl TransactionActor {
    pub(super) fn consider_leaving(&mut self, now: Mono) {
        self.last_active = now;
        self.watchers.retain(|(_, reply)| !reply.is_closed());
        let Some(seat) = &self.seat else { return };
        let volatile = seat.volatile;
        let out = volatile.own_request_is_out()
            || [volatile.inquiry, volatile.delivery].contains(&Errand::Out);
        let next = volatile.timers.next().map(|(_, due)| due);
        let soon = next.is_some_and(|due| due <= now + self.house.bounds.passivate_beyond);
        // What is not in the archive yet could not be found again by a reader.
        let unfolded = self.committed > self.house.journal.folded_through();
        let occupied = !self.queue.is_idle() || self.claim.is_under_way();
        if out || soon || unfolded || occupied || !self.watchers.is_empty() {
            return;
        }
        let dormant = seat.is_open().then(|| Dormant {
            due: next.unwrap_or(now),
            volatile: Some(Box::new(volatile)),
            activations: self.activations,
        });
        let departure = Departure {
            key: self.key.clone(),
            generation: self.generation,
            handled: self.handled,
            dormant,
        };
        self.leaving = self.notices.send(Notice::Leaves(departure)).is_ok();
    }
}

impl Handler<Retire> for TransactionActor {
    type Result = ();

    fn handle(&mut self, retire: Retire, ctx: &mut Context<Self>) {
        match retire {
            Retire::Go => ctx.stop(),
            Retire::Stay => {
                self.leaving = false;
                self.set_alarm(ctx);
            }
        }
    }
}
