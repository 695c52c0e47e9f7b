//! What `[cluster]` may say.

use super::*;

const SECRET: &str = "swordfish-swordfish-swordfish-32";

/// A folder with a profile, a good secret and a short one.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    write("node.key", SECRET);
    write("short.key", "short");
    write(
        "reference.toml",
        include_str!("../../../providers/reference.toml"),
    );
    folder
}

/// Reads a file with this text in its `[cluster]`.
fn with(cluster: &str) -> anyhow::Result<(Config, toml::Table)> {
    let folder = folder();
    let text = format!(
        "{ONE_APP}[[provider]]\nprofile = 'reference.toml'\n[redis]\nurl = 'redis://127.0.0.1'\n\
         [webhooks]\ntoken_secret_files = ['node.key']\n[cluster]\n{cluster}"
    );
    let file = folder.path().join("teller.toml");
    let config = Config::parse(&text, &file, Overrides::default())?;
    let shown = config.effective(&text)?;
    Ok((config, shown))
}

const KEY: &str = "secret = { file = 'node.key' }\n";

fn said(cluster: &str) -> String {
    format!("{:#}", with(cluster).expect_err("refused"))
}

#[test]
fn a_secret_is_enough_and_every_default_is_shown() {
    let (config, shown) = with(KEY).expect("good");
    let cluster = config.cluster.expect("it is there");
    assert!(!cluster.node.is_empty());
    let secrets: Vec<_> = cluster
        .secrets
        .iter()
        .map(|one| one.expose().to_vec())
        .collect();
    assert_eq!(secrets, [SECRET.as_bytes()]);
    let shown = &shown["cluster"];
    for (key, value) in [
        ("listen", "127.0.0.1:8081"),
        ("advertise", "http://127.0.0.1:8081"),
        ("lease", "6s"),
        ("max_pause", "10s"),
    ] {
        assert_eq!(shown[key].as_str(), Some(value), "{key}");
    }
    assert_eq!(shown["node"].as_str(), Some(cluster.node.as_str()));
    assert!(shown["secret"].to_string().contains("/node.key"), "{shown}");
    assert!(!shown.to_string().contains(SECRET) && !format!("{cluster:?}").contains(SECRET));
    let bound = "127.0.0.1:4711".parse().expect("an address");
    assert_eq!(cluster.advertised(bound), "http://127.0.0.1:4711");
}

#[test]
fn what_is_said_is_taken() {
    let (config, _) = with(
        "secret = [{ file = 'node.key' }, { file = 'node.key' }]\nnode = 'n-1'\nlisten = '0.0.0.0:0'\n\
         advertise = 'http://n1.internal:8081/'\nlease = '20s'\n",
    )
    .expect("good");
    let cluster = config.cluster.expect("it is there");
    assert_eq!((cluster.node.as_str(), cluster.secrets.len()), ("n-1", 2));
    assert_eq!(
        cluster.advertise.as_deref(),
        Some("http://n1.internal:8081")
    );
    assert_eq!(cluster.lease, Duration::from_secs(20));
    assert_eq!(
        cluster.max_pause,
        Duration::from_secs(20),
        "at least the lease"
    );
}

#[test]
fn with_certificates_nodes_are_reached_by_https() {
    const FILES: &str = "certificate_file = 'n.crt'\nkey_file = 'n.key'\nca_file = 'ca.crt'\n";
    let (config, shown) = with(&format!("{KEY}{FILES}")).expect("good");
    let cluster = config.cluster.expect("it is there");
    let files = cluster.tls.as_ref().expect("said");
    assert!(files.ca.is_absolute() && files.ca.ends_with("ca.crt"));
    let bound = "127.0.0.1:4711".parse().expect("an address");
    assert_eq!(cluster.advertised(bound), "https://127.0.0.1:4711");
    let advertise = shown["cluster"]["advertise"].as_str();
    assert_eq!(advertise, Some("https://127.0.0.1:8081"));
    assert!(shown["cluster"]["key_file"].to_string().contains("n.key"));
    let plain = format!("{KEY}{FILES}advertise = 'http://n1:8081'\n");
    assert!(said(&plain).contains("such as \"https://10.0.0.5:8081\""));
}

#[test]
fn what_does_not_work_is_refused_with_the_way_out() {
    for (more, expected) in [
        ("ca_file = 'ca.crt'", "key_file and ca_file go together"),
        ("node = 'n 1'", "node: a node's name has"),
        ("listen = 'here'", "listen: \"here\" is no address"),
        (
            "listen = '0.0.0.0:8081'",
            "advertise: listen = \"0.0.0.0:8081\" is every address",
        ),
        ("advertise = 'n1:8081'", "advertise: expected a URL such as"),
        ("advertise = 'http://n1/x'", "without a path"),
        ("lease = '2s'", "lease: it is 3s to 1m"),
        ("lease = '61s'", "lease: it is 3s to 1m"),
        (
            "max_pause = '5s'",
            "max_pause: it is at least the lease (6s)",
        ),
        ("leese = '6s'", "did you mean `lease`"),
    ] {
        let said = said(&format!("{KEY}{more}\n"));
        assert!(said.contains(expected), "{more}: {said}");
        assert!(said.contains("teller.toml, line "), "{more}: {said}");
    }
    for (secret, expected) in [
        (
            "secret = { file = 'short.key' }\n",
            "secret: one has 5 bytes",
        ),
        ("secret = { file = 'no.key' }\n", "can't be read"),
        ("secret = []\n", "1 to 10 places"),
        ("node = 'a'\n", "missing field `secret`"),
    ] {
        let said = said(secret);
        assert!(
            said.contains(expected) && !said.contains("short\n"),
            "{said}"
        );
    }
}

#[test]
fn redis_and_cluster_belong_together() {
    const REDIS: &str = "[redis]\nurl = 'redis://127.0.0.1'\n";
    const CLUSTER: &str = "[cluster]\nsecret = { file = 'node.key' }\n";
    let said = complaint(&format!("{ONE_APP}{REFERENCE}{REDIS}"));
    assert!(said.contains("[redis] needs [cluster]"), "{said}");
    let folder = folder();
    let text =
        |tables: &str| format!("{ONE_APP}[[provider]]\nprofile = 'reference.toml'\n{tables}");
    for (tables, expected) in [
        (CLUSTER.to_owned(), "[cluster] needs [redis]"),
        (format!("{REDIS}{CLUSTER}"), "token_secret_files"),
    ] {
        let file = folder.path().join("teller.toml");
        let refused = Config::parse(&text(&tables), &file, Overrides::default());
        let said = format!("{:#}", refused.expect_err("refused"));
        assert!(said.contains(expected), "{said}");
    }
}
