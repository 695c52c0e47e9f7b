//! Acorn over real sockets, and the verbs of its tests.

mod charges;
mod keys;
mod limit;
mod tokens;
mod webhooks;

use mock_provider::acorn::{
    self, Credentials, Execution, Options, Running, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET,
};
use serde_json::{Value, json};

use crate::support::*;

pub(crate) fn options() -> Options {
    Options {
        seed: SEED,
        time_scale: 100.0,
        other_kinds: 0.0,
        ..Options::default()
    }
}

/// A merchant with a token, and acorn.
struct Shop {
    acorn: Running,
    token: String,
}

/// Starts acorn and fetches a token.
async fn shop(options: Options) -> Shop {
    let acorn = acorn::start(options).await.expect("a free port");
    let token = fetch_token(&acorn.url).await;
    Shop { acorn, token }
}

/// Asks for a token as a client should.
async fn ask_for_token(url: &str) -> Got {
    let form = [("grant_type", "client_credentials"), ("scope", "payments")];
    token_request(url, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, &form).await
}

async fn token_request(url: &str, id: &str, secret: &str, form: &[(&str, &str)]) -> Got {
    let request = client().post(format!("{url}/oauth/token"));
    let request = request.basic_auth(id, Some(secret));
    send(as_form(request, form)).await
}

async fn fetch_token(url: &str) -> String {
    let got = ask_for_token(url).await;
    assert_eq!(got.code, 200, "{}", got.text);
    let token = got.json()["access_token"].take();
    token.as_str().expect("a token").to_owned()
}

/// Encodes fields as a form's body.
fn as_form(request: reqwest::RequestBuilder, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let pairs = fields.iter().copied();
    let body = reqwest::Url::parse_with_params("http://x/", pairs).expect("a URL");
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.query().unwrap_or_default().to_owned())
}

/// The fields of a good charge.
fn charge(order: &str) -> Vec<(&str, &str)> {
    vec![
        ("amount", "12.50"),
        ("currency", "eur"),
        ("source[type]", "mobile_money"),
        ("source[phone]", "+254700000001"),
        ("metadata[order]", order),
    ]
}

/// The same fields, but for one.
fn charge_with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = charge("o-1");
    fields.retain(|(other, _)| *other != name);
    fields.push((name, value));
    fields
}

impl Shop {
    /// A request for a charge, still to be sent.
    fn request(&self, key: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let request = client()
            .post(format!("{}/v2/charges", self.acorn.url))
            .bearer_auth(&self.token)
            .header("x-request-id", key);
        as_form(request, fields)
    }

    /// Asks for a charge of this order, the order's name being the key too.
    async fn pay(&self, order: &str) -> Got {
        send(self.request(order, &charge(order))).await
    }

    /// The same under a script.
    async fn pay_scripted(&self, order: &str, script: &Value) -> Got {
        self.acorn.set_script(order, script).expect("well-formed");
        self.pay(order).await
    }

    /// HTTP status and body of an inquiry.
    async fn inquire(&self, id: &str) -> Got {
        let request = client().get(format!("{}/v2/charges/{id}", self.acorn.url));
        send(request.bearer_auth(&self.token)).await
    }

    /// Asks until the charge is in this state.
    async fn until(&self, id: &str, state: &str) {
        eventually(state, || async {
            let got = self.inquire(id).await;
            (got.json()["charge"]["state"] == state).then_some(())
        })
        .await;
    }

    /// The entries of an order.
    fn entries(&self, order: &str) -> Vec<Execution> {
        self.acorn.ledger().of_order(order).cloned().collect()
    }
}

/// The charge's id in an answer.
fn id_in(got: &Got) -> String {
    let id = got.json()["charge"]["id"].take();
    id.as_str().expect("an id").to_owned()
}

/// The code of an error in an answer.
fn error_in(got: &Got) -> Value {
    got.json()["error"]["code"].take()
}

#[tokio::test]
async fn impossible_options_are_refused() {
    let secret = "a secret with spaces";
    let wrong = [
        Options {
            time_scale: 0.0,
            ..options()
        },
        Options {
            token_lifetime_s: 0,
            ..options()
        },
        Options {
            key_window_s: 59,
            ..options()
        },
        Options {
            batch_every_ms: 0,
            ..options()
        },
        Options {
            retry_longest_ms: 999,
            ..options()
        },
        Options {
            retry_attempts: 0,
            ..options()
        },
        Options {
            other_kinds: 1.1,
            ..options()
        },
        Options {
            webhook_url: Some("nowhere".to_owned()),
            ..options()
        },
        Options {
            credentials: Credentials {
                client_secret: secret.to_owned(),
                ..Credentials::default()
            },
            ..options()
        },
        Options {
            credentials: Credentials {
                webhook_key: "0f0f".to_owned(),
                ..Credentials::default()
            },
            ..options()
        },
    ];
    for options in wrong {
        let debug = format!("{options:?}");
        assert!(
            !debug.contains(secret) && !debug.contains("0f0f"),
            "{debug}"
        );
        assert!(acorn::start(options).await.is_err(), "{debug}");
    }
}

#[tokio::test]
async fn down_closes_without_an_answer_and_executes_nothing() {
    let shop = shop(options()).await;
    let down = json!({"down": true});
    assert_eq!(
        post(&shop.acorn.url, "/admin/faults", &down).await.code,
        200
    );
    assert!(try_send(shop.request("k", &charge("k"))).await.is_err());
    let inquiry = client().get(format!("{}/v2/charges/ch_1", shop.acorn.url));
    assert!(try_send(inquiry.bearer_auth(&shop.token)).await.is_err());
    assert_eq!(shop.entries("k"), []);
    assert_eq!(get(&shop.acorn.url, "/healthz").await.code, 200);
    let misspelt = json!({"dwon": true});
    assert_eq!(
        post(&shop.acorn.url, "/admin/faults", &misspelt).await.code,
        400
    );
    post(&shop.acorn.url, "/admin/faults", &json!({})).await;
    assert_eq!(shop.pay("k").await.code, 201);
}
