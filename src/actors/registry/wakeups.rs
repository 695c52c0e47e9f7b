//! The open transactions that are not in memory, and when each has to come back: one queue per shard
//! and one alarm for its front, however many wait.

use std::collections::{BTreeSet, HashMap};

use actix::{AsyncContext, Context};

use super::Registry;
use super::activation::ACTIVATING_AT_ONCE;
use crate::transaction::{Key, Mono, Volatile};

/// What stays of a transaction that left memory.
pub(in crate::actors) struct Dormant {
    /// When it has to be back.
    pub(in crate::actors) due: Mono,
    /// Its timers and its window, as they were. `None`: nothing of this process's clock is known, as
    /// after a restart.
    pub(in crate::actors) volatile: Option<Box<Volatile>>,
    /// How often it has been in memory.
    pub(in crate::actors) activations: u32,
}

#[derive(Default)]
pub(super) struct Wakeups {
    order: BTreeSet<(Mono, Key)>,
    sleepers: HashMap<Key, Dormant>,
}

impl Wakeups {
    pub(super) fn put(&mut self, key: Key, dormant: Dormant) {
        let due = dormant.due;
        if let Some(earlier) = self.sleepers.insert(key.clone(), dormant) {
            self.order.remove(&(earlier.due, key.clone()));
        }
        self.order.insert((due, key));
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<Dormant> {
        let dormant = self.sleepers.remove(key)?;
        self.order.remove(&(dormant.due, key.clone()));
        Some(dormant)
    }

    /// Lets those go that `theirs` names, and says which they were.
    pub(super) fn forget(&mut self, theirs: impl Fn(&Key) -> bool) -> Vec<Key> {
        self.order.retain(|(_, key)| !theirs(key));
        let gone = self.sleepers.extract_if(|key, _| theirs(key));
        gone.map(|(key, _)| key).collect()
    }

    /// The clock of a sleeper and how often it was in memory.
    pub(super) fn peek(&self, key: &Key) -> (Option<Volatile>, u32) {
        let dormant = self.sleepers.get(key);
        let volatile = dormant.and_then(|dormant| dormant.volatile.as_deref().copied());
        (volatile, dormant.map_or(0, |dormant| dormant.activations))
    }

    pub(super) fn first(&self) -> Option<Mono> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Takes the first, if its time has come.
    pub(super) fn take_due(&mut self, now: Mono) -> Option<(Key, Dormant)> {
        let (_, key) = self.order.first().filter(|(due, _)| *due <= now)?;
        let key = key.clone();
        let dormant = self.take(&key)?;
        Some((key, dormant))
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.sleepers.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.sleepers.len()
    }
}

impl Registry {
    /// Activates what is due, at a bounded pace, and sets the alarm for the rest. Each round takes one out,
    /// and what is put back is due later, so it ends.
    pub(super) fn wake_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.house.clock.mono();
        while self.activating.len() < ACTIVATING_AT_ONCE {
            let Some((key, dormant)) = self.wakeups.take_due(now) else {
                break;
            };
            if self.tenure(&key).is_none() {
                // Not ours any more, or about to go. Whoever gains the partition reads what is open in it.
                self.leave_gates(&key);
            } else if self.is_present(&key) {
                // It knows its own timers.
            } else if let Some(due) = self.crashes.aside_until(&key, now) {
                self.wakeups.put(key, Dormant { due, ..dormant });
            } else {
                self.load(key, Some(dormant), ctx);
            }
        }
        self.set_alarm(now, ctx);
    }

    /// Each finished activation looks again, so while the pace is at its bound no alarm is needed.
    fn set_alarm(&mut self, now: Mono, ctx: &mut Context<Self>) {
        let Some(due) = self.wakeups.first().filter(|&due| due > now) else {
            return;
        };
        match self.alarm {
            Some((armed, _)) if armed <= due && armed > now => {}
            other => {
                if let Some((_, handle)) = other {
                    ctx.cancel_future(handle);
                }
                let wait = self
                    .house
                    .clock
                    .instant(due)
                    .saturating_duration_since(tokio::time::Instant::now());
                let handle = ctx.run_later(wait, |registry, ctx| {
                    registry.alarm = None;
                    registry.wake_due(ctx);
                });
                self.alarm = Some((due, handle));
            }
        }
    }
}
