//! The same request is the same transaction: before, during and after, at once, and over restarts
//! (law 7).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Rig, eventually, new_id, payment};

const DOORS: [&str; 2] = ["/v1/transactions", "/transaction"];

/// Sends all of these at once, a connection each.
async fn post_at_once(rig: &Rig, door: &str, bodies: &[Value]) -> Vec<Answer> {
    join_all(bodies.iter().map(|body| rig.client.post(door, body))).await
}

fn expect_a_view(answer: &Answer, id: &str) {
    let view = answer.json();
    assert_eq!(view["id"], id, "{answer:?}");
    let expected = if crate::support::is_final(&view) {
        200
    } else {
        202
    };
    assert_eq!(answer.status, expected, "{answer:?}");
}

// ---- at once ---------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_identical_requests_at_once_are_one_transaction() {
    const ROUNDS: usize = 15;
    const AT_ONCE: usize = 10;
    let rig = Rig::start().await;
    let mut ids = Vec::new();
    for round in 0..ROUNDS {
        let id = new_id();
        let body = payment(&id, json!({"answer_after_ms": 500 * (round % 3)}));
        let answers = post_at_once(&rig, DOORS[round % 2], &vec![body; AT_ONCE]).await;
        answers.iter().for_each(|answer| expect_a_view(answer, &id));
        let replays = answers.iter().filter(|answer| answer.is_replay()).count();
        assert_eq!(replays, AT_ONCE - 1, "round {round}: {answers:?}");
        ids.push(id);
    }
    for id in &ids {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_payloads_at_once_exactly_one_wins() {
    const ROUNDS: usize = 8;
    let rig = Rig::start().await;
    for round in 0..ROUNDS {
        let id = new_id();
        let of = |n: u32| json!({"id": id, "payload": {"n": n, "script": {}}});
        let bodies: Vec<Value> = (0..10).map(|index| of(index % 2)).collect();
        let answers = post_at_once(&rig, DOORS[round % 2], &bodies).await;
        let winner = answers.iter().position(|answer| answer.status < 300);
        let winner = winner.expect("one of them is accepted") % 2;
        for (index, answer) in answers.iter().enumerate() {
            if index % 2 == winner {
                expect_a_view(answer, &id);
            } else {
                answer.expect_problem(422, "other_payload");
            }
        }
        rig.audit(&id).await;
        let posts = rig.posts(&id);
        assert_eq!(posts.len(), 1, "{posts:?}");
        assert_eq!(
            posts[0].payload["n"], winner,
            "the provider got another payload"
        );
    }
}

#[tokio::test]
async fn an_app_that_taps_twice_pays_once_and_is_told_once() {
    let rig = Rig::start_with(|setup| {
        setup.app.double_tap = 1.0;
        setup.tell_by_template(&["0s", "5s", "5s"]);
    })
    .await;
    let id = new_id();
    let app = crate::support::Client::new(&rig.app().url);
    let answer = app.post("/transaction", &payment(&id, json!({}))).await;
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    let sent = rig.app().sent();
    assert_eq!(sent[0].times, 2);
    let statuses: Vec<u16> = sent[0]
        .answers
        .iter()
        .flatten()
        .map(|answer| answer.status)
        .collect();
    assert_eq!(statuses.len(), 2);
    assert!(
        statuses.iter().all(|status| matches!(status, 200 | 202)),
        "{sent:?}"
    );
    rig.audit(&id).await;
    let notification = eventually("acknowledged", || async {
        let notification = rig.client.inspect(&id).await["notification"].clone();
        (notification["delivery"] != "open").then_some(notification)
    })
    .await;
    assert_eq!(notification["delivery"], "acknowledged");
    assert_eq!(rig.told(&id).len(), 1);
}

// ---- afterwards ------------------------------------------------------------------------------------

#[tokio::test]
async fn a_final_transaction_is_replayed_with_200() {
    let rig = Rig::start().await;
    let id = new_id();
    let first = rig.client.pay(&id, json!({"status": "declined"})).await;
    assert_eq!(
        first.header("location"),
        Some(format!("/v1/transactions/{id}").as_str())
    );
    assert!(!first.is_replay());
    let view = rig.client.wait_until_final(&id).await;
    for door in DOORS {
        let again = rig
            .client
            .post(door, &payment(&id, json!({"status": "declined"})))
            .await;
        assert_eq!((again.status, again.is_replay()), (200, true), "{again:?}");
        assert_eq!(again.json(), view);
    }
    assert_eq!(rig.posts(&id).len(), 1);
}

#[tokio::test]
async fn a_replay_finds_its_transaction_over_a_restart() {
    let mut rig = Rig::start().await;
    let (done, open) = (new_id(), new_id());
    rig.client.paid(&done, json!({})).await;
    let done_view = rig.client.wait_until_final(&done).await;
    let hangs = json!({"answer": "hang"});
    rig.client.paid(&open, hangs.clone()).await;
    eventually("the open one is out", || async { rig.posts(&open).pop() }).await;
    rig.restart_teller().await;
    let again = rig.client.pay(&done, json!({})).await;
    assert_eq!((again.status, again.is_replay()), (200, true), "{again:?}");
    assert_eq!(again.json(), done_view);
    let again = rig.client.pay(&open, hangs).await;
    assert!(again.is_replay(), "{again:?}");
    expect_a_view(&again, &open);
    rig.client
        .pay(&done, json!({"status": "declined"}))
        .await
        .expect_problem(422, "other_payload");
    for id in [&done, &open] {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

#[tokio::test]
async fn another_payload_is_refused_and_changes_nothing() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.client.wait_until_final(&id).await;
    // Nobody is told here, so nothing changes any more.
    let before = rig.client.read(&id).await;
    let other = [
        json!({"id": id}),
        json!({"id": id, "payload": {}}),
        json!({"id": id, "payload": {"script": {}, "more": null}}),
        json!({"id": id, "payload": {"script": {}}, "amount": {"value": 1, "currency": "EUR"}}),
        json!({"id": id, "payload": {"script": {}}, "provider": "reference"}),
    ];
    for body in other {
        for door in DOORS {
            let problem = rig
                .client
                .post(door, &body)
                .await
                .expect_problem(422, "other_payload");
            assert_eq!(problem["errors"][0]["pointer"], "/id");
        }
    }
    assert_eq!(rig.client.read(&id).await, before);
    assert_eq!(rig.posts(&id).len(), 1);
}

#[tokio::test]
async fn spelling_makes_no_other_payload() {
    let rig = Rig::start().await;
    let id = new_id();
    let spellings = [
        format!(r#"{{"id":"{id}","payload":{{"a":1,"b":[true,"é"],"script":{{}}}}}}"#),
        format!(
            r#" {{ "payload" : {{ "script":{{}}, "b":[ true , "\u00e9" ], "a":1.0 }} , "id":"{id}" }} "#
        ),
        format!(
            r#"{{"id":"{}","payload":{{"b":[true,"é"],"a":1e0,"script":{{}}}}}}"#,
            id.to_uppercase()
        ),
    ];
    for (index, body) in spellings.into_iter().enumerate() {
        let answer = rig.client.post_text("/v1/transactions", body, &[]).await;
        expect_a_view(&answer, &id);
        assert_eq!(answer.is_replay(), index > 0);
    }
    rig.audit(&id).await;
    assert_eq!(rig.posts(&id).len(), 1);
}

// ---- by key ----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_key_without_an_id_names_the_transaction_quoted_or_bare() {
    let mut rig = Rig::start().await;
    let body = json!({"payload": {"script": {}}});
    let post = |rig: &Rig, key: String| {
        let (client, body) = (rig.client.clone(), body.clone());
        async move {
            client
                .post_with("/v1/transactions", &body, &[("idempotency-key", &key)])
                .await
        }
    };
    let key = format!("order-{}", new_id());
    let first = post(&rig, key.clone()).await;
    assert_eq!((first.status, first.is_replay()), (202, false), "{first:?}");
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    for spelling in [key.clone(), format!("\"{key}\"")] {
        let again = post(&rig, spelling).await;
        assert!(again.is_replay(), "{again:?}");
        expect_a_view(&again, &id);
    }
    let at_once = join_all((0..10).map(|_| post(&rig, format!("{key}-2")))).await;
    let replays = at_once.iter().filter(|answer| answer.is_replay()).count();
    assert_eq!(replays, 9, "{at_once:?}");
    let second = at_once[0].json()["id"].as_str().expect("an id").to_owned();
    assert_ne!(second, id);
    rig.restart_teller().await;
    expect_a_view(&post(&rig, key).await, &id);
    for id in [&id, &second] {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

#[tokio::test]
async fn an_id_decides_and_must_not_be_another_than_the_keys() {
    let rig = Rig::start().await;
    let key = new_id();
    let header = [("idempotency-key", key.as_str())];
    let without_id = json!({"payload": {"script": {}}});
    let named = rig
        .client
        .post_with("/v1/transactions", &without_id, &header)
        .await;
    let named = named.json()["id"].as_str().expect("an id").to_owned();
    let other = new_id();
    let refused = rig
        .client
        .post_with("/v1/transactions", &payment(&other, json!({})), &header)
        .await;
    refused.expect_problem(422, "key_of_another_transaction");
    rig.client
        .get(&format!("/v1/transactions/{other}"))
        .await
        .expect_problem(404, "unknown_transaction");
    let same = rig
        .client
        .post_with("/v1/transactions", &payment(&named, json!({})), &header)
        .await;
    assert!(same.is_replay(), "{same:?}");
    let fresh = [("idempotency-key", "never-used-before")];
    let accepted = rig
        .client
        .post_with("/v1/transactions", &payment(&other, json!({})), &fresh)
        .await;
    expect_a_view(&accepted, &other);
    for id in [&named, &other] {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_came_with_an_id_finds_it_alone_later_and_never_names_another() {
    let mut rig = Rig::start().await;
    let (id, key) = (new_id(), new_id());
    let header = [("idempotency-key", key.as_str())];
    let with_id = payment(&id, json!({}));
    let without_id = json!({"payload": {"script": {}}});
    let first = rig
        .client
        .post_with("/v1/transactions", &with_id, &header)
        .await;
    assert!(!first.is_replay(), "{first:?}");
    for restarted in [false, true] {
        if restarted {
            rig.restart_teller().await;
        }
        for body in [&with_id, &without_id] {
            let again = rig.client.post_with("/transaction", body, &header).await;
            assert!(again.is_replay(), "{again:?}");
            expect_a_view(&again, &id);
        }
        let other = payment(&new_id(), json!({}));
        let refused = rig
            .client
            .post_with("/v1/transactions", &other, &header)
            .await;
        refused.expect_problem(422, "key_of_another_transaction");
    }
    rig.audit(&id).await;
    assert_eq!(rig.mock().ledger().executions.len(), 1);
}

/// Whoever comes first under one key, with an id, with another, or with none: the others join it or
/// are refused, and one payment is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_under_one_key_are_one_transaction() {
    const ROUNDS: usize = 10;
    let rig = Rig::start().await;
    for round in 0..ROUNDS {
        let key = new_id();
        let header = [("idempotency-key", key.as_str())];
        let bodies = [
            payment(&new_id(), json!({})),
            payment(&new_id(), json!({})),
            json!({"payload": {"script": {}}}),
        ];
        let posts = (0..12).map(|index| {
            let body = &bodies[index % (2 + round % 2)];
            rig.client.post_with(DOORS[index % 2], body, &header)
        });
        let answers = join_all(posts).await;
        let mut accepted = Vec::new();
        for answer in &answers {
            match answer.status {
                200 | 202 => accepted.push(answer.json()["id"].as_str().expect("an id").to_owned()),
                // Neither this nor that was decided; a client sends it again.
                503 => assert!(answer.header("retry-after").is_some(), "{answer:?}"),
                _ => {
                    answer.expect_problem(422, "key_of_another_transaction");
                }
            }
        }
        accepted.dedup();
        assert_eq!(accepted.len(), 1, "{answers:?}");
        rig.audit(&accepted[0]).await;
        let posts = rig.mock().ledger().executions.len();
        assert_eq!(posts, round + 1, "a key was paid for twice");
    }
}

#[tokio::test]
async fn an_illegal_key_is_refused_before_anything_is_kept() {
    let rig = Rig::start().await;
    let id = new_id();
    for key in ["\"open", "two words", "\"\"", &"k".repeat(256)] {
        let header = [("idempotency-key", key)];
        let answer = rig
            .client
            .post_with("/v1/transactions", &payment(&id, json!({})), &header)
            .await;
        let problem = answer.expect_problem(400, "invalid_field");
        assert_eq!(
            problem["errors"][0]["pointer"], "header:Idempotency-Key",
            "{key}"
        );
    }
    rig.client
        .get(&format!("/v1/transactions/{id}"))
        .await
        .expect_problem(404, "unknown_transaction");
}
