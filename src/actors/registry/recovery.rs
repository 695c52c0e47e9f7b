//! Recovery: after a start, the shard learns from the journal which of its transactions are open,
//! and brings them back at a bounded pace.

use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AsyncContext, Context};

use super::Registry;
use super::wakeups::Dormant;

/// Open transactions asked for at once.
const PAGE_ROWS: usize = 2_000;
/// The pause before the journal is asked again after it could not answer.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(1);

impl Registry {
    pub(super) fn recover(&mut self, ctx: &mut Context<Self>) {
        self.recover_after(0, ctx);
    }

    fn recover_after(&mut self, position: u64, ctx: &mut Context<Self>) {
        let page = self.house.journal.open(None, position, PAGE_ROWS);
        ctx.spawn(
            page.into_actor(self)
                .map(move |page, registry, ctx| match page {
                    Ok(page) => {
                        let now = registry.house.clock.mono();
                        for (key, _) in page.rows {
                            let ours = registry.house.router.shard_of(&key) == registry.shard;
                            let known = registry.live.contains_key(&key)
                                || registry.activating.contains_key(&key);
                            if ours && !known && !registry.wakeups.holds(&key) {
                                // All are due now: what was in flight is asked about at once, and only the
                                // activated actor knows what its own next moment is.
                                registry.wakeups.put(
                                    key,
                                    Dormant {
                                        due: now,
                                        volatile: None,
                                        activations: 0,
                                    },
                                );
                            }
                        }
                        registry.wake_due(ctx);
                        match page.next {
                            Some(next) => registry.recover_after(next, ctx),
                            None => registry.recovered = true,
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "recovery waits for the journal");
                        ctx.run_later(UNREADABLE_PAUSE, move |registry, ctx| {
                            registry.recover_after(position, ctx)
                        });
                    }
                }),
        );
    }
}
