//! What a start refuses, and with which user it is content.

use std::path::Path;
use std::process::Command;

use super::super::super::servers::free_port;
use super::super::{Archive, Retention};
use super::*;

/// The rule that operators are told to give teller's user, but for its name and password.
fn acl_rule() -> &'static str {
    let page = include_str!("../../../../../docs/configuration.md");
    let mut rules = page
        .lines()
        .filter_map(|line| line.strip_prefix("user teller on #<SHA-256 of the password> "));
    rules.next().expect("the page has a rule")
}

async fn refused(options: Options) -> String {
    let error = RedisJournal::connect(options).await;
    error.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_server_that_loses_what_it_acknowledges_is_refused_with_the_line_that_helps() {
    for kind in Kind::ALL {
        for (name, wrong, right) in [
            ("appendonly", "no", "yes"),
            ("appendfsync", "everysec", "always"),
            ("appendfsync", "no", "always"),
            ("maxmemory-policy", "allkeys-lru", "noeviction"),
            ("maxmemory-policy", "volatile-ttl", "noeviction"),
        ] {
            let server = Server::start(kind, &[&format!("--{name}"), wrong]);
            let said = refused(at(&server)).await;
            let line = format!("\"{name} {right}\"");
            assert!(said.contains(&line), "{kind:?}: {said}");
            assert!(said.contains("--i-accept-data-loss"), "{kind:?}: {said}");
            let journal = connected(Options {
                accept_data_loss: true,
                ..at(&server)
            });
            let (_, first) = Life::begin("shop", 1, "bank");
            let journal = journal.await;
            journal
                .append(by_anybody(first))
                .await
                .expect("it was asked for");
        }
    }
}

#[tokio::test]
async fn a_replica_and_a_cluster_node_are_refused() {
    let server = Server::redis(&[]);
    let replica = server.replica(&[]);
    let said = refused(at(&replica)).await;
    assert!(said.contains("is a replica"), "{said}");
    let node = Server::redis(&[
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &free_port().to_string(),
    ]);
    let said = refused(at(&node)).await;
    assert!(said.contains("Cluster"), "{said}");
}

fn user(server: &Server, rule: &str) -> Options {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let set = ["ACL", "SETUSER", "bookkeeper", "reset", "on", ">pssst"];
    server.command(&[&set, words.as_slice()].concat());
    Options {
        username: Some("bookkeeper".to_owned()),
        password: Some(Password("pssst".to_owned())),
        ..at(server)
    }
}

#[tokio::test]
async fn the_documented_acl_rule_is_enough_and_less_is_said() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        own_everything(&server);
        let journal = connected(Options {
            retention: Some(Retention {
                finished_kept_for: Duration::ZERO,
                archive: Archive::Stream,
            }),
            ..user(&server, acl_rule())
        })
        .await;
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let key = first.key.clone();
        journal.append(first).await.expect("allowed");
        journal.append(life.known_as("r")).await.expect("allowed");
        journal.append(life.completed()).await.expect("allowed");
        let referred = journal.referred("bank", "r").await;
        assert_eq!(referred, Ok(Some(key)), "{kind:?}");
        let webhook = kept("bank", "a", &["q"]);
        journal.keep(webhook).await.expect("allowed");
        assert_eq!(journal.release("bank", "a", None).await, Ok(()));
        assert_eq!(
            journal.expire_kept(life.transaction.accepted_at).await,
            Ok(0)
        );
        assert_eq!(journal.note("n", Some("v".to_owned())).await, Ok(()));
        assert!(journal.noted("").await.is_ok(), "{kind:?}");
        assert!(journal.list(ListQuery::default()).await.is_ok(), "{kind:?}");
        assert!(journal.open(None, 0, 9).await.is_ok(), "{kind:?}");
        assert!(journal.newcomers(1, 9).await.is_ok(), "{kind:?}");
        assert!(journal.letters(1, 9).await.is_ok(), "{kind:?}");
        let (mut late, first) = Life::begin("shop", 2, "bank");
        let partition = first.key.partition();
        journal.append(first).await.expect("allowed");
        journal.append(late.completed()).await.expect("allowed");
        eventually("its history goes", async || {
            let retired = journal.retire(partition, Tenure::ALONE).await;
            retired.expect("allowed").moved > 0
        })
        .await;
        journal.append(late.declined()).await.expect("allowed");

        let blind = acl_rule().replace("+config|get", "");
        let said = refused(user(&server, &blind)).await;
        assert!(said.contains("+config|get"), "{kind:?}: {said}");
        let wrong = Options {
            password: Some(Password("guess".to_owned())),
            ..user(&server, acl_rule())
        };
        let said = refused(wrong).await;
        assert!(!said.contains("guess"), "{kind:?}: {said}");
    }
}

/// Makes a certificate authority, and a key with a certificate of it, in a directory.
fn certificates(dir: &Path) {
    let script = "set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
  -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
  -keyout one.key -out one.csr
printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > extensions
openssl x509 -req -in one.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
  -extfile extensions -out one.crt";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output();
    let made = made.expect("a shell");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "run scripts/test, which installs openssl: {said}"
    );
}

#[tokio::test]
async fn encryption_and_client_certificates() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    certificates(dir.path());
    let file = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let port = free_port();
    let server = Server::redis(&[
        "--tls-port",
        &port.to_string(),
        "--tls-ca-cert-file",
        &file("ca.crt"),
        "--tls-cert-file",
        &file("one.crt"),
        "--tls-key-file",
        &file("one.key"),
        "--tls-auth-clients",
        "yes",
    ]);
    own_everything(&server);
    let read = |name: &str| std::fs::read(file(name)).expect("made above");
    let over_tls = |tls| Options {
        tls: Some(tls),
        ..at_place(Place::Server(Address {
            host: "localhost".to_owned(),
            port,
        }))
    };
    let client = Some((read("one.crt"), read("one.key")));
    let journal = connected(over_tls(Tls {
        ca: Some(read("ca.crt")),
        client: client.clone(),
    }))
    .await;
    let (_, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    let stranger = Tls { ca: None, client };
    refused(over_tls(stranger)).await;
    let nameless = Tls {
        ca: Some(read("ca.crt")),
        client: None,
    };
    refused(over_tls(nameless)).await;
}
