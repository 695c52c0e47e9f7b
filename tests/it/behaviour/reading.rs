//! How apps and operators read: with versions, by waiting, in lists, and what an actor is doing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Rig, eventually, new_id, payment, put};

/// The provider answers when the test has seen enough, long before it would time out.
fn slow() -> Value {
    json!({"answer_after_ms": 15_000})
}

// ---- versions ----------------------------------------------------------------------------------------

#[tokio::test]
async fn an_etag_is_the_version_and_saves_the_body() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.client.wait_until_final(&id).await;
    let path = format!("/v1/transactions/{id}");
    let whole = rig.client.get(&path).await;
    let etag = whole.header("etag").expect("an ETag").to_owned();
    assert_eq!(etag, format!("\"v{}\"", whole.json()["version"]));
    for known in [etag.clone(), format!("\"v1\", {etag}"), "*".to_owned()] {
        let same = rig
            .client
            .get_with(&path, &[("if-none-match", &known)])
            .await;
        assert_eq!(
            (same.status, same.text.as_str()),
            (304, ""),
            "{known}: {same:?}"
        );
        assert_eq!(same.header("etag"), Some(etag.as_str()));
    }
    let older = rig
        .client
        .get_with(&path, &[("if-none-match", "\"v1\"")])
        .await;
    assert_eq!((older.status, older.json()), (200, whole.json()));
    let replay = rig.client.pay(&id, json!({})).await;
    assert_eq!(replay.header("etag"), Some(etag.as_str()));
}

// ---- waiting -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_post_that_prefers_to_wait_is_answered_with_the_outcome() {
    let rig = Rig::start().await;
    let id = new_id();
    let waits = [("prefer", "respond-async, wait=20")];
    let answer = rig
        .client
        .post_with("/v1/transactions", &payment(&id, slow()), &waits)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["status"], "completed");
    assert_eq!(answer.header("preference-applied"), Some("wait"));
    let replay = rig
        .client
        .post_with("/v1/transactions", &payment(&id, slow()), &waits)
        .await;
    assert_eq!((replay.status, replay.is_replay()), (200, true));
}

#[tokio::test]
async fn a_wait_that_ends_before_the_outcome_is_answered_with_202() {
    let rig = Rig::start_with(|setup| setup.time_scale = 5.0).await;
    let id = new_id();
    let waits = [("prefer", "wait=1")];
    let body = payment(&id, json!({"answer_after_ms": 20_000}));
    let answer = rig
        .client
        .post_with("/v1/transactions", &body, &waits)
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["status"], "pending");
    assert_eq!(answer.header("preference-applied"), Some("wait"));
    let unwaited = rig
        .client
        .pay(&id, json!({"answer_after_ms": 20_000}))
        .await;
    assert_eq!(unwaited.header("preference-applied"), None);
    rig.audit(&id).await;
}

#[tokio::test]
async fn a_long_poll_wakes_up_on_the_next_change() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"answer": "timeout", "answer_after_ms": 10_000, "ghost_after_ms": 60_000}),
        )
        .await;
    let path = format!("/v1/transactions/{id}");
    let mut versions = Vec::new();
    let mut etag = rig
        .client
        .get(&path)
        .await
        .header("etag")
        .expect("an ETag")
        .to_owned();
    loop {
        let headers = [("if-none-match", etag.as_str()), ("prefer", "wait=30")];
        let changed = rig.client.get_with(&path, &headers).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(changed.header("preference-applied"), Some("wait"));
        let next = changed.header("etag").expect("an ETag").to_owned();
        assert_ne!(next, etag);
        etag = next;
        let view = changed.json();
        versions.push(view["version"].as_u64().expect("a number"));
        if crate::support::is_final(&view) {
            break;
        }
    }
    // Unknown, an inquiry or more without a result, the outcome.
    assert!(versions.len() >= 3, "{versions:?}");
    assert!(versions.is_sorted(), "{versions:?}");
}

#[tokio::test]
async fn a_long_poll_that_knows_an_older_version_is_answered_at_once() {
    let rig = Rig::start_with(|setup| setup.time_scale = 1.0).await;
    let id = new_id();
    rig.client.paid(&id, json!({"answer": "hang"})).await;
    let path = format!("/v1/transactions/{id}");
    let headers = [("if-none-match", "\"v1\""), ("prefer", "wait=30")];
    let answer = rig.client.get_with(&path, &headers);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(15), answer).await;
    let answer = answer.expect("there is news already, so nothing to wait for");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["state"], "submitting");
}

#[tokio::test]
async fn a_long_poll_without_news_ends_with_304() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.client.wait_until_final(&id).await;
    let path = format!("/v1/transactions/{id}");
    let etag = rig
        .client
        .get(&path)
        .await
        .header("etag")
        .expect("an ETag")
        .to_owned();
    let headers = [("if-none-match", etag.as_str()), ("prefer", "wait=1")];
    let answer = rig.client.get_with(&path, &headers).await;
    assert_eq!((answer.status, answer.text.as_str()), (304, ""));
    assert_eq!(answer.header("preference-applied"), Some("wait"));
}

