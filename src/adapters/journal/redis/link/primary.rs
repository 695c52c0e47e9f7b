//! Which server answers as the primary.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// A server, in its own words.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// Its run id and its replication id: another text means another server, or the same one after a
    /// restart, and with it a store that may have forgotten something. Empty before the first.
    pub text: String,
    /// How many there were, this one included.
    pub generation: u64,
}

/// What all connections have seen.
#[derive(Debug)]
pub(super) struct Primary {
    seen: Mutex<Seen>,
    changed: watch::Sender<u64>,
}

impl Default for Primary {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            changed: watch::channel(0).0,
        }
    }
}

impl Primary {
    /// A new connection has reached this server. Answers the generation that it belongs to.
    pub(super) fn reached(&self, text: &str) -> u64 {
        let mut seen = self.locked();
        if seen.text != text {
            text.clone_into(&mut seen.text);
            seen.generation += 1;
            if seen.generation > 1 {
                tracing::warn!(primary = text, "another Redis server answers than before");
            }
            self.changed.send_replace(seen.generation);
        }
        seen.generation
    }

    /// Makes every connection look again which server answers.
    pub(super) fn doubt(&self) {
        let mut seen = self.locked();
        // Nobody's text: the next server that is reached counts as another one.
        seen.text.clear();
        seen.generation += 1;
        self.changed.send_replace(seen.generation);
    }

    pub(super) fn generation(&self) -> u64 {
        *self.changed.borrow()
    }

    pub(super) fn seen(&self) -> Seen {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
