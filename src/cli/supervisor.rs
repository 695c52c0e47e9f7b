//! What the service manager is told: systemd's `Type=notify` and its watchdog.
//!
//! ```text
//!   starting ── /readyz says 200 ──▶ READY=1 ── SIGTERM ──▶ STOPPING=1
//!                                      │
//!                    every half of WatchdogSec: do all shards answer? ── yes ──▶ WATCHDOG=1
//! ```
//!
//! The watchdog is fed only when every shard, and so every worker's thread, has handled a message. It does not
//! look at the journal or at the store: a restart mends neither, and while they are away teller waits for them.
//! Without systemd (`NOTIFY_SOCKET` is not set) nothing here runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, Url};
use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, sleep, timeout};

use super::healthcheck;
use crate::actors::router::Router;

/// The variable by which systemd says where it listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// How often a teller that starts looks whether it is ready: what waits for the unit waits this much longer.
const LOOK_WHILE_STARTING: Duration = Duration::from_millis(100);
/// How often the status line is brought up to date afterwards. People read it; nothing depends on it.
const LOOK: Duration = Duration::from_secs(5);

/// The one who tells the service manager.
pub(super) struct Supervisor {
    router: Router,
    ready_at: Url,
    asker: Client,
    stopping: AtomicBool,
}

impl Supervisor {
    /// Somebody to tell, if the process was started by a service manager that listens.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub(super) fn find(router: Router, address: SocketAddr) -> anyhow::Result<Option<Arc<Self>>> {
        if std::env::var_os(SOCKET).is_none() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            router,
            ready_at: Url::parse(&format!("http://{address}/readyz"))
                .context("the own address makes no URL")?,
            asker: healthcheck::asker(false)?,
            stopping: AtomicBool::new(false),
        })))
    }

    /// Says so once teller is ready; from then on feeds the watchdog and tells how teller is. Never ends by
    /// itself before teller stops.
    pub(super) async fn attend(self: Arc<Self>) {
        let mut status = String::new();
        while let Err(why) = self.readiness().await {
            self.tell_status(&mut status, format!("not ready: {why}"));
            sleep(LOOK_WHILE_STARTING).await;
        }
        if !self.is_stopping() {
            tell(&[NotifyState::Ready]);
            let feeder = Arc::clone(&self);
            actix_web::rt::spawn(async move { feeder.feed_the_watchdog().await });
        }
        while !self.is_stopping() {
            let now = match self.readiness().await {
                Ok(()) => "serving".to_owned(),
                Err(why) => format!("not ready: {why}"),
            };
            self.tell_status(&mut status, now);
            sleep(LOOK).await;
        }
    }

    async fn readiness(&self) -> Result<(), String> {
        healthcheck::ask(&self.asker, self.ready_at.clone()).await
    }

    /// Tells only what is new, and nothing once teller stops: that was told already.
    fn tell_status(&self, told: &mut String, now: String) {
        if *told != now && !self.is_stopping() {
            tell(&[NotifyState::Status(&now)]);
            *told = now;
        }
    }

    /// Feeds the watchdog, if there is one, for as long as teller works. Ends with the process.
    async fn feed_the_watchdog(&self) {
        let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
        else {
            return;
        };
        let pace = patience / 2;
        let mut meal = tokio::time::interval(pace);
        meal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            meal.tick().await;
            // While it stops, the shards end one after the other; that takes `drain_timeout` at most,
            // and systemd has a time-out of its own for it.
            if self.is_stopping() || all_shards_answer(&self.router, pace).await {
                tell(&[NotifyState::Watchdog]);
            } else {
                tracing::error!(
                    within_s = pace.as_secs_f64(),
                    "not every shard answers; the watchdog is not fed"
                );
            }
        }
    }

    /// Says that teller stops.
    pub(super) fn stops(&self) {
        self.stopping.store(true, Ordering::Release);
        tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Whether each shard handles a message within this time.
async fn all_shards_answer(router: &Router, within: Duration) -> bool {
    let answers = timeout(within, router.shard_statuses()).await;
    answers.is_ok_and(|statuses| statuses.len() == router.shards())
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can't be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn shards_that_are_not_there_do_not_answer() {
        let within = Duration::from_secs(1);
        assert!(!all_shards_answer(&Router::new(2), within).await);
    }
}
