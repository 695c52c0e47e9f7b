//! Which connections lead to which slots, at one moment.

use std::sync::Arc;

use redis::Cmd;

use super::slots::{SlotMap, slot_of_command};
use super::trunk::Trunk;
use crate::adapters::journal::redis::options::Address;

/// The slots of a Cluster, and a trunk to each primary that has any of ours.
#[derive(Default)]
pub(super) struct Chart {
    pub(super) map: SlotMap,
    pub(super) trunks: Vec<(Address, Arc<Trunk>)>,
    /// The generations of trunks that are gone, and one for each.
    pub(super) retired: u64,
}

impl Chart {
    /// Grows whenever another server answers for any slot.
    pub(super) fn generation(&self) -> u64 {
        let present = self.trunks.iter().map(|(_, trunk)| trunk.generation());
        self.retired + present.sum::<u64>()
    }

    /// The trunk to a primary.
    pub(super) fn at(&self, address: &Address) -> Option<&Arc<Trunk>> {
        let found = self.trunks.iter().find(|(its, _)| its == address);
        found.map(|(_, trunk)| trunk)
    }

    /// The trunk to whoever has a slot.
    pub(super) fn to(&self, slot: u16) -> Option<&Arc<Trunk>> {
        self.at(self.map.primary(slot)?)
    }

    /// The number of the trunk that a command goes over; one without a key over that of `home`.
    pub(super) fn number_for(&self, command: &Cmd, home: u16) -> Option<usize> {
        let slot = slot_of_command(command).unwrap_or(home);
        let address = self.map.primary(slot)?;
        self.trunks.iter().position(|(its, _)| its == address)
    }
}
