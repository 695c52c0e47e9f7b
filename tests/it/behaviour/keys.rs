//! Keys: which door opens to whom, and in which words it stays shut.

use reqwest::Method;
use serde_json::json;
use teller::config::NewKey;

use crate::support::{Answer, Client, Rig, app_key, new_id, operator_key, put};

/// A method and a path.
type Door = (Method, String);

/// A teller of one app, that app's key, and an operators' key.
async fn locked() -> (Rig, NewKey, NewKey) {
    let (app, operator) = (app_key("shop"), operator_key());
    let rig = Rig::start_with(|setup| setup.let_in(&[("shop", &app)], &operator)).await;
    (rig, app, operator)
}

/// Doors that an app's key opens, and doors that an operator's key opens.
fn doors(id: &str) -> (Vec<Door>, Vec<Door>) {
    let transaction = format!("/v1/transactions/{id}");
    let apps = vec![
        (Method::POST, "/v1/transactions".to_owned()),
        (Method::POST, "/transaction".to_owned()),
        (Method::GET, "/v1/transactions".to_owned()),
        (Method::GET, transaction.clone()),
        (Method::GET, format!("{transaction}/events")),
        (Method::POST, format!("{transaction}/cancel")),
    ];
    let operators = vec![
        (Method::GET, "/v1/actors".to_owned()),
        (Method::GET, format!("/v1/actors/{id}")),
        (Method::GET, "/v1/providers".to_owned()),
        (Method::GET, "/v1/review".to_owned()),
        (Method::POST, format!("{transaction}/inquire")),
        (Method::POST, format!("{transaction}/resubmit")),
        (Method::POST, format!("{transaction}/resolve")),
    ];
    (apps, operators)
}

