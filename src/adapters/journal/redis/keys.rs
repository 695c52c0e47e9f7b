//! What things are called in the store.
//!
//! Everything of one partition carries one hash tag, so that one Function may touch it in a Cluster
//! too. All names begin with the configured prefix.

use sha2::{Digest, Sha256};

use crate::transaction::{Key, PARTITIONS};

/// The names, for one prefix.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// The names that begin with `prefix`.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// What all names of a partition begin with: `teller:{p17}:`.
    #[must_use]
    pub fn partition(&self, partition: u32) -> String {
        format!("{}:{{p{partition}}}:", self.prefix)
    }

    /// What names begin with: one of each hash tag that there is.
    pub(super) fn tags(&self) -> impl Iterator<Item = String> + use<'_> {
        let slices = (0..PARTITIONS).map(|slice| self.slice(slice));
        let partitions = (0..PARTITIONS).map(|partition| self.partition(partition));
        [self.meta(), self.inbox()]
            .into_iter()
            .chain(partitions)
            .chain(slices)
    }

    fn slice(&self, slice: u32) -> String {
        format!("{}:{{r{slice}}}:", self.prefix)
    }

    /// The channel on which owners are called.
    pub(super) fn bell(&self) -> String {
        format!("{}:bell", self.prefix)
    }

    /// The lease of a partition.
    #[must_use]
    pub fn lease(&self, partition: u32) -> String {
        self.partition(partition) + "lease"
    }

    /// What belongs to no partition, under one hash tag: `teller:{meta}:`.
    #[must_use]
    pub fn meta(&self) -> String {
        format!("{}:{{meta}}:", self.prefix)
    }

    /// The records of a transaction.
    pub(super) fn records(&self, key: &Key) -> String {
        format!("{}r:{key}", self.partition(key.partition()))
    }

    /// The inbox.
    pub(super) fn inbox(&self) -> String {
        format!("{}:{{inbox}}:", self.prefix)
    }

    /// A slice of the map from references to transactions, and the reference's name in it.
    pub(super) fn reference(&self, provider: &str, reference: &str) -> (String, String) {
        let name = format!("{provider}\0{reference}");
        // The first two bytes decide; which hash it is can't change any more.
        let hash = Sha256::digest(name.as_bytes());
        let slice = u32::from(u16::from_be_bytes([hash[0], hash[1]])) % PARTITIONS;
        (self.slice(slice), name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::key;
    use super::*;

    /// Data written under these names is found by later releases under these names only.
    #[test]
    fn names_stay_as_they_are() {
        let keys = Keys::new("teller");
        let one = key("shop", 1);
        let partition = one.partition();
        assert_eq!(
            keys.records(&one),
            format!("teller:{{p{partition}}}:r:shop/00000000-0000-0000-0000-000000000001")
        );
        assert_eq!(keys.lease(17), "teller:{p17}:lease");
        assert_eq!(keys.meta(), "teller:{meta}:");
        assert_eq!(keys.inbox(), "teller:{inbox}:");
        let (slice, name) = keys.reference("bank", "r");
        assert_eq!(
            (slice.as_str(), name.as_str()),
            ("teller:{r86}:", "bank\0r")
        );
    }
}
