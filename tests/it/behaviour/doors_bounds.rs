//! What the doors bear: bodies without end, clients that dawdle, more than can be held (law 8).

use reqwest::Method;
use serde_json::json;

use crate::support::{Client, Raw, Rig, eventually, new_id, payment, put};

/// Bytes of a body here, at most.
const LIMIT: usize = 2_048;
/// Clients that dawdle at once: many times the workers.
const SLOW_CLIENTS: usize = 100;

async fn start_small() -> Rig {
    Rig::start_with(|setup| {
        put(&mut setup.config, "workers", 1);
        put(&mut setup.config, "bounds.body_bytes", LIMIT as i64);
        put(&mut setup.config, "bounds.body_deadline", "1s");
    })
    .await
}

/// A payment whose body has exactly so many bytes.
fn sized(id: &str, bytes: usize) -> String {
    let bare = json!({"id": id, "payload": {"script": {}, "filler": ""}}).to_string();
    let filler = "x".repeat(bytes - bare.len());
    json!({"id": id, "payload": {"script": {}, "filler": filler}}).to_string()
}

// ---- size --------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_body_over_the_limit_gets_413_however_it_is_sent() {
    let rig = start_small().await;
    let (fits, over) = (new_id(), new_id());
    let answer = rig
        .client
        .post_text("/v1/transactions", sized(&fits, LIMIT), &[])
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = rig
        .client
        .post_text("/v1/transactions", sized(&over, LIMIT + 1), &[])
        .await;
    answer.expect_problem(413, "body_too_large");
    let body = sized(&over, LIMIT + 1);
    let mut chunked = Raw::connect(&rig.client.url).await;
    let head = "POST /v1/transactions HTTP/1.1\r\nhost: teller\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(chunked.write(head).await);
    for chunk in body.as_bytes().chunks(500) {
        let chunk = String::from_utf8_lossy(chunk);
        if !chunked
            .write(&format!("{:x}\r\n{chunk}\r\n", chunk.len()))
            .await
        {
            break;
        }
    }
    chunked.write("0\r\n\r\n").await;
    let answer = chunked.read_to_the_end().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
    let unknown = rig.client.get(&format!("/v1/transactions/{over}")).await;
    unknown.expect_problem(404, "unknown_transaction");
    rig.audit(&fits).await;
}

#[tokio::test]
async fn an_announced_flood_is_refused_before_it_is_sent() {
    let rig = start_small().await;
    let mut raw = Raw::connect(&rig.client.url).await;
    let head = "POST /v1/transactions HTTP/1.1\r\nhost: teller\r\nconnection: close\r\n\
                content-type: application/json\r\ncontent-length: 1000000000\r\n\r\n";
    assert!(raw.write(head).await);
    let answer = raw.read_to_the_end().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

// ---- time --------------------------------------------------------------------------------------------

/// Checks that a payment goes through while the others dawdle, then that every one of them is cut.
async fn serve_meanwhile_and_cut(rig: &Rig, mut slow: Vec<Raw>, told: &str) {
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.audit(&id).await;
    for raw in &mut slow {
        let answer = raw.read_to_the_end().await;
        assert!(answer.contains(told), "{answer:?}");
    }
    let unknown = rig.client.get("/v1/transactions?status=pending").await;
    assert_eq!(unknown.json()["data"], json!([]));
}

#[tokio::test]
async fn slow_heads_hold_nobody_up_and_are_cut() {
    let rig = start_small().await;
    let mut slow = Vec::new();
    for _ in 0..SLOW_CLIENTS {
        let mut raw = Raw::connect(&rig.client.url).await;
        assert!(
            raw.write("POST /v1/transactions HTTP/1.1\r\nhost: tel")
                .await
        );
        slow.push(raw);
    }
    serve_meanwhile_and_cut(&rig, slow, "408").await;
}

#[tokio::test]
async fn slow_bodies_hold_nobody_up_and_are_cut() {
    let rig = start_small().await;
    let mut slow = Vec::new();
    for _ in 0..SLOW_CLIENTS {
        let mut raw = Raw::connect(&rig.client.url).await;
        let head = "POST /v1/transactions HTTP/1.1\r\nhost: teller\r\nconnection: close\r\n\
                    content-type: application/json\r\ncontent-length: 200\r\n\r\n{\"id\":";
        assert!(raw.write(head).await);
        slow.push(raw);
    }
    serve_meanwhile_and_cut(&rig, slow, "body_too_slow").await;
}

#[tokio::test]
async fn connections_that_say_nothing_hold_nobody_up() {
    let rig = start_small().await;
    let mut silent = Vec::new();
    for _ in 0..SLOW_CLIENTS {
        silent.push(Raw::connect(&rig.client.url).await);
    }
    serve_meanwhile_and_cut(&rig, silent, "").await;
}

#[tokio::test]
async fn a_client_that_hangs_up_loses_nothing_that_was_accepted() {
    let rig = start_small().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        let id = new_id();
        let body = payment(&id, json!({})).to_string();
        let mut raw = Raw::connect(&rig.client.url).await;
        let head =
            "POST /v1/transactions HTTP/1.1\r\nhost: teller\r\ncontent-type: application/json";
        let length = body.len();
        assert!(
            raw.write(&format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}"))
                .await
        );
        drop(raw);
        ids.push(id);
    }
    // Whether each was accepted is teller's affair; that it is whole if it was, is ours.
    for id in &ids {
        let request = rig
            .client
            .request(Method::GET, &format!("/v1/transactions/{id}"));
        if Client::send(request).await.status == 200 {
            rig.audit(id).await;
        }
        rig.client.paid(id, json!({})).await;
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

// ---- number ------------------------------------------------------------------------------------------

#[tokio::test]
async fn over_the_bound_of_open_transactions_new_ones_get_503_and_nothing_is_lost() {
    const OPEN: usize = 4;
    let rig = Rig::start_with(|setup| {
        put(&mut setup.config, "workers", 1);
        put(&mut setup.config, "bounds.open_transactions", OPEN as i64);
        put(&mut setup.config, "bounds.linger", "100ms");
    })
    .await;
    let slow = json!({"answer_after_ms": 20_000});
    let ids: Vec<String> = (0..3 * OPEN).map(|_| new_id()).collect();
    let (accepted, refused) = ids.split_at(OPEN);
    for id in accepted {
        assert_eq!(rig.client.pay(id, slow.clone()).await.status, 202);
    }
    for id in refused {
        let answer = rig.client.pay(id, slow.clone()).await;
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert!(rig.posts(id).is_empty());
    }
    for id in accepted {
        assert!(rig.client.pay(id, slow.clone()).await.is_replay());
    }
    for id in accepted {
        rig.audit(id).await;
    }
    for id in refused {
        eventually("room again", || async {
            (rig.client.pay(id, json!({})).await.status != 503).then_some(())
        })
        .await;
        rig.audit(id).await;
    }
}
