//! What `check-config --print-effective` shows: everything but what secrets hold.

use super::*;

/// Reads a text in a folder of its own, with these files in it, and shows what takes effect.
fn shown(text: &str, files: &[(&str, &str)]) -> (Config, toml::Table) {
    let folder = tempfile::TempDir::new().expect("a directory");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("writable");
    }
    let profile = include_str!("../../../providers/reference.toml");
    std::fs::write(folder.path().join("reference.toml"), profile).expect("writable");
    let file = folder.path().join("teller.toml");
    let config = Config::parse(text, &file, Overrides::default()).expect("good");
    let table = config.effective(text).expect("the same text");
    (config, table)
}

#[test]
fn every_default_is_filled_in() {
    let text = "[app]\nname = \"shop\"\n[[provider]]\nprofile = \"reference.toml\"\n";
    let (config, table) = shown(text, &[]);
    for (key, value) in [
        ("listen", "\"127.0.0.1:8080\""),
        ("public_url", "\"http://127.0.0.1:8080\""),
        ("drain_timeout", "\"20s\""),
        ("time_scale", "1.0"),
        ("open_doors", "false"),
        ("retired_providers", "[]"),
        ("route", "[]"),
    ] {
        assert_eq!(table[key].to_string(), value, "{key}");
    }
    assert_eq!(
        table["workers"].as_integer(),
        i64::try_from(config.workers).ok()
    );
    let bounds = &table["bounds"];
    assert_eq!(bounds["open_transactions"].as_integer(), Some(1_000_000));
    assert_eq!(bounds["max_unfolded"].as_integer(), Some(500_000));
    assert_eq!(bounds["body_bytes"].as_integer(), Some(65_536));
    assert_eq!(bounds["linger"].as_str(), Some("5s"));
    assert_eq!(bounds["passivate_beyond"].as_str(), Some("1m"));
    let provider = &table["provider"][0];
    assert_eq!(provider["name"].as_str(), Some("reference"));
    assert_eq!(provider["default"].as_bool(), Some(true));
    let tokens = table["webhooks"]["token_secret_files"].to_string();
    assert!(
        tokens.contains("data/webhook-token.key, which teller makes"),
        "{tokens}"
    );
    assert!(table["webhooks"]["kept_for"].is_str());
    assert_eq!(table["app"][0]["name"].as_str(), Some("shop"));
    // It is TOML, and every key in it is one of teller's.
    let again: toml::Table = table.to_string().parse().expect("TOML");
    assert_eq!(again, table);
}

#[test]
fn of_secrets_only_the_place_is_shown() {
    const SWORDFISH: &str = "swordfish-5ae1";
    let (id, notify_key) = (key("ops"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let text = format!(
        "[app]\nname = \"shop\"\n{}\
         [app.notify]\nurl = \"https://app.example/told\"\nformat = \"standard_webhooks\"\n\
         secrets = [{{ file = \"notify.key\" }}]\n\
         [operators]\n{id}\
         [webhooks]\ntoken_secret_files = [\"token.key\"]\n\
         [[provider]]\nprofile = \"reference.toml\"\nenvironment = \"live\"\n\
         secrets = {{ api_key = {{ file = \"api.key\" }}, passkey = [{{ env = \"PATH\" }}, {{ file = \"api.key\" }}] }}\n\
         settings = {{ shortcode = \"174379\" }}\n\
         [[route]]\nprovider = \"reference\"\ncurrency = \"KES\"\n",
        key("a")
    );
    let files = [
        ("api.key", SWORDFISH),
        ("token.key", SWORDFISH),
        ("notify.key", notify_key),
    ];
    let (config, table) = shown(&text, &files);
    let provider = &table["provider"][0];
    for (place, expected) in [
        (&provider["secrets"]["api_key"][0], "/api.key)"),
        (&provider["secrets"]["passkey"][0], "…(from variable PATH)"),
        (&provider["secrets"]["passkey"][1], "/api.key)"),
        (&table["webhooks"]["token_secret_files"][0], "/token.key)"),
        (&table["app"][0]["notify"]["secrets"][0], "/notify.key)"),
    ] {
        let place = place.as_str().unwrap_or_default();
        assert!(
            place.starts_with("…(from ") && place.ends_with(expected),
            "{expected}: {place}"
        );
    }
    assert_eq!(provider["settings"]["shortcode"].as_str(), Some("174379"));
    assert_eq!(provider["environment"].as_str(), Some("live"));
    assert_eq!(table["operators"]["keys"][0]["id"].as_str(), Some("ops"));
    assert_eq!(table["route"][0]["currency"].as_str(), Some("KES"));
    let path = std::env::var("PATH").expect("set everywhere");
    let json = serde_json::to_string(&table).expect("JSON");
    for shown in [table.to_string(), json, format!("{config:?}")] {
        for secret in [SWORDFISH, notify_key, &path] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
