//! A way to the provider that hands answers to the wrong requests.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Rig, new_id, put};

/// Payments, one after the other; every second one is declined.
const PAYMENTS: usize = 8;

/// A hop in front of the provider that is one answer late for submissions: each is answered with the
/// answer to the one before. Inquiries pass as they are.
async fn late_hop(listener: TcpListener, provider_port: u16) {
    let stale = json!({"id": new_id(), "status": "completed"}).to_string();
    let length = stale.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let stale = format!("{head}content-length: {length}\r\n\r\n{stale}");
    let late = Arc::new(Mutex::new(stale.into_bytes()));
    while let Ok((mut client, _)) = listener.accept().await {
        let late = Arc::clone(&late);
        tokio::spawn(async move {
            while let Some(request) = message(&mut client).await {
                let address = ("127.0.0.1", provider_port);
                let Ok(mut provider) = TcpStream::connect(address).await else {
                    return;
                };
                if provider.write_all(&request).await.is_err() {
                    return;
                }
                let Some(answer) = message(&mut provider).await else {
                    return;
                };
                let given = if request.starts_with(b"POST") {
                    let mut late = late.lock().expect("no panic holds it");
                    std::mem::replace(&mut *late, answer)
                } else {
                    answer
                };
                if client.write_all(&given).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// One whole request or answer, by its Content-Length.
async fn message(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(bytes);
            }
        }
        if from.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

#[tokio::test]
async fn behind_a_hop_that_is_one_answer_late_every_payment_ends_as_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hop = format!("http://{}", listener.local_addr().expect("an address"));
    let mut provider_port = 0;
    let rig = Rig::start_with(|setup| {
        provider_port = setup.mock.port;
        put(&mut setup.provider, "base_url", hop);
    })
    .await;
    tokio::spawn(late_hop(listener, provider_port));
    for number in 0..PAYMENTS {
        let id = new_id();
        let status = ["completed", "declined"][number % 2];
        // Without webhooks only answers can tell.
        let script = json!({"status": status, "webhook": "none"});
        rig.client.paid(&id, script).await;
        let view = rig.audit(&id).await;
        assert_eq!(view["status"], status, "{view}");
        assert_eq!(view["outcome"]["source"], "inquiry", "{view}");
        assert_eq!(view["attempts"], 1, "{view}");
    }
    let gates = rig.client.get("/v1/providers").await.json();
    let about_others = &gates["data"][0]["answers_about_others"];
    assert_eq!(about_others, &json!(PAYMENTS), "{gates}");
}
