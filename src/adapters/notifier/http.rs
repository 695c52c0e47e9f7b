//! The notifier port over HTTP: one delivery from its turn to the judgement of its answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};

use super::config::NotifierConfig;
use super::endpoint::Endpoint;
use super::health::Answer;
use super::problem::NotifierProblem;
use super::{ROOM_WITHIN, TIME_OUT, WRITTEN_WITHIN};
use crate::adapters::provider::{TimeScale, causes, read_retry_after};
use crate::clock::Clock;
use crate::ports::{
    EndpointMemory, EndpointRefusal, EndpointStatus, Endpoints, Notification, Notifier, Promise,
};
use crate::transaction::{AppId, DeliveryResult, NotifyPolicy};

/// Bytes of an app's answer that are read, and thrown away, so that its connection can be used again.
const DRAINED_MAX_BYTES: usize = 16 * 1024;
/// Which of a key's spreads is used for waiting; the core uses others.
const SPREAD: u32 = 2_000;

/// Tells apps over HTTP. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpNotifier(Arc<Inner>);

struct Inner {
    endpoints: BTreeMap<AppId, Arc<Endpoint>>,
    clock: Clock,
    scale: TimeScale,
    memory: OnceLock<Arc<dyn EndpointMemory>>,
    /// Whether other nodes write into the memory, too.
    follows: AtomicBool,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpNotifier")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl HttpNotifier {
    /// Sets it up, and reads the secrets that the configuration names. Nothing is remembered beyond
    /// this process until [`remember_in`](Self::remember_in).
    ///
    /// # Errors
    /// [`NotifierProblem`] with the app and the key that is wrong.
    pub fn new(config: NotifierConfig, clock: Clock) -> Result<Self, NotifierProblem> {
        let scale = TimeScale::new(config.time_scale).map_err(NotifierProblem::Settings)?;
        let mut endpoints = BTreeMap::new();
        for (app, config) in config.apps {
            let endpoint = Endpoint::new(app.clone(), config, scale)?;
            endpoints.insert(app, Arc::new(endpoint));
        }
        Ok(Self(Arc::new(Inner {
            endpoints,
            clock,
            scale,
            memory: OnceLock::new(),
            follows: AtomicBool::new(false),
        })))
    }

    /// Takes over what is remembered of the endpoints, and has what changes remembered from now on. For
    /// the start, before anything is delivered.
    ///
    /// # Errors
    /// Why the memory can't be read.
    pub async fn remember_in(&self, memory: Arc<dyn EndpointMemory>) -> Result<(), String> {
        for (app, trouble) in memory.recall().await? {
            // What is remembered of an app that is told nothing now waits for its return.
            if let Some(endpoint) = self.0.endpoints.get(&app) {
                endpoint.health().recalled(trouble);
            }
        }
        // A second memory would be a fault of the caller; the first stays.
        let _ = self.0.memory.set(memory);
        Ok(())
    }

    /// Reads the memory again, which other nodes share, and takes over the switches that were thrown
    /// there. Whoever calls it once does so every few seconds.
    ///
    /// # Errors
    /// Why the memory can't be read.
    pub async fn follow(&self) -> Result<(), String> {
        self.0.follows.store(true, Ordering::Release);
        let Some(memory) = self.0.memory.get() else {
            return Ok(());
        };
        // Nothing of this node's own is written between the reading and the taking over.
        let mut held = Vec::with_capacity(self.0.endpoints.len());
        for endpoint in self.0.endpoints.values() {
            held.push(endpoint.writing.lock().await);
        }
        let recalled = tokio::time::timeout(WRITTEN_WITHIN, memory.recall()).await;
        let recalled = recalled.map_err(|_| "the memory does not answer".to_owned())??;
        let mut theirs: BTreeMap<_, _> = recalled.into_iter().collect();
        for (app, endpoint) in &self.0.endpoints {
            endpoint.health().follow(theirs.remove(app));
        }
        Ok(())
    }
}

impl Inner {
    async fn notify(&self, notification: &Notification) -> DeliveryResult {
        let Some(endpoint) = self.endpoints.get(&notification.key.app) else {
            return failed("the app is not configured to be told".to_owned());
        };
        let spread = notification.key.jitter(SPREAD);
        let room = endpoint.permits.acquire();
        let room_within = self.scale.duration(ROOM_WITHIN);
        let Ok(Ok(_permit)) = tokio::time::timeout(room_within, room).await else {
            let wait = endpoint.health().no_room(spread);
            return DeliveryResult::HeldBack { wait };
        };
        let turn = match endpoint.turn(self.clock, spread) {
            Ok(turn) => turn,
            Err(instead) => return instead,
        };
        let mut request = match endpoint.request(notification, self.clock) {
            Ok(request) => request,
            Err(why) => return failed(why),
        };
        *request.timeout_mut() = Some(self.scale.duration(TIME_OUT));
        let began = self.clock.mono();
        let (result, answer) = self.deliver(endpoint, request).await;
        let result = result.after(self.clock.mono().since(began));
        turn.came_back(answer, self.clock);
        if let Err(why) = self.write_down(endpoint).await {
            tracing::warn!(app = %endpoint.app, why, "what became of the app's endpoint could not be written down");
        }
        result
    }

    async fn deliver(
        &self,
        endpoint: &Endpoint,
        request: reqwest::Request,
    ) -> (DeliveryResult, Answer) {
        let why = match endpoint.http.execute(request).await {
            Ok(response) => {
                let judged = self.judge(&response);
                drain(response).await;
                return judged;
            }
            Err(error) if error.is_connect() => format!("no connection: {}", causes(&error)),
            Err(error) if error.is_timeout() => "no answer in time".to_owned(),
            Err(error) => format!("the connection broke: {}", causes(&error)),
        };
        (failed(why), Answer::Failed)
    }

