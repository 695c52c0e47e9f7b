//! Whether writes can be taken now.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::JournalHealth;

/// What each writer says of its connection: nothing, or what is in the way.
#[derive(Debug)]
pub(super) struct Standing {
    troubles: Mutex<Vec<Option<String>>>,
    /// How many of them are in trouble.
    troubled: AtomicUsize,
}

impl Standing {
    /// Of so many writers, none of which is connected yet.
    pub(super) fn new(writers: usize) -> Self {
        let first = Some("it is not connected yet".to_owned());
        Self {
            troubles: Mutex::new(vec![first; writers]),
            troubled: AtomicUsize::new(writers),
        }
    }

    /// What a writer finds.
    pub(super) fn say(&self, writer: usize, trouble: Option<String>) {
        let mut troubles = self.locked();
        if troubles[writer] != trouble {
            match &trouble {
                Some(why) => tracing::warn!(writer, why, "Redis takes no writes"),
                None => tracing::info!(writer, "Redis takes writes"),
            }
        }
        troubles[writer] = trouble;
        let troubled = troubles.iter().flatten().count();
        self.troubled.store(troubled, Ordering::Release);
    }

    /// Why this writer takes nothing.
    pub(super) fn why_not(&self, writer: usize) -> Option<String> {
        if self.troubled.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.locked()[writer].clone()
    }

    pub(super) fn health(&self) -> JournalHealth {
        if self.troubled.load(Ordering::Acquire) == 0 {
            return JournalHealth::Serving;
        }
        let first = self.locked().iter().flatten().next().cloned();
        first.map_or(JournalHealth::Serving, JournalHealth::Unreachable)
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
