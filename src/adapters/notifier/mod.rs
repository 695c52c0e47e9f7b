//! Telling apps over HTTP.
//!
//! ```text
//!   Notification ──▶ HttpNotifier ── room, turn ──▶ form: template | standard_webhooks ──▶ one request
//!                       │             │  (per app)                                            │ resolver:
//!                       │             ▼                                                       ▼ addresses
//!                       │       held back, disabled ◀── health ◀──────────────────────────── status
//!                       │                                                                     │
//!                       └◀── DeliveryResult: acknowledged, failed with its wait, gone ◀───────┘
//! ```
//!
//! What holds here: no connection leads to an address that is not public, unless the app's list allows
//! it; only 2xx acknowledges, a redirect is never followed, and every delivery of the same news carries the same id and the transaction's version, so that an app can drop what it knows. A
//! failure's text never holds a URL, a secret or a body.

mod address;
mod config;
mod endpoint;
mod health;
mod http;
mod problem;
mod resolver;
mod secrets;
mod shown;
mod signing;
mod standard_webhooks;
mod template_form;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use config::{NotifierConfig, NotifyConfig};
pub use http::HttpNotifier;
pub use problem::NotifierProblem;
pub use signing::public_key;

/// For one call to an app, its connection included: within the 15 to 30 s that the trade grants a
/// receiver.
const TIME_OUT: Duration = Duration::from_secs(20);
/// How long a delivery waits for room among those that are out to its app, before it is held back.
const ROOM_WITHIN: Duration = Duration::from_secs(10);
/// How long a delivery waits for what has become of its endpoint to be written down. The writing goes on.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

/// The longest that one delivery can take.
pub(crate) const LONGEST_DELIVERY: Duration =
    Duration::from_secs(TIME_OUT.as_secs() + ROOM_WITHIN.as_secs() + WRITTEN_WITHIN.as_secs());
