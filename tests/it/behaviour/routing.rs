//! Which provider takes a request: the one that it names, else the first rule that fits, else the
//! default; and that stays so.

use serde_json::{Value, json};
use toml::Table;

use crate::support::{Client, Rig, app_key, new_id, operator_key, put};

/// The default, and two more set-ups of the same profile.
fn three_providers() -> Vec<Table> {
    ["mpesa", "cards"]
        .map(|name| {
            let mut table = Table::new();
            put(&mut table, "name", name);
            table
        })
        .to_vec()
}

fn rules(text: &str) -> toml::Value {
    let table: Table = text.parse().expect("TOML");
    table["route"].clone()
}

const RULES: &str = r#"
    [[route]]
    provider = "cards"
    payload = { "/method" = ["visa", "amex"] }
    [[route]]
    provider = "mpesa"
    currency = "KES"
    amount_from = 1000
    amount_to = 2000
    [[route]]
    provider = "mpesa"
    payload = { "/msisdn" = { prefix = "2547" } }
"#;

/// Asks for a transaction and says which provider took it.
async fn provider_of(client: &Client, id: &str, mut body: Value) -> Value {
    body["id"] = json!(id);
    let answer = client.post("/v1/transactions", &body).await;
    assert!(matches!(answer.status, 200 | 202), "{body}: {answer:?}");
    answer.json()["provider"].clone()
}

#[tokio::test]
async fn the_first_rule_that_fits_names_the_provider() {
    let rig = Rig::start_with(|setup| {
        setup.more_providers = three_providers();
        put(&mut setup.config, "route", rules(RULES));
    })
    .await;
    let kes = |value: i64| json!({"value": value, "currency": "KES"});
    for (body, provider) in [
        (json!({}), "reference"),
        (json!({"payload": {"method": "visa"}}), "cards"),
        (json!({"payload": {"method": "Visa"}}), "reference"),
        (json!({"amount": kes(999)}), "reference"),
        (json!({"amount": kes(1000)}), "mpesa"),
        (json!({"amount": kes(2000)}), "mpesa"),
        (json!({"amount": kes(2001)}), "reference"),
        (
            json!({"amount": {"value": 1500, "currency": "TZS"}}),
            "reference",
        ),
        (json!({"payload": {"msisdn": "254712345678"}}), "mpesa"),
        (json!({"payload": {"msisdn": 254_712_345_678_u64}}), "mpesa"),
        (json!({"payload": {"msisdn": "255712345678"}}), "reference"),
        // The first that fits, not the best.
        (
            json!({"amount": kes(1500), "payload": {"method": "amex"}}),
            "cards",
        ),
        // What the request says itself wins.
        (
            json!({"provider": "reference", "payload": {"method": "visa"}}),
            "reference",
        ),
    ] {
        let id = new_id();
        assert_eq!(
            provider_of(&rig.client, &id, body.clone()).await,
            provider,
            "{body}"
        );
        let view = rig.audit(&id).await;
        assert_eq!(view["provider"], provider, "{view}");
    }
}

#[tokio::test]
async fn a_rule_may_be_about_one_app_and_the_last_about_all_else() {
    let (shop, fuel, operator) = (app_key("shop"), app_key("fuel"), operator_key());
    let rig = Rig::start_with(|setup| {
        setup.let_in(&[("shop", &shop), ("fuel", &fuel)], &operator);
        setup.more_providers = three_providers();
        let text = "[[route]]\nprovider = \"mpesa\"\napp = \"fuel\"\n\
                    [[route]]\nprovider = \"cards\"\n";
        put(&mut setup.config, "route", rules(text));
    })
    .await;
    let of = |key: &str| rig.client.with_key(key);
    let provider = provider_of(&of(&fuel.text), &new_id(), json!({})).await;
    assert_eq!(provider, "mpesa");
    let provider = provider_of(&of(&shop.text), &new_id(), json!({})).await;
    assert_eq!(provider, "cards");
}

#[tokio::test]
async fn a_replay_stays_with_the_provider_that_took_it_first() {
    let mut rig = Rig::start_with(|setup| {
        setup.more_providers = three_providers();
        put(&mut setup.config, "route", rules(RULES));
    })
    .await;
    let (id, body) = (new_id(), json!({"payload": {"method": "visa"}}));
    assert_eq!(provider_of(&rig.client, &id, body.clone()).await, "cards");
    rig.audit(&id).await;
    let text = std::fs::read_to_string(rig.config_file()).expect("readable");
    let mut config: Table = text.parse().expect("TOML");
    let changed = RULES.replace("\"cards\"", "\"mpesa\"");
    put(&mut config, "route", rules(&changed));
    std::fs::write(rig.config_file(), config.to_string()).expect("writable");
    rig.reload();
    rig.restart_teller().await;
    let mut again = body.clone();
    again["id"] = json!(id);
    let replay = rig.client.post("/v1/transactions", &again).await;
    assert!(replay.is_replay() && replay.status == 200, "{replay:?}");
    assert_eq!(replay.json()["provider"], "cards");
    assert_eq!(rig.posts(&id).len(), 1);
    // A new one goes the new way.
    assert_eq!(provider_of(&rig.client, &new_id(), body).await, "mpesa");
}
