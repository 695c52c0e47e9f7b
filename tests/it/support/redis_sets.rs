//! Several servers together: a Sentinel set.

use super::{Kind, Server, eventually, info};

/// What a Sentinel set calls its primary.
pub const MASTER_NAME: &str = "teller";
/// After so long without an answer a Sentinel set counts its primary as down, in milliseconds.
const DOWN_AFTER_MS: &str = "1000";
/// A primary with a replica, watched by three Sentinels that replace it after a second of silence.
pub struct SentinelSet {
    /// The primary first, as it was at the start.
    pub servers: Vec<Server>,
    /// The three.
    pub sentinels: Vec<Server>,
}

impl SentinelSet {
    /// Starts all of them and waits until they know each other.
    pub fn start(kind: Kind) -> Self {
        let primary = Server::start(kind, &[]);
        let replica = primary.replica(&[]);
        let sentinels: Vec<Server> = (0..3).map(|_| sentinel(kind, primary.port)).collect();
        let set = Self {
            servers: vec![primary, replica],
            sentinels,
        };
        eventually("Sentinels that know each other and the replica", || {
            set.sentinels.iter().all(|one| {
                one.try_command(&["SENTINEL", "CKQUORUM", MASTER_NAME])
                    .is_ok_and(|answer| format!("{answer:?}").contains("OK 3"))
                    && info(one, "master0").contains("slaves=1,sentinels=3")
            })
        });
        set
    }

    /// Host and port of each Sentinel.
    pub fn addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(Server::address).collect()
    }

    /// The server that the Sentinels call the primary now: its index.
    pub fn primary(&self) -> usize {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME];
        let address: Vec<String> =
            redis::from_redis_value(self.sentinels[0].command(&ask)).expect("an address");
        let of_port = |server: &Server| server.port.to_string() == address[1];
        let index = self.servers.iter().position(of_port);
        index.expect("one of ours")
    }

    /// Waits until the Sentinels have put another server in the place of this one.
    pub fn wait_for_another_than(&self, index: usize) {
        eventually("a fail-over", || {
            let now = self.primary();
            now != index && info(&self.servers[now], "role") == "master"
        });
    }
}

/// A Sentinel writes into its configuration, so that it needs a file.
fn sentinel(kind: Kind, primary: u16) -> Server {
    Server::begin(kind, |port, dir| {
        let file = dir.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor {MASTER_NAME} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {MASTER_NAME} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {MASTER_NAME} 5000\n\
             sentinel parallel-syncs {MASTER_NAME} 1\n",
            dir.display()
        );
        std::fs::write(&file, text).expect("a writable directory");
        vec![file.to_string_lossy().into_owned(), "--sentinel".to_owned()]
    })
}
