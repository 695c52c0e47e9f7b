//! What nodes agree on through the store that they share: who is alive, who owns which partition,
//! who may use how much of a provider's limits.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{JournalError, Promise, Tenure};
use crate::transaction::{LastingInstant, Timestamp};

/// The store's side of membership and ownership. Every expiry is judged by the store's own clock.
pub trait Council: Send + Sync {
    /// Says that this node lives, and reads who else does and who owns what. Where leases live on
    /// several servers, those of one that does not answer are left out.
    fn announce(&self, card: &NodeCard) -> Promise<Result<Assembly, JournalError>>;

    /// Whether leases live on several servers, so that some can be renewed while it can't be read who
    /// else lives.
    fn is_spread(&self) -> bool;

    /// Takes this node's card away.
    fn leave(&self, node: &str) -> Promise<Result<(), JournalError>>;

    /// Claims what is free: never owned, given up, or with a lease that is over. Those that were
    /// claimed come back with their tenures, after as many replicas have confirmed it as an append
    /// needs.
    fn claim(
        &self,
        card: &NodeCard,
        partitions: &[u32],
        lease: Duration,
    ) -> Promise<Result<Vec<(u32, Tenure)>, JournalError>>;

    /// Renews leases, with the same confirmation as claims. Those of a server that does not answer are
    /// neither renewed nor lost.
    fn renew(
        &self,
        held: &[(u32, Tenure)],
        lease: Duration,
    ) -> Promise<Result<Renewal, JournalError>>;

    /// Gives leases up, so that others may claim them at once. Those that aren't ours stay as they are.
    fn give_up(&self, held: &[(u32, Tenure)]) -> Promise<Result<(), JournalError>>;

    /// Leases a share of what a provider's limits allow: at most `wanted` (0.0 to 1.0), and at most
    /// what the others' leases leave.
    fn lease_share(
        &self,
        node: &str,
        provider: &str,
        wanted: f64,
        lease: Duration,
    ) -> Promise<Result<f64, JournalError>>;
}

/// What became of leases that were to be renewed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Renewal {
    /// Confirmed.
    pub renewed: Vec<u32>,
    /// Not ours any more.
    pub lost: Vec<u32>,
}

/// How a node shows itself to the others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeCard {
    /// Its own for as long as the process lives; never that of another process.
    pub id: String,
    /// Its name, for people; survives a restart.
    pub name: String,
    /// Where other nodes reach it, without a slash at the end.
    pub url: String,
    /// Its release.
    pub release: String,
    /// When it started, by the store's clock as far as it knew it.
    pub started_at: Timestamp,
    /// What its machine's boot clock showed when it announced itself; `None` before the first time, and from
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<LastingInstant>,
}

/// What the store says of all nodes.
#[derive(Clone, PartialEq, Debug)]
pub struct Assembly {
    /// The store's time.
    pub now: Timestamp,
    /// Which server answers as the primary, in its own words: another text means another primary, or
    /// the same one restarted, and with it a store that may have forgotten something.
    pub primary: String,
    /// The nodes that have announced themselves, and how long ago.
    pub nodes: Vec<(NodeCard, Duration)>,
    /// Every lease that was ever claimed.
    pub leases: Vec<Lease>,
}

/// Who owns a partition, as the store has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Which.
    pub partition: u32,
    /// The id of the node that claimed it last; `None` once it was given up.
    pub node: Option<String>,
    /// The token.
    pub tenure: Tenure,
    /// How long it is still good for; zero once it is over.
    pub left: Duration,
}
