//! The reference app: it asks teller for transactions, at times twice, and wants to be told.
//!
//! ```text
//!   you ──POST /transaction──▶ app ──POST /transaction──▶ teller
//!                              app ◀──PUT /transaction─── teller   (nested callback)
//!                              app ◀──POST /notify─────── teller   (Standard Webhooks)
//!   you ──GET /notifications, /sent, POST /fail──▶ app
//! ```

mod record;
mod routes;
mod state;

use std::net::{IpAddr, Ipv4Addr};

use actix_web::web;
use anyhow::{Context, ensure};
use reqwest::Url;

use crate::host::Host;
pub use record::{FailMode, Form, Notification, Sent, TellerAnswer};
use state::State;

/// How to start the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 = a free one.
    pub port: u16,
    /// Where teller listens, such as `http://127.0.0.1:8080`.
    pub teller: String,
    /// Sent to teller as `Authorization: Bearer …`, if given.
    pub bearer: Option<String>,
    /// How often the same request is sent twice at once: a probability.
    pub double_tap: f64,
    /// What decides, together with the id, whether it is.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            teller: "http://127.0.0.1:8080".to_owned(),
            bearer: None,
            double_tap: 0.0,
            seed: 0,
        }
    }
}

/// A running app. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, without a slash at the end.
    pub url: String,
    host: Host,
    state: web::Data<State>,
}

impl Running {
    /// Every delivery so far, failed ones included, in order of arrival.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        self.state.notifications()
    }

    /// Every request made to teller so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.state.sent()
    }

    /// Makes the next `next` deliveries fail; a later call replaces an earlier one.
    pub fn fail(&self, next: u32, mode: FailMode) {
        self.state.fail(next, mode);
    }

    /// Stops at once; afterwards connections are refused.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

/// Starts the app from within any runtime.
///
/// # Errors
/// Options that make no sense, or a port that is taken.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    ensure!(
        (0.0..=1.0).contains(&options.double_tap),
        "double_tap is {}, a probability lies between 0 and 1",
        options.double_tap
    );
    let base = options.teller.trim_end_matches('/');
    let target = Url::parse(&format!("{base}/transaction"))
        .with_context(|| format!("the address of teller, `{}`", options.teller))?;
    let (ip, port) = (options.host, options.port);
    let state = web::Data::new(State::new(options, target)?);
    let served = state.clone();
    let host = Host::start("mock-app", ip, port, move |config| {
        config.app_data(served.clone());
        routes::configure(config);
    })
    .await?;
    Ok(Running {
        url: host.url(),
        host,
        state,
    })
}
