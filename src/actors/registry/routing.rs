//! Where a call goes: to the live actor, to the buffer of one that is coming, to a new one, or, for a
//! reader, to the journal.

use std::sync::Arc;

use actix::dev::SendError;
use actix::fut::WrapFuture;
use actix::{AsyncContext, Context};

use super::Registry;
use crate::actors::messages::{Call, Deliver, Found, MAILBOX_FULL};
use crate::actors::status::{ActorStatus, Residence};
use crate::actors::transaction::Opening;
use crate::transaction::{Command, Transaction, Volatile};

pub(super) const QUARANTINED: &str =
    "this transaction is put aside for a while after repeated panics";
const TOO_MANY_OPEN: &str = "as many transactions are open as this node may hold";
const STOPPING: &str = "this node is stopping";

impl Registry {
    pub(super) fn route(&mut self, deliver: Deliver, ctx: &mut Context<Self>) {
        if self.tenure(&deliver.key).is_none() {
            deliver.call.answer_elsewhere();
        } else if let Some(live) = self.live.get_mut(&deliver.key) {
            match live.address.try_send(deliver) {
                Ok(()) => live.sent += 1,
                Err(SendError::Full(deliver)) => deliver.call.turn_away(MAILBOX_FULL),
                // It stopped a moment ago and its notice is on the way.
                Err(SendError::Closed(deliver)) => {
                    self.live.remove(&deliver.key);
                    self.route_to_absent(deliver, ctx);
                }
            }
        } else {
            self.route_to_absent(deliver, ctx);
        }
    }

    fn route_to_absent(&mut self, deliver: Deliver, ctx: &mut Context<Self>) {
        if !deliver.call.needs_actor() {
            return self.read_from_journal(deliver, ctx);
        }
        if self.aside_until(&deliver.key).is_some() {
            if !brings_back(&deliver.call) {
                // A permit is dropped, not put back: it would come again at once, until the pause is over,
                // and take the budget from all others.
                return deliver.call.answer_unavailable(QUARANTINED);
            }
            let now = self.house.clock.mono();
            self.crashes.let_back(&deliver.key, now);
        }
        if self.activating.contains_key(&deliver.key) {
            return self.wait_for_activation(deliver);
        }
        let dormant = self.wakeups.holds(&deliver.key);
        match &deliver.call {
            Call::Accept { .. } if !dormant => {
                if self.house.is_draining() {
                    return deliver.call.turn_away(STOPPING);
                }
                if !self.has_room() {
                    return deliver.call.turn_away(TOO_MANY_OPEN);
                }
                self.create(deliver);
            }
            // Nobody vouches for a hint: it must not cost a read.
            Call::Hint { .. } if !dormant => {}
            // Whatever waited for that gate is done with waiting.
            Call::Reroute if !dormant => {}
            // It is known, and comes back by itself.
            Call::Arrived if dormant => {}
            Call::Accept { .. }
            | Call::Hint { .. }
            | Call::Reroute
            | Call::Arrived
            | Call::Read { .. }
            | Call::Watch { .. }
            | Call::Inspect { .. }
            | Call::Webhook { .. }
            | Call::Act { .. }
            | Call::Granted(_)
            | Call::Stop { .. }
            | Call::Crash => {
                let key = deliver.key.clone();
                self.activate(&key, ctx);
                self.wait_for_activation(deliver);
            }
        }
    }

    /// A key that this shard does not know: most likely new. The journal decides at the commit.
    fn create(&mut self, deliver: Deliver) {
        let key = deliver.key.clone();
        let Some(live) = self.bring_to_life(&key, Opening::Fresh, 1) else {
            return deliver.call.turn_away(STOPPING);
        };
        match live.address.try_send(deliver) {
            Ok(()) => live.sent += 1,
            Err(SendError::Full(deliver) | SendError::Closed(deliver)) => {
                deliver.call.turn_away(MAILBOX_FULL)
            }
        }
    }

    /// Serves a reader without bringing an actor to life.
    fn read_from_journal(&mut self, deliver: Deliver, ctx: &mut Context<Self>) {
        let Deliver { key, call, place } = deliver;
        let house = Arc::clone(&self.house);
        let aside_until = self.aside_until(&key);
        let (volatile, activations) = self.wakeups.peek(&key);
        let answer = async move {
            let _held_until_answered = place;
            let transaction = match house.journal.load(&key).await {
                Ok(None) => return call.answer_nowhere(),
                Ok(Some(records)) => {
                    Transaction::fold(&key, &records).map_err(|corrupt| corrupt.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            let mut transaction = match transaction {
                Ok(transaction) => transaction,
                Err(why) => return call.answer_unavailable(&why),
            };
            transaction.volatile = volatile.unwrap_or_else(Volatile::default);
            match call {
                Call::Read { reply } => {
                    let _ = reply.send(Found::Here(Box::new(transaction)));
                }
                Call::Inspect { reply } => {
                    let residence = Residence {
                        aside_until,
                        activations,
                        ..Residence::default()
                    };
                    let _ = reply.send(Some(Box::new(ActorStatus::of(
                        &transaction,
                        residence,
                        house.clock.now(),
                    ))));
                }
                other => other.answer_unavailable(STOPPING),
            }
        };
        ctx.spawn(answer.into_actor(self));
    }
}

/// Whether somebody acts who need not wait until the pause is over: to ask, or to end it.
fn brings_back(call: &Call) -> bool {
    let Call::Act { act, .. } = call else {
        return false;
    };
    match act.command {
        Command::Cancel | Command::Inquire | Command::Resolve { .. } => true,
        Command::Resubmit | Command::Redeliver => false,
    }
}
