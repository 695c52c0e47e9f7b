//! The whole, put together: journal, providers, notifier, shards in the web workers' threads, doors;
//! and its life from start to drained stop.

mod memory;
mod upkeep;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};
use anyhow::Context;
use tokio::sync::watch;

use crate::actors::registry::Registry;
use crate::actors::router::Router;
use crate::actors::{Ground, House, gate};
use crate::adapters::journal::embedded::{EmbeddedJournal, Options};
use crate::adapters::notifier::{HttpNotifier, NotifierConfig};
use crate::adapters::provider::{HttpProvider, Settings};
use crate::api::{self, Doors};
use crate::app::memory::JournalMemory;
use crate::clock::Clock;
use crate::config::{Config, ProviderConfig, webhook_secrets};
use crate::ports::{Endpoints, Journal, Notifier, Provider, Providers};
use crate::transaction::AppId;

/// A client has to send its request's head within this long: a head is one packet or two.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// A connection that is being closed is dropped after this long.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// An idle connection is kept this long: longer than load balancers do (60 s), so that they close first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections per worker, at most: 2 × 10,000 sockets stay well within a service's usual file limit.
const CONNECTIONS_PER_WORKER: usize = 10_000;
/// Of the drain's time, what is kept for writing down and closing after the calls are waited for.
const DRAIN_RESERVE: Duration = Duration::from_secs(2);
/// How often a drain looks whether the calls are back.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// A teller that is built and listens, but does not run yet.
pub struct Application {
    server: Server,
    handle: ServerHandle,
    address: SocketAddr,
    house: Arc<House>,
    notifier: Arc<HttpNotifier>,
    failed: watch::Receiver<Option<String>>,
    close: Box<dyn FnOnce() + Send>,
    drain_timeout: Duration,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Asked to, and everything is written down.
    Drained,
    /// The journal can't say "durable" any more: the process has to end, and to recover when it
    /// starts again (law 1).
    JournalFailed(String),
}

/// A journal that is open, and how to learn of its end and to bring it about.
pub struct OpenJournal {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Holds the reason once the journal has failed for good.
    pub failed: watch::Receiver<Option<String>>,
    /// Writes down what is under way and lets go of the files. Blocks.
    pub close: Box<dyn FnOnce() + Send>,
}

impl Application {
    /// Opens the embedded journal and builds the rest on it. Needs a running actix system.
    ///
    /// # Errors
    /// Why teller can't start, in words for an operator.
    pub fn build(config: &Config) -> anyhow::Result<Self> {
        let options = Options {
            max_unfolded: config.max_unfolded,
            ..Options::new(&config.data_dir)
        };
        let journal = Arc::new(EmbeddedJournal::open(options)?);
        refuse_orphans(&journal.open_providers()?, config)?;
        let failed = journal.failed();
        let closing = Arc::clone(&journal);
        Self::build_on(
            config,
            OpenJournal {
                journal,
                failed,
                close: Box::new(move || closing.close()),
            },
        )
    }

