//! The stage: a store, a provider, an app, a balancer, and the nodes.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_provider::faults::Faults;
use mock_provider::ledger::Execution;
use mock_provider::{app, server};
use teller::cli::demo::audit::{Promise, Verdict, Words, audit};
use teller::cli::demo::customer::{Progress, send_all};
use teller::cli::demo::observer;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use toml::Table;

use super::balancer::Balancer;
use crate::support::{Client, DEADLINE, Preload, put, reserve_port, within};

const TELLER: &str = env!("CARGO_BIN_EXE_teller");
/// How long a customer waits for one answer, as a phone would.
const CUSTOMER_PATIENCE: Duration = Duration::from_secs(15);
/// The pause between two audits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Everything that a test may choose.
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) time_scale: f64,
    pub(super) seed: u64,
    pub(super) faults: Faults,
    /// The provider's profile.
    pub(super) profile: Table,
    /// More of `[redis]`.
    pub(super) redis: Table,
    /// More of `[cluster]`.
    pub(super) cluster: Table,
    /// What the last node is started with, so that it sees another machine than the others.
    pub(super) preload: Option<Preload>,
}

impl Default for Plan {
    fn default() -> Self {
        let profile = include_str!("../../../providers/reference.toml");
        let mut profile: Table = profile.parse().expect("the reference profile is TOML");
        // The way of a request does not get shorter because a rehearsal runs faster.
        put(&mut profile, "ghost.margin", "20s");
        Self {
            nodes: 3,
            // A ghost window of 12 s.
            time_scale: 10.0,
            seed: 1,
            faults: Faults::default(),
            profile,
            redis: Table::new(),
            cluster: Table::new(),
            preload: None,
        }
    }
}

pub(super) struct Stage {
    pub(super) balancer: Balancer,
    pub(super) provider: server::Running,
    pub(super) app: app::Running,
    nodes: Vec<Node>,
    dir: TempDir,
    http: reqwest::Client,
    preload: Option<Preload>,
}

struct Node {
    config: PathBuf,
    child: Option<Child>,
    url: String,
    stopped: bool,
}

