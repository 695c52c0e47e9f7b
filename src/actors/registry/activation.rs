//! Bringing a transaction into memory from the journal, with what arrives meanwhile in a bounded
//! buffer.

use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AsyncContext, Context};

use super::wakeups::Dormant;
use super::{Deliver, Registry};
use crate::actors::messages::{Call, MAILBOX_FULL};
use crate::actors::transaction::{MAILBOX, Opening};
use crate::ports::JournalError;
use crate::transaction::{Key, Record, Transaction};

/// Loads that a shard has under way for wake-ups: enough to keep the readers busy, few enough that a
/// client's own activation is not far back.
pub(super) const ACTIVATING_AT_ONCE: usize = 64;
/// The pause before a transaction whose history could not be read is tried again.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(5);

/// A transaction on its way into memory.
pub(super) struct Waiting {
    pub(super) buffered: Vec<Deliver>,
    dormant: Option<Dormant>,
}

impl Registry {
    /// Begins to load `key`; at most once at a time.
    pub(super) fn activate(&mut self, key: &Key, ctx: &mut Context<Self>) {
        if self.tenure(key).is_none()
            || self.live.contains_key(key)
            || self.activating.contains_key(key)
            || self.crashes.is_quarantined(key)
        {
            return;
        }
        let dormant = self.wakeups.take(key);
        self.activating.insert(
            key.clone(),
            Waiting {
                buffered: Vec::new(),
                dormant,
            },
        );
        let (history, key) = (self.house.journal.load(key), key.clone());
        ctx.spawn(history.into_actor(self).map(move |history, registry, ctx| {
            registry.arrive(&key, history, ctx);
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
        history: Result<Option<Vec<Record>>, JournalError>,
        ctx: &mut Context<Self>,
    ) {
        let Some(Waiting { buffered, dormant }) = self.activating.remove(key) else {
            return;
        };
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
