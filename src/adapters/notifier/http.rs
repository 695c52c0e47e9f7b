//! The notifier port over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::Semaphore;

use super::config::{self, FormConfig, NotifierConfig, NotifyConfig};
use super::problem::NotifierProblem;
use super::template_form::TemplateForm;
use super::{TIME_OUT, standard_webhooks};
use crate::adapters::provider::{
    ClientSettings, Secret, TimeScale, causes, client, read_retry_after,
};
use crate::clock::Clock;
use crate::ports::{Notification, Notifier, Promise};
use crate::transaction::{AppId, DeliveryResult};

/// Deliveries that are out to one app at once: an app that comes back must not be run over by all
/// that has waited for it, nor a slow one hold a connection for each of its transactions.
const DELIVERIES_AT_ONCE: usize = 64;
/// For a connection to an app.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);
/// Bytes of an app's answer that are read, and thrown away, so that its connection can be used again.
const DRAINED_MAX_BYTES: usize = 16 * 1024;

/// Tells apps over HTTP. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpNotifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    apps: BTreeMap<AppId, App>,
    http: reqwest::Client,
    clock: Clock,
    scale: TimeScale,
}

#[derive(Debug)]
struct App {
    url: Url,
    form: Form,
    permits: Semaphore,
}

#[derive(Debug)]
enum Form {
    Template {
        method: Method,
        content_type: HeaderValue,
        form: Box<TemplateForm>,
    },
    StandardWebhooks {
        secrets: Vec<Secret>,
    },
}

impl HttpNotifier {
    /// Sets it up, and reads the secrets that the configuration names.
    ///
    /// # Errors
    /// [`NotifierProblem`] with the app and the key that is wrong.
    pub fn new(config: NotifierConfig, clock: Clock) -> Result<Self, NotifierProblem> {
        let scale = TimeScale::new(config.time_scale).map_err(NotifierProblem::Settings)?;
        let speaks_tls = config.apps.values().any(|app| app.url.scheme() == "https");
        let http = client(ClientSettings {
            connect_time_out: scale.duration(CONNECT_TIME_OUT),
            pool_idle_per_host: DELIVERIES_AT_ONCE,
            speaks_tls,
        })
        .map_err(NotifierProblem::Client)?;
        let mut apps = BTreeMap::new();
        for (name, config) in config.apps {
            let app = App::new(name.as_str(), config)?;
            apps.insert(name, app);
        }
        Ok(Self(Arc::new(Inner {
            apps,
            http,
            clock,
            scale,
        })))
    }
}

