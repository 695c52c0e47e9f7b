//! What the doors refuse, and in which words: every error is a whole problem.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Rig, new_id};

// ---- requests ----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_request_that_is_not_as_it_should_be_is_refused_by_name() {
    let rig = Rig::start().await;
    let id = new_id();
    let deep = (0..40).fold(json!(1), |inner, _| json!({ "in": inner }));
    let cases: Vec<(Value, &str, &str, &str)> = vec![
        (json!({}), "no_identity", "/id", "Idempotency-Key"),
        (json!({"payload": {}}), "no_identity", "/id", "pay twice"),
        (json!([]), "invalid_field", "", "object"),
        (json!("text"), "invalid_field", "", "object"),
        (json!({"id": 7}), "invalid_field", "/id", "a number"),
        (json!({"id": "order-7"}), "invalid_field", "/id", "UUID"),
        (
            json!({"id": "00000000-0000-0000-0000-000000000000"}),
            "invalid_field",
            "/id",
            "nil",
        ),
        (
            json!({"id": id, "provider": "nobody"}),
            "invalid_field",
            "/provider",
            "reference",
        ),
        (
            json!({"id": id, "provider": 1}),
            "invalid_field",
            "/provider",
            "a number",
        ),
        (
            json!({"id": id, "amount": 5}),
            "invalid_field",
            "/amount",
            "currency",
        ),
        (
            json!({"id": id, "amount": {"value": 1.5, "currency": "EUR"}}),
            "invalid_field",
            "/amount/value",
            "1.5",
        ),
        (
            json!({"id": id, "amount": {"value": -1, "currency": "EUR"}}),
            "invalid_field",
            "/amount/value",
            "negative",
        ),
        (
            json!({"id": id, "amount": {"value": "1", "currency": "EUR"}}),
            "invalid_field",
            "/amount/value",
            "a string",
        ),
        (
            json!({"id": id, "amount": {"value": 1, "currency": "eur"}}),
            "invalid_field",
            "/amount/currency",
            "ISO 4217",
        ),
        (
            json!({"id": id, "amount": {"value": 1}}),
            "invalid_field",
            "/amount/currency",
            "missing",
        ),
        (
            json!({"id": id, "amount": {"value": 1, "currency": "EUR", "x": 1}}),
            "invalid_field",
            "/amount/x",
            "neither",
        ),
        (
            json!({"id": id, "submit_by": "tomorrow"}),
            "invalid_field",
            "/submit_by",
            "RFC 3339",
        ),
        (
            json!({"id": id, "submit_by": 1}),
            "invalid_field",
            "/submit_by",
            "RFC 3339",
        ),
        (
            json!({"id": id, "payload": [1]}),
            "invalid_field",
            "/payload",
            "an array",
        ),
        (
            json!({"id": id, "payload": deep}),
            "invalid_field",
            "/payload",
            "deep",
        ),
        (
            json!({"id": id, "submit_bye": "x"}),
            "invalid_field",
            "/submit_bye",
            "did you mean \"submit_by\"",
        ),
        (
            json!({"id": id, "Payload": {}}),
            "invalid_field",
            "/Payload",
            "did you mean \"payload\"",
        ),
        (
            json!({"id": id, "card_number": "x"}),
            "invalid_field",
            "/card_number",
            "belongs into \"payload\"",
        ),
    ];
    for (body, code, pointer, word) in &cases {
        for door in ["/v1/transactions", "/transaction"] {
            let problem = rig.client.post(door, body).await.expect_problem(400, code);
            assert_eq!(
                problem["errors"][0]["pointer"], *pointer,
                "{body}: {problem}"
            );
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(word), "{body}: {detail}");
        }
    }
    let unknown = rig.client.get(&format!("/v1/transactions/{id}")).await;
    unknown.expect_problem(404, "unknown_transaction");
    assert!(rig.mock().ledger().executions.is_empty());
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let rig = Rig::start().await;
    for body in [
        "",
        "{",
        "{\"id\":",
        "nope",
        "\u{feff}{}",
        "{} {}",
        "{\"id\": \"\\ud800\"}",
    ] {
        let answer = rig
            .client
            .post_text("/v1/transactions", body.to_owned(), &[])
            .await;
        answer.expect_problem(400, "malformed_json");
    }
    let request = rig.client.request(Method::POST, "/v1/transactions");
    let bytes = vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'];
    let answer = Client::send(
        request
            .header("content-type", "application/json")
            .body(bytes),
    )
    .await;
    answer.expect_problem(400, "malformed_json");
}

