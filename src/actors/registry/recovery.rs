//! Recovery: after a start, the shard learns from the journal which of its transactions are open,
//! and brings them back at a bounded pace.

use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AsyncContext, Context};

use super::Registry;
use super::wakeups::Dormant;
use crate::transaction::{Key, Mono};

/// Open transactions asked for at once.
const PAGE_ROWS: usize = 2_000;
/// The pause before the journal is asked again after it could not answer.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(1);

impl Registry {
    /// What a node that is alone does once, at its start.
    pub(super) fn recover(&mut self, ctx: &mut Context<Self>) {
        if self.house.shared.is_none() {
            self.recover_from(None, ctx);
        }
    }

    /// Reads what is open, in one partition or in all of them.
    pub(super) fn recover_from(&mut self, partition: Option<u32>, ctx: &mut Context<Self>) {
        self.recovering += 1;
        self.recovered = false;
        self.recover_after(partition, 0, ctx);
    }

    fn recover_after(&mut self, partition: Option<u32>, position: u64, ctx: &mut Context<Self>) {
        let page = self.house.journal.open(partition, position, PAGE_ROWS);
        ctx.spawn(
            page.into_actor(self)
                .map(move |page, registry, ctx| match page {
                    Ok(page) => {
                        let now = registry.house.clock.mono();
                        for (key, _) in page.rows {
                            registry.remember_as_due(key, now);
                        }
                        registry.wake_due(ctx);
                        match page.next {
                            Some(next) => registry.recover_after(partition, next, ctx),
                            None => {
                                registry.recovering -= 1;
                                registry.recovered = registry.recovering == 0;
                            }
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "recovery waits for the journal");
                        ctx.run_later(UNREADABLE_PAUSE, move |registry, ctx| {
                            registry.recover_after(partition, position, ctx)
                        });
                    }
                }),
        );
    }

    /// All are due now: what was in flight is asked about at once, and only the activated actor knows
    /// what its own next moment is.
    fn remember_as_due(&mut self, key: Key, now: Mono) {
        let ours = self.house.router.shard_of(&key) == self.shard && self.tenure(&key).is_some();
        if ours && !self.is_present(&key) && !self.wakeups.holds(&key) {
            self.wakeups.put(
                key,
                Dormant {
                    due: now,
                    volatile: None,
                    activations: 0,
                },
            );
        }
    }
}