// ---- lists -------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_list_is_filtered_and_read_page_by_page() {
    const EACH: usize = 7;
    let rig = Rig::start().await;
    let (mut completed, mut declined) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..EACH {
        for (ids, status) in [(&mut completed, "completed"), (&mut declined, "declined")] {
            let id = new_id();
            rig.client.paid(&id, json!({"status": status})).await;
            ids.insert(id);
        }
    }
    for id in completed.union(&declined) {
        rig.client.wait_until_final(id).await;
    }
    for (status, expected) in [
        ("completed", &completed),
        ("declined", &declined),
        ("pending", &BTreeSet::new()),
    ] {
        let query = format!("/v1/transactions?status={status}&provider=reference&limit=3");
        eventually(&format!("{status} are listed"), || async {
            (&follow(&rig.client, &query).await == expected).then_some(())
        })
        .await;
    }
    let all = follow(&rig.client, "/v1/transactions?limit=5&app=shop").await;
    assert_eq!(all.len(), 2 * EACH);
    for nobody in ["provider=acme", "app=other"] {
        let list = rig
            .client
            .get(&format!("/v1/transactions?{nobody}"))
            .await
            .json();
        assert_eq!(
            (&list["data"], &list["has_more"]),
            (&json!([]), &json!(false))
        );
    }
}

/// Follows the links from page to page; no id may come twice, no page may be larger than asked for.
async fn follow(client: &Client, first: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = client.get(&path).await;
        let body = page.json();
        assert!(body["as_of"].is_string(), "{body}");
        for line in body["data"].as_array().expect("a list") {
            let id = line["id"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id), "twice in a list: {line}");
        }
        next = page.header("link").map(|link| {
            let (target, relation) = link.split_once('>').expect("<target>; rel");
            assert_eq!(relation, "; rel=\"next\"");
            target.trim_start_matches('<').to_owned()
        });
        assert_eq!(body["has_more"], next.is_some(), "{body}");
        assert_eq!(body["next_cursor"].is_string(), next.is_some(), "{body}");
    }
    ids
}

// ---- operators ---------------------------------------------------------------------------------------

#[tokio::test]
async fn an_actor_says_why_it_is_not_final_and_what_happens_next() {
    let rig = Rig::start_with(|setup| setup.time_scale = 10.0).await;
    let id = new_id();
    let script = json!({"answer": "timeout", "answer_after_ms": 5_000, "ghost_after_ms": 30_000});
    rig.client.paid(&id, script).await;
    let out = rig.client.inspect(&id).await;
    assert_eq!(
        (&out["state"]["name"], &out["status"]),
        (&json!("submitting"), &json!("pending"))
    );
    assert_eq!(out["attempts"][0]["fate"], "out");
    assert_eq!(out["timers"][0]["timer"], "submission_overdue", "{out}");
    let unknown = eventually("unknown", || async {
        let status = rig.client.inspect(&id).await;
        (status["state"]["name"] == "unknown").then_some(status)
    })
    .await;
    let because = unknown["not_final_because"].as_str().unwrap_or_default();
    assert!(because.contains("may have been executed"), "{unknown}");
    assert!(unknown["ghost_window_ends_at"].is_string(), "{unknown}");
    assert_eq!(
        (&unknown["resident"], &unknown["quarantined"]),
        (&json!(true), &json!(false))
    );
    let listed = rig.client.get("/v1/actors").await.json();
    assert!(
        listed["data"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|actor| actor["id"] == id),
        "{listed}"
    );
    assert_eq!(
        listed["shards"].as_array().expect("a list").len(),
        2,
        "{listed}"
    );
    rig.audit(&id).await;
    let done = rig.client.inspect(&id).await;
    assert_eq!(done["resolution"]["source"], "inquiry", "{done}");
    assert!(done["not_final_because"].is_null(), "{done}");
    assert!(
        done["inquiries"]
            .as_u64()
            .is_some_and(|inquiries| inquiries > 0),
        "{done}"
    );
}

#[tokio::test]
async fn actors_are_listed_page_by_page() {
    const ACTORS: usize = 9;
    let rig = Rig::start_with(|setup| put(&mut setup.config, "bounds.linger", "10m")).await;
    let mut ids = BTreeSet::new();
    for _ in 0..ACTORS {
        let id = new_id();
        rig.client.paid(&id, json!({})).await;
        ids.insert(id);
    }
    let mut seen = BTreeSet::new();
    let mut path = "/v1/actors?limit=2".to_owned();
    loop {
        let page = rig.client.get(&path).await.json();
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= 2);
        seen.extend(
            data.iter()
                .map(|actor| actor["id"].as_str().expect("an id").to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/actors?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn a_node_that_serves_is_live_and_ready_and_shows_its_gates() {
    let rig = Rig::start().await;
    assert_eq!(
        rig.client.get("/livez").await.json(),
        json!({"status": "live"})
    );
    assert_eq!(
        rig.client.get("/readyz").await.json(),
        json!({"status": "ready"})
    );
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.client.wait_until_final(&id).await;
    let gates = rig.client.get("/v1/providers").await.json();
    assert_eq!(gates["data"][0]["provider"], "reference");
    assert_eq!(gates["data"][0]["breaker"], "closed");
    assert_eq!(gates["data"][0]["submissions_total"], 1);
    assert_eq!(rig.client.get("/v1/review").await.json()["data"], json!([]));
}
