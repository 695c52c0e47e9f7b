//! The provider over HTTP.
//!
//! A POST is planned and recorded in one step, before its handler waits for anything. What follows
//! then needs nobody's connection: the record changes with the clock, webhooks are tasks of their
//! own, and the handler is left with nothing but the answer.

mod routes;
mod state;
mod stats;
mod webhooks;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use actix_web::web;
use anyhow::ensure;

use crate::faults::Faults;
use crate::host::Host;
use crate::ledger::Ledger;
use state::Provider;
pub use stats::{Inquiries, Stats, Webhooks};

/// Factors by which delays may be divided: from a thousand times slower, so that no delay overflows,
/// to where a ghost window is about a millisecond.
pub const TIME_SCALES: RangeInclusive<f64> = 0.001..=100_000.0;

/// Inquiries per second that a limit may allow: from one in a quarter of an hour to more than one
/// machine can ask.
pub const STATUS_LIMITS: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// How to start a provider. The default is the reference provider on a free port.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What all draws derive from.
    pub seed: u64,
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 = a free one.
    pub port: u16,
    /// Divides every delay.
    pub time_scale: f64,
    /// Inquiries per unscaled second that are answered.
    pub status_limit: Option<f64>,
    /// What goes wrong from the start.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            time_scale: 1.0,
            status_limit: None,
            faults: Faults::default(),
        }
    }
}

impl Options {
    fn check(&self) -> anyhow::Result<()> {
        check_pace(self.time_scale, self.status_limit)?;
        self.faults.check()?;
        Ok(())
    }
}

/// Refuses a scale or a limit that makes no sense.
pub(crate) fn check_pace(time_scale: f64, status_limit: Option<f64>) -> anyhow::Result<()> {
    ensure!(
        TIME_SCALES.contains(&time_scale),
        "time_scale is {time_scale}, it lies in {TIME_SCALES:?}"
    );
    if let Some(limit) = status_limit {
        ensure!(
            STATUS_LIMITS.contains(&limit),
            "status_limit is {limit}, it lies in {STATUS_LIMITS:?}"
        );
    }
    Ok(())
}

/// A running provider. Dropping it stops it; what was planned and hasn't happened yet never will.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, without a slash at the end.
    pub url: String,
    host: Host,
    provider: web::Data<Provider>,
}

impl Running {
    /// What the provider did so far, as `GET /ledger` says it.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.provider.ledger()
    }

    /// Counters, as `GET /stats` says them.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.provider.stats()
    }

    /// Replaces the faults from now on, as `POST /faults` does.
    ///
    /// # Errors
    /// A probability outside 0 to 1.
    pub fn set_faults(&self, faults: Faults) -> anyhow::Result<()> {
        Ok(self.provider.set_faults(faults)?)
    }

    /// Stops at once, open connections included; afterwards connections are refused.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

/// Starts a provider from within any runtime.
///
/// # Errors
/// Options that make no sense, or a port that is taken.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    options.check()?;
    let (ip, port) = (options.host, options.port);
    let provider = web::Data::new(Provider::new(options)?);
    let served = provider.clone();
    let host = Host::start("mock-provider", ip, port, move |config| {
        config.app_data(served.clone());
        routes::configure(config);
    })
    .await?;
    Ok(Running {
        url: host.url(),
        host,
        provider,
    })
}
