//! A node for tests: a real keeper over a real server, in a thread of its own, with actors that only
//! write down what they are told.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use teller::adapters::council::RedisCouncil;
use teller::clock::Clock;
use teller::cluster::{Gates, Handle, Keeper, MAX_PAUSE, Parts, Table};
use teller::ports::{NodeCard, Ownership, Promise, Tenants, Tenure};
use teller::transaction::{Key, PARTITIONS};
use tokio::sync::mpsc;

use super::{LEASE, card, council};
use crate::support::redis::Server;

/// The one provider of the tests.
const PROVIDER: &str = "acorn";

/// What happened to a partition at a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    Gained,
    Lost,
    HandOver,
}

/// What all nodes of a test were told, and may use.
#[derive(Default)]
pub(super) struct Ledger {
    told: Mutex<Vec<(Instant, String, Told, u32)>>,
    calls_out: Mutex<BTreeMap<u32, usize>>,
    /// The share of each node, and until when it may use it.
    shares: Mutex<BTreeMap<String, (f64, Instant)>>,
    /// The largest sum of shares that there ever was.
    most: Mutex<f64>,
}

impl Ledger {
    fn tell(&self, node: &str, told: Told, partitions: &[u32]) {
        let now = Instant::now();
        let lines = partitions.iter();
        let lines = lines.map(|partition| (now, node.to_owned(), told, *partition));
        locked(&self.told).extend(lines);
    }

    /// What a node was told since a moment.
    pub(super) fn of(&self, node: &str, told: Told, since: Instant) -> Vec<u32> {
        let lines = locked(&self.told);
        let lines = lines
            .iter()
            .filter(|(at, who, what, _)| *at >= since && who == node && *what == told);
        lines.map(|(_, _, _, partition)| *partition).collect()
    }

    /// How long each partition was without actors since a moment, from when they were to go to when
    /// somebody gained it; `None` while nobody has gained some of them.
    pub(super) fn pauses(&self, since: Instant) -> Option<BTreeMap<u32, Duration>> {
        let (mut gone, mut pauses) = (BTreeMap::new(), BTreeMap::new());
        for (at, _, told, partition) in locked(&self.told).iter().filter(|(at, ..)| *at >= since) {
            match told {
                Told::HandOver | Told::Lost => {
                    gone.entry(*partition).or_insert(*at);
                }
                Told::Gained => {
                    if let Some(since) = gone.remove(partition) {
                        pauses.insert(*partition, at.duration_since(since));
                    }
                }
            }
        }
        gone.is_empty().then_some(pauses)
    }

    /// A partition has so many calls out, wherever it is.
    pub(super) fn set_calls_out(&self, partition: u32, calls: usize) {
        locked(&self.calls_out).insert(partition, calls);
    }

    /// The share that a node may use now.
    pub(super) fn share(&self, node: &str) -> f64 {
        let share = locked(&self.shares).get(node).copied();
        share.map_or(0.0, |(fraction, until)| {
            if Instant::now() < until {
                fraction
            } else {
                0.0
            }
        })
    }

    /// The largest sum of shares that could be used at one moment.
    pub(super) fn most_shared(&self) -> f64 {
        *locked(&self.most)
    }
}

struct Actors {
    node: String,
    ledger: Arc<Ledger>,
    going_takes: Duration,
}

impl Tenants for Actors {
    fn gained(&self, partitions: &[u32]) {
        self.ledger.tell(&self.node, Told::Gained, partitions);
    }

    fn lost(&self, held: &[(u32, Tenure)]) {
        self.ledger.tell(&self.node, Told::Lost, &partitions(held));
    }

    fn hand_over(&self, held: &[(u32, Tenure)]) -> Promise<()> {
        let partitions = partitions(held);
        self.ledger.tell(&self.node, Told::HandOver, &partitions);
        Box::pin(tokio::time::sleep(self.going_takes))
    }

    fn calls_out(&self, partition: u32) -> usize {
        let calls = locked(&self.ledger.calls_out);
        calls.get(&partition).copied().unwrap_or(0)
    }

    fn arrived(&self, _: &Key) -> bool {
        true
    }
}

fn partitions(held: &[(u32, Tenure)]) -> Vec<u32> {
    held.iter().map(|(partition, _)| *partition).collect()
}

impl Gates for Actors {
    fn providers(&self) -> Vec<String> {
        vec![PROVIDER.to_owned()]
    }

    fn grant_share(&self, _: &str, fraction: f64, good_for: Duration) {
        let now = Instant::now();
        let mut shares = locked(&self.ledger.shares);
        shares.insert(self.node.clone(), (fraction, now + good_for));
        let usable = shares.values().filter(|(_, until)| *until > now);
        let sum: f64 = usable.map(|(fraction, _)| fraction).sum();
        let mut most = locked(&self.ledger.most);
        *most = most.max(sum);
    }
}

