//! What `[redis]` may say.

use super::*;

/// Reads a file with this text in its `[redis]`.
fn with(redis: &str) -> anyhow::Result<(Config, toml::Table)> {
    let folder = tempfile::TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    write("node.key", "swordfish-swordfish-swordfish-32");
    write("redis.password", "pssst");
    let profile = include_str!("../../../providers/reference.toml");
    write("reference.toml", profile);
    let text = format!(
        "{ONE_APP}[[provider]]\nprofile = 'reference.toml'\n[redis]\n{redis}\n\
         [webhooks]\ntoken_secret_files = ['node.key']\n\
         [cluster]\nsecret = {{ file = 'node.key' }}\n"
    );
    let file = folder.path().join("teller.toml");
    let config = Config::parse(&text, &file, Overrides::default())?;
    let shown = config.effective(&text)?;
    Ok((config, shown))
}

fn said(redis: &str) -> String {
    format!("{:#}", with(redis).expect_err("refused"))
}

#[test]
fn a_url_is_enough_and_every_default_is_shown() {
    let (_, shown) = with("url = 'redis://store:7000'").expect("good");
    let shown = &shown["redis"];
    for (key, value) in [
        ("url", "\"redis://store:7000\""),
        ("prefix", "\"teller\""),
        ("replicas", "0"),
        ("confirm_within", "\"2s\""),
        ("connections", "2"),
    ] {
        assert_eq!(shown[key].to_string(), value, "{key}");
    }
}

#[test]
fn of_the_password_only_the_place_is_shown() {
    let (config, shown) = with(
        "sentinels = ['redis://one', 'redis://two']\nmaster = 'teller'\nreplicas = 1\n\
         username = 'teller'\npassword = { file = 'redis.password' }",
    )
    .expect("good");
    let password = config.redis.expect("it is there").password;
    assert_eq!(password.expect("it is there").expose(), b"pssst");
    let text = shown.to_string();
    assert!(
        text.contains("redis.password") && !text.contains("pssst"),
        "{text}"
    );
    assert_eq!(shown["redis"]["master"].as_str(), Some("teller"));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_way_out() {
    for (text, hint) in [
        ("", "needs one of url"),
        (
            "url = 'redis://a'\nsentinels = ['redis://b']\nmaster = 'm'",
            "needs one of url",
        ),
        ("sentinels = ['redis://b']", "sentinels go with master"),
        (
            "url = 'redis://user:word@a'",
            "keep user and password out of the URL",
        ),
        ("url = 'http://a'", "redis://host:port"),
        ("url = 'redis://a'\npassword = 'pssst'", "{ file ="),
        ("url = 'redis://a'\nreplica = 1", "replicas"),
        (
            "url = 'redis://a'\nconfirm_within = '1h'",
            "\"50ms\" to \"8s\"",
        ),
        ("url = 'redis://a'\nconnections = 0", "connections 1 to"),
        ("url = 'redis://a'\nprefix = '{a}'", "prefix has 1 to"),
        ("url = 'redis://a'\nclient_key_file = 'k'", "go together"),
        (
            "url = 'redis://a'\nfinished_kept_for = '5s'",
            "\"1m\" at least",
        ),
        (
            "url = 'redis://a'\narchive = 'stream'",
            "goes with finished_kept_for",
        ),
        (
            "url = 'redis://a'\nfinished_kept_for = '90d'\narchive = 'tape'",
            "{ file =",
        ),
        (
            "url = 'redis://a'\nfinished_kept_for = '90d'\narchive = { files = 'a' }",
            "{ file =",
        ),
    ] {
        let complaint = said(text);
        assert!(complaint.contains(hint), "{text}: {complaint}");
        assert!(!complaint.contains("pssst"), "{complaint}");
    }
}

#[test]
fn finished_transactions_stay_for_ever_or_go_to_a_stream_or_to_a_file() {
    let (_, shown) = with("url = 'redis://a'").expect("good");
    assert!(shown["redis"].get("finished_kept_for").is_none());
    assert!(shown["redis"].get("archive").is_none());
    let (config, shown) = with("url = 'redis://a'\nfinished_kept_for = '90d'").expect("good");
    assert_eq!(shown["redis"]["archive"].as_str(), Some("stream"));
    let redis = config.redis.expect("it is there");
    let days = std::time::Duration::from_hours(90 * 24);
    assert_eq!(redis.finished_kept_for, Some(days));
    let file = "url = 'redis://a'\nfinished_kept_for = '90d'\narchive = { file = 'gone.jsonl' }";
    let (config, shown) = with(file).expect("good");
    let archive = config.redis.expect("it is there").archive;
    let crate::config::ArchivePlace::File(path) = archive else {
        panic!("{archive:?}");
    };
    assert!(
        path.is_absolute() && path.ends_with("gone.jsonl"),
        "beside the configuration"
    );
    let shown = shown["redis"]["archive"]["file"].as_str();
    assert_eq!(shown, Some(path.to_string_lossy().as_ref()));
}
