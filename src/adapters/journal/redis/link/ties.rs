//! What the connections to one primary share with whoever manages those to several.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::recent::Recent;

/// See the [module](self).
pub(super) struct Ties {
    /// The key that a probe writes: in a Cluster one whose slot this primary has.
    probe: Mutex<String>,
    /// Of each writer.
    memories: Vec<Mutex<Recent>>,
    /// Told when slots turn out to be elsewhere.
    moved: Arc<Notify>,
}

impl Ties {
    pub(super) fn new(writers: usize, probe: String, moved: Arc<Notify>) -> Self {
        Self {
            probe: Mutex::new(probe),
            memories: (0..writers).map(|_| Mutex::default()).collect(),
            moved,
        }
    }

    pub(super) fn probe(&self) -> String {
        locked(&self.probe).clone()
    }

    pub(super) fn set_probe(&self, key: String) {
        *locked(&self.probe) = key;
    }

    /// What a writer remembers. Held for no longer than it takes to look.
    pub(super) fn memory(&self, writer: usize) -> MutexGuard<'_, Recent> {
        locked(&self.memories[writer])
    }

    pub(super) fn memories(&self) -> usize {
        self.memories.len()
    }

    /// The map of slots is out of date.
    pub(super) fn moved(&self) {
        self.moved.notify_one();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under the lock is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
