//! Two nodes in this process: real doors, actors, journal and sockets. Who owns what is dealt by the
//! test, and letters lie in memory; the store has tests of its own.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::{App, HttpServer, middleware::from_fn, web};
use mock_provider::server;
use teller::actors::gate::pump::pump;
use teller::actors::registry::Registry;
use teller::actors::router::Router;
use teller::actors::{Bounds, Ground, House, Landlord};
use teller::adapters::journal::embedded::{EmbeddedJournal, Options};
use teller::adapters::notifier::{HttpNotifier, NotifierConfig};
use teller::adapters::provider::{HttpProvider, Profile, Settings};
use teller::api::forward::{Neighbours, NodeSecrets, mount_for_nodes};
use teller::api::keys::{Keys, Role};
use teller::api::letters::{self, Bell};
use teller::api::routing::Routes;
use teller::api::{self, Access, DoorBounds, Doors};
use teller::clock::Clock;
use teller::config::{NewKey, webhook_secrets};
use teller::ports::{
    AppendError, ClusterSnapshot, ClusterView, Endpoints, Journal, JournalError, Letter, NodeCard,
    NodeView, Notifier, Owner, Ownership, Posted, Promise, Provider, Providers, Shared, Tenants,
    Tenure,
};
use teller::transaction::{AppId, Key, PARTITIONS, Timestamp};
use tempfile::TempDir;

use crate::support::{Client, DEADLINE, app_key, eventually, operator_key, put};

pub(super) const NAMES: [&str; 2] = ["north", "south"];
const SECRET: &[u8] = b"what the nodes of this test share";

/// Who owns a partition: the number of a node.
pub(super) type Deal = Option<usize>;

/// What both nodes stand on.
pub(super) struct Table {
    deals: Mutex<Vec<Deal>>,
    urls: Mutex<[String; 2]>,
    letters: Mutex<Vec<(Key, Letter)>>,
    journal: Arc<EmbeddedJournal>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The table as one node sees it. `wrong` makes it believe the opposite of what is so.
struct Seat {
    node: usize,
    table: Arc<Table>,
    wrong: bool,
}

impl Seat {
    fn deal(&self, partition: u32) -> Deal {
        let deal = lock(&self.table.deals)[partition as usize];
        if self.wrong {
            deal.map(|_| 1 - self.node)
        } else {
            deal
        }
    }
}

impl Ownership for Seat {
    fn tenure(&self, partition: u32) -> Option<Tenure> {
        (self.deal(partition) == Some(self.node)).then_some(Tenure::ALONE)
    }

    fn may_act(&self, partition: u32, _: Tenure) -> bool {
        self.tenure(partition).is_some()
    }

    fn when_allowed(&self, partition: u32, tenure: Tenure) -> Promise<bool> {
        Box::pin(std::future::ready(self.may_act(partition, tenure)))
    }

    fn fenced(&self, _: u32, _: Tenure) {}

    fn owner(&self, partition: u32) -> Owner {
        match self.deal(partition) {
            None => Owner::Nobody,
            Some(node) if node == self.node => Owner::Here,
            Some(node) => Owner::Elsewhere {
                node: NAMES[node].to_owned(),
                url: lock(&self.table.urls)[node].clone(),
            },
        }
    }

    fn max_pause(&self) -> Duration {
        Duration::ZERO
    }
}

impl ClusterView for Seat {
    fn cluster(&self) -> ClusterSnapshot {
        let urls = lock(&self.table.urls).clone();
        let card = |node: usize| NodeCard {
            id: format!("id of {}", NAMES[node]),
            name: NAMES[node].to_owned(),
            url: urls[node].clone(),
            release: "1.2.3".to_owned(),
            started_at: Timestamp::from_millis(0),
            boot: None,
        };
        let owned = |node| {
            let deals = lock(&self.table.deals);
            let all = (0..PARTITIONS).filter(|p| deals[*p as usize] == Some(node));
            all.collect()
        };
        let view = |node| NodeView {
            card: card(node),
            alive: true,
            announced_ms_ago: 1,
            partitions: owned(node),
        };
        ClusterSnapshot {
            node: card(self.node),
            nodes: vec![view(0), view(1)],
            unowned: 0,
            held: 0,
            handing_over: 0,
            fenced_total: 0,
            claimed_total: 0,
            given_up_total: 0,
            primary_changes_total: 0,
            store_offset_ms: None,
            heard_ms_ago: None,
            trouble: None,
        }
    }
}

/// Where letters lie.
struct PostOffice(Arc<Table>);

impl Shared for PostOffice {
    fn newcomers(&self, partition: u32, limit: usize) -> Promise<Result<Vec<Key>, JournalError>> {
        let page = self.0.journal.open(Some(partition), 0, limit);
        Box::pin(async move { Ok(page.await?.rows.into_iter().map(|(key, _)| key).collect()) })
    }

