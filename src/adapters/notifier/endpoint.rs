//! One app's endpoint: where it is, in which form it is told, and how it is doing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use tokio::sync::Semaphore;

use super::address::AllowList;
use super::config::{self, FormConfig, NotifyConfig};
use super::health::{Admission, Answer, Health, Patience};
use super::problem::NotifierProblem;
use super::resolver::FilteringResolver;
use super::signing::Signers;
use super::template_form::TemplateForm;
use super::{secrets, standard_webhooks};
use crate::adapters::provider::{ClientSettings, TimeScale, client_builder};
use crate::clock::Clock;
use crate::ports::{DisabledSince, EndpointStatus, Notification};
use crate::transaction::{AppId, DeliveryResult, NotifyPolicy};

/// Deliveries that are out to one app at once: an app that comes back must not be run over by all
/// that has waited for it, nor a slow one hold a connection for each of its transactions.
pub(super) const DELIVERIES_AT_ONCE: usize = 64;
/// For a connection to an app.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) app: AppId,
    pub(super) policy: NotifyPolicy,
    pub(super) permits: Semaphore,
    /// Of its own, because its resolver knows what this app may reach.
    pub(super) http: reqwest::Client,
    /// Held while its trouble is written down, so that the last state is the one that stays.
    pub(super) writing: tokio::sync::Mutex<()>,
    url: Url,
    allow: Arc<AllowList>,
    form: Form,
    health: Mutex<Health>,
}

#[derive(Debug)]
enum Form {
    Template {
        method: Method,
        content_type: HeaderValue,
        form: Box<TemplateForm>,
    },
    StandardWebhooks {
        signers: Signers,
    },
}

impl Endpoint {
    /// Sets it up, and reads the secrets that its configuration names.
    pub(super) fn new(
        app: AppId,
        config: NotifyConfig,
        scale: TimeScale,
    ) -> Result<Self, NotifierProblem> {
        let wrong = |key, what| NotifierProblem::App {
            app: app.to_string(),
            key,
            what,
        };
        let policy = config.policy(scale);
        let form = match config.form {
            FormConfig::Template {
                method,
                content_type,
                body,
                words,
            } => Form::Template {
                method: match method {
                    config::Method::Put => Method::PUT,
                    config::Method::Post => Method::POST,
                },
                content_type: HeaderValue::from_str(&content_type)
                    .map_err(|_| wrong("content_type", "it is no header's value".to_owned()))?,
                form: TemplateForm::new(&body, &content_type, words)
                    .map(Box::new)
                    .map_err(|what| wrong("body", what))?,
            },
            FormConfig::StandardWebhooks { secrets } => Form::StandardWebhooks {
                signers: secrets::read(app.as_str(), &secrets)?,
            },
        };
        let allow = Arc::new(config.allow);
        let http = client_builder(ClientSettings {
            connect_time_out: scale.duration(CONNECT_TIME_OUT),
            pool_idle_per_host: DELIVERIES_AT_ONCE,
            speaks_tls: config.url.scheme() == "https",
        })
        .dns_resolver(FilteringResolver::new(Arc::clone(&allow)))
        .build()
        .map_err(NotifierProblem::Client)?;
        Ok(Self {
            app,
            policy,
            permits: Semaphore::new(DELIVERIES_AT_ONCE),
            http,
            writing: tokio::sync::Mutex::default(),
            url: config.url,
            allow,
            form,
            health: Mutex::new(Health::new(Patience::new(config.disable_after, scale))),
        })
    }

    /// How it is doing. Never held over a wait.
    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a delivery's turn, which comes back when the answer is dropped.
    ///
    /// # Errors
    /// What the delivery comes to without one.
    pub(super) fn turn(&self, clock: Clock, spread: f64) -> Result<Turn<'_>, DeliveryResult> {
        let alone = match self.health().admit(clock.now(), spread) {
            Admission::Among => false,
            Admission::Alone => true,
            Admission::Held(wait) => return Err(DeliveryResult::HeldBack { wait }),
            Admission::Disabled(DisabledSince { since, why }) => {
                let why = format!("the app's endpoint is disabled since {since}: {why}");
                return Err(DeliveryResult::Disabled { why });
            }
        };
        Ok(Turn {
            endpoint: self,
            alone,
            is_back: false,
        })
    }

    /// What operators see of it.
    pub(super) fn status(&self, clock: Clock) -> EndpointStatus {
        let host = self.url.host_str().unwrap_or_default();
        let health = self.health();
        EndpointStatus {
            app: self.app.clone(),
            host: match self.url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            format: match &self.form {
                Form::Template { .. } => "template",
                Form::StandardWebhooks { .. } => "standard_webhooks",
            },
            state: health.state(clock.now()),
            failures_in_a_row: health.failures,
            first_failure_at: health.failing_since,
            last_success_at: health.last_success,
            deliveries: health.deliveries,
            acknowledged: health.acknowledged,
        }
    }

    /// The request that tells the app the news.
    pub(super) fn request(
        &self,
        notification: &Notification,
        clock: Clock,
    ) -> Result<reqwest::Request, String> {
        // The resolver is asked for names only; an address that is written out is looked at here.
        self.allow
            .check(&self.url)
            .map_err(|forbidden| forbidden.to_string())?;
        let id = notification.notice.id.to_string();
        let (method, content_type, body, signed) = match &self.form {
            Form::Template {
                method,
                content_type,
                form,
            } => {
                let body = form.body(notification)?;
                (method.clone(), content_type.clone(), body, None)
            }
            Form::StandardWebhooks { signers } => {
                let body = standard_webhooks::body(notification)
                    .map_err(|_| "the body can't be written".to_owned())?;
                let now = clock.now().wall;
                let signature = signers.signature(&id, now, &body);
                let content_type = HeaderValue::from_static("application/json");
                (
                    Method::POST,
                    content_type,
                    body,
                    Some((now.as_secs(), signature)),
                )
            }
        };
        let mut request = reqwest::Request::new(method, self.url.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        let mut put = |name: &'static str, text: &str| {
            // Ids, numbers and base64 always fit; a trace that doesn't is left out.
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("webhook-id", &id);
        put("idempotency-key", &id);
        put(
            "teller-transaction-version",
            &notification.notice.version.to_string(),
        );
        if let Some(traceparent) = &notification.request.traceparent {
            put("traceparent", traceparent);
        }
        if let Some((timestamp_s, signature)) = signed {
            put("webhook-timestamp", &timestamp_s.to_string());
            put("webhook-signature", &signature);
        }
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

/// The right to deliver one notification.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    endpoint: &'a Endpoint,
    alone: bool,
    is_back: bool,
}

impl Turn<'_> {
    /// The delivery came back.
    pub(super) fn came_back(mut self, answer: Answer, clock: Clock) {
        self.is_back = true;
        let mut health = self.endpoint.health();
        let was_disabled = health.disabled().is_some();
        health.came_back(self.alone, answer, clock.now());
        if let Some(disabled) = health.disabled().filter(|_| !was_disabled) {
            let app = &self.endpoint.app;
            tracing::warn!(%app, why = disabled.why, "the app's endpoint is disabled until somebody enables it");
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.alone && !self.is_back {
            self.endpoint.health().gave_up_its_turn();
        }
    }
}
