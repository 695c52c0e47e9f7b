//! Nodes among each other, over real servers and with the leases' real lengths.

mod keepers;
mod leases;
mod node;
mod shares;
mod troubles;

use std::sync::Arc;
use std::time::Duration;

use teller::adapters::council::{Confirmation, RedisCouncil, connect_to};
use teller::ports::NodeCard;
use teller::transaction::Timestamp;
use uuid::Uuid;

use crate::support::redis::Server;

/// What the tests call it, and operators too if they don't say otherwise.
const LEASE: Duration = teller::cluster::LEASE;
const PREFIX: &str = "teller";
const UNREPLICATED: Confirmation = Confirmation {
    replicas: 0,
    within: Duration::from_millis(500),
    on_disk: false,
};

fn council(server: &Server) -> Arc<RedisCouncil> {
    confirmed(server, UNREPLICATED)
}

fn confirmed(server: &Server, confirmation: Confirmation) -> Arc<RedisCouncil> {
    let client = redis::Client::open(server.url()).expect("a URL");
    let connect = connect_to(client, Duration::from_secs(1));
    Arc::new(RedisCouncil::new(connect, PREFIX, confirmation))
}

fn card(name: &str) -> NodeCard {
    NodeCard {
        id: format!("{name}-{}", Uuid::new_v4()),
        name: name.to_owned(),
        url: format!("http://{name}.test"),
        release: "1.0".to_owned(),
        // Minutes off, as clocks may be: nothing is judged by it.
        started_at: Timestamp::from_millis(0),
        boot: None,
    }
}
