//! A request whose sender has lost the right to send it: not a byte of it permissions, on a new connection
//! and on one that is open already.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::server::answer;
use super::support::{REFERENCE, key, provider, request};
use crate::ports::{NotPermitted, Provider, SendPermission};
use crate::transaction::Finding;

/// Answers every request on its one connection, and says at its end how many bytes came in all and how
/// many requests were whole.
async fn count(listener: TcpListener) -> (usize, usize) {
    let (mut connection, _) = listener.accept().await.expect("a connection");
    let (mut bytes, mut whole, mut unread) = (0, 0, String::new());
    loop {
        let mut piece = [0; 4096];
        let read = connection.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            return (bytes, whole);
        }
        bytes += read;
        unread.push_str(&String::from_utf8_lossy(&piece[..read]));
        if unread.ends_with('}') {
            unread.clear();
            whole += 1;
            let completed = answer(200, "", r#"{"status":"completed"}"#);
            connection.write_all(&completed).await.expect("it reads");
        }
    }
}

/// Submits with a permission that is given so many times; says how often it was asked and what was found.
async fn submit_with_permission(
    times: usize,
    requests: usize,
) -> (Vec<Finding>, usize, (usize, usize)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(count(listener));
    let provider = provider(REFERENCE, &url);
    let asked = Arc::new(AtomicUsize::new(0));
    let mut findings = Vec::new();
    for n in 0..requests {
        let intent = provider.intent(&key(n as u128), &request(Value::Null), 1);
        let intent = Arc::new(intent.expect("renders"));
        let asked = Arc::clone(&asked);
        let permission = SendPermission::asking(move || {
            let given = asked.fetch_add(1, Ordering::AcqRel) < times;
            given.then_some(()).ok_or(NotPermitted::NotOwner)
        });
        let result = provider.submit(intent, None, permission).await;
        assert_eq!(result.sent_at.is_some(), n < times, "{result:?}");
        findings.push(result.report.finding);
    }
    drop(provider);
    let counted = server.await.expect("it does not panic");
    (findings, asked.load(Ordering::Acquire), counted)
}

#[tokio::test]
async fn without_permission_a_new_connection_carries_nothing() {
    let (findings, asked, (bytes, whole)) = submit_with_permission(0, 1).await;
    let [Finding::NotExecuted { why, .. }] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert!(why.contains("lost the right"), "{why}");
    assert_eq!((asked, bytes, whole), (1, 0, 0));
}

#[tokio::test]
async fn without_permission_an_open_connection_carries_nothing_more() {
    let (findings, asked, (once, whole)) = submit_with_permission(1, 1).await;
    assert_eq!(findings, [Finding::Completed]);
    assert_eq!((asked, whole), (1, 1));
    let (findings, asked, (bytes, whole)) = submit_with_permission(1, 2).await;
    assert!(matches!(
        findings.as_slice(),
        [Finding::Completed, Finding::NotExecuted { .. }]
    ));
    assert_eq!((asked, whole), (2, 1));
    assert_eq!(bytes, once, "the second request left no byte");
}
