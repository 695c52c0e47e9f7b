//! The operators' doors: the inbox of webhooks that nobody has claimed, and the switch of each place
//! where an app is told.

use reqwest::Method;
use serde_json::{Value, json};
use teller::ports::Kept;
use teller::transaction::{Amount, Finding, Report, ReportedAmount, Timestamp};

use crate::support::{Client, Rig, new_id, operator_key, put};

fn kept(provider: &str, event_id: &str) -> Kept {
    Kept {
        provider: provider.to_owned(),
        event_id: event_id.to_owned(),
        references: vec!["their-7".to_owned()],
        received_at: "2026-01-31T12:00:00Z"
            .parse::<Timestamp>()
            .expect("RFC 3339"),
        attempt: Some(1),
        report: Report::bare(Finding::Completed),
        body: "{\"id\":\"their-7\"}".to_owned(),
    }
}

async fn keep(rig: &Rig, provider: &str, event_id: &str) {
    let journal = &rig.teller().house.journal;
    let kept = journal.keep(kept(provider, event_id)).await;
    kept.expect("room for it");
}

fn event_ids(page: &Value) -> Vec<&str> {
    let rows = page["data"].as_array().expect("a list").iter();
    rows.map(|row| row["event_id"].as_str().expect("text"))
        .collect()
}

// ---- the inbox ---------------------------------------------------------------------------------------

