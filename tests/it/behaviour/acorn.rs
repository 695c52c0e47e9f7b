//! A provider that is nothing like the reference: tokens, forms, its own ids, batches of signed
//! webhooks, inquiry by resending where an answer was lost. Its profile was written from the
//! documentation alone.

use std::collections::BTreeMap;
use std::path::Path;

use mock_provider::acorn::{self, Faults, Options, State};
use reqwest::Method;
use serde_json::{Value, json};
use teller::adapters::provider::{Profile, run_cases};
use teller::config::{Config, Overrides};
use tempfile::TempDir;

use crate::support::{Client, Teller, eventually, new_id, reserve_port};

/// How much faster than in the field time runs. A ghost window of 60 s then lasts 3 s.
const TIME_SCALE: f64 = 20.0;

const FORM: &str = "application/x-www-form-urlencoded";
const PROFILE: &str = include_str!("../../../mock-provider/acorn.toml");
const CASES: &str = include_str!("../../../mock-provider/acorn.cases.toml");

struct Acorn {
    provider: acorn::Running,
    client: Client,
    teller: Teller,
    _dir: TempDir,
}

impl Acorn {
    async fn start(options: Options) -> Self {
        let listen = format!("127.0.0.1:{}", reserve_port());
        let provider = acorn::start(Options {
            time_scale: TIME_SCALE,
            // It is told in real seconds, and teller's run faster: a busy machine must not need another.
            token_lifetime_s: 86_400,
            webhook_url: Some(format!("http://{listen}/webhooks/acorn")),
            ..options
        })
        .await
        .expect("a free port");
        let dir = TempDir::new().expect("a temporary directory");
        write(dir.path(), "client-secret", acorn::SANDBOX_CLIENT_SECRET);
        write(dir.path(), "webhook-key", acorn::SANDBOX_WEBHOOK_KEY);
        write(dir.path(), "client-id", acorn::SANDBOX_CLIENT_ID);
        write(dir.path(), "acorn.toml", PROFILE);
        let config = format!(
            "listen = \"{listen}\"\ndata_dir = \"data\"\nworkers = 2\ntime_scale = {TIME_SCALE:?}\n\
             [app]\nname = \"shop\"\n[[provider]]\nprofile = \"acorn.toml\"\nbase_url = \"{}\"\n\
             secrets = {{ client_id = {{ file = \"client-id\" }}, client_secret = {{ file = \"client-secret\" }}, \
             webhook_key = {{ file = \"webhook-key\" }} }}\n",
            provider.url
        );
        write(dir.path(), "teller.toml", &config);
        let file = dir.path().join("teller.toml");
        let config = Config::load(&file, Overrides::default()).expect("a legal configuration");
        let teller = Teller::start(config).await;
        let client = Client::new(format!("http://{listen}"));
        eventually("ready", || async {
            (client.get("/readyz").await.status == 200).then_some(())
        })
        .await;
        Self {
            provider,
            client,
            teller,
            _dir: dir,
        }
    }

    /// A charge that teller knows nothing of, made with the same account.
    async fn charge_directly(&self, order: &str) {
        let client = Client::new(self.provider.url.clone());
        let request = client.request(Method::POST, "/oauth/token");
        let request = request
            .basic_auth(acorn::SANDBOX_CLIENT_ID, Some(acorn::SANDBOX_CLIENT_SECRET))
            .header("content-type", FORM)
            .body("grant_type=client_credentials&scope=payments");
        let token = Client::send(request).await.json();
        let script = json!({"webhook": "usual"});
        self.provider
            .set_script(order, &script)
            .expect("a legal script");
        let request = client.request(Method::POST, "/v2/charges");
        let request = request
            .bearer_auth(token["access_token"].as_str().expect("a token"))
            .header("x-request-id", "somebody-else")
            .header("content-type", FORM)
            .body(format!(
                "amount=12.50&currency=eur&source[type]=mobile_money&source[phone]=%2B254700000001&metadata[order]={order}"
            ));
        assert_eq!(Client::send(request).await.status, 201);
    }

