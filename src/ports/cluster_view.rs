//! What one node knows of all of them, for people and for questions that all have to answer.

use serde::Serialize;

use super::NodeCard;

/// What this node knows of the others. Answers at once, from memory.
pub trait ClusterView: Send + Sync {
    /// All nodes, as of the last look at the council.
    fn cluster(&self) -> ClusterSnapshot;
}

/// All nodes, as one of them sees them.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterSnapshot {
    /// The node that says this.
    pub node: NodeCard,
    /// All nodes that have announced themselves within the last hour, by name.
    pub nodes: Vec<NodeView>,
    /// Partitions that nobody owns just now.
    pub unowned: usize,
    /// How many partitions this node owns, as it knows itself.
    pub held: usize,
    /// Partitions that this node is handing over.
    pub handing_over: usize,
    /// Tenures of this node that the store has refused, since the start.
    pub fenced_total: u64,
    /// Partitions that this node has claimed, since the start.
    pub claimed_total: u64,
    /// Partitions that this node has given up, since the start.
    pub given_up_total: u64,
    /// How often another server answered as the primary, since the start.
    pub primary_changes_total: u64,
    /// What the store's time is ahead of this machine's, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_offset_ms: Option<i64>,
    /// Milliseconds since the store last answered; absent before it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_ms_ago: Option<u64>,
    /// What stands against this node's part in it; absent while nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// One node, as another sees it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NodeView {
    /// How it shows itself.
    #[serde(flatten)]
    pub card: NodeCard,
    /// Whether it was heard within a lease.
    pub alive: bool,
    /// Milliseconds since it announced itself, by the store's clock.
    pub announced_ms_ago: u64,
    /// The partitions that it owns, in order.
    pub partitions: Vec<u32>,
}

impl ClusterSnapshot {
    /// The other nodes that can be counted on.
    pub fn others(&self) -> impl Iterator<Item = &NodeView> {
        let other = |node: &&NodeView| node.alive && node.card.id != self.node.id;
        self.nodes.iter().filter(other)
    }
}