#[tokio::test]
async fn what_nobody_claims_is_shown_and_can_be_dismissed() {
    let rig = Rig::start().await;
    let empty = rig.client.get("/v1/inbox").await.json();
    assert_eq!((&empty["data"], &empty["total"]), (&json!([]), &json!(0)));
    // Event ids are the provider's own and may hold anything.
    for event_id in ["one", "two/2", "three 3?"] {
        keep(&rig, "reference", event_id).await;
    }
    keep(&rig, "other", "one").await;
    let all = rig.client.get("/v1/inbox").await.json();
    assert_eq!(event_ids(&all), ["one", "three 3?", "two/2", "one"]);
    let row = &all["data"][0];
    for (field, value) in [
        ("provider", json!("other")),
        ("references", json!(["their-7"])),
        ("received_at", json!("2026-01-31T12:00:00.000Z")),
        ("attempt", json!(1)),
        ("body", json!("{\"id\":\"their-7\"}")),
    ] {
        assert_eq!(row[field], value, "{row}");
    }
    let path = "/v1/inbox?provider=reference&limit=2";
    let first = rig.client.get(path).await;
    let page = first.json();
    assert_eq!(event_ids(&page), ["three 3?", "two/2"]);
    assert_eq!(
        (&page["total"], &page["has_more"]),
        (&json!(3), &json!(true))
    );
    let link = first.header("link").expect("there is more");
    let next = link.split(['<', '>']).nth(1).expect("<target>");
    let rest = rig.client.get(next).await.json();
    assert_eq!(event_ids(&rest), ["one"]);
    assert_eq!(rest["has_more"], false);
    for event_id in ["two%2F2", "three%203%3F", "two%2F2"] {
        let path = format!("/v1/inbox/reference/{event_id}/dismiss");
        let answer = rig.client.post(&path, &json!({})).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    let left = rig.client.get("/v1/inbox").await.json();
    assert_eq!(event_ids(&left), ["one", "one"]);
    for query in ["limit=0", "cursor=x", "whose=mine"] {
        let answer = rig.client.get(&format!("/v1/inbox?{query}")).await;
        answer.expect_problem(400, "invalid_field");
    }
}

/// Law 5, at the operator's door: a dismissal of one statement leaves the one that contradicts it.
#[tokio::test]
async fn of_two_statements_under_one_event_id_both_are_shown_and_one_can_be_dismissed() {
    let rig = Rig::start().await;
    let journal = &rig.teller().house.journal;
    let completed = kept("reference", "one");
    let declined = Kept {
        report: Report::bare(Finding::Declined),
        ..completed.clone()
    };
    let other_amount = Kept {
        report: Report {
            amount: Some(ReportedAmount::Read(Amount {
                value: 600,
                currency: "EUR".to_owned(),
            })),
            ..Report::bare(Finding::Completed)
        },
        ..completed.clone()
    };
    for webhook in [&completed, &declined, &other_amount, &declined] {
        journal.keep(webhook.clone()).await.expect("room for it");
    }
    let statements = async || {
        let page = rig.client.get("/v1/inbox").await.json();
        let rows = page["data"].as_array().expect("a list").iter();
        rows.map(|row| row["statement"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
    };
    let all = ["completed 600 EUR", "declined", "completed"];
    assert_eq!(statements().await, all);
    let dismiss = async |query: &str| {
        let path = format!("/v1/inbox/reference/one/dismiss{query}");
        rig.client.post(&path, &json!({})).await
    };
    let answer = dismiss("?statement=completed%20600%20EUR").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(statements().await, all[1..]);
    let answer = dismiss("?finding=declined").await;
    answer.expect_problem(400, "invalid_field");
    assert_eq!(statements().await, all[1..]);
    assert_eq!(dismiss("").await.status, 204);
    assert!(
        statements().await.is_empty(),
        "the event has gone as a whole"
    );
}

// ---- where apps are told -----------------------------------------------------------------------------

async fn endpoint(client: &Client) -> Value {
    let answer = client.get("/v1/endpoints").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json();
    let [endpoint] = list["data"].as_array().expect("a list").as_slice() else {
        panic!("one endpoint: {list}");
    };
    endpoint.clone()
}

#[tokio::test]
async fn an_endpoint_is_disabled_and_enabled_by_hand_beyond_a_restart() {
    let mut rig = Rig::start_with(|setup| setup.tell_by_template(&["0s", "10s"])).await;
    let told = new_id();
    rig.client.paid(&told, json!({})).await;
    rig.wait_until_told(&told, 1).await;
    let healthy = endpoint(&rig.client).await;
    assert_eq!(
        (&healthy["app"], &healthy["state"]),
        (&json!("shop"), &json!("ok"))
    );
    let disable = "/v1/endpoints/shop/disable";
    let nameless = rig.client.post(disable, &json!({})).await;
    let problem = nameless.expect_problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/why");
    let body = json!({"by": "ann", "why": "it moves house"});
    let answer = rig.client.post(disable, &body).await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (200, &json!("disabled"))
    );
    let untold = new_id();
    rig.client.paid(&untold, json!({})).await;
    rig.client.wait_until_final(&untold).await;
    rig.restart_teller().await;
    let disabled = endpoint(&rig.client).await;
    assert_eq!(disabled["state"], "disabled", "{disabled}");
    assert_eq!(disabled["why"], "it moves house, says ann", "{disabled}");
    assert!(rig.told(&untold).is_empty());
    let answer = rig
        .client
        .post("/v1/endpoints/shop/enable", &json!({}))
        .await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (200, &json!("ok"))
    );
    let again = new_id();
    rig.client.paid(&again, json!({})).await;
    rig.wait_until_told(&again, 1).await;
    for command in ["enable", "disable"] {
        let path = format!("/v1/endpoints/nobody/{command}");
        let answer = rig.client.post(&path, &body).await;
        answer.expect_problem(404, "unknown_endpoint");
    }
}

#[tokio::test]
async fn the_operators_new_doors_take_their_methods_and_their_keys() {
    let operator = operator_key();
    let app = crate::support::app_key("shop");
    let rig = Rig::start_with(|setup| {
        setup.let_in(&[("shop", &app)], &operator);
        put(&mut setup.config, "bounds.linger", "10m");
    })
    .await;
    for (method, path) in [
        (Method::GET, "/v1/inbox"),
        (Method::POST, "/v1/inbox/reference/7/dismiss"),
        (Method::GET, "/v1/endpoints"),
        (Method::POST, "/v1/endpoints/shop/enable"),
        (Method::POST, "/v1/endpoints/shop/disable"),
    ] {
        let knock =
            async |client: &Client| Client::send(client.request(method.clone(), path)).await;
        knock(&rig.client).await.expect_problem(401, "no_key");
        let of_app = knock(&rig.client.with_key(&app.text)).await;
        of_app.expect_problem(403, "wrong_role");
        let answer = knock(&rig.client.with_key(&operator.text)).await;
        assert!(!matches!(answer.status, 401 | 403), "{path}: {answer:?}");
        let wrong = Client::send(rig.client.request(Method::PATCH, path)).await;
        wrong.expect_problem(405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), Some(method.as_str()), "{path}");
    }
}
