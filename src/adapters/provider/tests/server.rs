//! A server that does with each request what its script says, down to the byte, and keeps what it was
//! sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads it, answers, keeps the connection.
    Answer(Vec<u8>),
    /// Reads it, answers, closes the connection at once, whatever the answer says about that.
    AnswerAndClose(Vec<u8>),
    /// Reads it and closes without a word.
    Close,
    /// Reads its first byte and resets the connection.
    Reset,
    /// Reads it, answers, resets.
    AnswerAndReset(Vec<u8>),
    /// Reads it and says nothing, ever.
    Hang,
    /// Reads it and answers byte by byte, with this pause after each.
    Drip(Vec<u8>, Duration),
}

/// The server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Requests,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

type Script = Arc<Mutex<VecDeque<Act>>>;
type Requests = Arc<Mutex<Vec<String>>>;

impl Server {
    /// Starts one; the script is used up over all connections. What comes after its end hangs.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let script: Script = Arc::new(Mutex::new(script.into_iter().collect()));
        let requests: Requests = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let (kept, counted) = (Arc::clone(&requests), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(connection, Arc::clone(&script), Arc::clone(&kept)));
            }
        });
        Self {
            address,
            requests,
            connections,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections it was asked for.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What it was sent, as it came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic holds it").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, script: Script, requests: Requests) {
    let mut unread = Vec::new();
    loop {
        // Nothing is taken from the script for a connection that closes idle.
        if unread.is_empty() && connection.read_buf(&mut unread).await.unwrap_or(0) == 0 {
            return;
        }
        let act = script.lock().expect("no panic holds it").pop_front();
        if let Some(Act::Reset) = act {
            reset(&connection);
            return;
        }
        let Some(request) = read_request(&mut connection, &mut unread).await else {
            return;
        };
        requests.lock().expect("no panic holds it").push(request);
        match act {
            Some(Act::Answer(bytes)) => {
                if connection.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Some(Act::AnswerAndClose(bytes)) => {
                let _ = connection.write_all(&bytes).await;
                return;
            }
            Some(Act::AnswerAndReset(bytes)) => {
                let _ = connection.write_all(&bytes).await;
                reset(&connection);
                return;
            }
            Some(Act::Drip(bytes, pause)) => {
                for byte in bytes {
                    if connection.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
                return;
            }
            Some(Act::Hang) | None => std::future::pending().await,
            Some(Act::Close | Act::Reset) => return,
        }
    }
}

/// The next drop of the connection sends RST instead of FIN.
fn reset(connection: &TcpStream) {
    connection.set_zero_linger().expect("a socket option");
}

/// One whole request, by its Content-Length.
async fn read_request(connection: &mut TcpStream, unread: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(length) = whole_length(unread) {
            let request: Vec<u8> = unread.drain(..length).collect();
            return Some(String::from_utf8_lossy(&request).into_owned());
        }
        if connection.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
}

/// How long the request at the start of `bytes` is, once it is whole.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.find("\r\n\r\n")? + 4;
    let body = text[..head]
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}

/// An answer with its length.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}