async fn knock(client: &Client, door: &Door) -> Answer {
    let (method, path) = door;
    let request = client.request(method.clone(), path);
    let request = request.header("content-type", "application/json");
    Client::send(request.body(if *method == Method::POST { "{}" } else { "" })).await
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

// ---- without a key -----------------------------------------------------------------------------------

#[tokio::test]
async fn every_door_but_health_and_webhooks_needs_a_key_once_there_is_one() {
    let (rig, app, operator) = locked().await;
    let id = new_id();
    rig.client.with_key(&app.text).paid(&id, json!({})).await;
    let (apps, operators) = doors(&id);
    for door in apps.iter().chain(&operators) {
        let answer = knock(&rig.client, door).await;
        let problem = answer.expect_problem(401, "no_key");
        assert_eq!(challenge(&answer), "Bearer realm=\"teller\"", "{door:?}");
        assert_eq!(problem["errors"][0]["pointer"], "header:Authorization");
    }
    for path in ["/livez", "/readyz"] {
        assert_eq!(rig.client.get(path).await.status, 200, "{path}");
    }
    let webhook = json!({"id": id, "status": "completed"});
    let answer = rig.client.post("/webhooks/reference", &webhook).await;
    assert_ne!(answer.status, 401, "{answer:?}");
    // What is no key is no key, whatever it looks like.
    let cut = &app.text[..app.text.len() - 1];
    let of_another = operator_key().text;
    let confused = operator.text.replace("tlr_operator_", "tlr_app_");
    for wrong in [cut, &of_another, &confused, "x", "tlr_app_"] {
        for door in apps.iter().chain(&operators) {
            let answer = knock(&rig.client.with_key(wrong), door).await;
            answer.expect_problem(401, "unknown_key");
            assert_eq!(
                challenge(&answer),
                "Bearer realm=\"teller\", error=\"invalid_token\""
            );
            assert!(
                !answer.text.contains(wrong) || wrong.len() < 2,
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_comes_as_a_bearer_token_and_once() {
    let (rig, app, _) = locked().await;
    let list = |values: &[String]| {
        let request = rig.client.request(Method::GET, "/v1/transactions");
        let request = values.iter().fold(request, |request, value| {
            request.header("authorization", value)
        });
        Client::send(request)
    };
    let key = &app.text;
    for right in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        format!("BEARER   {key} "),
    ] {
        let answer = list(&[right]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for (wrong, code) in [
        (vec![key.clone()], "no_key"),
        (vec![format!("Basic {key}")], "no_key"),
        (vec!["Bearer".to_owned()], "no_key"),
        (vec![format!("Bearer {key} {key}")], "unknown_key"),
        (vec![format!("Bearer {key}x")], "unknown_key"),
        (
            vec![format!("Bearer {key}"), format!("Bearer {key}")],
            "unknown_key",
        ),
    ] {
        list(&wrong).await.expect_problem(401, code);
    }
}

#[tokio::test]
async fn who_has_no_key_learns_nothing_and_changes_nothing() {
    let (rig, app, _) = locked().await;
    let id = new_id();
    rig.client
        .pay(&id, json!({}))
        .await
        .expect_problem(401, "no_key");
    // The key is looked at before the body.
    let nonsense = rig
        .client
        .post_text("/v1/transactions", "{".repeat(1_000_000), &[])
        .await;
    nonsense.expect_problem(401, "no_key");
    let app = rig.client.with_key(&app.text);
    let path = format!("/v1/transactions/{id}");
    app.get(&path)
        .await
        .expect_problem(404, "unknown_transaction");
    assert!(rig.mock().ledger().executions.is_empty());
}

// ---- roles -------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_apps_key_does_not_open_the_operators_doors() {
    let (rig, app, operator) = locked().await;
    let (app, operator) = (
        rig.client.with_key(&app.text),
        rig.client.with_key(&operator.text),
    );
    let id = new_id();
    app.paid(&id, json!({})).await;
    app.wait_until_final(&id).await;
    let (_, operators) = doors(&id);
    for door in &operators {
        let answer = knock(&app, door).await;
        answer.expect_problem(403, "wrong_role");
        assert!(
            challenge(&answer).contains("insufficient_scope"),
            "{door:?}: {answer:?}"
        );
        let answer = knock(&operator, door).await;
        assert!(!matches!(answer.status, 401 | 403), "{door:?}: {answer:?}");
    }
    for path in ["/v1/transactions", "/transaction"] {
        let answer = operator.post(path, &json!({"id": new_id()})).await;
        answer.expect_problem(403, "wrong_role");
    }
    // With one app its name needn't be said.
    assert_eq!(operator.read(&id).await["status"], "completed");
    assert_eq!(
        operator.history(&id).await.len(),
        app.history(&id).await.len()
    );
}

#[tokio::test]
async fn what_is_done_by_key_is_kept_with_the_keys_id() {
    let (rig, app_key, operator_key) = locked().await;
    let (app, operator) = (
        rig.client.with_key(&app_key.text),
        rig.client.with_key(&operator_key.text),
    );
    let id = new_id();
    // Nothing is known of it for a whole ghost window, in which a person may act.
    app.paid(&id, json!({"answer": "hang"})).await;
    app.wait_until_state(&id, "unknown").await;
    let nameless =
        json!({"why": "seen in their portal", "outcome": "completed", "while_open": true});
    let answer = operator.act(&id, "resolve", &nameless).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let history = operator.history(&id).await;
    let signed = history.iter().any(|record| {
        record.to_string().contains(&format!(
            "\"by\":\"operator key {}\"",
            operator_key.config.id
        ))
    });
    assert!(signed, "{history:?}");
    let other = new_id();
    app.paid(&other, json!({"answer": "hang"})).await;
    app.wait_until_state(&other, "unknown").await;
    let named = json!({
        "by": "ann", "why": "seen in their portal", "outcome": "completed", "while_open": true
    });
    let answer = operator.act(&other, "resolve", &named).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let history = operator.history(&other).await;
    let signed = format!("ann (operator key {})", operator_key.config.id);
    assert!(
        history
            .iter()
            .any(|record| record.to_string().contains(&signed)),
        "{history:?}"
    );
    for record in &history {
        assert!(!record.to_string().contains(&operator_key.text));
    }
}

// ---- several keys ------------------------------------------------------------------------------------

#[tokio::test]
async fn several_keys_are_valid_at_once_until_one_is_taken_out() {
    let (old, new, operator) = (app_key("shop"), app_key("shop"), operator_key());
    let mut rig = Rig::set_up(|setup| {
        setup.let_in(&[("shop", &old)], &operator);
        let line = |key: &NewKey| -> toml::Value {
            let table: toml::Table = key.line().parse().expect("TOML");
            table["keys"][0].clone()
        };
        let mut table: toml::Table = old.line().parse().expect("TOML");
        put(&mut table, "keys", vec![line(&old), line(&new)]);
        put(&mut table, "name", "shop");
        put(&mut setup.config, "app", table);
    })
    .await;
    rig.start_teller().await;
    let id = new_id();
    rig.client.with_key(&old.text).paid(&id, json!({})).await;
    let view = rig.client.with_key(&new.text).read(&id).await;
    assert_eq!(view["id"], json!(id));
    let text = std::fs::read_to_string(rig.config_file()).expect("readable");
    let mut config: toml::Table = text.parse().expect("TOML");
    let keys = config["app"]["keys"].as_array_mut().expect("a list");
    keys.remove(0);
    std::fs::write(rig.config_file(), config.to_string()).expect("writable");
    rig.reload();
    rig.restart_teller().await;
    let path = format!("/v1/transactions/{id}");
    let answer = rig.client.with_key(&old.text).get(&path).await;
    answer.expect_problem(401, "unknown_key");
    assert_eq!(rig.client.with_key(&new.text).get(&path).await.status, 200);
}
