//! When the breaker opens, those who wait here are told once: they may have somewhere else to go.
//!
//! They stay in the queue until they leave it themselves, so that a message that gets lost loses
//! nobody's place.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Gate;
use super::queue::{Line, Ticket};
use crate::transaction::Key;

/// Transactions told in one round. Each may have to be read from the journal first.
const AT_ONCE: usize = 64;
/// The pause between two rounds: some ten thousand transactions a second, which leaves the shards time
/// for everybody else.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// How far the telling has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rerouting {
    told: Option<Ticket>,
    last: Ticket,
}

impl Rerouting {
    /// Everybody who is in `line` now.
    pub(super) fn of(line: &Line) -> Self {
        Self {
            told: None,
            last: line.newest(),
        }
    }
}

impl Gate {
    /// Says that transactions of this gate may have somewhere else to go while its breaker is open.
    pub fn divert(&self) {
        self.diverts.store(true, Ordering::Release);
    }

    /// Whether nothing goes out because the breaker is open. Once its pause is over it is not: somebody
    /// has to come and be the probe.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        let now = self.clock.mono();
        self.lock().breaker.is_shut(now)
    }

    /// Those who are to be told next.
    pub(super) fn reroutes(&self) -> Vec<(Ticket, Key)> {
        let mut state = self.lock();
        let Some(rerouting) = state.rerouting else {
            return Vec::new();
        };
        let next = state
            .submissions
            .between(rerouting.told, rerouting.last, AT_ONCE);
        if next.is_empty() {
            state.rerouting = None;
        }
        next
    }

    /// The holder of `ticket` was told.
    pub(super) fn rerouted(&self, ticket: Ticket) {
        if let Some(rerouting) = &mut self.lock().rerouting {
            rerouting.told = Some(ticket);
        }
    }
}
