//! How many calls to the world are out for each partition's transactions: who hands a partition over
//! waits for them first, because an answer that nobody hears any more is a doubt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::transaction::PARTITIONS;

/// A counter per partition.
#[derive(Clone, Debug)]
pub struct CallsOut(Arc<[AtomicUsize]>);

/// One call that is out, until it is dropped.
pub(super) struct CallOut {
    counters: CallsOut,
    partition: u32,
}

impl Default for CallsOut {
    fn default() -> Self {
        Self((0..PARTITIONS).map(|_| AtomicUsize::new(0)).collect())
    }
}

impl CallsOut {
    /// How many are out.
    #[must_use]
    pub fn of(&self, partition: u32) -> usize {
        self.0[partition as usize].load(Ordering::Acquire)
    }

    pub(super) fn goes_out(&self, partition: u32) -> CallOut {
        self.0[partition as usize].fetch_add(1, Ordering::AcqRel);
        CallOut {
            counters: self.clone(),
            partition,
        }
    }
}

impl Drop for CallOut {
    fn drop(&mut self) {
        self.counters.0[self.partition as usize].fetch_sub(1, Ordering::AcqRel);
    }
}
