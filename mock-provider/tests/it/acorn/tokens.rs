//! Access tokens: how they are had, and how they end.

use std::time::Duration;

use super::*;

async fn inquire_with(url: &str, token: &str) -> Got {
    send(
        client()
            .get(format!("{url}/v2/charges/ch_1"))
            .bearer_auth(token),
    )
    .await
}

#[tokio::test]
async fn a_token_opens_the_doors() {
    let shop = shop(options()).await;
    let url = &shop.acorn.url;
    let got = ask_for_token(url).await;
    let body = got.json();
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("Bearer"), &json!(300))
    );
    assert_ne!(body["access_token"], json!(shop.token));
    for token in [&shop.token, body["access_token"].as_str().expect("a token")] {
        assert_eq!(inquire_with(url, token).await.code, 404, "both are valid");
    }

    let without = client().post(format!("{url}/v2/charges"));
    for refused in [
        send(as_form(without, &charge("o"))).await,
        get(url, "/v2/charges/ch_1").await,
        inquire_with(url, "at_unknown").await,
    ] {
        assert_eq!(refused.code, 401);
        assert_eq!(refused.json(), json!({"error": "invalid_token"}));
        let said = refused.headers["www-authenticate"].to_str();
        assert_eq!(said.ok(), Some("Bearer error=\"invalid_token\""));
    }
    assert_eq!(shop.entries("o"), []);
    let stats = shop.acorn.stats();
    assert_eq!((stats.tokens.requested, stats.tokens.issued), (2, 2));
    assert_eq!((stats.unauthorized, stats.inquiries.total), (3, 2));
    assert_eq!(get(url, "/admin/stats").await.json(), json!(stats));
}

#[tokio::test]
async fn wrong_clients_and_wrong_requests_get_none() {
    let acorn = acorn::start(options()).await.expect("a free port");
    let good = [("grant_type", "client_credentials"), ("scope", "payments")];
    let (id, secret) = (SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET);
    for (id, secret, form, code, error) in [
        (id, "wrong", &good[..], 401, "invalid_client"),
        ("wrong", secret, &good[..], 401, "invalid_client"),
        (
            id,
            secret,
            &[("scope", "payments")][..],
            400,
            "unsupported_grant_type",
        ),
        (id, secret, &good[..1], 400, "invalid_scope"),
    ] {
        let got = token_request(&acorn.url, id, secret, form).await;
        assert_eq!((got.code, got.json()), (code, json!({"error": error})));
    }
    let none = client().post(format!("{}/oauth/token", acorn.url));
    let got = send(as_form(none, &good)).await;
    assert_eq!(
        (got.code, got.json()),
        (401, json!({"error": "invalid_client"}))
    );
    let tokens = acorn.stats().tokens;
    assert_eq!((tokens.issued, tokens.refused), (0, 5));
}

#[tokio::test]
async fn a_token_ends() {
    let shop = shop(Options {
        token_lifetime_s: 1,
        ..options()
    })
    .await;
    eventually("its end", || async {
        (inquire_with(&shop.acorn.url, &shop.token).await.code == 401).then_some(())
    })
    .await;
    let fresh = fetch_token(&shop.acorn.url).await;
    assert_eq!(inquire_with(&shop.acorn.url, &fresh).await.code, 404);
}

#[tokio::test]
async fn tokens_are_revoked_at_once() {
    let shop = shop(options()).await;
    fetch_token(&shop.acorn.url).await;
    assert_eq!(shop.acorn.revoke_tokens(), 2);
    assert_eq!(shop.pay("o").await.code, 401);
    let fresh = fetch_token(&shop.acorn.url).await;
    let got = post(&shop.acorn.url, "/admin/revoke-tokens", &json!({})).await;
    assert_eq!(got.json(), json!({"revoked": 1}));
    assert_eq!(inquire_with(&shop.acorn.url, &fresh).await.code, 401);
}

#[tokio::test]
async fn the_first_requests_for_a_token_fail() {
    let acorn = acorn::start(Options {
        token_failures: 2,
        ..options()
    })
    .await
    .expect("a free port");
    for _ in 0..2 {
        assert_eq!(ask_for_token(&acorn.url).await.code, 503);
    }
    fetch_token(&acorn.url).await;
    let asked = post(&acorn.url, "/admin/fail-tokens", &json!({"next": 1})).await;
    assert_eq!(asked.code, 200);
    assert_eq!(ask_for_token(&acorn.url).await.code, 503);
    assert_eq!(ask_for_token(&acorn.url).await.code, 200);
    assert_eq!(acorn.stats().tokens.failed, 3);
}

#[tokio::test]
async fn a_slow_endpoint_outlasts_the_impatient() {
    let acorn = acorn::start(Options {
        token_delay_ms: 600_000,
        time_scale: 1.0,
        ..options()
    })
    .await
    .expect("a free port");
    let form = [("grant_type", "client_credentials"), ("scope", "payments")];
    let request = client()
        .post(format!("{}/oauth/token", acorn.url))
        .basic_auth(SANDBOX_CLIENT_ID, Some(SANDBOX_CLIENT_SECRET))
        .timeout(Duration::from_millis(200));
    let hung = try_send(as_form(request, &form)).await;
    assert!(hung.expect_err("no answer yet").is_timeout());
    assert_eq!(acorn.stats().tokens.issued, 0);
}
