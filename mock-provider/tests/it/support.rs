//! Verbs of the tests.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use mock_provider::ledger::Execution;
use mock_provider::model::{Draw, Status, draw};
use mock_provider::server::{self, Options, Running};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// After so long a condition has failed. It bounds a failing test only.
const DEADLINE: Duration = Duration::from_secs(30);

/// The seed of every test.
pub(crate) const SEED: u64 = 7;

pub(crate) fn options() -> Options {
    Options {
        seed: SEED,
        time_scale: 100.0,
        ..Options::default()
    }
}

pub(crate) async fn provider() -> Running {
    server::start(options()).await.expect("a free port")
}

/// A client that keeps no connection, so that all tests, each with a runtime of its own, share it.
pub(crate) fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
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

/// Asks until there is an answer.
pub(crate) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Milliseconds since 1970, as in the ledger.
pub(crate) fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = since.expect("the clock is set").as_millis();
    u64::try_from(ms).expect("not in this geological age")
}

/// The first id whose first POST does what is wanted.
pub(crate) fn id_where(wanted: impl Fn(Draw) -> bool) -> String {
    (0..100_000)
        .map(|n| format!("id-{n}"))
        .find(|id| wanted(draw(SEED, id, 1)))
        .expect("among so many ids there is one")
}

/// What an HTTP call came back with.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) code: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Got {
    try_send(request).await.expect("a whole answer")
}

pub(crate) async fn try_send(request: reqwest::RequestBuilder) -> reqwest::Result<Got> {
    let response = request.send().await?;
    Ok(Got {
        code: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await?,
    })
}

pub(crate) async fn post(url: &str, path: &str, body: &Value) -> Got {
    send(client().post(format!("{url}{path}")).body(body.to_string())).await
}

pub(crate) async fn get(url: &str, path: &str) -> Got {
    send(client().get(format!("{url}{path}"))).await
}

/// Posts a transaction under a script.
pub(crate) async fn post_scripted(provider: &Running, id: &str, script: Value) -> Got {
    let body = json!({"id": id, "script": script});
    post(&provider.url, "/transaction", &body).await
}

/// What an inquiry says: the HTTP status and the transaction's.
pub(crate) async fn inquire(provider: &Running, id: &str) -> (u16, Option<Status>) {
    let got = get(&provider.url, &format!("/transaction/{id}")).await;
    let status = got
        .json()
        .get("status")
        .map(|status| serde_json::from_value(status.clone()).expect("one of the three words"));
    (got.code, status)
}

/// The only ledger entry of an id.
pub(crate) fn entry(provider: &Running, id: &str) -> Option<Execution> {
    let ledger = provider.ledger();
    let mut entries = ledger.of(id);
    let entry = entries.next().cloned();
    assert_eq!(entries.next(), None, "{id} was posted twice");
    entry
}

/// Sends a POST by hand and leaves the connection open.
pub(crate) async fn raw_post(url: &str, path: &str, body: &Value) -> TcpStream {
    let address = url.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    stream
}

/// Everything that arrives before the connection ends, however it ends.
pub(crate) async fn read_to_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0_u8; 1_024];
    let reading = async {
        loop {
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(n) => all.extend_from_slice(&part[..n]),
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("the connection ends");
    all
}

/// Somebody who takes webhooks.
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Data<Received>,
    handle: ServerHandle,
}

#[derive(Default)]
struct Received {
    got: Mutex<Vec<(String, Value)>>,
    /// The answers to the next webhooks, before the usual one.
    next: Mutex<VecDeque<Reply>>,
    usual: Reply,
}

/// How a webhook is answered: the HTTP status and the body.
#[derive(Clone, Copy)]
pub(crate) struct Reply(pub(crate) u16, pub(crate) &'static str);

impl Default for Reply {
    fn default() -> Self {
        Self(200, "")
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::answering(Reply::default()).await
    }

    pub(crate) async fn answering(usual: Reply) -> Self {
        let got = Data::from(Arc::new(Received {
            usual,
            ..Received::default()
        }));
        let shared = got.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(receive))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            url: format!("http://{address}"),
            got,
            handle,
        }
    }

    /// Path and body of every webhook so far.
    pub(crate) fn got(&self) -> Vec<(String, Value)> {
        self.got.got.lock().expect("no test panics in it").clone()
    }

    /// Answers the next webhooks like this before the usual answer.
    pub(crate) fn answer_next(&self, replies: &[Reply]) {
        let mut next = self.got.next.lock().expect("no test panics in it");
        next.extend(replies);
    }

    /// Waits for so many webhooks.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(String, Value)> {
        eventually("webhooks", || async {
            Some(self.got()).filter(|got| got.len() >= count)
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn receive(request: HttpRequest, body: Bytes, got: Data<Received>) -> HttpResponse {
    let json = serde_json::from_slice(&body).expect("webhooks are JSON");
    got.got
        .lock()
        .expect("no test panics in it")
        .push((request.path().to_owned(), json));
    let next = got.next.lock().expect("no test panics in it").pop_front();
    let Reply(code, body) = next.unwrap_or(got.usual);
    HttpResponse::build(StatusCode::from_u16(code).expect("a status")).body(body)
}