impl App {
    fn new(name: &str, config: NotifyConfig) -> Result<Self, NotifierProblem> {
        let wrong = |key, what| NotifierProblem::App {
            app: name.to_owned(),
            key,
            what,
        };
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
            FormConfig::StandardWebhooks {
                secret_files,
                secret_variables,
            } => {
                let mut secrets = Vec::new();
                for path in secret_files {
                    let path_shown = path.display().to_string();
                    let text = std::fs::read_to_string(path).map_err(|source| {
                        NotifierProblem::SecretFile {
                            app: name.to_owned(),
                            path: path_shown.clone(),
                            source,
                        }
                    })?;
                    let secret = standard_webhooks::read_secret(&text)
                        .map_err(|what| wrong("secret_file", format!("{path_shown}: {what}")))?;
                    secrets.push(secret);
                }
                for variable in secret_variables {
                    let text = std::env::var(&variable)
                        .map_err(|_| wrong("secret_env", format!("{variable} is not set")))?;
                    let secret = standard_webhooks::read_secret(&text)
                        .map_err(|what| wrong("secret_env", format!("{variable}: {what}")))?;
                    secrets.push(secret);
                }
                Form::StandardWebhooks { secrets }
            }
        };
        Ok(Self {
            url: config.url,
            form,
            permits: Semaphore::new(DELIVERIES_AT_ONCE),
        })
    }

    /// The request that tells this app the news.
    fn request(
        &self,
        notification: &Notification,
        clock: Clock,
    ) -> Result<reqwest::Request, String> {
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
            Form::StandardWebhooks { secrets } => {
                let body = standard_webhooks::body(notification)
                    .map_err(|_| "the body can't be written".to_owned())?;
                let timestamp_s = clock.now().wall.as_secs();
                let signature = standard_webhooks::signature(secrets, &id, timestamp_s, &body);
                let content_type = HeaderValue::from_static("application/json");
                (
                    Method::POST,
                    content_type,
                    body,
                    Some((timestamp_s, signature)),
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

impl Inner {
    async fn notify(&self, notification: &Notification) -> DeliveryResult {
        let Some(app) = self.apps.get(&notification.key.app) else {
            return failed("the app is not configured to be told");
        };
        let time_out = self.scale.duration(TIME_OUT);
        let Ok(Ok(_permit)) = tokio::time::timeout(time_out, app.permits.acquire()).await else {
            return failed("busy: too many deliveries to this app are out");
        };
        let mut request = match app.request(notification, self.clock) {
            Ok(request) => request,
            Err(why) => return failed(&why),
        };
        *request.timeout_mut() = Some(time_out);
        match self.http.execute(request).await {
            Ok(response) => {
                let result = self.judge(&response);
                drain(response).await;
                result
            }
            Err(error) if error.is_connect() => {
                failed(&format!("no connection: {}", causes(&error)))
            }
            Err(error) if error.is_timeout() => failed("no answer in time"),
            Err(error) => failed(&format!("the connection broke: {}", causes(&error))),
        }
    }

    fn judge(&self, response: &Response) -> DeliveryResult {
        let status = response.status();
        if status.is_success() {
            return DeliveryResult::Acknowledged {
                status: None,
                took: None,
            };
        }
        if status == StatusCode::GONE {
            return DeliveryResult::Gone { took: None };
        }
        let waits = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let asked = response.headers().get(RETRY_AFTER).filter(|_| waits);
        let redirect = if status.is_redirection() {
            "; redirects are not followed"
        } else {
            ""
        };
        DeliveryResult::Failed {
            why: format!("the app answered HTTP {}{redirect}", status.as_u16()),
            retry_after: asked
                .and_then(|value| read_retry_after(value, self.clock.now().wall))
                .map(|wait| self.scale.duration(wait)),
            status: None,
            took: None,
        }
    }
}

/// What the app said is known by its status; the rest only frees the connection. It stays under the
/// request's time-out.
async fn drain(mut response: Response) {
    let mut drained = 0;
    while let Ok(Some(piece)) = response.chunk().await {
        drained += piece.len();
        if drained > DRAINED_MAX_BYTES {
            return;
        }
    }
}

fn failed(why: &str) -> DeliveryResult {
    DeliveryResult::failed(why)
}

impl Notifier for HttpNotifier {
    fn notify(&self, notification: Notification) -> Promise<DeliveryResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.notify(&notification).await })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, notification};
    use super::*;
    use crate::transaction::Status;

    #[tokio::test(start_paused = true)]
    async fn a_delivery_without_its_turn_gives_up_in_time() {
        let config = config("shop", "url = 'http://127.0.0.1:9/'", "");
        let notifier = HttpNotifier::new(config, Clock::system()).expect("usable");
        let app = notifier.0.apps.values().next().expect("one app");
        let all = u32::try_from(DELIVERIES_AT_ONCE).expect("a small number");
        let _held = app.permits.acquire_many(all).await.expect("never closed");
        let before = tokio::time::Instant::now();
        let result = notifier.notify(notification(Status::Completed)).await;
        assert_eq!(
            result,
            failed("busy: too many deliveries to this app are out")
        );
        assert_eq!(before.elapsed().as_secs(), TIME_OUT.as_secs());
    }
}
