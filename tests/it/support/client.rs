//! A client of teller's doors. It keeps no connection: requests at once are connections at once.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use teller::transaction::Timestamp;

use super::{DEADLINE, epoch_ms, eventually};

/// Whether a transaction, or a line of a list, has an outcome.
pub(crate) fn is_final(view: &Value) -> bool {
    ["completed", "declined", "failed"].contains(&view["status"].as_str().unwrap_or_default())
}

/// The client that all tests share, each with a runtime of its own.
pub(crate) fn http() -> &'static reqwest::Client {
    static HTTP: OnceLock<reqwest::Client> = OnceLock::new();
    HTTP.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(0)
            .timeout(DEADLINE)
            .build()
            .expect("a plain client")
    })
}

/// Talks to one teller.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) url: String,
    key: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            key: None,
        }
    }

    /// The same, showing this key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            url: self.url.clone(),
            key: Some(key.to_owned()),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = http().request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request; `None` if no whole answer came.
    pub(crate) async fn try_send(request: reqwest::RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        Some(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.ok()?,
        })
    }

    pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
        Self::try_send(request).await.expect("a whole answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        Self::send(with(self.request(Method::GET, path), headers)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, body, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.post_text(path, body.to_string(), headers).await
    }

    /// Posts a body that may be no JSON, declared as JSON.
    pub(crate) async fn post_text(
        &self,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Answer {
        let request = self.request(Method::POST, path);
        let request = request.header("content-type", "application/json");
        Self::send(with(request, headers).body(body)).await
    }

    /// Asks for a transaction of which the provider does what `script` says.
    pub(crate) async fn pay(&self, id: &str, script: Value) -> Answer {
        self.post("/v1/transactions", &payment(id, script)).await
    }

    /// The same, and it has to be accepted.
    pub(crate) async fn paid(&self, id: &str, script: Value) {
        let answer = self.pay(id, script).await;
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    }

    /// Sends a request for a transaction, as an app does: the same again until it is promised.
    pub(crate) async fn promised(&self, request: &Value) {
        eventually("a promise", || async {
            let answer = self.post("/v1/transactions", request).await;
            let promised = matches!(answer.status, 200 | 202);
            assert!(promised || answer.status == 503, "{answer:?}");
            promised.then_some(())
        })
        .await;
    }

    pub(crate) async fn read(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/transactions/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What operators see of its actor.
    pub(crate) async fn inspect(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/actors/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Its history, oldest record first.
    pub(crate) async fn history(&self, id: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/transactions/{id}/events")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["data"].as_array().expect("a list").clone()
    }

    /// Waits until the transaction is as `wanted`.
    pub(crate) async fn wait_until(
        &self,
        id: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("{id} {what}"), || async {
            Some(self.read(id).await).filter(&wanted)
        })
        .await
    }

    pub(crate) async fn wait_until_final(&self, id: &str) -> Value {
        self.wait_until(id, "is final", is_final).await
    }

    pub(crate) async fn wait_until_state(&self, id: &str, state: &str) -> Value {
        let what = format!("is {state}");
        self.wait_until(id, &what, |view| view["state"] == state)
            .await
    }

    /// Somebody acts on a transaction.
    pub(crate) async fn act(&self, id: &str, command: &str, body: &Value) -> Answer {
        self.post(&format!("/v1/transactions/{id}/{command}"), body)
            .await
    }
}

/// A request that tells the mock provider what to do with it.
pub(crate) fn payment(id: &str, script: Value) -> Value {
    let payload = Value::Object([("script".to_owned(), script)].into_iter().collect());
    json!({ "id": id, "payload": payload })
}

/// The same, which must not leave later than this long from now.
pub(crate) fn payment_within(id: &str, script: Value, within: Duration) -> Value {
    let now = i64::try_from(epoch_ms()).expect("a present time");
    let submit_by = Timestamp::from_millis(now) + within;
    let mut payment = payment(id, script);
    payment["submit_by"] = json!(submit_by.to_string());
    payment
}

fn with(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    })
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// Checks that this is a whole RFC 9457 problem with this status and code, and hands out its
    /// body.
    pub(crate) fn expect_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        for member in ["type", "title", "detail", "instance", "trace_id"] {
            let text = body[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} is missing: {body}");
        }
        body
    }
}