impl Stage {
    /// Starts everything over a store at this URL, or, if it is empty, over what the plan says of it.
    pub(super) async fn set(store: &str, plan: Plan) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = TempDir::new().expect("a temporary directory");
        let balancer = Balancer::start(plan.nodes).await;
        let options = server::Options {
            seed: plan.seed,
            time_scale: plan.time_scale,
            // A fifth over the budget: calls that leave evenly do not arrive evenly.
            status_limit: Some(6.0),
            faults: plan.faults.clone(),
            ..server::Options::default()
        };
        let provider = server::start(options).await.expect("a free port");
        let options = app::Options {
            teller: balancer.url.clone(),
            ..app::Options::default()
        };
        let app = app::start(options).await.expect("a free port");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("writable");
        };
        write("profile.toml", &plan.profile.to_string());
        write("token.key", &"t".repeat(64));
        write("nodes.key", &"n".repeat(64));
        let mut nodes = Vec::new();
        for index in 0..plan.nodes {
            let listen = format!("127.0.0.1:{}", reserve_port());
            let config = config(index, &listen, store, &plan, &balancer, &provider, &app);
            let name = format!("node-{index}.toml");
            write(&name, &config.to_string());
            nodes.push(Node {
                config: dir.path().join(name),
                child: None,
                url: format!("http://{listen}"),
                stopped: false,
            });
            let address = listen.parse().expect("an address");
            balancer.learn(index, address);
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(CUSTOMER_PATIENCE)
            .build()
            .expect("a plain client");
        let mut stage = Self {
            balancer,
            provider,
            app,
            nodes,
            dir,
            http,
            preload: plan.preload,
        };
        for index in 0..plan.nodes {
            stage.start_node(index).await;
        }
        stage.wait_until_ready(plan.nodes).await;
        stage
    }

    pub(super) async fn start_node(&mut self, index: usize) {
        let is_last = index + 1 == self.nodes.len();
        let preload = self.preload.as_ref().filter(|_| is_last);
        let preload = preload.map(|preload| ("LD_PRELOAD", preload.library()));
        let node = &mut self.nodes[index];
        assert!(node.child.is_none(), "node {index} runs already");
        let log = self.dir.path().join(format!("node-{index}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("writable");
        let mut child = Command::new(TELLER)
            .arg("serve")
            .arg("--config")
            .arg(&node.config)
            .env_remove("RUST_LOG")
            .envs(preload)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the program can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = tokio::time::timeout(DEADLINE, lines.next_line()).await;
        let first = first.expect("it says something, or ends").expect("text");
        let said = first.unwrap_or_default();
        assert!(
            said.starts_with("listening on "),
            "node {index} did not start; see {}",
            self.dir.path().display()
        );
        node.child = Some(child);
        node.stopped = false;
    }

    /// SIGKILL.
    pub(super) async fn kill_node(&mut self, index: usize) {
        if let Some(mut child) = self.nodes[index].child.take() {
            child.kill().await.expect("it can be killed");
        }
        self.nodes[index].stopped = false;
    }

    /// SIGTERM.
    pub(super) async fn terminate_node(&self, index: usize) {
        self.signal(index, "-TERM").await;
    }

    /// Waits until a node that was told to has ended.
    pub(super) async fn wait_for_end(&mut self, index: usize) {
        let mut child = self.nodes[index].child.take().expect("it runs");
        let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
        let status = ended.expect("it drains").expect("it can be waited for");
        assert!(status.success(), "node {index} ended with {status}");
    }

    /// SIGSTOP.
    pub(super) async fn pause_node(&mut self, index: usize) {
        self.signal(index, "-STOP").await;
        self.nodes[index].stopped = true;
    }

    /// SIGCONT.
    pub(super) async fn resume_node(&mut self, index: usize) {
        if self.nodes[index].stopped {
            self.signal(index, "-CONT").await;
            self.nodes[index].stopped = false;
        }
    }

    async fn signal(&self, index: usize, signal: &str) {
        let id = self.nodes[index].child.as_ref().and_then(Child::id);
        let id = id.expect("it runs").to_string();
        let status = Command::new("kill").args([signal, &id]).status().await;
        assert!(status.expect("kill can be started").success());
    }

    pub(super) fn node_url(&self, index: usize) -> &str {
        &self.nodes[index].url
    }

    /// A client of one node.
    pub(super) fn client(&self, index: usize) -> Client {
        Client::new(self.node_url(index))
    }

    /// The provider's entries of one id, in order of arrival.
    pub(super) fn posts(&self, id: &str) -> Vec<Execution> {
        self.provider.ledger().of(id).cloned().collect()
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(super) async fn wait_until_ready(&self, nodes: usize) {
        within(DEADLINE, "nodes are ready", || async {
            (self.balancer.ready() >= nodes).then_some(())
        })
        .await;
    }

    /// Sends transactions through the balancer, in a task of its own.
    pub(super) fn send(
        &self,
        numbers: std::ops::Range<usize>,
        per_second: f64,
    ) -> tokio::task::JoinHandle<anyhow::Result<Vec<Promise>>> {
        tokio::spawn(send_all(
            self.http.clone(),
            self.balancer.url.clone(),
            numbers,
            per_second,
            Arc::new(Progress::default()),
        ))
    }

    /// Compares all accounts: the client's list of promises, what the nodes say, the provider's ledger,
    /// what the app was told.
    pub(super) async fn audit(&self, promises: &[Promise]) -> anyhow::Result<Verdict> {
        let claims = observer::claims(&self.http, &self.balancer.url, promises).await?;
        let words = Words {
            completed: "accepted".to_owned(),
            declined: "declined".to_owned(),
            failed: "not_executed".to_owned(),
        };
        let ledger = self.provider.ledger();
        let told = self.app.notifications();
        Ok(audit(promises, &claims, &ledger, &told, &words))
    }

    /// Waits until the audit is clean. What must never be is not waited for: it fails at once.
    pub(super) async fn settle(self, promises: &[Promise], patience: Duration) -> Verdict {
        let deadline = Instant::now() + patience;
        let mut last;
        loop {
            match self.audit(promises).await {
                Ok(verdict) if verdict.is_clean() => return verdict,
                Ok(verdict) => {
                    if verdict.executed_twice > 0 {
                        self.give_up(&format!("{verdict:#?}"));
                    }
                    last = format!("{verdict:#?}");
                }
                Err(error) => last = format!("{error:#}"),
            }
            if Instant::now() > deadline {
                self.give_up(&last);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Fails the test, and leaves the logs for whoever looks.
    fn give_up(self, why: &str) -> ! {
        let dir = self.dir.keep();
        panic!("not clean: {why}\nlogs in {}", dir.display());
    }
}

fn config(
    index: usize,
    listen: &str,
    store: &str,
    plan: &Plan,
    balancer: &Balancer,
    provider: &server::Running,
    app: &app::Running,
) -> Table {
    let mut config = Table::new();
    let mut set = |path: &str, value: toml::Value| put(&mut config, path, value);
    set("listen", listen.into());
    set("public_url", balancer.url.clone().into());
    set("data_dir", format!("data-{index}").into());
    set("workers", 2.into());
    set("drain_timeout", "5s".into());
    set("time_scale", plan.time_scale.into());
    set("webhooks.token_secret_files", vec!["token.key"].into());
    set("app.name", "shop".into());
    set("app.notify.format", "template".into());
    set("app.notify.method", "PUT".into());
    set("app.notify.url", format!("{}/transaction", app.url).into());
    set("app.notify.allow", vec!["127.0.0.1"].into());
    for (status, word) in [
        ("completed", "accepted"),
        ("declined", "declined"),
        ("failed", "not_executed"),
    ] {
        set(&format!("app.notify.words.{status}"), word.into());
    }
    let mut table = Table::new();
    put(&mut table, "profile", "profile.toml");
    put(&mut table, "base_url", provider.url.clone());
    put(&mut table, "default", true);
    set("provider", vec![table].into());
    if !store.is_empty() {
        set("redis.url", store.into());
    }
    for (name, value) in &plan.redis {
        set(&format!("redis.{name}"), value.clone());
    }
    set("cluster.node", format!("node-{index}").into());
    set(
        "cluster.listen",
        format!("127.0.0.1:{}", reserve_port()).into(),
    );
    let mut secret = Table::new();
    put(&mut secret, "file", "nodes.key");
    set("cluster.secret", vec![secret].into());
    for (name, value) in &plan.cluster {
        set(&format!("cluster.{name}"), value.clone());
    }
    config
}