enum Order {
    Stand(Duration),
    Die,
}

/// A node of a test. Dropping it kills it.
pub(super) struct Node {
    pub(super) card: NodeCard,
    pub(super) table: Table,
    pub(super) handle: Handle,
    pub(super) offset_ms: Arc<Mutex<Option<i64>>>,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub(super) fn start(name: &str, server: &Server, ledger: &Arc<Ledger>) -> Self {
        Self::slow(name, server, ledger, Duration::from_millis(20))
    }

    /// One whose actors take so long to go.
    pub(super) fn slow(
        name: &str,
        server: &Server,
        ledger: &Arc<Ledger>,
        going_takes: Duration,
    ) -> Self {
        Self::over(name, council(server), ledger, going_takes)
    }

    /// One that reaches the store in another way.
    pub(super) fn over(
        name: &str,
        council: Arc<RedisCouncil>,
        ledger: &Arc<Ledger>,
        going_takes: Duration,
    ) -> Self {
        let actors = Arc::new(Actors {
            node: name.to_owned(),
            ledger: Arc::clone(ledger),
            going_takes,
        });
        let (card, table) = (card(name), Table::new(MAX_PAUSE));
        let offset_ms = Arc::new(Mutex::new(None));
        let learned = Arc::clone(&offset_ms);
        let (keeper, handle) = Keeper::new(Parts {
            card: card.clone(),
            council,
            tenants: Arc::clone(&actors) as Arc<dyn Tenants>,
            gates: actors,
            table: table.clone(),
            lease: LEASE,
            store_time: Box::new(move |offset| *locked(&learned) = Some(offset)),
            clock: Clock::system(),
        });
        let (orders, taken) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(live(keeper, taken));
        });
        Self {
            card,
            table,
            handle,
            offset_ms,
            orders,
            thread: Some(thread),
        }
    }

    /// Its thread stands still for so long, as in a stopped process.
    pub(super) fn stand_still(&self, for_: Duration) {
        self.orders.send(Order::Stand(for_)).expect("it lives");
    }

    /// It is gone without a word.
    pub(super) fn kill(&mut self) {
        let _ = self.orders.send(Order::Die);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("its keeper did not panic");
        }
    }

    /// The partitions that it holds, with their tenures.
    pub(super) fn held(&self) -> Vec<(u32, Tenure)> {
        self.table.held()
    }

    /// Whether effects may begin for everything that it holds, or for nothing of it; `None` if for some,
    /// or if it holds nothing.
    pub(super) fn may_act(&self) -> Option<bool> {
        let held = self.held();
        let allowed =
            |(partition, tenure): &&(u32, Tenure)| self.table.may_act(*partition, *tenure);
        match held.iter().filter(allowed).count() {
            0 if held.is_empty() => None,
            0 => Some(false),
            count => (count == held.len()).then_some(true),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn live(keeper: Keeper, mut orders: mpsc::UnboundedReceiver<Order>) {
    let keeper = tokio::spawn(keeper.run());
    let obey = async {
        loop {
            match orders.recv().await {
                Some(Order::Stand(for_)) => std::thread::sleep(for_),
                Some(Order::Die) | None => return,
            }
        }
    };
    let keep = async {
        if keeper.await.is_err() {
            // It panicked, which the thread's end must not hide.
            panic!("the keeper panicked");
        }
        pending::<()>().await;
    };
    tokio::select! {
        () = obey => {}
        () = keep => {}
    }
}

/// Whether these nodes hold every partition, each exactly one of them.
pub(super) fn all_held_once(nodes: &[&Node]) -> bool {
    let mut held: Vec<u32> = nodes
        .iter()
        .flat_map(|node| node.held())
        .map(|(partition, _)| partition)
        .collect();
    held.sort_unstable();
    held.iter().copied().eq(0..PARTITIONS)
}

/// Whether these nodes hold every partition, each knows what the others hold, and nothing is to move.
pub(super) fn settled(nodes: &[&Node]) -> bool {
    let knows = |node: &&Node| {
        let seen = node.handle.snapshot();
        let as_it_is = |other: &&Node| {
            let held: Vec<u32> = other
                .held()
                .iter()
                .map(|(partition, _)| *partition)
                .collect();
            let view = seen.nodes.iter().find(|one| one.card.id == other.card.id);
            view.is_some_and(|view| view.partitions == held && view.alive)
        };
        seen.handing_over == 0 && nodes.iter().all(as_it_is)
    };
    all_held_once(nodes) && nodes.iter().all(knows)
}

/// Waits, at most for `limit`, until something holds, and returns how long that took.
pub(super) async fn took(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds it")
}
