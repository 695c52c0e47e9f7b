//! Several apps at one teller: each has its own ids, keys and lists, and operators see all of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Rig, app_key, eventually, new_id, operator_key, payment, put};

/// A teller of two apps, and a client for each and for an operator.
async fn two_apps() -> (Rig, Client, Client, Client) {
    let (shop, fuel, operator) = (app_key("shop"), app_key("fuel"), operator_key());
    let rig = Rig::start_with(|setup| {
        setup.let_in(&[("shop", &shop), ("fuel", &fuel)], &operator);
        put(&mut setup.config, "bounds.linger", "10m");
    })
    .await;
    let client = |key: &str| rig.client.with_key(key);
    let clients = (
        client(&shop.text),
        client(&fuel.text),
        client(&operator.text),
    );
    (rig, clients.0, clients.1, clients.2)
}

fn ids(page: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let lines = page["data"].as_array().expect("a list").iter();
    lines
        .map(|line| (text(&line["app"]), text(&line["id"])))
        .collect()
}

#[tokio::test]
async fn an_id_is_one_transaction_per_app() {
    let (rig, shop, fuel, _) = two_apps().await;
    let id = new_id();
    shop.paid(&id, json!({"status": "completed"})).await;
    let path = format!("/v1/transactions/{id}");
    for door in [path.clone(), format!("{path}/events")] {
        fuel.get(&door)
            .await
            .expect_problem(404, "unknown_transaction");
    }
    fuel.act(&id, "cancel", &json!({}))
        .await
        .expect_problem(404, "unknown_transaction");
    // The other app's request under this id is another one, and not compared with the first.
    let own = fuel.pay(&id, json!({"status": "declined"})).await;
    assert!(
        matches!(own.status, 200 | 202) && !own.is_replay(),
        "{own:?}"
    );
    assert_eq!(shop.wait_until_final(&id).await["status"], "completed");
    fuel.wait_until_final(&id).await;
    assert_eq!(rig.posts(&id).len(), 2);
    assert!(
        shop.pay(&id, json!({"status": "completed"}))
            .await
            .is_replay()
    );
}

