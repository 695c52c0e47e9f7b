//! How teller proves who it is: what stands on the wire, and what is never written down.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::server::{Act, Server, answer};
use super::support::{inquire, key, reference_with, request, set_up, settings, submit};
use crate::adapters::provider::{HttpProvider, Profile, Secret};
use crate::ports::{Provider, SendPermission};
use crate::transaction::Finding;

const COMPLETED: &str = r#"{"status":"completed"}"#;
const PASSWORD: &str = "correct horse battery staple";

/// The reference profile with these tables added and two secrets declared.
fn with(tables: &str) -> String {
    format!(
        "{}\n[secrets.user]\nabout = \"the user\"\n[secrets.password]\nabout = \"the password\"\n{tables}",
        reference_with("[inquiry]", "[inquiry]")
    )
}

fn provider(profile: &str, base_url: &str) -> HttpProvider {
    let mut settings = settings(base_url);
    let secret = |text: &str| vec![Secret::new(text), Secret::new("an older one")];
    settings.secrets.insert("user".to_owned(), secret("alice"));
    settings
        .secrets
        .insert("password".to_owned(), secret(PASSWORD));
    set_up(profile, settings).expect("a usable profile")
}

fn answers(count: usize, bytes: &[u8]) -> Vec<Act> {
    vec![Act::Answer(bytes.to_vec()); count]
}

fn completed() -> Vec<u8> {
    answer(200, "", COMPLETED)
}

fn token(name: &str, life_s: u64) -> Vec<u8> {
    let body = json!({"access_token": name, "token_type": "Bearer", "expires_in": life_s});
    answer(200, "", &body.to_string())
}

#[tokio::test]
async fn each_kind_stands_on_the_wire_and_not_in_the_intent() {
    for (auth, expected) in [
        (
            "[auth]\nkind = 'basic'\nuser = '{{ secret.user }}'\npassword = '{{ secret.password }}'",
            "authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==\r\n",
        ),
        (
            "[auth]\nkind = 'bearer'\ntoken = '{{ secret.password }}'",
            "authorization: Bearer correct horse battery staple\r\n",
        ),
        (
            "[auth]\nkind = 'headers'\nheaders = { X-API-Key = 'k {{ secret.password }}' }",
            "x-api-key: k correct horse battery staple\r\n",
        ),
        (
            "[auth]\nkind = 'headers'\nheaders = { X-Signed = '{{ (method ~ path ~ body) | hmac_sha256(secret.password) | hex }}' }",
            "x-signed: ",
        ),
    ] {
        let server = Server::start(answers(2, &completed())).await;
        let provider = provider(&with(auth), &server.url());
        let intent = provider
            .intent(&key(1), &request(Value::Null), 1)
            .expect("renders");
        let written = serde_json::to_string(&intent).expect("JSON");
        assert!(
            !written.contains("horse") && !written.contains("YWxpY2U6"),
            "{written}"
        );
        let submitted = submit(&provider, 1).await;
        assert_eq!(submitted.report.finding, Finding::Completed);
        assert_eq!(
            inquire(&provider, 1).await.report.finding,
            Finding::Completed
        );
        for sent in server.requests() {
            assert!(sent.contains(expected), "{sent}");
        }
    }
}

#[tokio::test]
async fn a_signature_over_a_request_is_made_of_what_is_sent() {
    let server = Server::start(answers(1, &completed())).await;
    let headers = "[auth]\nkind = 'headers'\nheaders = { X-Digest = '{{ body | sha256 | hex }}', X-Path = '{{ method }} {{ path }}' }";
    let provider = provider(&with(headers), &server.url());
    submit(&provider, 1).await;
    let sent = server.requests().remove(0);
    let (_, body) = sent.split_once("\r\n\r\n").expect("a body");
    let digest =
        crate::adapters::provider::filters::hex(&<sha2::Sha256 as sha2::Digest>::digest(body));
    assert!(sent.contains(&format!("x-digest: {digest}\r\n")), "{sent}");
    assert!(sent.contains("x-path: POST /transaction\r\n"), "{sent}");
}

