//! What a node knows of all nodes, for `/v1/nodes`.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use super::keeper::{Keeper, Shown};
use super::table::Elsewhere;
use crate::ports::{Assembly, Lease, NodeCard};
pub use crate::ports::{ClusterSnapshot as Snapshot, NodeView};
use crate::transaction::PARTITIONS;

/// What a node shows before it has heard anything.
pub(super) fn before_the_first(card: &NodeCard) -> Snapshot {
    Snapshot {
        node: card.clone(),
        nodes: Vec::new(),
        unowned: PARTITIONS as usize,
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

impl Keeper {
    /// Puts who owns what, as the store has it, into the table. An owner whose card is gone is on its
    /// way out, and still owns: its card is remembered for as long as a lease names it.
    pub(super) fn learn_owners(&mut self, assembly: &Assembly) {
        let present = assembly.nodes.iter().map(|(card, _)| card.clone());
        let named = |card: &NodeCard| {
            let mut leases = assembly.leases.iter();
            leases.any(|lease| lease.node.as_deref() == Some(card.id.as_str()))
        };
        self.cards.retain(|_, card| named(card));
        self.cards
            .extend(present.map(|card| (card.id.clone(), card)));
        let mut owners = vec![None; PARTITIONS as usize];
        for lease in assembly.leases.iter().filter(|lease| !lease.left.is_zero()) {
            let owner = lease.node.as_ref().filter(|node| **node != self.card.id);
            let card = owner.and_then(|node| self.cards.get(node));
            if let (Some(slot), Some(card)) = (owners.get_mut(lease.partition as usize), card) {
                *slot = Some(Elsewhere {
                    node: card.name.as_str().into(),
                    url: card.url.as_str().into(),
                });
            }
        }
        for (partition, owner) in (0..PARTITIONS).zip(owners) {
            self.table.know(partition, owner);
        }
    }

    /// Shows what is known now to whoever asks the handle.
    pub(super) fn show(&self) {
        let (mut nodes, unowned) = self.assembly.as_ref().map_or_else(
            || (Vec::new(), PARTITIONS as usize),
            |assembly| self.nodes_of(assembly),
        );
        nodes.sort_by(|a, b| (&a.card.name, &a.card.id).cmp(&(&b.card.name, &b.card.id)));
        let snapshot = Snapshot {
            node: self.card.clone(),
            nodes,
            unowned,
            held: self.table.held().len(),
            handing_over: self.departures.count(),
            fenced_total: self.table.fenced_total(),
            claimed_total: self.claimed,
            given_up_total: self.given_up,
            primary_changes_total: self.primary_changes,
            store_offset_ms: self.time.offset_ms(),
            heard_ms_ago: None,
            trouble: self.trouble.clone(),
        };
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Shown {
            heard_at: self.heard_at,
            snapshot,
        };
    }

    fn nodes_of(&self, assembly: &Assembly) -> (Vec<NodeView>, usize) {
        let owner = |lease: &Lease| lease.node.clone().filter(|_| !lease.left.is_zero());
        let mut owned: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for lease in &assembly.leases {
            if let Some(node) = owner(lease) {
                owned.entry(node).or_default().push(lease.partition);
            }
        }
        let count: usize = owned.values().map(Vec::len).sum();
        let view = |(card, ago): &(NodeCard, Duration)| NodeView {
            card: card.clone(),
            alive: *ago <= self.lease,
            announced_ms_ago: millis(*ago),
            partitions: owned.remove(&card.id).unwrap_or_default(),
        };
        let nodes = assembly.nodes.iter().map(view).collect();
        (nodes, (PARTITIONS as usize).saturating_sub(count))
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
