//! The HTTP client of the webhooks and of the reference app.

use std::time::Duration;

use anyhow::Context;

/// How long a connection may take to be made: everything runs on one machine or next to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that does what it is told and nothing else: no proxy, no redirect, no second try.
pub(crate) fn client(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    // An error says that somebody in this process has already chosen; their choice is good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .build()
        .context("building the HTTP client")
}
