//! What actors tell their shard: that they would leave, that they have stopped.

use actix::fut::WrapStream;
use actix::{ActorStreamExt, AsyncContext, Context};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Registry;
use super::wakeups::Dormant;
use crate::actors::transaction::Retire;
use crate::ports::JournalHealth;
use crate::transaction::{Key, Mono};

/// From an actor to its shard.
pub(in crate::actors) enum Notice {
    /// It has nothing to do and would leave memory.
    Leaves(Departure),
    /// It is gone.
    Stopped {
        /// Which.
        key: Key,
        /// Which of the actors that this key has had.
        generation: u64,
        /// Whether a panic ended it.
        panicked: bool,
    },
}

/// An actor's wish to leave.
pub(in crate::actors) struct Departure {
    pub(in crate::actors) key: Key,
    pub(in crate::actors) generation: u64,
    /// Messages that it has handled: it may go only if no other is on the way to it.
    pub(in crate::actors) handled: u64,
    /// What stays; `None` if nothing remains to be done.
    pub(in crate::actors) dormant: Option<Dormant>,
}

impl Registry {
    pub(super) fn listen(&mut self, notices: UnboundedReceiver<Notice>, ctx: &mut Context<Self>) {
        let stream = futures_util::stream::unfold(notices, |mut notices| async move {
            let notice = notices.recv().await?;
            Some((notice, notices))
        });
        ctx.spawn(
            stream
                .into_actor(self)
                .map(|notice, registry, ctx| registry.notice(notice, ctx))
                .finish(),
        );
    }

    fn notice(&mut self, notice: Notice, ctx: &mut Context<Self>) {
        match notice {
            Notice::Leaves(departure) => self.let_go(departure, ctx),
            Notice::Stopped {
                key,
                generation,
                panicked,
            } => self.stopped(&key, generation, panicked, ctx),
        }
    }

    fn let_go(&mut self, departure: Departure, ctx: &mut Context<Self>) {
        let Departure {
            key,
            generation,
            handled,
            dormant,
        } = departure;
        let Some(live) = self
            .live
            .get(&key)
            .filter(|live| live.generation == generation)
        else {
            return;
        };
        if live.sent != handled {
            // Its mailbox is not empty, so there is room for this: it looks again when it has caught up.
            let _ = live.address.try_send(Retire::Stay);
            return;
        }
        // The mailbox is empty and this is the last message: the send can't fail.
        let _ = live.address.try_send(Retire::Go);
        self.live.remove(&key);
        if let Some(dormant) = dormant {
            self.wakeups.put(key, dormant);
            self.wake_due(ctx);
        }
    }

    fn stopped(&mut self, key: &Key, generation: u64, panicked: bool, ctx: &mut Context<Self>) {
        let ours = self
            .live
            .get(key)
            .is_some_and(|live| live.generation == generation);
        if ours {
            self.live.remove(key);
        }
        if panicked {
            let now = self.house.clock.mono();
            let aside = self.crashes.note(key, now);
            match aside {
                None => tracing::error!(%key, "panic survived, rebuilding from the journal"),
                Some(until) => {
                    let for_s = until.since(now).as_secs();
                    tracing::error!(%key, for_s, "put aside after repeated panics");
                }
            }
            self.rebuild(key, aside.unwrap_or(now), ctx);
        } else if ours && !matches!(self.house.journal.health(), JournalHealth::Failed(_)) {
            // It gave up because the journal holds something else than it thought, or holds nothing.
            self.rebuild(key, self.house.clock.mono(), ctx);
        }
    }

    /// Brings back what stopped, at `due`. It is remembered first: a history that can't be read then is
    /// tried again. What is not ours any more is its owner's to bring back.
    fn rebuild(&mut self, key: &Key, due: Mono, ctx: &mut Context<Self>) {
        if self.tenure(key).is_some() && !self.is_present(key) {
            let dormant = Dormant {
                due,
                volatile: None,
                activations: 0,
            };
            self.wakeups.put(key.clone(), dormant);
            self.activate(key, ctx);
            self.wake_due(ctx);
        }
    }
}
