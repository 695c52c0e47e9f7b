//! The house as whoever gains and loses partitions sees it.

use super::house::House;
use super::messages::Call;
use super::registry::{Gained, HandOver, Lost};
use crate::ports::{Promise, Tenants};
use crate::transaction::Key;

impl Tenants for House {
    fn gained(&self, partitions: &[u32]) {
        self.router.tell_all(|| Gained(partitions.to_vec()));
    }

    fn lost(&self, partitions: &[u32]) {
        self.router.tell_all(|| Lost(partitions.to_vec()));
    }

    fn hand_over(&self, partitions: &[u32]) -> Promise<()> {
        let (router, partitions) = (self.router.clone(), partitions.to_vec());
        Box::pin(async move { router.ask_all(|| HandOver(partitions.clone())).await })
    }

    fn calls_out(&self, partition: u32) -> usize {
        self.calls_out().of(partition)
    }

    fn arrived(&self, key: &Key) -> bool {
        self.router.tell(key.clone(), Call::Arrived).is_ok()
    }
}
