//! The whole, put together: journal, providers, notifier, shards in the web workers' threads, doors;
//! and its life from start to drained stop.

mod foundation;
mod memory;
mod node_tls;
mod nodes;
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
use crate::actors::{House, Landlord, gate};
use crate::adapters::notifier::{HttpNotifier, NotifierConfig};
use crate::adapters::provider::{HttpProvider, Settings};
use crate::api::{self, Doors};
use crate::app::foundation::Foundation;
use crate::app::memory::JournalMemory;
use crate::app::nodes::Node;
use crate::clock::Clock;
use crate::cluster::{Handle, Keeper};
use crate::config::{Config, ProviderConfig, webhook_secrets};
use crate::ports::{ClusterView, Endpoints, Journal, Notifier, Provider, Providers, Tenants};
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
    node: Option<Joining>,
    failed: watch::Receiver<Option<String>>,
    close: Box<dyn FnOnce() + Send>,
    drain_timeout: Duration,
}

/// A node that is about to join the others.
struct Joining {
    node: Node,
    keeper: (Keeper, Handle),
    tenants: Arc<dyn Tenants>,
    doors: web::Data<Doors>,
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
    /// Opens the journal that is configured and builds the rest on it. Needs a running actix system.
    ///
    /// # Errors
    /// Why teller can't start, in words for an operator.
    pub async fn build(config: &Config) -> anyhow::Result<Self> {
        Self::build_upon(config, Foundation::lay(config).await?)
    }

    /// Builds on a journal that is open, and that this node has for itself.
    ///
    /// # Errors
    /// Why teller can't start, in words for an operator.
    pub fn build_on(config: &Config, open: OpenJournal) -> anyhow::Result<Self> {
        Self::build_upon(config, Foundation::alone(open))
    }

    fn build_upon(config: &Config, foundation: Foundation) -> anyhow::Result<Self> {
        let Foundation {
            ground,
            clock,
            node,
            failed,
            close,
        } = foundation;
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
        let providers = providers(config, &public_url, clock)?;
        let notifier = Arc::new(notifier(config, clock)?);
        let router = Router::new(config.workers);
        let app_names: Vec<AppId> = config.apps.iter().map(|app| app.name.clone()).collect();
        let house = House::new(
            ground,
            providers,
            Arc::clone(&notifier) as Arc<dyn Notifier>,
            clock,
            router,
            config.bounds,
            &app_names,
        )
        .with_stand_ins(stand_ins(config));
        let endpoints = Arc::clone(&notifier) as Arc<dyn Endpoints>;
        let neighbours = node.as_ref().map(Node::neighbours).transpose()?;
        let tenants = node
            .is_some()
            .then(|| Landlord::start(Arc::clone(&house)) as Arc<dyn Tenants>);
        let joining = node.zip(tenants).map(|(node, tenants)| {
            let keeper = node.keeper(&house, &tenants);
            (node, keeper, tenants)
        });
        let cluster = joining
            .as_ref()
            .map(|(_, (_, handle), _)| Arc::new(handle.clone()) as Arc<dyn ClusterView>);
        let doors = Doors {
            house: Arc::clone(&house),
            apps: app_names,
            public_url: public_url.trim_end_matches('/').to_owned(),
            access: config.access.clone(),
            routes: config.routes.clone(),
            retired: config.retired_providers.clone(),
            endpoints,
            neighbours,
            cluster,
            bounds: config.doors,
        };
        let doors = web::Data::new(doors);
        let server = serve(config, listener, doors.clone())?;
        let node = joining.map(|(node, keeper, tenants)| Joining {
            node,
            keeper,
            tenants,
            doors,
        });
        for gate in house.gates() {
            actix_web::rt::spawn(gate::pump::pump(Arc::clone(gate), house.router.clone()));
        }
        actix_web::rt::spawn(upkeep::expire_inbox(
            Arc::clone(&house),
            config.inbox_kept_for,
        ));
        let handle = server.handle();
        if config.time_scale > 1.0 {
            tracing::warn!(
                time_scale = config.time_scale,
                "a rehearsal: ghost windows are shortened, never use this with a real provider"
            );
        }
        tracing::info!(%address, %public_url, data_dir = %config.data_dir.display(), "listening");
        Ok(Self {
            server,
            handle,
            address,
            house,
            notifier,
            node,
            failed,
            close,
            drain_timeout: config.drain_timeout,
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
            node,
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
        let acting = node
            .map(|joining| {
                let Joining {
                    node,
                    keeper,
                    tenants,
                    doors,
                } = joining;
                node.act(keeper, tenants, &doors, &notifier)
            })
            .transpose()?;
        let ended = tokio::select! {
            () = stop => Ended::Drained,
            reason = failed.wait_for(Option::is_some) => Ended::JournalFailed(match reason {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => "the journal's writer is gone".to_owned(),
            }),
        };
        // No new call goes out; those that are out hold their partitions up, and no others.
        house.drain();
        if let Some(acting) = &acting {
            acting
                .leave(drain_timeout.saturating_sub(2 * DRAIN_RESERVE))
                .await;
        }
        if let Ended::JournalFailed(_) = ended {
            // Whatever waits is unconfirmed and must not be answered as if it were durable.
            handle.stop(false).await;
            return Ok(ended);
        }
        drain(&house, drain_timeout).await;
        if let Some(acting) = acting {
            acting.close().await;
        }
        handle.stop(true).await;
        server.await??;
        tokio::task::spawn_blocking(close).await?;
        tracing::info!("stopped");
        Ok(ended)
    }
}

/// Provider → who stands in for it.
fn stand_ins(config: &Config) -> BTreeMap<String, String> {
    let pair = |provider: &ProviderConfig| {
        let stand_in = provider.stand_in.clone()?;
        Some((provider.profile.name().to_owned(), stand_in))
    };
    config.providers.iter().filter_map(pair).collect()
}

fn serve(
    config: &Config,
    listener: TcpListener,
    doors: web::Data<Doors>,
) -> anyhow::Result<Server> {
    let workers_house = Arc::clone(&doors.house);
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