#[tokio::test]
async fn sealed_values_are_put_in_as_the_request_leaves() {
    let server = Server::start(answers(1, &completed())).await;
    let profile =
        with("[sealed]\nproof = '{{ (secret.user ~ \":\" ~ secret.password) | base64 }}'").replace(
            "'webhookUrl': webhook_url})",
            "'webhookUrl': webhook_url, 'proof': sealed.proof})",
        );
    let provider = provider(&profile, &server.url());
    let intent = provider
        .intent(&key(1), &request(Value::Null), 1)
        .expect("renders");
    let body: Value = serde_json::from_str(&intent.request.body).expect("JSON");
    assert_eq!(body["proof"], "<sealed:proof>");
    let result = provider
        .submit(Arc::new(intent), None, SendPermission::always())
        .await;
    assert_eq!(result.report.finding, Finding::Completed);
    let sent = server.requests().remove(0);
    assert!(
        sent.contains(r#""proof":"YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==""#)
            || sent.contains(r#""proof": "YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==""#),
        "{sent}"
    );
}

#[test]
fn an_app_can_t_have_a_secret_put_where_it_likes() {
    let profile = with("[sealed]\nproof = '{{ secret.password }}'");
    let provider = provider(&profile, "http://127.0.0.1:9");
    for payload in [
        json!({"note": "x <sealed:proof> y"}),
        json!({"deep": [{"<sealed:proof>": 1}]}),
    ] {
        let said = provider.intent(&key(1), &request(payload), 1);
        assert!(said.expect_err("refused").contains("stands for a secret"));
    }
}

const OAUTH2: &str = "[auth]\nkind = 'oauth2'\nuser = '{{ secret.user }}'\npassword = '{{ secret.password }}'\ntoken_form = { scope = 'pay' }\n";

fn oauth2(endpoint: &Server) -> String {
    with(&format!(
        "{OAUTH2}token_url = '{}/oauth/token?a=1'",
        endpoint.url()
    ))
}

#[tokio::test]
async fn one_token_is_fetched_for_all_who_wait() {
    let endpoint = Server::start(answers(5, &token("t-1", 300))).await;
    let server = Server::start(answers(60, &completed())).await;
    let provider = provider(&oauth2(&endpoint), &server.url());
    let all = join_all((1..=50).map(|n| submit(&provider, n))).await;
    for result in all {
        assert_eq!(result.report.finding, Finding::Completed);
    }
    let fetched = endpoint.requests();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    assert!(
        fetched[0].starts_with("POST /oauth/token?a=1 "),
        "{}",
        fetched[0]
    );
    assert!(
        fetched[0].contains("authorization: Basic YWxpY2U6"),
        "{}",
        fetched[0]
    );
    assert!(fetched[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=pay"));
    for sent in server.requests() {
        assert!(sent.contains("authorization: Bearer t-1\r\n"), "{sent}");
    }
}

#[tokio::test]
async fn credentials_can_stand_in_the_form_and_the_form_in_the_query() {
    let endpoint = Server::start(answers(1, &token("t-1", 300))).await;
    let server = Server::start(answers(1, &completed())).await;
    let profile = oauth2(&endpoint).replace(
        "kind = 'oauth2'",
        "kind = 'oauth2'\ntoken_method = 'GET'\nclient_auth = 'form'",
    );
    submit(&provider(&profile, &server.url()), 1).await;
    let fetched = endpoint.requests().remove(0);
    assert!(
        fetched.starts_with(
            "GET /oauth/token?grant_type=client_credentials&scope=pay&client_id=alice&client_secret=correct%20horse%20battery%20staple HTTP/1.1\r\n"
        ),
        "{fetched}"
    );
    assert!(!fetched.contains("authorization:"), "{fetched}");
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    // A life of 60 s lasts 0.6 s at a scale of 100, and renewal is due after half of it.
    let endpoint = Server::start([
        Act::Answer(token("t-1", 60)),
        Act::Answer(token("t-2", 36_000)),
    ])
    .await;
    let server = Server::start(answers(100_000, &completed())).await;
    let mut settings = settings(&server.url());
    settings.time_scale = 100.0;
    for name in ["user", "password"] {
        settings
            .secrets
            .insert(name.to_owned(), vec![Secret::new("x")]);
    }
    let provider = set_up(&oauth2(&endpoint), settings).expect("usable");
    let mut n = 0;
    while endpoint.requests().len() < 2 {
        n += 1;
        submit(&provider, n).await;
    }
    submit(&provider, n + 1).await;
    let sent = server.requests();
    let last = sent.last().expect("many");
    assert!(last.contains("authorization: Bearer t-2\r\n"), "{last}");
    // No call had to wait for a token that was over.
    assert!(
        sent.iter()
            .all(|one| one.contains("authorization: Bearer t-"))
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_that_were_refused() {
    let endpoint = Server::start([
        Act::Answer(token("t-1", 300)),
        Act::Answer(token("t-2", 300)),
    ])
    .await;
    let unauthorized = answer(401, "", "{}");
    let script = [answers(10, &unauthorized), answers(10, &completed())].concat();
    let server = Server::start(script).await;
    let profile = oauth2(&endpoint).replace("status = [429, 503]", "status = [401, 429, 503]");
    let provider = provider(&profile, &server.url());
    let refused = join_all((1..=10).map(|n| submit(&provider, n))).await;
    for result in refused {
        assert!(
            matches!(result.report.finding, Finding::NotExecuted { .. }),
            "{result:?}"
        );
    }
    let taken = join_all((1..=10).map(|n| submit(&provider, n))).await;
    for result in taken {
        assert_eq!(result.report.finding, Finding::Completed);
    }
    assert_eq!(endpoint.requests().len(), 2);
    let sent = server.requests();
    assert_eq!(
        sent.iter().filter(|one| one.contains("Bearer t-2")).count(),
        10
    );
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_endpoint_is_spared() {
    let endpoint = Server::start(answers(50, &answer(503, "", ""))).await;
    let server = Server::start([]).await;
    let provider = provider(&oauth2(&endpoint), &server.url());
    let all = join_all((1..=20).map(|n| submit(&provider, n))).await;
    for result in all {
        assert_eq!(result.sent_at, None);
        let Finding::NotExecuted { why, .. } = &result.report.finding else {
            panic!("{result:?}");
        };
        assert!(why.contains("token endpoint answered HTTP 503"), "{why}");
    }
    assert!(
        endpoint.requests().len() <= 2,
        "{}",
        endpoint.requests().len()
    );
    assert!(server.requests().is_empty());
}

#[test]
fn what_the_profile_declares_has_to_be_given_and_nothing_else() {
    let profile =
        with("[settings.shop]\nabout = 'the shop'\n[settings.unit]\nabout = 'x'\ndefault = '1'");
    let refusal = |change: &dyn Fn(&mut crate::adapters::provider::Settings)| {
        let mut settings = settings("http://127.0.0.1:9");
        for name in ["user", "password"] {
            settings
                .secrets
                .insert(name.to_owned(), vec![Secret::new("sesame")]);
        }
        settings.settings.insert("shop".to_owned(), "S1".to_owned());
        change(&mut settings);
        set_up(&profile, settings)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(refusal(&|_| {}), Ok(()));
    for (said, expected) in [
        (
            refusal(&|s| drop(s.secrets.remove("user"))),
            "the secret \"user\" is missing (the user)",
        ),
        (
            refusal(&|s| drop(s.settings.remove("shop"))),
            "the setting \"shop\" is missing (the shop)",
        ),
        (
            refusal(&|s| drop(s.settings.insert("shp".to_owned(), String::new()))),
            "no setting \"shp\"",
        ),
        (
            refusal(&|s| {
                drop(
                    s.secrets
                        .insert("usr".to_owned(), vec![Secret::new("sesame")]),
                )
            }),
            "no secret \"usr\"",
        ),
    ] {
        let said = said.expect_err(expected);
        assert!(
            said.contains(expected) && !said.contains("sesame"),
            "{said}"
        );
    }
}

#[test]
fn keys_that_don_t_go_together_are_refused() {
    for (auth, expected) in [
        (
            "[auth]\nkind = 'basic'\nuser = 'x'",
            "kind = \"basic\" needs password",
        ),
        ("[auth]\nkind = 'bearer'", "kind = \"bearer\" needs token"),
        ("[auth]\nkind = 'headers'", "needs [auth.headers]"),
        ("[auth]\nheaders = { X-A = 'b' }", "say kind = \"headers\""),
        (
            "[auth]\nkind = 'bearer'\ntoken = 'x'\ntoken_url = '/t'",
            "token_url doesn't go with",
        ),
        (
            "[auth]\nkind = 'oauth2'\nuser = 'x'\npassword = 'y'",
            "needs token_url",
        ),
        (
            "[auth]\nkind = 'bearer'\ntoken = '{{ secret.pasword }}'",
            "did you mean `secret.password`?",
        ),
        (
            "[sealed]\nx = '{{ attempt.reference }}'",
            "there is no `attempt.reference`",
        ),
    ] {
        let said = Profile::parse(&with(auth), "x.toml")
            .expect_err(expected)
            .to_string();
        assert!(said.contains(expected), "{said}");
    }
    let leak = with("").replace(
        "[submit]",
        "[submit]\nheaders = { X-K = '{{ secret.user }}' }",
    );
    let said = Profile::parse(&leak, "x.toml")
        .expect_err("secrets stay out")
        .to_string();
    assert!(
        said.contains("there is no `secret.user` to print here"),
        "{said}"
    );
    let leak = with("").replace("[submit]", "[submit]\nheaders = { Authorization = 'x' }");
    let said = Profile::parse(&leak, "x.toml")
        .expect_err("secrets stay out")
        .to_string();
    assert!(said.contains("belongs to [auth]"), "{said}");
}

#[test]
fn nothing_secret_shows_in_debug_output() {
    let profile = with(&format!("{OAUTH2}token_url = '/t'"));
    let provider = provider(&profile, "http://127.0.0.1:9");
    let shown = format!("{provider:?}");
    assert!(
        !shown.contains("horse") && !shown.contains("99, 111, 114"),
        "{shown}"
    );
}
