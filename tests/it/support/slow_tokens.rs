//! Where OAuth2 tokens come from: quickly, until a test says otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use toml::Table;

use super::put;

/// A server of tokens. Dropping it stops it.
pub(crate) struct SlowTokens {
    url: String,
    delay_ms: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl SlowTokens {
    /// Starts one that answers at once, with tokens that live for a second.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = Arc::clone(&delay_ms);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, delay.load(Ordering::SeqCst)));
            }
        });
        Self {
            url: format!("http://{address}/token"),
            delay_ms,
            task,
        }
    }

    /// Has every call of this profile show a token from here. The time in which a call is given up grows
    /// with the time that a token may take.
    pub(crate) fn require(&self, profile: &mut Table, time_out: &str) {
        put(profile, "auth.kind", "oauth2");
        put(profile, "auth.user", "teller");
        put(profile, "auth.password", "");
        put(profile, "auth.token_url", self.url.as_str());
        put(profile, "auth.token_time_out", time_out);
    }

    /// From now on a token takes this long, and lives for an hour.
    pub(crate) fn take(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).expect("a short delay");
        self.delay_ms.store(millis, Ordering::SeqCst);
    }
}

impl Drop for SlowTokens {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut connection: TcpStream, delay_ms: u64) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|part| part == b"\r\n\r\n") {
        match connection.read(&mut piece).await {
            Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
            Ok(0) | Err(_) => return,
        }
    }
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    let life_s = if delay_ms == 0 { 1 } else { 3_600 };
    let body = format!(r#"{{"access_token":"token","token_type":"Bearer","expires_in":{life_s}}}"#);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Who has gone away needs no token.
    let _ = connection
        .write_all(format!("{head}{body}").as_bytes())
        .await;
    let _ = connection.shutdown().await;
}
