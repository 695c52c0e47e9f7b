//! A node among several: its part in the cluster, its listener for the other nodes, and what it
//! fetches for the partitions that it owns.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{HttpServer, web};
use anyhow::Context;
use tokio::sync::watch;
use uuid::Uuid;

use super::node_tls::NodeTls;
use super::upkeep;
use crate::actors::House;
use crate::adapters::journal::redis::{Link, RedisJournal};
use crate::adapters::notifier::HttpNotifier;
use crate::adapters::provider::{ClientSettings, client_builder};
use crate::api::Doors;
use crate::api::forward::{
    CONNECT_TIME_OUT, IDLE_CONNECTIONS, Neighbours, NodeSecrets, mount_for_nodes,
};
use crate::api::letters::{self, Bell};
use crate::clock::{Clock, Correction};
use crate::cluster::{Gates, Handle, Keeper, Parts, Table};
use crate::config::ClusterConfig;
use crate::ports::{Council, NodeCard, Tenants};

/// Workers of the listener for other nodes: they carry requests on to the shards, and do nothing else.
const WORKERS: usize = 1;
/// Connections to it, at most: more than all other nodes keep and use at once.
const CONNECTIONS: usize = 10_000;
/// How often the switches of the apps' endpoints are read, which any node may throw.
const FOLLOW_EVERY: Duration = Duration::from_secs(3);

/// A node that has its place, and does not act yet.
pub(super) struct Node {
    pub(super) table: Table,
    bell: Arc<Bell>,
    link: Arc<Link>,
    retiring: Option<Arc<RedisJournal>>,
    card: NodeCard,
    listener: TcpListener,
    secrets: NodeSecrets,
    tls: Option<NodeTls>,
    council: Arc<dyn Council>,
    clock: Clock,
    correction: Correction,
    lease: Duration,
    /// Ends the process when it is given a reason.
    failed: watch::Sender<Option<String>>,
}

/// Ends the process when the keeper's thread panics: a node without a keeper would hold nothing, do
/// nothing, and look alive.
struct DeadMansSwitch(watch::Sender<Option<String>>);

impl Drop for DeadMansSwitch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "the keeper of this node's leases has died".to_owned();
            self.0.send_replace(Some(why));
        }
    }
}

/// A node that acts.
pub(super) struct Acting {
    handle: Handle,
    door: ServerHandle,
}

impl Node {
    /// Takes the node's place: the address that other nodes reach it at. `clock` is put right by the
    /// store's time from when the node acts.
    pub(super) fn new(
        cluster: &ClusterConfig,
        link: Arc<Link>,
        council: Arc<dyn Council>,
        (clock, correction): (Clock, Correction),
        failed: watch::Sender<Option<String>>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(&cluster.listen).with_context(|| {
            format!(
                "can't listen on {} for the other nodes ([cluster] listen); is another teller running there?",
                cluster.listen
            )
        })?;
        let url = cluster.advertised(listener.local_addr()?);
        let tls = cluster.tls.as_ref().map(NodeTls::read).transpose()?;
        let card = NodeCard {
            id: Uuid::new_v4().simple().to_string(),
            name: cluster.node.clone(),
            url,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: clock.now().wall,
            boot: None,
        };
        let secrets = cluster.secrets.iter().map(|one| one.expose().to_vec());
        let secrets = NodeSecrets::new(secrets.collect());
        Ok(Self {
            table: Table::new(cluster.max_pause),
            bell: Arc::default(),
            link,
            retiring: None,
            card,
            listener,
            secrets: secrets.map_err(|why| anyhow::anyhow!("[cluster] secret: {why}"))?,
            tls,
            council,
            clock,
            correction,
            lease: cluster.lease,
            failed,
        })
    }

    /// The journal from which this node moves what it has finished to the archive, if that is wanted.
    pub(super) fn retiring(self, journal: Option<Arc<RedisJournal>>) -> Self {
        Self {
            retiring: journal,
            ..self
        }
    }

