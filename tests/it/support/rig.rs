//! teller between a provider and an app, set up by a closure, in a directory of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use mock_provider::ledger::Execution;
use mock_provider::{app, server};
use teller::config::{Config, NewKey, Overrides};
use teller::transaction::{AppId, Fact, Key, TransactionId};
use tempfile::TempDir;
use toml::Table;

use super::redis::{Kind, Server};
use super::{Client, Teller, eventually, put};

/// How much faster than in the field time runs, unless a test says. A ghost window then lasts 2.4 s.
pub(crate) const TIME_SCALE: f64 = 50.0;
/// The name of the app in every test.
pub(crate) const APP: &str = "shop";

/// Everything that a test may change before it starts.
pub(crate) struct Setup {
    pub(crate) time_scale: f64,
    /// `teller.toml`.
    pub(crate) config: Table,
    /// The provider's profile.
    pub(crate) profile: Table,
    /// What the provider's table says beside its profile. Its address is the mock's, unless it is here.
    pub(crate) provider: Table,
    /// Further set-ups of that profile: what their tables say beside it and the provider's address.
    pub(crate) more_providers: Vec<Table>,
    pub(crate) mock: server::Options,
    pub(crate) app: app::Options,
    /// It is about the files of the embedded journal, and runs over no other.
    pub(crate) embedded: bool,
}

impl Setup {
    /// The reference provider with margins for a busy machine: the way of a request does not get
    /// shorter because a rehearsal runs faster.
    fn usual() -> Self {
        let profile = include_str!("../../../providers/reference.toml");
        let mut profile: Table = profile.parse().expect("the reference profile is TOML");
        put(&mut profile, "ghost.margin", "20s");
        put(&mut profile, "submit.connect_time_out", "30s");
        put(&mut profile, "inquiry.time_out", "60s");
        put(&mut profile, "inquiry.connect_time_out", "50s");
        let mut config = Table::new();
        put(&mut config, "workers", 2);
        put(&mut config, "drain_timeout", "5s");
        put(&mut config, "data_dir", "data");
        put(&mut config, "app.name", APP);
        Self {
            time_scale: TIME_SCALE,
            config,
            profile,
            provider: Table::new(),
            more_providers: Vec::new(),
            mock: server::Options::default(),
            app: app::Options::default(),
            embedded: false,
        }
    }

    /// One `[[app]]` for each name with its key, and an operators' key.
    pub(crate) fn let_in(&mut self, apps: &[(&str, &NewKey)], operator: &NewKey) {
        let table = |(name, key): &(&str, &NewKey)| {
            let mut table: Table = key.line().parse().expect("TOML");
            put(&mut table, "name", *name);
            table
        };
        let apps: Vec<Table> = apps.iter().map(table).collect();
        put(&mut self.config, "app", apps);
        let operators: Table = operator.line().parse().expect("TOML");
        put(&mut self.config, "operators", operators);
    }

    /// Has the provider's webhooks believed by an HMAC-SHA256 in the header `x-signature`, with the key
    /// in this file, instead of by their token.
    pub(crate) fn sign_webhooks(&mut self, key_file: &Path) {
        put(&mut self.profile, "secrets.key.about", "signs webhooks");
        put(&mut self.profile, "webhook.trust", "signed");
        put(&mut self.profile, "webhook.secret", "key");
        put(&mut self.profile, "webhook.event_id", "{{ event.event }}");
        for (name, value) in [
            ("kind", "hmac"),
            ("algorithm", "sha256"),
            ("encoding", "hex"),
            ("header", "x-signature"),
        ] {
            put(
                &mut self.profile,
                &format!("webhook.signature.{name}"),
                value,
            );
        }
        let file = key_file.display().to_string();
        put(&mut self.provider, "secrets.key.file", file);
    }

    /// Has the app told in its own words, `schedule` after the outcome.
    pub(crate) fn tell_by_template(&mut self, schedule: &[&str]) {
        put(&mut self.config, "app.notify.format", "template");
        let words = "completed = 'accepted'\ndeclined = 'declined'\nfailed = 'given_up'";
        let words: Table = words.parse().expect("TOML");
        put(&mut self.config, "app.notify.words", words);
        self.tell_on(schedule);
    }

    /// Has the app told in the form of Standard Webhooks, signed with `secret`.
    pub(crate) fn tell_signed(&mut self, secret_file: &str, schedule: &[&str]) {
        put(&mut self.config, "app.notify.format", "standard_webhooks");
        let mut secret = Table::new();
        put(&mut secret, "file", secret_file);
        put(&mut self.config, "app.notify.secrets", vec![secret]);
        self.tell_on(schedule);
    }

