//! `teller check-config --print-effective`: everything that takes effect, and nothing that is secret.

use serde_json::Value;
use toml::Table;

use crate::support::{Rig, app_key, operator_key, put, run};

const SWORDFISH: &str = "swordfish-91c4";

async fn set_up() -> (Rig, String) {
    let rig = Rig::set_up(|setup| {
        setup.let_in(&[("shop", &app_key("shop"))], &operator_key());
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
    std::fs::write(rig.dir.path().join("api.key"), SWORDFISH).expect("writable");
    let file = rig.config_file().display().to_string();
    (rig, file)
}

#[tokio::test]
async fn what_takes_effect_is_printed_as_toml_and_as_json() {
    let (rig, file) = set_up().await;
    let print = ["check-config", "--config", &file, "--print-effective"];
    let output = run(&print).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let table: Table = text.parse().expect("TOML and nothing else");
    assert_eq!(table["workers"].as_integer(), Some(2));
    assert_eq!(table["bounds"]["linger"].as_str(), Some("5s"));
    let place = table["provider"][0]["secrets"]["api_key"][0].as_str();
    let expected = format!("…(from file {})", rig.dir.path().join("api.key").display());
    assert_eq!(place, Some(expected.as_str()));
    let json = run(&[&print[..], &["--json"]].concat()).await;
    let json_text = String::from_utf8(json.stdout).expect("text");
    let json: Value = serde_json::from_str(&json_text).expect("JSON and nothing else");
    assert_eq!(json["bounds"]["linger"], "5s");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for shown in [&text, &json_text, &said] {
        assert!(!shown.contains(SWORDFISH), "{shown}");
    }
    // Flags and the environment have the last word, as when teller serves.
    let flags = ["--listen", "127.0.0.1:7", "--workers", "3"];
    let overridden = run(&[&print[..], &flags].concat()).await;
    let text = String::from_utf8(overridden.stdout).expect("text");
    let table: Table = text.parse().expect("TOML");
    assert_eq!(table["listen"].as_str(), Some("127.0.0.1:7"));
    assert_eq!(table["workers"].as_integer(), Some(3));
}

#[tokio::test]
async fn what_would_refuse_to_start_is_not_called_good() {
    let rig = Rig::set_up(|_| {}).await;
    let file = rig.config_file().display().to_string();
    let check = ["check-config", "--config", &file];
    let everywhere = ["--listen", "0.0.0.0:8080"];
    let output = run(&[&check[..], &everywhere].concat()).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--i-accept-open-doors"), "{said}");
    let meant = run(&[&check[..], &everywhere, &["--i-accept-open-doors"]].concat()).await;
    assert!(meant.status.success(), "{meant:?}");
    let alone = run(&[&check[..], &["--json"]].concat()).await;
    assert!(!alone.status.success(), "--json is of --print-effective");
}
