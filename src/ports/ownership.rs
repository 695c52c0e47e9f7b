//! Who may act for which transactions, where several nodes share a journal.
//!
//! All transactions are cut into [`PARTITIONS`](crate::transaction::PARTITIONS) partitions; a node acts
//! for those whose leases it holds. A node that is alone holds all of them for ever ([`Alone`]).

use std::future::ready;
use std::time::Duration;

use uuid::Uuid;

use super::Promise;
use crate::transaction::Key;

/// The right to act for one partition: the fencing token that each append carries.
///
/// Both parts are compared. The epoch grows with every claim; the claim's id tells two claims apart
/// that a store which forgot the first has given the same epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tenure {
    /// Grows with every claim of the partition.
    pub epoch: u64,
    /// Random, new with every claim.
    pub claim: Uuid,
}

impl Tenure {
    /// The one of a node that is alone: nobody ever takes it away.
    pub const ALONE: Self = Self {
        epoch: 0,
        claim: Uuid::nil(),
    };
}

/// Where a partition's actors live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// In this process.
    Here,
    /// In another node, which other nodes reach at this URL.
    Elsewhere {
        /// The node's name.
        node: String,
        /// Its listener for other nodes, without a slash at the end.
        url: String,
    },
    /// Nowhere just now: it is on its way from one node to another.
    Nobody,
}

/// What this node knows of who owns what. Answers at once, from memory.
pub trait Ownership: Send + Sync {
    /// This node's tenure over a partition; `None` if it has none.
    fn tenure(&self, partition: u32) -> Option<Tenure>;

    /// Whether an effect may begin under this tenure at this very moment: the lease is ours, and its
    /// last renewal was sent less than half a lease ago.
    fn may_act(&self, partition: u32, tenure: Tenure) -> bool;

    /// Waits until [`Self::may_act`], and says `true`; or `false` once the tenure is over.
    fn when_allowed(&self, partition: u32, tenure: Tenure) -> Promise<bool>;

    /// The store has refused this tenure: another claim followed it. It is over from now on.
    fn fenced(&self, partition: u32, tenure: Tenure);

    /// Where a partition's actors live.
    fn owner(&self, partition: u32) -> Owner;

    /// How long a process may stand still between its last look at the clock and a request's first
    /// byte. Added to the ghost windows of whatever was another owner's (laws 2 and 3).
    fn max_pause(&self) -> Duration;
}

/// The ownership of a node that is alone: all of it, always.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Ownership for Alone {
    fn tenure(&self, _: u32) -> Option<Tenure> {
        Some(Tenure::ALONE)
    }

    fn may_act(&self, _: u32, _: Tenure) -> bool {
        true
    }

    fn when_allowed(&self, _: u32, _: Tenure) -> Promise<bool> {
        Box::pin(ready(true))
    }

    fn fenced(&self, _: u32, _: Tenure) {}

    fn owner(&self, _: u32) -> Owner {
        Owner::Here
    }

    fn max_pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// The actors, as whoever gains and loses partitions sees them.
pub trait Tenants: Send + Sync {
    /// These partitions are ours from now on: their open transactions have to be brought back.
    fn gained(&self, partitions: &[u32]);

    /// These tenures are over: the actors that live under them go at once and write nothing down. Those
    /// that live under a later tenure stay.
    fn lost(&self, held: &[(u32, Tenure)]);

    /// These are about to be given up: the actors that live under these tenures take nothing more, write
    /// down what is out, and go. Resolves when that is done.
    fn hand_over(&self, held: &[(u32, Tenure)]) -> Promise<()>;

    /// How many calls to providers are out for a partition's transactions.
    fn calls_out(&self, partition: u32) -> usize;

    /// A transaction of ours was accepted by another node. Says whether it is in good hands; else it
    /// has to be said again.
    fn arrived(&self, key: &Key) -> bool;
}
