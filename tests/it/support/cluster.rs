//! A Cluster of real servers, what moves in it and who takes whose place.

use super::{Kind, Server, eventually, free_port, info};

/// The slots of a Cluster.
const SLOTS: usize = 16384;

/// A Cluster of three primaries.
pub struct Cluster {
    /// Its nodes; each has a third of the slots.
    pub nodes: Vec<Server>,
}

impl Cluster {
    /// Starts three and joins them.
    pub fn start(kind: Kind) -> Self {
        let bus = || free_port().to_string();
        let begin = |_| {
            let all = ["--cluster-enabled", "yes", "--cluster-port", &bus()];
            Server::start(kind, &all)
        };
        let nodes: Vec<Server> = (0..3).map(begin).collect();
        for (n, node) in nodes.iter().enumerate() {
            let (first, last) = (n * SLOTS / 3, (n + 1) * SLOTS / 3 - 1);
            let (first, last) = (first.to_string(), last.to_string());
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            let bus = node.text_of_config("cluster-port");
            let port = node.port.to_string();
            nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Self { nodes };
        eventually("a Cluster of three", || {
            cluster.nodes.iter().all(|node| {
                let state = node.text(&["CLUSTER", "INFO"]);
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            })
        });
        cluster
    }

    /// Host and port of each node.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Server::address).collect()
    }

    /// The node that has a key's slot: its index.
    pub fn holder(&self, key: &str) -> usize {
        let holds = |node: &Server| match node.try_command(&["EXISTS", key]) {
            Ok(_) => true,
            Err(error) => error.code() == Some("CLUSTERDOWN"),
        };
        let found = self.nodes.iter().position(holds);
        found.expect("a node has it")
    }

    /// A replica of one of them, in step with it.
    pub fn replica_of(&self, node: usize) -> Server {
        let bus = free_port().to_string();
        let primary = &self.nodes[node];
        let all = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        let replica = Server::start(primary.kind, &all);
        let (port, bus) = (
            primary.port.to_string(),
            primary.text_of_config("cluster-port"),
        );
        replica.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        let id = primary.text(&["CLUSTER", "MYID"]);
        eventually("a replica in step", || {
            let _ = replica.try_command(&["CLUSTER", "REPLICATE", &id]);
            let known = |one: &Server| {
                let info = one.text(&["CLUSTER", "INFO"]);
                info.contains("cluster_known_nodes:4")
            };
            info(&replica, "master_link_status") == "up" && self.nodes.iter().all(known)
        });
        replica
    }

    /// Moves a key's slot to another node, as `redis-cli --cluster reshard` does; `between` is called
    /// while it is on its way, before each key.
    pub fn migrate(&self, key: &str, to: usize, mut between: impl FnMut(usize)) {
        let from = self.holder(key);
        let slot = self.nodes[0]
            .number(&["CLUSTER", "KEYSLOT", key])
            .to_string();
        let id = |node: usize| self.nodes[node].text(&["CLUSTER", "MYID"]);
        let (from_id, to_id) = (id(from), id(to));
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        target.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        source.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        let port = target.port.to_string();
        for moved in 0.. {
            between(moved);
            let ask = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]);
            let keys: Vec<String> = redis::from_redis_value(ask).expect("keys");
            let Some(key) = keys.first() else { break };
            source.command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        }
        for node in [target, source] {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
    }
}

impl Server {
    fn text_of_config(&self, name: &str) -> String {
        let pair: Vec<String> =
            redis::from_redis_value(self.command(&["CONFIG", "GET", name])).expect("a pair");
        pair.into_iter().nth(1).unwrap_or_default()
    }
}