    fn judge(&self, response: &Response) -> (DeliveryResult, Answer) {
        let status = response.status();
        if status.is_success() {
            let result = DeliveryResult::Acknowledged {
                status: Some(status.as_u16()),
                took: None,
            };
            return (result, Answer::Acknowledged);
        }
        if status == StatusCode::GONE {
            return (DeliveryResult::Gone { took: None }, Answer::Gone);
        }
        let overloaded = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .filter(|_| overloaded)
            .and_then(|value| read_retry_after(value, self.clock.now().wall))
            .map(|wait| self.scale.duration(wait));
        let redirect = if status.is_redirection() {
            "; redirects are not followed"
        } else {
            ""
        };
        let result = DeliveryResult::Failed {
            why: format!("the app answered HTTP {}{redirect}", status.as_u16()),
            retry_after,
            status: Some(status.as_u16()),
            took: None,
        };
        let answer = if overloaded {
            Answer::Overloaded { retry_after }
        } else {
            Answer::Failed
        };
        (result, answer)
    }

    /// Has the memory hold what has to be known of this endpoint beyond a restart, if that changed.
    async fn write_down(&self, endpoint: &Arc<Endpoint>) -> Result<(), String> {
        let Some(memory) = self.memory.get() else {
            return Ok(());
        };
        let clock = self.clock;
        if endpoint.health().to_remember(clock.now()).is_none() {
            return Ok(());
        }
        let follows = self.follows.load(Ordering::Acquire);
        let (endpoint, memory) = (Arc::clone(endpoint), Arc::clone(memory));
        // In a task of its own: a transaction that leaves must not leave it half done.
        let written = tokio::spawn(async move {
            let _one_at_a_time = endpoint.writing.lock().await;
            if follows {
                // What another node has written since must not be written over unread.
                let theirs = memory.recall().await?;
                let theirs = theirs.into_iter().find(|(app, _)| *app == endpoint.app);
                endpoint.health().follow(theirs.map(|(_, trouble)| trouble));
            }
            let Some(trouble) = endpoint.health().to_remember(clock.now()) else {
                return Ok(());
            };
            memory.remember(&endpoint.app, trouble.clone()).await?;
            endpoint.health().remembered(trouble);
            Ok(())
        });
        match tokio::time::timeout(WRITTEN_WITHIN, written).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err("its task was stopped".to_owned()),
            Err(_) => Err("it is not written down yet".to_owned()),
        }
    }

    fn endpoint(&self, app: &AppId) -> Result<&Arc<Endpoint>, EndpointRefusal> {
        self.endpoints
            .get(app)
            .ok_or_else(|| EndpointRefusal::Unknown(app.clone()))
    }

    async fn change(
        &self,
        app: &AppId,
        change: impl FnOnce(&Endpoint),
    ) -> Result<(), EndpointRefusal> {
        let endpoint = self.endpoint(app)?;
        change(endpoint);
        self.write_down(endpoint)
            .await
            .map_err(EndpointRefusal::Forgetful)
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

fn failed(why: String) -> DeliveryResult {
    DeliveryResult::failed(why)
}

impl Notifier for HttpNotifier {
    fn policy(&self, app: &AppId) -> Option<NotifyPolicy> {
        let endpoint = self.0.endpoints.get(app)?;
        Some(endpoint.policy.clone())
    }

    fn notify(&self, notification: Notification) -> Promise<DeliveryResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.notify(&notification).await })
    }
}

impl Endpoints for HttpNotifier {
    fn endpoints(&self) -> Vec<EndpointStatus> {
        let endpoints = self.0.endpoints.values();
        endpoints
            .map(|endpoint| endpoint.status(self.0.clock))
            .collect()
    }

    fn enable(&self, app: &AppId) -> Promise<Result<(), EndpointRefusal>> {
        let (inner, app) = (Arc::clone(&self.0), app.clone());
        Box::pin(async move {
            let enable = |endpoint: &Endpoint| endpoint.health().enable();
            inner.change(&app, enable).await
        })
    }

    fn disable(&self, app: &AppId, why: String) -> Promise<Result<(), EndpointRefusal>> {
        let (inner, app) = (Arc::clone(&self.0), app.clone());
        Box::pin(async move {
            let now = inner.clock.now();
            let disable = |endpoint: &Endpoint| endpoint.health().disable(now, &why);
            inner.change(&app, disable).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::DELIVERIES_AT_ONCE;
    use super::super::tests::{config, notification};
    use super::*;
    use crate::transaction::Status;

    #[tokio::test(start_paused = true)]
    async fn a_delivery_without_room_is_held_back_in_time() {
        let config = config("shop", "url = 'http://127.0.0.1:9/'", "");
        let notifier = HttpNotifier::new(config, Clock::system()).expect("usable");
        let endpoint = notifier.0.endpoints.values().next().expect("one app");
        let all = u32::try_from(DELIVERIES_AT_ONCE).expect("a small number");
        let _held = endpoint
            .permits
            .acquire_many(all)
            .await
            .expect("never closed");
        let before = tokio::time::Instant::now();
        let result = notifier.notify(notification(Status::Completed)).await;
        let DeliveryResult::HeldBack { wait } = result else {
            panic!("it found room: {result:?}");
        };
        assert!((1.0..=2.0).contains(&wait.as_secs_f64()), "{wait:?}");
        assert_eq!(before.elapsed().as_secs(), ROOM_WITHIN.as_secs());
        assert_eq!(notifier.endpoints()[0].deliveries, 0);
    }
}