    fn post(&self, key: &Key, letter: Letter) -> Promise<Result<Posted, AppendError>> {
        let (table, key, known) = (Arc::clone(&self.0), key.clone(), self.0.journal.load(key));
        Box::pin(async move {
            let known = known.await;
            if known.is_ok_and(|records| records.is_none()) {
                return Ok(Posted::Nowhere);
            }
            lock(&table.letters).push((key, letter));
            Ok(Posted::Waiting)
        })
    }

    fn letters(
        &self,
        partition: u32,
        limit: usize,
    ) -> Promise<Result<Vec<(Key, Letter)>, JournalError>> {
        let letters = lock(&self.0.letters);
        let theirs = letters
            .iter()
            .filter(|(key, _)| key.partition() == partition);
        let theirs = theirs.take(limit).cloned().collect();
        Box::pin(std::future::ready(Ok(theirs)))
    }

    fn discard(&self, key: &Key, letter: &Letter) -> Promise<Result<(), AppendError>> {
        lock(&self.0.letters).retain(|(to, other)| {
            to != key
                || other.provider != letter.provider
                || other.event_id != letter.event_id
                || other.statement() != letter.statement()
        });
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One node.
pub(super) struct Node {
    pub(super) app: Client,
    pub(super) operator: Client,
    /// Its listener for other nodes, without a key.
    pub(super) inner: Client,
    handles: Vec<actix_web::dev::ServerHandle>,
}

/// The provider, and the two nodes.
pub(super) struct Pair {
    pub(super) nodes: [Node; 2],
    pub(super) table: Arc<Table>,
    /// The operator's key.
    pub(super) operator: String,
    _mock: server::Running,
    _dir: TempDir,
}

impl Pair {
    pub(super) async fn start() -> Self {
        Self::start_with(|partition| Some(partition as usize % 2), [SECRET; 2], false).await
    }

    /// Starts two nodes with a secret each. `confused`: each thinks that the other owns everything.
    pub(super) async fn start_with(
        deal: impl Fn(u32) -> Deal,
        secrets: [&[u8]; 2],
        confused: bool,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = TempDir::new().expect("a temporary directory");
        let options = server::Options {
            time_scale: TIME_SCALE,
            ..server::Options::default()
        };
        let mock = server::start(options).await.expect("a free port");
        let journal = EmbeddedJournal::open(Options::new(dir.path())).expect("a new journal");
        let table = Arc::new(Table {
            deals: Mutex::new((0..PARTITIONS).map(deal).collect()),
            urls: Mutex::default(),
            letters: Mutex::default(),
            journal: Arc::new(journal),
        });
        let keys = [app_key("shop"), operator_key()];
        // Webhooks come to the second node, whoever owns the transaction.
        let public = [listener(), listener()];
        let public_url = url(&public[1]);
        let inner = [listener(), listener()];
        *lock(&table.urls) = [url(&inner[0]), url(&inner[1])];
        let token_secrets = webhook_secrets(&[], dir.path()).expect("drawn");
        let mut nodes = Vec::new();
        for (index, (public, inner)) in public.into_iter().zip(inner).enumerate() {
            let seat = Seat {
                node: index,
                table: Arc::clone(&table),
                wrong: confused,
            };
            let provider = HttpProvider::new(
                profile(),
                Settings {
                    public_url: public_url.clone(),
                    base_url: Some(mock.url.clone()),
                    environment: None,
                    settings: Default::default(),
                    secrets: Default::default(),
                    token_secrets: token_secrets.clone(),
                    time_scale: TIME_SCALE,
                },
                Clock::system(),
            );
            let provider: Arc<dyn Provider> = Arc::new(provider.expect("usable"));
            let secret = NodeSecrets::new(vec![secrets[index].to_vec()]).expect("long enough");
            nodes.push(node(seat, provider, &public_url, secret, &keys, [public, inner]).await);
        }
        let nodes = nodes.try_into().unwrap_or_else(|_| unreachable!("two"));
        Self {
            nodes,
            table,
            operator: keys[1].text.clone(),
            _mock: mock,
            _dir: dir,
        }
    }

    /// A new id that this node owns.
    pub(super) fn id_of(&self, node: usize) -> String {
        let deals = lock(&self.table.deals);
        let mut ids = std::iter::repeat_with(crate::support::new_id);
        let owned = |id: &String| deals[key(id).partition() as usize] == Some(node);
        ids.find(owned).expect("there is no end of ids")
    }

    /// Where a node stood that owns this id, something listens from now on and never answers.
    pub(super) fn freeze(&self, node: usize) -> TcpListener {
        let silent = listener();
        lock(&self.table.urls)[node] = url(&silent);
        silent
    }

    /// From now on nobody owns anything.
    pub(super) fn take_all_away(&self) {
        lock(&self.table.deals).fill(None);
    }

    /// Nothing listens any more where a node was reached by others.
    pub(super) async fn close_inner(&self, node: usize) {
        self.nodes[node].handles[1].stop(false).await;
    }

    pub(super) fn letters(&self) -> usize {
        lock(&self.table.letters).len()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for handle in self.nodes.iter().flat_map(|node| &node.handles) {
            drop(handle.stop(false));
        }
    }
}

/// How much faster than in the field time runs.
const TIME_SCALE: f64 = 50.0;

pub(super) fn key(id: &str) -> Key {
    Key {
        app: AppId::parse("shop").expect("a legal name"),
        id: teller::transaction::TransactionId(id.parse().expect("a UUID")),
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn url(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().expect("it listens"))
}

/// The reference provider, asked about nothing before the end of a long ghost window.
fn profile() -> Profile {
    let text = include_str!("../../../providers/reference.toml");
    let mut profile: toml::Table = text.parse().expect("TOML");
    put(&mut profile, "ghost.window", "2000s");
    put(&mut profile, "ghost.margin", "20s");
    put(&mut profile, "schedule.inquiry_gaps", 1);
    Profile::parse(&profile.to_string(), "profile.toml").expect("a legal profile")
}

fn access(keys: &[NewKey; 2]) -> Access {
    let mut all = Keys::default();
    let app = AppId::parse("shop").expect("a legal name");
    for (key, role) in keys.iter().zip([Role::App(app), Role::Operator]) {
        assert!(all.add(key.config.id.clone(), role, key.config.hash));
    }
    Access::Keys(all)
}

async fn node(
    seat: Seat,
    provider: Arc<dyn Provider>,
    public_url: &str,
    secrets: NodeSecrets,
    keys: &[NewKey; 2],
    [public, inner]: [TcpListener; 2],
) -> Node {
    let (clock, apps) = (Clock::system(), vec![AppId::parse("shop").expect("legal")]);
    let name = provider.name().to_owned();
    let notifier = HttpNotifier::new(
        NotifierConfig {
            apps: Default::default(),
            time_scale: TIME_SCALE,
        },
        clock,
    );
    let notifier = Arc::new(notifier.expect("usable"));
    let (index, table, seat) = (seat.node, Arc::clone(&seat.table), Arc::new(seat));
    let house = House::new(
        Ground {
            journal: Arc::clone(&table.journal) as Arc<dyn Journal>,
            ownership: Arc::clone(&seat) as Arc<dyn Ownership>,
            shared: Some(Arc::new(PostOffice(Arc::clone(&table)))),
        },
        Providers::new(vec![provider], &name),
        Arc::clone(&notifier) as Arc<dyn Notifier>,
        clock,
        Router::new(1),
        Bounds::default(),
        &apps,
    );
    let here = lock(&table.urls)[index].clone();
    let http = reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(api::forward::CONNECT_TIME_OUT)
        .build()
        .expect("a plain client");
    let doors = web::Data::new(Doors {
        house: Arc::clone(&house),
        apps,
        public_url: public_url.to_owned(),
        access: access(keys),
        routes: Routes::default(),
        retired: Default::default(),
        endpoints: notifier as Arc<dyn Endpoints>,
        neighbours: Some(Neighbours::new(http, secrets, &here)),
        cluster: Some(seat as Arc<dyn ClusterView>),
        bounds: DoorBounds::default(),
    });
    let (outer_url, inner_url) = (url(&public), url(&inner));
    let (handles, started) = std::sync::mpsc::channel();
    let ours = Arc::clone(&house);
    // Servers, actors and the fetching of letters live in a system of their own, as in the program.
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let (house, outer_doors) = (Arc::clone(&ours), doors.clone());
            let outer = HttpServer::new(move || {
                Registry::start_on_this_thread(&house);
                let doors = outer_doors.clone();
                App::new()
                    .wrap(from_fn(api::in_a_span))
                    .configure(|config| api::mount(config, doors))
            });
            let outer = outer.workers(1).disable_signals().listen(public);
            let outer = outer.expect("it listens").run();
            let inner_doors = doors.clone();
            let nodes = HttpServer::new(move || {
                let doors = inner_doors.clone();
                App::new().configure(|config| mount_for_nodes(config, doors))
            });
            let nodes = nodes.workers(1).disable_signals().listen(inner);
            let nodes = nodes.expect("it listens").run();
            for gate in ours.gates() {
                actix_web::rt::spawn(pump(Arc::clone(gate), ours.router.clone()));
            }
            let landlord = Landlord::start(Arc::clone(&ours)) as Arc<dyn Tenants>;
            let bell = Arc::new(Bell::default());
            let _ = handles.send([outer.handle(), nodes.handle()]);
            actix_web::rt::spawn(letters::deliver(doors, landlord, bell));
            let (outer, nodes) = futures_util::future::join(outer, nodes).await;
            outer.and(nodes)
        })
    });
    let handles = tokio::task::spawn_blocking(move || started.recv_timeout(DEADLINE)).await;
    let handles = handles.expect("no panic").expect("it starts");
    eventually("the shard is there", || async {
        house.router.is_complete().then_some(())
    })
    .await;
    let outer = Client::new(outer_url);
    Node {
        app: outer.with_key(&keys[0].text),
        operator: outer.with_key(&keys[1].text),
        inner: Client::new(inner_url),
        handles: handles.to_vec(),
    }
}