    /// Builds on a journal that is open.
    ///
    /// # Errors
    /// Why teller can't start, in words for an operator.
    pub fn build_on(config: &Config, open: OpenJournal) -> anyhow::Result<Self> {
        config.refuse_open_doors()?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let listener = TcpListener::bind(&config.listen).with_context(|| {
            format!(
                "can't listen on {}; is another teller running there?",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        let public_url = config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}"));
        let clock = Clock::system();
        let providers = providers(config, &public_url, clock)?;
        let notifier = Arc::new(notifier(config, clock)?);
        let router = Router::new(config.workers);
        let app_names: Vec<AppId> = config.apps.iter().map(|app| app.name.clone()).collect();
        let house = House::new(
            Ground::alone(open.journal),
            providers,
            Arc::clone(&notifier) as Arc<dyn Notifier>,
            clock,
            router,
            config.bounds,
            &app_names,
        )
        .with_stand_ins(stand_ins(config));
        let endpoints = Arc::clone(&notifier) as Arc<dyn Endpoints>;
        let doors = Doors {
            house: Arc::clone(&house),
            apps: app_names,
            public_url: public_url.trim_end_matches('/').to_owned(),
            access: config.access.clone(),
            routes: config.routes.clone(),
            retired: config.retired_providers.clone(),
            endpoints,
            neighbours: None,
            cluster: None,
            bounds: config.doors,
        };
        let server = serve(config, listener, doors)?;
        for gate in house.gates() {
            actix_web::rt::spawn(gate::pump::pump(Arc::clone(gate), house.router.clone()));
        }
        actix_web::rt::spawn(upkeep::expire_inbox(
            Arc::clone(&house),
            config.inbox_kept_for,
        ));
        if house.shared.is_some() {
            actix_web::rt::spawn(upkeep::follow_endpoints(Arc::clone(&notifier)));
        }
        let handle = server.handle();
        if config.time_scale > 1.0 {
            tracing::warn!(
                time_scale = config.time_scale,
                "a rehearsal: ghost windows are shortened, never use this with a real provider"
            );
        }
        tracing::info!(%address, %public_url, data_dir = %config.data_dir.display(), "listening");
        let (failed, close, drain_timeout) = (open.failed, open.close, config.drain_timeout);
        Ok(Self {
            server,
            handle,
            address,
            house,
            notifier,
            failed,
            close,
            drain_timeout,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the shards share.
    #[must_use]
    pub fn house(&self) -> Arc<House> {
        Arc::clone(&self.house)
    }

    /// Runs until `stop` resolves or the journal fails, then drains.
    ///
    /// # Errors
    /// When the web server itself fails.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<Ended> {
        let Self {
            server,
            handle,
            house,
            notifier,
            mut failed,
            close,
            drain_timeout,
            ..
        } = self;
        // Before the first shard starts, and with it the first delivery.
        let memory = Arc::new(JournalMemory(Arc::clone(&house.journal)));
        let recalled = notifier.remember_in(memory).await;
        recalled.map_err(|why| anyhow::anyhow!("what is known of the apps' endpoints: {why}"))?;
        let server = actix_web::rt::spawn(server);
        let ended = tokio::select! {
            () = stop => Ended::Drained,
            reason = failed.wait_for(Option::is_some) => Ended::JournalFailed(match reason {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => "the journal's writer is gone".to_owned(),
            }),
        };
        house.drain();
        if let Ended::JournalFailed(_) = ended {
            // Whatever waits is unconfirmed and must not be answered as if it were durable.
            handle.stop(false).await;
            return Ok(ended);
        }
        drain(&house, drain_timeout).await;
        handle.stop(true).await;
        server.await??;
        tokio::task::spawn_blocking(close).await?;
        tracing::info!("stopped");
        Ok(ended)
    }
}

/// A transaction whose provider is not configured could neither end nor be asked about.
fn refuse_orphans(open: &[String], config: &Config) -> anyhow::Result<()> {
    let configured = |name: &&String| {
        config
            .providers
            .iter()
            .any(|one| one.profile.name() == *name)
    };
    if let Some(missing) = open.iter().find(|name| !configured(name)) {
        anyhow::bail!(
            "{}: transactions of the provider {missing:?} are open, and it is not configured; put its profile back \
             until they have ended",
            config.origin.display()
        );
    }
    Ok(())
}

/// Provider → who stands in for it.
fn stand_ins(config: &Config) -> BTreeMap<String, String> {
    let pair = |provider: &ProviderConfig| {
        let stand_in = provider.stand_in.clone()?;
        Some((provider.profile.name().to_owned(), stand_in))
    };
    config.providers.iter().filter_map(pair).collect()
}

fn serve(config: &Config, listener: TcpListener, doors: Doors) -> anyhow::Result<Server> {
    let workers_house = Arc::clone(&doors.house);
    let doors = web::Data::new(doors);
    let server = HttpServer::new(move || {
        Registry::start_on_this_thread(&workers_house);
        let doors = doors.clone();
        actix_web::App::new()
            .wrap(from_fn(api::in_a_span))
            .configure(|config| api::mount(config, doors))
    })
    .workers(config.workers)
    .max_connections(CONNECTIONS_PER_WORKER)
    .client_request_timeout(HEAD_DEADLINE)
    .client_disconnect_timeout(CLOSE_DEADLINE)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(DRAIN_RESERVE.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

fn providers(config: &Config, public_url: &str, clock: Clock) -> anyhow::Result<Providers> {
    let secrets = webhook_secrets(&config.token_secret_files, &config.data_dir)?;
    let provider = |provider: &ProviderConfig| -> anyhow::Result<Arc<dyn Provider>> {
        let settings = Settings {
            public_url: public_url.to_owned(),
            base_url: provider.base_url.clone(),
            environment: provider.environment.clone(),
            settings: provider.settings.clone(),
            secrets: provider.secrets.clone(),
            token_secrets: secrets.clone(),
            time_scale: config.time_scale,
        };
        Ok(Arc::new(HttpProvider::new(
            provider.profile.clone(),
            settings,
            clock,
        )?))
    };
    let providers = config
        .providers
        .iter()
        .map(provider)
        .collect::<anyhow::Result<_>>()?;
    Ok(Providers::new(providers, &config.default_provider))
}

/// The notifier as configured.
///
/// # Errors
/// Which key, file or variable is at fault; never what a secret holds.
pub fn notifier(config: &Config, clock: Clock) -> anyhow::Result<HttpNotifier> {
    let apps = config
        .apps
        .iter()
        .filter_map(|app| Some((app.name.clone(), app.notify.clone()?)))
        .collect();
    Ok(HttpNotifier::new(
        NotifierConfig {
            apps,
            time_scale: config.time_scale,
        },
        clock,
    )?)
}

/// Waits for the calls that are out, as long as the time allows, then has the rest written down as
/// unknown.
async fn drain(house: &House, drain_timeout: Duration) {
    let patience = drain_timeout.saturating_sub(2 * DRAIN_RESERVE);
    tracing::info!(patience_s = patience.as_secs(), "draining");
    let back = async {
        while house.gates().any(|gate| gate.calls_out() > 0) {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    };
    if tokio::time::timeout(patience, back).await.is_err() {
        tracing::warn!("calls are still out; they are written down as unknown");
    }
    if tokio::time::timeout(DRAIN_RESERVE, house.router.stop_all())
        .await
        .is_err()
    {
        tracing::error!(
            "not everything could be written down in time; recovery will treat it as unknown"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Overrides;

    #[test]
    fn an_open_transaction_without_its_provider_refuses_the_start() {
        let text = "[app]\nname = \"shop\"\n[[provider]]\nprofile = \"providers/reference.toml\"\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("teller.toml");
        let config =
            Config::parse(text, &file, Overrides::default()).expect("a good configuration");
        let refused = |open: &[&str]| {
            let open: Vec<String> = open.iter().map(|&name| name.to_owned()).collect();
            refuse_orphans(&open, &config).map_err(|error| error.to_string())
        };
        assert_eq!(refused(&[]), Ok(()));
        assert_eq!(refused(&["reference"]), Ok(()));
        let why = refused(&["reference", "gone"]).expect_err("nobody could ask about it");
        assert!(
            why.contains("\"gone\"") && why.contains("put its profile back"),
            "{why}"
        );
    }
}
