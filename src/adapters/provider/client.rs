//! The HTTP client: one call, one request on the wire, and either a whole answer or the way in
//! which it failed.
//!
//! Nothing is sent twice behind teller's back. Redirects, proxies and reqwest's retries are off, and
//! HTTP/2, whose protocol allows a refused stream to be repeated, is not spoken. What remains is
//! hyper-util's repeating of a request that a pooled connection gave back *unstarted*: hyper gives
//! one back only if it was never taken out of the connection's queue, before its body is asked for.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Method, Url, redirect, retry};
use serde_json::Value;

use super::duration::TimeScale;
use super::retry_after;
use super::transport::Failure;
use crate::clock::Clock;
use crate::transaction::Rendered;

/// The largest answer body that is read. Status answers have a few hundred bytes.
pub(super) const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// How long a pooled connection may lie idle. Shorter than the 5 s after which the commonest servers
/// (Node's) close theirs: a request that meets that close has an unknown fate.
const POOL_IDLE_MAX: Duration = Duration::from_secs(4);

/// What comes with every request that teller sends out, to providers and to apps.
const USER_AGENT: &str = concat!("teller/", env!("CARGO_PKG_VERSION"));

/// How to make a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientSettings {
    /// For a connection, TLS included.
    pub(crate) connect_time_out: Duration,
    /// Idle connections kept per host.
    pub(crate) pool_idle_per_host: usize,
    /// Whether any of its calls speaks TLS. If not, no root certificates are looked for, which a
    /// small container may not have.
    pub(crate) speaks_tls: bool,
}

/// A client with every default that could send something twice, or somewhere else, turned off.
pub(crate) fn client(settings: ClientSettings) -> Result<reqwest::Client, reqwest::Error> {
    client_builder(settings).build()
}

/// What such a client is made of, for callers that add to it.
pub(crate) fn client_builder(settings: ClientSettings) -> reqwest::ClientBuilder {
    // Whoever came first has installed one; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .http1_only()
        .referer(false)
        .connect_timeout(settings.connect_time_out)
        .pool_idle_timeout(POOL_IDLE_MAX)
        .pool_max_idle_per_host(settings.pool_idle_per_host);
    if settings.speaks_tls {
        builder
    } else {
        builder.tls_certs_only([])
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What it asks for by `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl Answer {
    /// The answer with its waits at the scale that time runs at.
    pub(super) fn at(mut self, scale: TimeScale) -> Self {
        self.retry_after = self.retry_after.map(|wait| scale.duration(wait));
        self
    }

    /// The body as JSON, if it is that.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The request that `rendered` describes.
pub(super) fn request(
    rendered: &Rendered,
    body: Option<Body>,
    traceparent: Option<&str>,
    time_out: Duration,
) -> Result<reqwest::Request, Failure> {
    let unsendable = |what: &str| Failure::Unsendable(what.to_owned());
    let method = Method::from_bytes(rendered.method.as_bytes())
        .map_err(|_| unsendable("its method is none"))?;
    let url = Url::parse(&rendered.url).map_err(|_| unsendable("its URL is none"))?;
    let mut request = reqwest::Request::new(method, url);
    let headers = request.headers_mut();
    for (name, value) in &rendered.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unsendable("it has a header with an illegal name"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| unsendable("it has a header with an illegal value"))?;
        headers.append(name, value);
    }
    // A trace that can't be passed on is no reason not to pay.
    if let Some(value) = traceparent.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert("traceparent", value);
    }
    *request.timeout_mut() = Some(time_out);
    *request.body_mut() = body;
    Ok(request)
}

/// Sends the request and reads the whole answer, within the request's time-out.
pub(super) async fn call(
    http: &reqwest::Client,
    request: reqwest::Request,
    clock: Clock,
) -> Result<Answer, Failure> {
    let mut response = http
        .execute(request)
        .await
        .map_err(|error| Failure::before_answer(&error))?;
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| retry_after::read(value, clock.now().wall));
    if stated_length(response.headers()).is_some_and(|length| length > ANSWER_MAX_BYTES) {
        return Err(Failure::BodyTooLarge);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if body.len() + piece.len() > ANSWER_MAX_BYTES => {
                return Err(Failure::BodyTooLarge);
            }
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => break,
            Err(error) => return Err(Failure::within_answer(&error)),
        }
    }
    Ok(Answer {
        status,
        retry_after,
        body: body.into(),
    })
}

fn stated_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
