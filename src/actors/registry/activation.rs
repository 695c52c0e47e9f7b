//! Bringing a transaction into memory from the journal, with what arrives meanwhile in a bounded
//! buffer.

use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AsyncContext, Context};

use super::routing::QUARANTINED;
use super::wakeups::Dormant;
use super::{Deliver, Registry};
use crate::actors::messages::{Call, MAILBOX_FULL};
use crate::actors::transaction::{MAILBOX, Opening};
use crate::ports::JournalError;
use crate::transaction::{Key, Mono, Record, Transaction};

/// Loads that a shard has under way for wake-ups: enough to keep the readers busy, few enough that a
/// client's own activation is not far back.
pub(super) const ACTIVATING_AT_ONCE: usize = 64;
/// The pause before a transaction whose history could not be read is tried again.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(5);

/// A transaction on its way into memory.
pub(super) struct Waiting {
    pub(super) buffered: Vec<Deliver>,
    dormant: Option<Dormant>,
    /// Which of this shard's loads it waits for: one that was begun under an earlier tenure is none.
    load: u64,
}

impl Registry {
    /// Begins to load `key`, unless it is here, on its way, put aside, or not ours.
    pub(super) fn activate(&mut self, key: &Key, ctx: &mut Context<Self>) {
        if self.tenure(key).is_some() && !self.is_present(key) && self.aside_until(key).is_none() {
            let dormant = self.wakeups.take(key);
            self.load(key.clone(), dormant, ctx);
        }
    }

    /// Whether its actor is here or on its way.
    pub(super) fn is_present(&self, key: &Key) -> bool {
        self.live.contains_key(key) || self.activating.contains_key(key)
    }

    pub(super) fn aside_until(&self, key: &Key) -> Option<Mono> {
        self.crashes.aside_until(key, self.house.clock.mono())
    }

    /// Begins to load what is neither here nor on its way.
    pub(super) fn load(&mut self, key: Key, dormant: Option<Dormant>, ctx: &mut Context<Self>) {
        self.loads += 1;
        let (load, history) = (self.loads, self.house.journal.load(&key));
        let waiting = Waiting {
            buffered: Vec::new(),
            dormant,
            load,
        };
        self.activating.insert(key.clone(), waiting);
        ctx.spawn(history.into_actor(self).map(move |history, registry, ctx| {
            registry.arrive(&key, load, history, ctx);
            registry.wake_due(ctx);
        }));
    }

    pub(super) fn wait_for_activation(&mut self, deliver: Deliver) {
        match self.activating.get_mut(&deliver.key) {
            Some(waiting) if waiting.buffered.len() < MAILBOX => waiting.buffered.push(deliver),
            Some(_) | None => deliver.call.turn_away(MAILBOX_FULL),
        }
    }

    fn arrive(
        &mut self,
        key: &Key,
        load: u64,
        history: Result<Option<Vec<Record>>, JournalError>,
        ctx: &mut Context<Self>,
    ) {
        // Asked first: what a later tenure has made void is gone then.
        let is_ours = self.tenure(key).is_some();
        let expected = |waiting: &Waiting| waiting.load == load;
        if !self.activating.get(key).is_some_and(expected) {
            return;
        }
        let Some(Waiting {
            buffered, dormant, ..
        }) = self.activating.remove(key)
        else {
            return;
        };
        if !is_ours {
            self.leave_gates(key);
            return buffered
                .into_iter()
                .for_each(|deliver| deliver.call.answer_elsewhere());
        }
        let folded = match history {
            Ok(None) => {
                return buffered
                    .into_iter()
                    .for_each(|deliver| deliver.call.answer_nowhere());
            }
            Ok(Some(records)) => {
                Transaction::fold(key, &records).map_err(|corrupt| corrupt.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let transaction = match folded {
            Ok(transaction) => Box::new(transaction),
            Err(why) => {
                tracing::error!(%key, %why, "history unreadable");
                // A permit is dropped, not put back: it would come again at once. Whoever held it asks
                // anew, as after a restart.
                let permitted = |deliver: &Deliver| matches!(deliver.call, Call::Granted(_));
                let asks_anew = buffered.iter().any(permitted);
                buffered
                    .into_iter()
                    .for_each(|deliver| deliver.call.answer_unavailable(&why));
                if let Some(dormant) = dormant {
                    let again = Dormant {
                        due: self.house.clock.mono() + UNREADABLE_PAUSE,
                        volatile: dormant.volatile.filter(|_| !asks_anew),
                        ..dormant
                    };
                    self.wakeups.put(key.clone(), again);
                }
                return;
            }
        };
        let activations = dormant.as_ref().map_or(0, |dormant| dormant.activations) + 1;
        // A call had brought it back before its last panic became known here.
        if let Some(due) = self.aside_until(key) {
            let aside = Dormant {
                due,
                volatile: None,
                activations,
            };
            self.wakeups.put(key.clone(), aside);
            return buffered
                .into_iter()
                .for_each(|deliver| deliver.call.answer_unavailable(QUARANTINED));
        }
        let opening = match dormant.and_then(|dormant| dormant.volatile) {
            Some(volatile) => Opening::Resumed(transaction, volatile),
            None if transaction.is_open() => Opening::Recovered(transaction),
            None => Opening::Resumed(transaction, Box::default()),
        };
        if self.bring_to_life(key, opening, activations).is_some() {
            buffered
                .into_iter()
                .for_each(|deliver| self.route(deliver, ctx));
        }
    }
}
