//! Acorn: a made-up provider that is everything the reference provider is not.
//!
//! ```text
//!   you ──POST /oauth/token (Basic)─────────▶ acorn ──▶ tokens     random, short-lived
//!   you ──POST /v2/charges (Bearer, form)───▶ acorn ──▶ keys       repeated safely within a window
//!                                                        │
//!                                             plan, told: what will happen, decided at once
//!                                                        │
//!   you ──GET /v2/charges/{its own id}──────▶ acorn ──▶ charging   what the record says now
//!   you ◀──POST batches of signed events───── acorn ──▶ outbox, deliver   until acknowledged
//! ```
//!
//! `ACORN.md` is its documentation for those who integrate it. The invariants are the reference
//! provider's: what an execution does is a function of (seed, key, how many that key has had), and
//! what has been decided happens, whether or not the client is still there.

mod admin;
mod charge;
mod charging;
mod deliver;
mod event;
mod faults;
mod form;
mod hex;
mod keys;
mod ledger;
mod options;
mod outbox;
mod plan;
mod request;
mod routes;
mod script;
mod state;
mod stats;
mod tokens;
mod told;

use std::fmt;

use actix_web::web;
use serde_json::Value;

use crate::host::{Host, MAX_BODY_BYTES};
pub use charge::{Decline, State};
pub use event::CHARGE_UPDATED;
pub use faults::Faults;
pub use ledger::{Delivery, EventQueued, Execution, Ledger};
pub use options::{
    BATCH_INTERVALS_MS, Credentials, DeliverTo, KEY_WINDOWS_S, Options, RETRY_ATTEMPTS,
    RETRY_DELAYS_MS, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, SANDBOX_WEBHOOK_KEY,
    TOKEN_DELAYS_MS, TOKEN_LIFETIMES_S,
};
pub use outbox::{BATCH_EVENTS, MAX_OUTSTANDING};
pub use plan::{
    ANSWER_MAX_MS, ANSWER_MIN_MS, GHOST_WINDOW_MS, HOLD_MAX_MS, HOLD_MIN_MS, PAID_ODDS,
    SETTLE_MAX_MS, SETTLE_MIN_MS, TIMEOUT_MS,
};
use state::Acorn;
pub use stats::{ChargeStats, Stats, TokenStats, WebhookStats};

/// A running acorn. Dropping it stops it; what was planned and hasn't happened yet never will.
pub struct Running {
    /// Where it listens, without a slash at the end.
    pub url: String,
    host: Host,
    acorn: web::Data<Acorn>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// What acorn did so far, as `GET /admin/ledger` says it.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.acorn.ledger()
    }

    /// Counters, as `GET /admin/stats` says them.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.acorn.stats()
    }

    /// Ends all tokens that were issued so far, and says how many were still valid.
    pub fn revoke_tokens(&self) -> usize {
        self.acorn.revoke_tokens()
    }

    /// Makes the next `next` calls of the token endpoint fail with 503; a later call replaces an
    /// earlier one.
    pub fn fail_tokens(&self, next: u32) {
        self.acorn.fail_tokens(next);
    }

    /// Sends events to this address from now on, `None` = nowhere. Batches that are collected already
    /// keep theirs.
    ///
    /// # Errors
    /// No absolute http or https URL.
    pub fn set_webhook_url(&self, url: Option<&str>) -> anyhow::Result<()> {
        self.acorn.set_webhook_url(url)
    }

    /// Replaces the faults from now on, as `POST /admin/faults` does.
    ///
    /// # Errors
    /// A probability outside 0 to 1.
    pub fn set_faults(&self, faults: Faults) -> anyhow::Result<()> {
        self.acorn.set_faults(faults)
    }

    /// Says what shall become of the charges with this `metadata[order]`: one object, or an array
    /// whose nth entry is for the nth execution of the order, the last one repeating.
    ///
    /// # Errors
    /// A mistake in the script, or 10,000 orders that have one.
    pub fn set_script(&self, order: &str, script: &Value) -> anyhow::Result<()> {
        self.acorn.set_script(order.to_owned(), script.clone())
    }

    /// Stops at once, open connections included; afterwards connections are refused.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

/// Starts an acorn from within any runtime.
///
/// # Errors
/// Options that make no sense, or a port that is taken.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    let (ip, port) = (options.host, options.port);
    let acorn = web::Data::new(Acorn::new(options)?);
    let served = acorn.clone();
    let host = Host::start("mock-acorn", ip, port, move |config| {
        config
            .app_data(served.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES));
        routes::configure(config);
        admin::configure(config);
    })
    .await?;
    Ok(Running {
        url: host.url(),
        host,
        acorn,
    })
}