    fn tell_on(&mut self, schedule: &[&str]) {
        let schedule: Vec<toml::Value> = schedule.iter().map(|&wait| wait.into()).collect();
        put(&mut self.config, "app.notify.schedule", schedule);
    }
}

/// A port below those that the system hands out, so that it stays the same over restarts and no
/// outgoing connection takes it meanwhile.
pub(crate) fn reserve_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = 10_000 + u16::try_from(std::process::id() % 100).expect("below 100") * 200;
    loop {
        let port = own + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The whole: provider, teller, app.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) dir: TempDir,
    time_scale: f64,
    config: Config,
    teller: Option<Teller>,
    mock_options: server::Options,
    mock: Option<server::Running>,
    app_options: app::Options,
    app: Option<app::Running>,
    /// What the journal lies in, if not in the data directory.
    store: Option<Server>,
}

/// The store that the journal lies in: none for the embedded journal; `TELLER_TEST_JOURNAL` names
/// another, and all of this then runs over it.
fn store(setup: &mut Setup) -> Option<Server> {
    let kind = match std::env::var("TELLER_TEST_JOURNAL").as_deref() {
        _ if setup.embedded => return None,
        Err(_) | Ok("embedded") => return None,
        Ok("redis") => Kind::Redis,
        Ok("valkey") => Kind::Valkey,
        Ok(other) => panic!("TELLER_TEST_JOURNAL is embedded, redis or valkey; it is {other:?}"),
    };
    let server = Server::start(kind, &[]);
    put(&mut setup.config, "redis.url", server.url());
    let listen = format!("127.0.0.1:{}", reserve_port());
    put(&mut setup.config, "cluster.listen", listen);
    let mut secret = Table::new();
    put(&mut secret, "file", "nodes.key");
    put(&mut setup.config, "cluster.secret", vec![secret]);
    let tokens = vec!["token.key"];
    put(&mut setup.config, "webhooks.token_secret_files", tokens);
    Some(server)
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts all three as `change` wants them.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut rig = Self::set_up(change).await;
        rig.start_teller().await;
        rig
    }

    /// Starts provider and app; teller has its configuration in `teller.toml`, and does not run.
    pub(crate) async fn set_up(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::usual();
        setup.app.port = reserve_port();
        setup.mock.port = reserve_port();
        let listen = format!("127.0.0.1:{}", reserve_port());
        setup.app.teller = format!("http://{listen}");
        put(&mut setup.config, "listen", listen);
        change(&mut setup);
        setup.mock.time_scale = setup.time_scale;
        let mock = server::start(setup.mock.clone())
            .await
            .expect("a free port");
        let app = app::start(setup.app.clone()).await.expect("a free port");
        let dir = TempDir::new().expect("a temporary directory");
        let store = store(&mut setup);
        for key in ["nodes.key", "token.key"] {
            std::fs::write(dir.path().join(key), key.repeat(8)).expect("writable");
        }
        let config = write_config(&dir, &mut setup, &mock.url, &app.url);
        Self {
            client: Client::new(setup.app.teller.clone()),
            dir,
            time_scale: setup.time_scale,
            config,
            teller: None,
            mock_options: setup.mock,
            mock: Some(mock),
            app_options: setup.app,
            app: Some(app),
            store,
        }
    }

    /// Whether the journal is one that other nodes may share.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.is_some()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.dir.path().join("teller.toml")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.config.data_dir.clone()
    }

    /// How many real milliseconds these unscaled seconds last here.
    pub(crate) fn scaled_ms(&self, seconds: f64) -> u64 {
        (seconds * 1_000.0 / self.time_scale) as u64
    }

    pub(crate) async fn start_teller(&mut self) {
        self.teller = Some(Teller::start(self.config.clone()).await);
        eventually("ready", || async {
            (self.client.get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// Reads `teller.toml` again; the next start uses it.
    pub(crate) fn reload(&mut self) {
        let config = Config::load(&self.config_file(), Overrides::default());
        self.config = config.expect("a legal configuration");
    }

    pub(crate) async fn stop_teller(&mut self) {
        self.teller.take().expect("it runs").stop().await;
    }

    pub(crate) async fn restart_teller(&mut self) {
        self.stop_teller().await;
        self.start_teller().await;
    }

    pub(crate) fn teller(&self) -> &Teller {
        self.teller.as_ref().expect("it runs")
    }

    pub(crate) fn mock(&self) -> &server::Running {
        self.mock.as_ref().expect("it runs")
    }

    /// Connections to it are refused from now on. Its ledger goes with it.
    pub(crate) async fn stop_mock(&mut self) {
        self.mock.take().expect("it runs").stop().await;
    }

    pub(crate) async fn start_mock(&mut self) {
        let mock = server::start(self.mock_options.clone()).await;
        self.mock = Some(mock.expect("the port is still free"));
    }

    pub(crate) fn app(&self) -> &app::Running {
        self.app.as_ref().expect("it runs")
    }

    pub(crate) async fn stop_app(&mut self) {
        self.app.take().expect("it runs").stop().await;
    }

    pub(crate) async fn start_app(&mut self) {
        let app = app::start(self.app_options.clone()).await;
        self.app = Some(app.expect("the port is still free"));
    }

    /// The ledger's entries of one id: its POSTs, in order of arrival.
    pub(crate) fn posts(&self, id: &str) -> Vec<Execution> {
        self.mock().ledger().of(id).cloned().collect()
    }

    /// How often the provider executed it, or will.
    pub(crate) fn executions(&self, id: &str) -> usize {
        let posts = self.posts(id);
        posts.iter().filter(|entry| entry.executed).count()
    }

    /// What the app was told about it, in order.
    pub(crate) fn told(&self, id: &str) -> Vec<app::Notification> {
        let mut all = self.app().notifications();
        all.retain(|told| told.id.as_deref() == Some(id));
        all
    }

    /// Waits until the app was told about it so often.
    pub(crate) async fn wait_until_told(&self, id: &str, times: usize) -> Vec<app::Notification> {
        eventually(&format!("{id} told {times} times"), || async {
            Some(self.told(id)).filter(|told| told.len() >= times)
        })
        .await
    }

    pub(crate) fn key(id: &str) -> Key {
        Key {
            app: AppId::parse(APP).expect("a legal name"),
            id: TransactionId(id.parse().expect("a UUID")),
        }
    }

    /// Path and token of the webhook URL that the provider was given with this attempt.
    pub(crate) async fn webhook_path(&self, id: &str, attempt: u32) -> String {
        let history = self.teller().house.journal.load(&Self::key(id)).await;
        let history = history.expect("readable").expect("known");
        let body = history.iter().find_map(|record| match &record.fact {
            Fact::AttemptStarted { attempt: n, intent } if *n == attempt => {
                Some(intent.request.body.clone())
            }
            _ => None,
        });
        let body = body.expect("the attempt has started");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let url = body["webhookUrl"].as_str().expect("the provider gets one");
        let path = url.strip_prefix(&self.client.url).expect("it leads here");
        path.to_owned()
    }

    /// Checks what must be true of every transaction in the end: an outcome that is the provider's,
    /// executed at most once.
    pub(crate) async fn audit(&self, id: &str) -> serde_json::Value {
        let view = self.client.wait_until_final(id).await;
        let posts = self.posts(id);
        let executed: Vec<_> = posts.iter().filter(|entry| entry.executed).collect();
        assert_eq!(executed.len(), 1, "{id} is {view}, and was {posts:?}");
        let status = serde_json::json!(executed[0].status);
        assert_eq!(view["status"], status, "{id} was {posts:?}");
        view
    }
}

fn write_config(dir: &TempDir, setup: &mut Setup, mock_url: &str, app_url: &str) -> Config {
    put(&mut setup.config, "time_scale", setup.time_scale);
    let mut first = setup.provider.clone();
    put(&mut first, "default", true);
    let provider = |mut table: Table| {
        put(&mut table, "profile", "profile.toml");
        // A test may bring a provider of its own.
        table.entry("base_url").or_insert(mock_url.into());
        table
    };
    let more = setup.more_providers.iter().cloned();
    let all: Vec<Table> = std::iter::once(first).chain(more).map(provider).collect();
    put(&mut setup.config, "provider", all);
    let app = setup.config["app"].as_table();
    let signed = app
        .and_then(|app| app.get("notify"))
        .map(|notify| notify["format"].as_str() == Some("standard_webhooks"));
    if let Some(signed) = signed {
        put(&mut setup.config, "app.notify.allow", vec!["127.0.0.1"]);
        let door = if signed { "notify" } else { "transaction" };
        put(
            &mut setup.config,
            "app.notify.url",
            format!("{app_url}/{door}"),
        );
    }
    let write = |name: &str, table: &Table| {
        std::fs::write(dir.path().join(name), table.to_string()).expect("writable");
    };
    write("profile.toml", &setup.profile);
    write("teller.toml", &setup.config);
    let file = dir.path().join("teller.toml");
    Config::load(&file, Overrides::default()).expect("a legal configuration")
}
