//! A load balancer as simple as they come: it asks every node's readiness a few times a second, gives
//! each new connection to a node that is ready, and cuts those to a node that is not any more.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a node's readiness is asked for.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// A node that takes longer to answer is not ready.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// A running balancer. Dropping it stops it.
pub(super) struct Balancer {
    pub(super) url: String,
    nodes: Arc<Vec<Node>>,
    tasks: Vec<JoinHandle<()>>,
}

struct Node {
    address: Mutex<Option<SocketAddr>>,
    ready: watch::Sender<bool>,
}

impl Balancer {
    /// For so many nodes, none of which is there yet.
    pub(super) async fn start(nodes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let node = |_| Node {
            address: Mutex::new(None),
            ready: watch::Sender::new(false),
        };
        let nodes: Arc<Vec<Node>> = Arc::new((0..nodes).map(node).collect());
        let mut tasks = vec![tokio::spawn(serve(listener, Arc::clone(&nodes)))];
        for index in 0..nodes.len() {
            tasks.push(tokio::spawn(watch_over(Arc::clone(&nodes), index)));
        }
        Self {
            url: format!("http://{address}"),
            nodes,
            tasks,
        }
    }

    /// Says where a node listens.
    pub(super) fn learn(&self, node: usize, address: SocketAddr) {
        let mut known = self.nodes[node].address.lock().expect("no panic holds it");
        *known = Some(address);
    }

    /// How many nodes are ready.
    pub(super) fn ready(&self) -> usize {
        self.nodes
            .iter()
            .filter(|node| *node.ready.borrow())
            .count()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn watch_over(nodes: Arc<Vec<Node>>, index: usize) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(ANSWER_WITHIN)
        .build()
        .expect("a plain client");
    let node = &nodes[index];
    loop {
        let address = *node.address.lock().expect("no panic holds it");
        let ready = match address {
            Some(address) => {
                let answer = http.get(format!("http://{address}/readyz")).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            }
            None => false,
        };
        node.ready.send_replace(ready);
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn serve(listener: TcpListener, nodes: Arc<Vec<Node>>) {
    let turn = AtomicUsize::new(0);
    while let Ok((client, _)) = listener.accept().await {
        let first = turn.fetch_add(1, Ordering::Relaxed);
        let nodes = Arc::clone(&nodes);
        tokio::spawn(async move {
            for step in 0..nodes.len() {
                let node = &nodes[(first + step) % nodes.len()];
                let address = *node.address.lock().expect("no panic holds it");
                let Some(address) = address.filter(|_| *node.ready.borrow()) else {
                    continue;
                };
                if let Ok(server) = TcpStream::connect(address).await {
                    return pipe(client, server, node.ready.subscribe()).await;
                }
            }
            // Nobody is ready: the client's connection is closed without a word.
        });
    }
}

/// Carries bytes both ways until one side ends, or the node is not ready any more.
async fn pipe(mut client: TcpStream, mut server: TcpStream, mut ready: watch::Receiver<bool>) {
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = ready.wait_for(|ready| !ready) => {}
    }
}
