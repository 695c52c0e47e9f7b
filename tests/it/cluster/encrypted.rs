//! Nodes that know each other by certificates of one authority, and let nobody else in.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use toml::Table;
use uuid::Uuid;

use super::stage::{Plan, Stage};
use crate::support::redis::Server;
use crate::support::{eventually, is_final, put};

/// Makes two authorities, and a key with a certificate of each.
fn certificates(dir: &Path) {
    let script = "set -e
for name in ours other; do
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$name \
  -addext basicConstraints=critical,CA:TRUE -keyout $name-ca.key -out $name-ca.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=node -keyout $name.key -out $name.csr
printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > extensions
openssl x509 -req -in $name.csr -CA $name-ca.crt -CAkey $name-ca.key -CAcreateserial -days 2 \
  -extfile extensions -out $name.crt
done";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "run scripts/test, which installs openssl: {said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_certificates_of_one_authority_reach_each_other_and_nobody_else_does() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    certificates(dir.path());
    let file = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let mut cluster = Table::new();
    put(&mut cluster, "certificate_file", file("ours.crt"));
    put(&mut cluster, "key_file", file("ours.key"));
    put(&mut cluster, "ca_file", file("ours-ca.crt"));
    let store = Server::redis(&[]);
    let plan = Plan {
        nodes: 2,
        time_scale: 50.0,
        cluster,
        ..Plan::default()
    };
    let stage = Stage::set(&store.url(), plan).await;
    let stage = &stage;

    // Half of them are the other node's, which is asked over the encrypted connection.
    for n in 0..10 {
        let id = Uuid::new_v4().to_string();
        let url = format!("{}/v1/transactions", stage.node_url(n % 2));
        let body = json!({ "id": id, "payload": { "n": n } });
        let taken = stage.http().post(&url).json(&body).send().await;
        assert_eq!(taken.expect("an answer").status().as_u16(), 202);
        for node in 0..2 {
            let url = format!("{}/v1/transactions/{id}", stage.node_url(node));
            let url = &url;
            eventually("it is final at both", || async move {
                let answer = stage.http().get(url).send().await.ok()?;
                let view: Value = answer.json().await.ok()?;
                is_final(&view).then_some(())
            })
            .await;
        }
    }

    let nodes = format!("{}/v1/nodes", stage.node_url(0));
    let nodes = stage.http().get(nodes).send().await.expect("an answer");
    let nodes: Value = nodes.json().await.expect("JSON");
    let inner = nodes["data"][0]["url"].as_str().expect("a URL");
    assert!(inner.starts_with("https://127.0.0.1:"), "{nodes}");
    let read = |name: &str| std::fs::read(file(name)).expect("made above");
    let ca = reqwest::Certificate::from_pem(&read("ours-ca.crt")).expect("PEM");
    let with = |shown: Option<&str>| {
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([ca.clone()]);
        if let Some(name) = shown {
            let both = [read(&format!("{name}.crt")), read(&format!("{name}.key"))].concat();
            let identity = reqwest::Identity::from_pem(&both).expect("PEM");
            builder = builder.identity(identity);
        }
        builder.build().expect("a client").get(inner).send()
    };
    let without_secret = with(Some("ours")).await.expect("it is let in");
    assert_eq!(without_secret.status().as_u16(), 401, "and no further");
    assert!(with(None).await.is_err(), "without a certificate");
    assert!(with(Some("other")).await.is_err(), "another authority's");
    let plain = inner.replace("https:", "http:");
    let plain = stage.http().get(plain).send().await;
    assert!(plain.is_err(), "without encryption: {plain:?}");
}