#[tokio::test]
async fn an_idempotency_key_is_one_apps_own() {
    let (_rig, shop, fuel, _) = two_apps().await;
    let (idempotency_key, mut body) = (new_id(), payment("", json!({})));
    body.as_object_mut().expect("an object").remove("id");
    let header = [("idempotency-key", idempotency_key.as_str())];
    let mut seen = BTreeSet::new();
    for app in [&shop, &fuel] {
        let first = app.post_with("/v1/transactions", &body, &header).await;
        let again = app.post_with("/transaction", &body, &header).await;
        assert!(
            !first.is_replay() && again.is_replay(),
            "{first:?} {again:?}"
        );
        assert_eq!(first.json()["id"], again.json()["id"]);
        seen.insert(first.json()["id"].as_str().expect("an id").to_owned());
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn an_app_sees_its_own_and_an_operator_sees_all() {
    let (_rig, shop, fuel, operator) = two_apps().await;
    let (of_shop, of_fuel) = (new_id(), new_id());
    shop.paid(&of_shop, json!({})).await;
    fuel.paid(&of_fuel, json!({})).await;
    let of_shop = ("shop".to_owned(), of_shop);
    let of_fuel = ("fuel".to_owned(), of_fuel);
    let all = BTreeSet::from([of_shop.clone(), of_fuel.clone()]);
    eventually("both are in the archive", || async {
        let page = operator.get("/v1/transactions").await.json();
        (ids(&page) == all).then_some(())
    })
    .await;
    let listed = async |client: &Client, query: &str| {
        let answer = client.get(&format!("/v1/transactions{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        ids(&answer.json())
    };
    let one = |line: &(String, String)| BTreeSet::from([line.clone()]);
    assert_eq!(listed(&shop, "").await, one(&of_shop));
    assert_eq!(listed(&shop, "?app=shop").await, one(&of_shop));
    assert_eq!(listed(&fuel, "").await, one(&of_fuel));
    assert_eq!(listed(&operator, "?app=fuel").await, one(&of_fuel));
    let other = shop.get("/v1/transactions?app=fuel").await;
    other.expect_problem(403, "wrong_role");
    let path = format!("/v1/transactions/{}?app=fuel", of_fuel.1);
    shop.get(&path)
        .await
        .expect_problem(404, "unknown_transaction");
    assert_eq!(operator.get(&path).await.status, 200);
}

#[tokio::test]
async fn an_operator_names_the_app_of_an_id() {
    let (_rig, shop, _, operator) = two_apps().await;
    let id = new_id();
    shop.paid(&id, json!({})).await;
    shop.wait_until_final(&id).await;
    for path in [
        format!("/v1/transactions/{id}"),
        format!("/v1/transactions/{id}/events"),
        format!("/v1/actors/{id}"),
    ] {
        let problem = operator
            .get(&path)
            .await
            .expect_problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "query:app");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("shop, fuel"), "{detail}");
        assert_eq!(operator.get(&format!("{path}?app=shop")).await.status, 200);
        operator
            .get(&format!("{path}?app=fuel"))
            .await
            .expect_problem(404, "unknown_transaction");
        let misspelt = operator.get(&format!("{path}?app=No%20Shop")).await;
        misspelt.expect_problem(400, "invalid_field");
    }
    let act = format!("/v1/transactions/{id}/inquire");
    let answer = operator.post(&act, &json!({})).await;
    answer.expect_problem(400, "invalid_field");
    let answer = operator.post(&format!("{act}?app=shop"), &json!({})).await;
    assert!(matches!(answer.status, 200 | 409), "{answer:?}");
}

#[tokio::test]
async fn actors_are_listed_over_all_apps_page_by_page() {
    let (_rig, shop, fuel, operator) = two_apps().await;
    let mut expected = BTreeSet::new();
    for (name, app) in [("shop", &shop), ("fuel", &fuel)] {
        for _ in 0..3 {
            let id = new_id();
            app.paid(&id, json!({})).await;
            expected.insert((name.to_owned(), id));
        }
    }
    let mut seen = BTreeSet::new();
    let mut path = "/v1/actors?limit=2".to_owned();
    loop {
        let page = operator.get(&path).await.json();
        seen.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/actors?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, expected);
    for cursor in ["shop", "shop/7", "No/0190a8e2-0000-7000-8000-000000000000"] {
        let answer = operator.get(&format!("/v1/actors?cursor={cursor}")).await;
        let problem = answer.expect_problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "query:cursor");
    }
}

#[tokio::test]
async fn each_app_is_told_in_its_own_words_or_not_at_all() {
    let names = ["shop", "fuel", "mute"];
    let keys = names.map(app_key);
    let operator = operator_key();
    let rig = Rig::start_with(|setup| {
        let apps: Vec<_> = names.into_iter().zip(&keys).collect();
        setup.let_in(&apps, &operator);
        let url = format!("http://127.0.0.1:{}/transaction", setup.app.port);
        let tables = setup.config["app"].as_array_mut().expect("a list");
        for (table, word) in tables.iter_mut().zip(["accepted", "paid"]) {
            let table = table.as_table_mut().expect("a table");
            let words = format!("completed = '{word}'\ndeclined = 'd'\nfailed = 'f'");
            let words: toml::Table = words.parse().expect("TOML");
            put(table, "notify.url", url.as_str());
            put(table, "notify.allow", vec!["127.0.0.1"]);
            put(table, "notify.words", words);
        }
    })
    .await;
    let mut ids = Vec::new();
    for key in &keys {
        let id = new_id();
        let client = rig.client.with_key(&key.text);
        client.paid(&id, json!({"status": "completed"})).await;
        client.wait_until_final(&id).await;
        ids.push(id);
    }
    for (id, word) in ids.iter().zip(["accepted", "paid"]) {
        let told = rig.wait_until_told(id, 1).await;
        assert_eq!(told[0].status.as_deref(), Some(word), "{told:?}");
    }
    let seen = rig.client.with_key(&operator.text);
    let path = format!("/v1/actors/{}?app=mute", ids[2]);
    let untold = seen.get(&path).await.json();
    assert!(untold["notification"].is_null(), "{untold}");
    assert!(rig.told(&ids[2]).is_empty());
}

#[tokio::test]
async fn a_hint_reaches_the_app_whose_transaction_it_is_about() {
    let (rig, shop, fuel, operator) = two_apps().await;
    let id = new_id();
    fuel.paid(&id, json!({"answer": "hang", "ghost_after_ms": 1_000}))
        .await;
    fuel.wait_until_state(&id, "unknown").await;
    let hint = json!({"id": id, "status": "completed"});
    let answer = rig.client.post("/webhooks/reference", &hint).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // It proves nothing; the provider is asked, and says it.
    let view = fuel.wait_until_final(&id).await;
    assert_eq!(view["outcome"]["source"], "inquiry", "{view}");
    let path = format!("/v1/transactions/{id}");
    shop.get(&path)
        .await
        .expect_problem(404, "unknown_transaction");
    let of_shop = operator.get(&format!("/v1/actors/{id}?app=shop")).await;
    of_shop.expect_problem(404, "unknown_transaction");
}