#[tokio::test]
async fn a_body_has_to_be_declared_as_json() {
    let rig = Rig::start().await;
    let body = json!({"id": new_id(), "payload": {"script": {}}}).to_string();
    let with_type = |declared: Option<&'static str>| {
        let request = rig
            .client
            .request(Method::POST, "/v1/transactions")
            .body(body.clone());
        match declared {
            Some(declared) => request.header("content-type", declared),
            None => request,
        }
    };
    for declared in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("json"),
    ] {
        let answer = Client::send(with_type(declared)).await;
        let problem = answer.expect_problem(415, "unsupported_media_type");
        assert_eq!(problem["errors"][0]["pointer"], "header:Content-Type");
    }
    for declared in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.shop+json",
    ] {
        let answer = Client::send(with_type(Some(declared))).await;
        assert!(matches!(answer.status, 200 | 202), "{declared}: {answer:?}");
    }
}

// ---- paths and methods -------------------------------------------------------------------------------

#[tokio::test]
async fn unknown_paths_and_ids_get_404() {
    let rig = Rig::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/transaction",
        "/v2/transactions",
        "/transaction/",
        "/v1/transactions/a/b/c",
    ] {
        rig.client
            .get(path)
            .await
            .expect_problem(404, "no_such_path");
        rig.client
            .post(path, &json!({}))
            .await
            .expect_problem(404, "no_such_path");
    }
    let id = new_id();
    for path in [
        format!("/v1/transactions/{id}"),
        format!("/v1/transactions/{id}/events"),
        format!("/v1/actors/{id}"),
    ] {
        let problem = rig
            .client
            .get(&path)
            .await
            .expect_problem(404, "unknown_transaction");
        assert!(
            problem["detail"].as_str().unwrap_or_default().contains(&id),
            "{problem}"
        );
    }
    for command in ["cancel", "inquire"] {
        rig.client
            .act(&id, command, &json!({}))
            .await
            .expect_problem(404, "unknown_transaction");
    }
    for path in [
        "/v1/transactions/7",
        "/v1/transactions/7/events",
        "/v1/actors/7",
    ] {
        rig.client
            .get(path)
            .await
            .expect_problem(400, "invalid_field");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let rig = Rig::start().await;
    let id = new_id();
    let cases = [
        ("/v1/transactions".to_owned(), "GET, POST"),
        ("/transaction".to_owned(), "POST"),
        (format!("/v1/transactions/{id}"), "GET"),
        (format!("/v1/transactions/{id}/events"), "GET"),
        (format!("/v1/transactions/{id}/cancel"), "POST"),
        (format!("/v1/transactions/{id}/resolve"), "POST"),
        ("/v1/actors".to_owned(), "GET"),
        (format!("/v1/actors/{id}"), "GET"),
        ("/v1/providers".to_owned(), "GET"),
        ("/v1/review".to_owned(), "GET"),
        ("/webhooks/reference".to_owned(), "POST, PUT"),
        ("/webhooks/reference/token".to_owned(), "POST, PUT"),
        ("/webhook".to_owned(), "POST, PUT"),
        ("/livez".to_owned(), "GET"),
        ("/readyz".to_owned(), "GET"),
    ];
    for (path, allow) in &cases {
        for method in [Method::DELETE, Method::PATCH] {
            let answer = Client::send(rig.client.request(method, path)).await;
            answer.expect_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(*allow), "{path}");
        }
    }
}

#[tokio::test]
async fn every_problem_has_a_trace_of_its_own() {
    let rig = Rig::start().await;
    let first = rig
        .client
        .get("/nowhere")
        .await
        .expect_problem(404, "no_such_path");
    let second = rig
        .client
        .get("/nowhere")
        .await
        .expect_problem(404, "no_such_path");
    assert_ne!(first["trace_id"], second["trace_id"]);
    assert_ne!(first["instance"], second["instance"]);
    assert_eq!(first["type"], second["type"]);
}

// ---- acts and questions ------------------------------------------------------------------------------

#[tokio::test]
async fn acts_and_lists_name_the_field_that_is_wrong() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.client.wait_until_final(&id).await;
    let whole = json!({"by": "ann", "why": "seen in their portal", "outcome": "completed"});
    for (command, field, value) in [
        ("resolve", "by", Value::Null),
        ("resolve", "why", json!("  ")),
        ("resolve", "outcome", json!("paid")),
        ("resolve", "while_open", json!("yes")),
        ("resubmit", "by", Value::Null),
        ("cancel", "why", json!(5)),
    ] {
        let mut body = whole.clone();
        body[field] = value;
        let problem = rig
            .client
            .act(&id, command, &body)
            .await
            .expect_problem(400, "invalid_field");
        assert_eq!(
            problem["errors"][0]["pointer"],
            format!("/{field}"),
            "{problem}"
        );
    }
    for (query, pointer) in [
        ("limit=0", "query:limit"),
        ("limit=101", "query:limit"),
        ("limit=many", "query:limit"),
        ("status=paid", "query:status"),
        ("cursor=x", "query:cursor"),
    ] {
        let answer = rig.client.get(&format!("/v1/transactions?{query}")).await;
        let problem = answer.expect_problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let mismatch = [("if-match", "v1")];
    let path = format!("/v1/transactions/{id}/cancel");
    let answer = rig.client.post_with(&path, &json!({}), &mismatch).await;
    answer.expect_problem(400, "invalid_field");
}