    /// The way to the other nodes.
    pub(super) fn neighbours(&self) -> anyhow::Result<Neighbours> {
        let settings = ClientSettings {
            connect_time_out: CONNECT_TIME_OUT,
            pool_idle_per_host: IDLE_CONNECTIONS,
            speaks_tls: self.tls.is_some(),
        };
        let mut builder = client_builder(settings);
        if let Some(tls) = &self.tls {
            builder = tls.client(builder)?;
        }
        Ok(Neighbours::new(
            builder.build()?,
            self.secrets.clone(),
            &self.card.url,
        ))
    }

    /// The keeper that is to act for this node, and what is seen of it.
    pub(super) fn keeper(
        &self,
        house: &Arc<House>,
        tenants: &Arc<dyn Tenants>,
    ) -> (Keeper, Handle) {
        let correction = self.correction;
        Keeper::new(Parts {
            card: self.card.clone(),
            council: Arc::clone(&self.council),
            tenants: Arc::clone(tenants),
            gates: Arc::new(HouseGates(Arc::clone(house))),
            table: self.table.clone(),
            lease: self.lease,
            store_time: Box::new(move |offset_ms| correction.set_ms(offset_ms)),
            clock: self.clock,
        })
    }

    /// Begins: the listener, the keeper in a thread of its own, and the fetching of what others took in.
    pub(super) fn act(
        self,
        (keeper, handle): (Keeper, Handle),
        tenants: Arc<dyn Tenants>,
        doors: &web::Data<Doors>,
        notifier: &HttpNotifier,
    ) -> anyhow::Result<Acting> {
        let server = serve(self.listener, doors.clone(), self.tls.as_ref())?;
        let door = server.handle();
        actix_web::rt::spawn(server);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let dead_mans_switch = DeadMansSwitch(self.failed);
        std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                let _ends_the_process = dead_mans_switch;
                runtime.block_on(keeper.run());
            })?;
        let (bell, link) = (Arc::clone(&self.bell), self.link);
        actix_web::rt::spawn(async move { link.listen(|partition| bell.ring(partition)).await });
        actix_web::rt::spawn(letters::deliver(doors.clone(), tenants, self.bell));
        actix_web::rt::spawn(follow_switches(notifier.clone()));
        if let Some(journal) = self.retiring {
            actix_web::rt::spawn(upkeep::retire(journal, self.table));
        }
        tracing::info!(node = %self.card.name, id = %self.card.id, url = %self.card.url, "a node among several");
        Ok(Acting { handle, door })
    }
}

impl Acting {
    /// Hands everything over, and leaves.
    pub(super) async fn leave(&self, patience: Duration) {
        self.handle.clone().leave(patience).await;
    }

    /// Closes the listener for other nodes.
    pub(super) async fn close(self) {
        self.door.stop(true).await;
    }
}

fn serve(
    listener: TcpListener,
    doors: web::Data<Doors>,
    tls: Option<&NodeTls>,
) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
        let doors = doors.clone();
        actix_web::App::new().configure(|config| mount_for_nodes(config, doors))
    })
    .workers(WORKERS)
    .max_connections(CONNECTIONS)
    .client_request_timeout(super::HEAD_DEADLINE)
    .client_disconnect_timeout(super::CLOSE_DEADLINE)
    .keep_alive(super::KEEP_ALIVE)
    .shutdown_timeout(super::DRAIN_RESERVE.as_secs())
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls.server()?)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

async fn follow_switches(notifier: HttpNotifier) {
    let mut ticks = tokio::time::interval(FOLLOW_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(why) = notifier.follow().await {
            tracing::debug!(%why, "the switches of the apps' endpoints can't be read now");
        }
    }
}

/// The gates, as whoever leases their shares sees them.
struct HouseGates(Arc<House>);

impl Gates for HouseGates {
    fn providers(&self) -> Vec<String> {
        let names = self.0.providers.iter().map(|one| one.name().to_owned());
        names.collect()
    }

    fn grant_share(&self, provider: &str, fraction: f64, good_for: Duration) {
        if let Some(gate) = self.0.gate(provider) {
            gate.grant_share(fraction, self.0.clock.mono() + good_for);
        }
    }
}
