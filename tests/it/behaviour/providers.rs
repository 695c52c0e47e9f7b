//! Several providers: one profile set up twice, and providers that are gone.

use serde_json::{Value, json};
use toml::Table;

use crate::support::{Process, Rig, new_id, put};

/// Another set-up of the reference profile.
fn named(name: &str) -> Table {
    let mut table = Table::new();
    put(&mut table, "name", name);
    table
}

fn payment_through(provider: &str, id: &str) -> Value {
    json!({"id": id, "provider": provider, "payload": {"script": {}}})
}

#[tokio::test]
async fn one_profile_set_up_twice_is_two_providers() {
    let rig = Rig::start_with(|setup| setup.more_providers = vec![named("second")]).await;
    let (first, second) = (new_id(), new_id());
    rig.client.paid(&first, json!({})).await;
    let body = payment_through("second", &second);
    let answer = rig.client.post("/v1/transactions", &body).await;
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    assert_eq!(rig.audit(&first).await["provider"], "reference");
    assert_eq!(rig.audit(&second).await["provider"], "second");
    let path = rig.webhook_path(&second, 1).await;
    assert!(path.starts_with("/webhooks/second/"), "{path}");
    let gates = rig.client.get("/v1/providers").await.json();
    assert_eq!(gates["data"][0]["submissions_total"], 1, "{gates}");
    assert_eq!(gates["data"][1]["submissions_total"], 1, "{gates}");
}

#[tokio::test]
async fn webhooks_to_a_retired_provider_are_told_that_it_is_gone() {
    let rig = Rig::start_with(|setup| {
        put(&mut setup.config, "retired_providers", vec!["old"]);
    })
    .await;
    let webhook = json!({"id": new_id(), "status": "completed"});
    for path in ["/webhooks/old", "/webhooks/old/token"] {
        let answer = rig.client.post(path, &webhook).await;
        answer.expect_problem(410, "retired_provider");
    }
    let answer = rig.client.post("/webhooks/never", &webhook).await;
    answer.expect_problem(404, "unknown_provider");
    let body = payment_through("old", &new_id());
    let answer = rig.client.post("/v1/transactions", &body).await;
    answer.expect_problem(400, "invalid_field");
}

#[tokio::test]
async fn a_secret_that_others_can_read_is_warned_of_when_teller_starts() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::set_up(|setup| {
        put(
            &mut setup.profile,
            "secrets.api_key.about",
            "opens their door",
        );
    })
    .await;
    let text = std::fs::read_to_string(rig.config_file()).expect("readable");
    let mut config: Table = text.parse().expect("TOML");
    let provider = &mut config["provider"].as_array_mut().expect("a list")[0];
    let provider = provider.as_table_mut().expect("a table");
    put(provider, "secrets.api_key.file", "api.key");
    std::fs::write(rig.config_file(), config.to_string()).expect("writable");
    let file = rig.dir.path().join("api.key");
    std::fs::write(&file, "swordfish-7d1f").expect("writable");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&file, open).expect("ours");
    let loud = [("RUST_LOG", "trace")];
    let teller = Process::serve_with(&rig.config_file(), &[], &loud).await;
    let teller = teller.expect("it starts");
    teller.client.paid(&new_id(), json!({})).await;
    teller.terminate().await;
    let said = teller.wait().await.said;
    assert!(
        said.contains("api.key is open to others than its owner"),
        "{said}"
    );
    assert!(!said.contains("swordfish"), "a secret is in the logs");
}
