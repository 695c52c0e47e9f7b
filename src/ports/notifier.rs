//! The way to the apps: telling them, and what operators see and do about where they are told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Promise;
use crate::transaction::{
    AppId, DeliveryResult, Key, Notice, NotifyPolicy, Request, Resolution, Timestamp,
};

/// Tells apps.
pub trait Notifier: Send + Sync {
    /// When this app is told; `None` tells it nothing. The same for as long as the process lives.
    fn policy(&self, app: &AppId) -> Option<NotifyPolicy>;

    /// Delivers one notification once. Never fails: what goes wrong is a result.
    fn notify(&self, notification: Notification) -> Promise<DeliveryResult>;
}

/// What an app is told.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The transaction.
    pub key: Key,
    /// Which version of it, under which id.
    pub notice: Notice,
    /// What the app had asked for.
    pub request: Arc<Request>,
    /// How it ended; `None` while a person is asked.
    pub resolution: Option<Resolution>,
}

/// The places where apps are told, for operators.
pub trait Endpoints: Send + Sync {
    /// How each of them is doing, by app.
    fn endpoints(&self) -> Vec<EndpointStatus>;

    /// Tells this app again, from now on and with no failure counted. What was given up meanwhile stays
    /// given up until somebody has it delivered.
    ///
    /// Answers [`EndpointRefusal::Forgetful`] when it is enabled, but only until the next restart.
    fn enable(&self, app: &AppId) -> Promise<Result<(), EndpointRefusal>>;

    /// Tells this app nothing from now on: what comes due is given up with `why`, in an operator's words.
    ///
    /// Answers [`EndpointRefusal::Forgetful`] when it is disabled, but only until the next restart.
    fn disable(&self, app: &AppId, why: String) -> Promise<Result<(), EndpointRefusal>>;
}

/// Why an endpoint was not enabled or disabled for good.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EndpointRefusal {
    /// No app of this name is told anything.
    #[error("the app {0} is not configured to be told")]
    Unknown(AppId),
    /// It is done, and could not be written down.
    #[error("it is done, but it could not be written down, so a restart undoes it: {0}")]
    Forgetful(String),
}

/// One app's endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EndpointStatus {
    /// Whose.
    pub app: AppId,
    /// Host and port of its URL; the rest may hold a secret.
    pub host: String,
    /// `template` or `standard_webhooks`.
    pub format: &'static str,
    /// Whether it is told.
    #[serde(flatten)]
    pub state: EndpointState,
    /// Deliveries that have failed since the last one that succeeded.
    pub failures_in_a_row: u32,
    /// When the first of these failed.
    pub first_failure_at: Option<Timestamp>,
    /// When a delivery last succeeded, in this process.
    pub last_success_at: Option<Timestamp>,
    /// Deliveries that were tried, in this process.
    pub deliveries: u64,
    /// Those of them that succeeded.
    pub acknowledged: u64,
}

/// Whether an endpoint is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EndpointState {
    /// Yes.
    Ok,
    /// One delivery at a time, the next not before this moment.
    Slowed {
        /// When.
        until: Timestamp,
    },
    /// No.
    Disabled(DisabledSince),
}

/// Since when an endpoint gets nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DisabledSince {
    /// When it was disabled.
    pub since: Timestamp,
    /// Why, for people.
    pub why: String,
}

/// What has to be known of an endpoint beyond a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EndpointTrouble {
    /// Since when every delivery has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// How many had failed when this was written.
    #[serde(default)]
    pub failures: u32,
    /// Set if it gets nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<DisabledSince>,
}

/// Remembers endpoints in trouble beyond a restart.
pub trait EndpointMemory: Send + Sync {
    /// Makes durable what is to be known of this app's endpoint, instead of what was; `None` forgets it.
    /// Answers with the reason if it can't.
    fn remember(
        &self,
        app: &AppId,
        trouble: Option<EndpointTrouble>,
    ) -> Promise<Result<(), String>>;

    /// Everything that is remembered. Answers with the reason if it can't be read.
    fn recall(&self) -> Promise<Result<Vec<(AppId, EndpointTrouble)>, String>>;
}
