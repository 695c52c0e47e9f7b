//! From node to node: what needs an owner reaches it from any node, with the rights of whoever asked,
//! in one hop; and what needs none is durable wherever it comes in.

mod pair;

use serde_json::json;

use self::pair::{NAMES, Pair};
use crate::support::{Answer, eventually, is_final, payment, run_with};

fn code(answer: &Answer) -> String {
    answer.json()["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn any_node_answers_for_the_owner_with_the_callers_rights() {
    let pair = Pair::start().await;
    let [north, south] = &pair.nodes;
    let id = pair.id_of(0);
    let path = format!("/v1/transactions/{id}");
    let sent = north
        .app
        .post("/v1/transactions", &payment(&id, json!({})))
        .await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let there = south.app.get_with(&path, &[("prefer", "wait=20")]).await;
    assert_eq!(there.status, 200, "{}", there.text);
    assert_eq!(there.headers["preference-applied"], "wait");
    let here = north.app.get(&path).await;
    assert!(is_final(&here.json()), "{}", here.text);
    assert_eq!(there.text, here.text);
    assert_eq!(there.headers["etag"], here.headers["etag"]);
    let tag = here.headers["etag"].to_str().expect("a text");
    let known = [("if-none-match", tag)];
    assert_eq!(south.app.get_with(&path, &known).await.status, 304);
    // The history, as JSON and as a stream that begins where the client was.
    let events = format!("{path}/events");
    let there = south.app.get(&events).await;
    assert_eq!(there.text, north.app.get(&events).await.text);
    let stream = south.app.request(reqwest::Method::GET, &events);
    let stream = stream.header("accept", "text/event-stream");
    let mut stream = stream
        .header("last-event-id", "1")
        .send()
        .await
        .expect("it begins");
    let mut text = String::new();
    while !text.contains("id: 3") {
        let piece = stream.chunk().await.expect("unbroken").expect("it goes on");
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(
        text.contains("id: 2\n") && !text.contains("id: 1\n"),
        "{text}"
    );
    // Rights travel along, and so do refusals.
    let actor = format!("/v1/actors/{id}");
    assert_eq!(south.app.get(&actor).await.status, 403);
    let status = south
        .operator
        .get(&format!("{actor}?app=shop"))
        .await
        .json();
    assert_eq!(
        (&status["node"], &status["id"]),
        (&json!(NAMES[0]), &json!(id))
    );
    assert_eq!(status["partition"], pair::key(&id).partition());
    let cancelled = south.app.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!(
        (cancelled.status, code(&cancelled)),
        (409, "already_final".to_owned())
    );
    let stale = [("if-match", "\"v1\"")];
    let stale = south
        .app
        .post_with(&format!("{path}/cancel"), &json!({}), &stale)
        .await;
    assert_eq!(stale.status, 412, "{}", stale.text);
    let other = south
        .app
        .get(&format!("/v1/transactions/{}", pair.id_of(0)))
        .await;
    assert_eq!(other.status, 404, "{}", other.text);
}

#[tokio::test]
async fn a_transaction_is_taken_in_anywhere_and_waited_for_at_its_owner() {
    let pair = Pair::start().await;
    let [north, south] = &pair.nodes;
    let id = pair.id_of(0);
    let wait = [("prefer", "wait=20")];
    let body = payment(&id, json!({}));
    let done = south.app.post_with("/v1/transactions", &body, &wait).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.headers["preference-applied"], "wait");
    assert_eq!(done.headers["location"], format!("/v1/transactions/{id}"));
    assert!(is_final(&done.json()), "{}", done.text);
    let tag = &north
        .app
        .get(&format!("/v1/transactions/{id}"))
        .await
        .headers["etag"];
    assert_eq!(&done.headers["etag"], tag);
    let other = payment(&id, json!({"status": "declined"}));
    for node in [north, south] {
        let again = node.app.post("/v1/transactions", &body).await;
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let refused = node.app.post("/v1/transactions", &other).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
}

#[tokio::test]
async fn a_webhook_that_another_node_took_reaches_its_transaction() {
    let pair = Pair::start().await;
    let id = pair.id_of(0);
    let silent: Vec<u16> = vec![500; 100];
    let script =
        json!({"answer": "hang", "webhook": "once", "webhook_after_ms": 20_000, "get": silent});
    let sent = pair.nodes[0]
        .app
        .post("/v1/transactions", &payment(&id, script))
        .await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let path = format!("/v1/transactions/{id}");
    let view = pair.nodes[1]
        .app
        .get_with(&path, &[("prefer", "wait=30")])
        .await
        .json();
    assert_eq!(view["outcome"]["source"], "webhook", "{view}");
    eventually("its letter is discarded", || async {
        (pair.letters() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_hint_that_another_node_heard_reaches_the_owner() {
    let pair = Pair::start().await;
    let [north, south] = &pair.nodes;
    let id = pair.id_of(0);
    let path = format!("/v1/transactions/{id}");
    let script = json!({"answer": "timeout", "answer_after_ms": 500, "ghost_after_ms": 1_000, "status": "declined"});
    north
        .app
        .post("/v1/transactions", &payment(&id, script))
        .await;
    eventually("the hint is followed", || async {
        let hint = json!({"id": id, "status": "completed"});
        let answer = south.app.post("/webhooks/reference", &hint).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let view = north.app.get(&path).await.json();
        (view["outcome"]["source"] == "inquiry").then_some(())
    })
    .await;
    let history = north.app.get(&format!("{path}/events")).await.json();
    let asked = history["data"].as_array().into_iter().flatten();
    let asked = asked.filter(|record| record["after_window"] == false);
    // Before the window's end only hints ask; one that comes before the ghost is followed by another.
    assert!(asked.count() >= 1, "no hint was followed: {history}");
}

#[tokio::test]
async fn the_nodes_listener_lets_nobody_in_who_is_no_node() {
    let pair = Pair::start().await;
    let [north, _] = &pair.nodes;
    let id = pair.id_of(0);
    for path in [
        format!("/v1/transactions/{id}"),
        "/v1/actors".to_owned(),
        "/livez".to_owned(),
        "/nothing".to_owned(),
    ] {
        for authorization in ["", "Bearer tlr_operator_x_y", "Teller-Node e30.AAAA"] {
            let request = north.inner.request(reqwest::Method::GET, &path);
            let request = request.header("authorization", authorization);
            let answer = crate::support::Client::send(request).await;
            assert_eq!((answer.status, answer.text.as_str()), (401, ""), "{path}");
        }
    }
    let posted = north
        .inner
        .post("/v1/transactions", &payment(&id, json!({})))
        .await;
    assert_eq!(posted.status, 401);
    let secrets: [&[u8]; 2] = [b"a secret of the north", b"a secret of the south"];
    let strangers = Pair::start_with(|_| Some(0), secrets, false).await;
    let path = format!("/v1/transactions/{}", strangers.id_of(0));
    assert_eq!(strangers.nodes[0].app.get(&path).await.status, 404);
    let answer = strangers.nodes[1].app.get(&path).await;
    assert_eq!(
        (answer.status, code(&answer)),
        (503, "owner_unreachable".to_owned())
    );
}

#[tokio::test]
async fn a_request_takes_one_hop_at_most() {
    let secret: &[u8] = b"what the nodes of this test share";
    let pair = Pair::start_with(|_| Some(0), [secret; 2], true).await;
    for node in &pair.nodes {
        let path = format!("/v1/transactions/{}", crate::support::new_id());
        let answer = node.app.get(&path).await;
        assert_eq!((answer.status, code(&answer)), (503, "moving".to_owned()));
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn what_has_no_owner_or_an_unreachable_one_is_told_to_come_again() {
    let pair = Pair::start().await;
    let [north, south] = &pair.nodes;
    let path = format!("/v1/transactions/{}", pair.id_of(0));
    pair.close_inner(0).await;
    let told = || async {
        let answer = south.app.get(&path).await;
        assert_eq!(
            (answer.status, &answer.headers["retry-after"]),
            (503, &"1".parse().expect("a value"))
        );
        code(&answer)
    };
    eventually("the owner is out of reach", || async {
        (told().await == "owner_unreachable").then_some(())
    })
    .await;
    // Lists say who is missing.
    let actors = south.operator.get("/v1/actors").await.json();
    assert_eq!(actors["missing"], json!([NAMES[0]]), "{actors}");
    let gates = north.operator.get("/v1/providers").await.json();
    assert_eq!(gates["missing"], json!([]), "{gates}");
    let named: Vec<_> = gates["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| &row["node"])
        .collect();
    assert_eq!(named, NAMES);
    pair.take_all_away();
    assert_eq!(told().await, "moving");
    // Accepted all the same.
    let id = crate::support::new_id();
    let sent = south
        .app
        .post_with(
            "/v1/transactions",
            &payment(&id, json!({})),
            &[("prefer", "wait=5")],
        )
        .await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    assert!(!sent.headers.contains_key("preference-applied"));
}

#[tokio::test]
async fn whoever_waits_for_a_frozen_node_waits_until_it_is_no_owner_and_no_longer() {
    let pair = Pair::start().await;
    let path = format!("/v1/transactions/{}", pair.id_of(0));
    let silent = pair.freeze(0);
    let south = &pair.nodes[1].app;
    let wait = [("prefer", "wait=30")];
    let (cancel, nothing) = (format!("{path}/cancel"), json!({}));
    let read = south.get_with(&path, &wait);
    let both_are_out = tokio::task::spawn_blocking(move || [silent.accept(), silent.accept()]);
    let frees = async {
        let held = both_are_out.await;
        pair.take_all_away();
        held
    };
    let asked = futures_util::future::join3(read, south.post(&cancel, &nothing), frees);
    let soon = std::time::Duration::from_secs(20);
    let (read, cancelled, _held) = tokio::time::timeout(soon, asked)
        .await
        .expect("both answers");
    assert_eq!(
        (read.status, code(&read)),
        (503, "owner_unreachable".to_owned())
    );
    // Nobody knows whether a frozen node has done it.
    assert_eq!(
        (cancelled.status, code(&cancelled)),
        (503, "unconfirmed".to_owned())
    );
}

#[tokio::test]
async fn the_actors_of_all_nodes_are_one_list_in_pages() {
    let pair = Pair::start().await;
    let mut ids: Vec<String> = (0..7).map(|n| pair.id_of(n % 2)).collect();
    for id in &ids {
        let script = json!({"answer": "hang", "get": vec![500; 100]});
        let sent = pair.nodes[1]
            .app
            .post("/v1/transactions", &payment(id, script))
            .await;
        assert_eq!(sent.status, 202, "{}", sent.text);
    }
    ids.sort();
    let listed = || async {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/actors?limit=2{cursor}");
            let page = pair.nodes[0].operator.get(&path).await.json();
            for row in page["data"].as_array().into_iter().flatten() {
                let id = row["id"].as_str().unwrap_or_default().to_owned();
                let node = usize::from(row["node"] == NAMES[1]);
                let partition = pair::key(&id).partition() as usize;
                assert_eq!(partition % 2, node, "{row}");
                seen.push(id);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    eventually("all are listed once, in order", || async {
        (listed().await == ids).then_some(())
    })
    .await;
    let nodes = pair.nodes[1].operator.get("/v1/nodes").await.json();
    assert_eq!(nodes["data"][0]["partitions_owned"], 128);
    assert_eq!(nodes["data"][1]["here"], true, "{nodes}");
}

#[tokio::test]
async fn the_program_shows_the_nodes_and_whose_a_transaction_is() {
    let pair = Pair::start().await;
    let [north, south] = &pair.nodes;
    let id = pair.id_of(0);
    north
        .app
        .post("/v1/transactions", &payment(&id, json!({})))
        .await;
    let key = [("TELLER_KEY", pair.operator.as_str())];
    let shown = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        async move {
            let output = run_with(&arguments, &key).await;
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).expect("text")
        }
    };
    let nodes = shown(&["nodes", "--url", &south.app.url]).await;
    let lines: Vec<&str> = nodes.lines().collect();
    assert!(
        lines[0].starts_with(" north") && lines[1].starts_with("*south"),
        "{nodes}"
    );
    assert!(
        lines[1].contains("alive") && lines[1].contains("128 partitions"),
        "{nodes}"
    );
    let status = shown(&["status", "--url", &south.app.url, "--app", "shop", &id]).await;
    let line = format!("node      north (partition {})", pair::key(&id).partition());
    assert!(status.contains(&line), "{status}");
}