    async fn pay(&self, id: &str) {
        let body = json!({
            "id": id,
            "amount": {"value": 1250, "currency": "EUR"},
            "payload": {"phone": "+254700000001"},
        });
        let request = self.client.request(Method::POST, "/v1/transactions");
        let answer = Client::send(request.json(&body)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// The outcome is the provider's, and it was executed at most once.
    async fn audit(&self, id: &str) -> Value {
        let view = self.client.wait_until_final(id).await;
        let ledger = self.provider.ledger();
        let executed: Vec<_> = ledger.of_order(id).filter(|one| one.executed).collect();
        assert_eq!(executed.len(), 1, "{id} is {view}: {executed:?}");
        let expected = match executed[0].outcome {
            Some(State::Paid) => "completed",
            Some(State::Rejected) => "declined",
            other => panic!("{id} is {view}, and undecided at the provider: {other:?}"),
        };
        assert_eq!(view["status"], expected, "{id}: {executed:?}");
        view
    }
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("writable");
}

#[test]
fn its_recorded_cases_hold_and_nothing_is_left_out() {
    let profile = Profile::parse(PROFILE, "acorn.toml").expect("a profile");
    let report = run_cases(&profile, CASES, "acorn.cases.toml").expect("readable cases");
    assert!(!report.differs(), "{report:?}");
    let missed: Vec<_> = report.missed().collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[tokio::test]
async fn a_profile_written_from_the_documentation_pays_through_every_fault() {
    let faults = Faults {
        refuse_503: 0.03,
        refuse_429: 0.03,
        insufficient_funds: 0.05,
        ghost: 0.06,
        lost: 0.03,
        answer_lost: 0.08,
        error_500: 0.03,
        reset: 0.04,
        garbage: 0.03,
        on_hold: 0.1,
        webhook_lost: 0.15,
        webhook_duplicate: 0.1,
        webhook_early: 0.15,
        webhook_disorder: 0.1,
        webhook_forged: 0.1,
        ..Faults::default()
    };
    let acorn = Acorn::start(Options {
        seed: 7,
        faults,
        ..Options::default()
    })
    .await;
    let ids: Vec<String> = (0..150).map(|_| new_id()).collect();
    for id in &ids {
        acorn.pay(id).await;
    }
    let mut sources: BTreeMap<String, u32> = BTreeMap::new();
    for id in &ids {
        let view = acorn.audit(id).await;
        let source = view["outcome"]["source"].as_str().unwrap_or("none");
        *sources.entry(source.to_owned()).or_default() += 1;
    }
    // All ways of learning an outcome were needed.
    for source in ["answer", "webhook", "inquiry"] {
        assert!(
            sources.get(source).is_some_and(|count| *count > 0),
            "{sources:?}"
        );
    }
    let stats = acorn.provider.stats();
    assert!(
        stats.tokens.issued <= 5,
        "one token serves many calls: {:?}",
        stats.tokens
    );
    drop(acorn.teller);
}

#[tokio::test]
async fn a_webhook_that_comes_before_the_answer_is_claimed_by_it() {
    let acorn = Acorn::start(Options::default()).await;
    let id = new_id();
    // The answer is lost. The charge settles and is told of before the repetition of the request brings
    // its id, with the old answer: "processing".
    // Asking by that id fails for a while, so that only the webhook can have told.
    let script = json!({"answer": "close", "answer_after_ms": 100, "get": vec![500; 20]});
    acorn
        .provider
        .set_script(&id, &script)
        .expect("a legal script");
    acorn.pay(&id).await;
    let view = acorn.audit(&id).await;
    assert_eq!(view["outcome"]["source"], "webhook", "{view}");
    eventually("it has left the inbox", || async {
        let inbox = acorn.client.get("/v1/inbox").await.json();
        (inbox["total"] == 0).then_some(())
    })
    .await;
    let history = acorn.client.history(&id).await;
    let places: Vec<_> = history.iter().map(|record| &record["type"]).collect();
    let at = |kind: &str| places.iter().position(|place| *place == kind);
    assert!(at("resent") < at("webhook"), "{places:?}");
}

#[tokio::test]
async fn what_nobody_knows_is_kept_shown_and_dismissed() {
    let acorn = Acorn::start(Options::default()).await;
    let order = "somebody-else";
    acorn.charge_directly(order).await;
    let rows = eventually("it is kept", || async {
        let inbox = acorn.client.get("/v1/inbox?provider=acorn").await.json();
        let rows = inbox["data"].as_array().cloned().unwrap_or_default();
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    assert_eq!(rows[0]["report"]["finding"], "completed", "{rows:?}");
    let event = rows[0]["event_id"].as_str().expect("an id");
    let path = format!("/v1/inbox/acorn/{event}/dismiss");
    let request = acorn.client.request(Method::POST, &path);
    assert_eq!(Client::send(request).await.status, 204);
    let inbox = acorn.client.get("/v1/inbox").await.json();
    assert_eq!(inbox["total"], 0, "{inbox}");
}

#[tokio::test]
async fn revoked_tokens_are_renewed_and_nothing_is_paid_twice() {
    let acorn = Acorn::start(Options::default()).await;
    let first = new_id();
    acorn.pay(&first).await;
    acorn.audit(&first).await;
    acorn.provider.revoke_tokens();
    let ids: Vec<String> = (0..20).map(|_| new_id()).collect();
    for id in &ids {
        acorn.pay(id).await;
    }
    for id in &ids {
        acorn.audit(id).await;
    }
    assert_eq!(acorn.provider.stats().tokens.issued, 2);
}
