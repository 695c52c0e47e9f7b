//! What one node knows of all of them, for people and for questions that all have to answer.

use std::time::Duration;

use super::NodeCard;

/// What this node knows of the others. Answers at once, from memory.
pub trait ClusterView: Send + Sync {
    /// Who is there, as of the last look at the council.
    fn cluster(&self) -> ClusterSnapshot;
}

/// Who is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClusterSnapshot {
    /// This node's own id.
    pub here: String,
    /// The nodes that have announced themselves lately, this one among them, by name.
    pub nodes: Vec<NodeStatus>,
    /// How long ago the council was last heard; `None` if never.
    pub heard_ago: Option<Duration>,
    /// Partitions that nobody owns just now.
    pub unowned: Vec<u32>,
    /// How often this process had a partition taken away that it thought its own.
    pub fenced: u64,
    /// Why the council can't be asked, while that is so.
    pub trouble: Option<String>,
}

/// One node, as another sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeStatus {
    /// How it shows itself.
    pub card: NodeCard,
    /// How long ago it did so, by the store's clock.
    pub seen_ago: Duration,
    /// Whether that is recent enough for it to be counted on.
    pub is_alive: bool,
    /// The partitions whose leases it holds, in order.
    pub partitions: Vec<u32>,
}

impl ClusterSnapshot {
    /// This node's name; nothing before it has announced itself.
    #[must_use]
    pub fn name_here(&self) -> Option<&str> {
        let mut nodes = self.nodes.iter();
        nodes
            .find(|node| node.card.id == self.here)
            .map(|node| node.card.name.as_str())
    }

    /// The other nodes that can be counted on.
    pub fn others(&self) -> impl Iterator<Item = &NodeStatus> {
        let other = |node: &&NodeStatus| node.is_alive && node.card.id != self.here;
        self.nodes.iter().filter(other)
    }
}
