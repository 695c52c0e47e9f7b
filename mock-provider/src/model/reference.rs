//! The provider's record table in virtual time.
//!
//! The provider is not idempotent: posting an id again executes it again. An answered POST takes
//! the record over at once and makes it pending until its answer. A timed-out one leaves the
//! record alone until its ghost appears, directly final; a lost one never touches it. The record
//! shows whatever took it over last.

use std::collections::HashMap;

use super::{Draw, Status, draw};

/// What this provider knows, as a function of the POSTs it got and of the moment it is asked.
///
/// Time is told, in milliseconds on any scale that doesn't run backwards.
#[derive(Debug, Clone, Default)]
pub struct ReferenceProvider {
    seed: u64,
    records: HashMap<String, Record>,
}

/// Everything about one id.
#[derive(Debug, Clone, Default)]
struct Record {
    executions: u32,
    executed: u32,
    /// At most one that has begun, and the ghosts still to come.
    writes: Vec<Write>,
}

/// One take-over of the record.
#[derive(Debug, Clone, Copy)]
struct Write {
    begins_at_ms: u64,
    final_at_ms: u64,
    status: Status,
}

impl ReferenceProvider {
    /// A provider without transactions.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            records: HashMap::new(),
        }
    }

    /// Posts `id`: draws what happens, records it, and says what was drawn.
    pub fn post(&mut self, id: &str, now_ms: u64) -> Draw {
        let draw = draw(self.seed, id, self.executions(id) + 1);
        self.post_scripted(id, now_ms, draw);
        draw
    }

    /// Posts `id` with a given course instead of a drawn one, and says which POST of that id it was.
    pub fn post_scripted(&mut self, id: &str, now_ms: u64, draw: Draw) -> u32 {
        let record = self.records.entry(id.to_owned()).or_default();
        record.executions += 1;
        if let Some(write) = write_of(draw, now_ms) {
            record.executed += 1;
            record.take(write, now_ms);
        }
        record.executions
    }

    /// What an inquiry is told: `None` is a 404.
    #[must_use]
    pub fn get(&self, id: &str, now_ms: u64) -> Option<Status> {
        let write = self.records.get(id)?.shown(now_ms)?;
        Some(if now_ms < write.final_at_ms {
            Status::Pending
        } else {
            write.status
        })
    }

    /// How many POSTs of `id` there were, lost ones included.
    #[must_use]
    pub fn executions(&self, id: &str) -> u32 {
        self.records.get(id).map_or(0, |record| record.executions)
    }

    /// How many of them execute, now or later. More than one is a double payment.
    #[must_use]
    pub fn executed(&self, id: &str) -> u32 {
        self.records.get(id).map_or(0, |record| record.executed)
    }
}

impl Record {
    fn take(&mut self, write: Write, now_ms: u64) {
        self.writes.push(write);
        let shown = self.shown(now_ms);
        // What lies behind the shown one can't be seen again, so the list stays short.
        self.writes.retain(|other| other.begins_at_ms > now_ms);
        self.writes.extend(shown);
    }

    /// The latest take-over that has begun; of two at the same moment, the one posted later.
    fn shown(&self, now_ms: u64) -> Option<Write> {
        self.writes
            .iter()
            .filter(|write| write.begins_at_ms <= now_ms)
            .max_by_key(|write| write.begins_at_ms)
            .copied()
    }
}

fn write_of(draw: Draw, now_ms: u64) -> Option<Write> {
    match draw {
        Draw::Answered {
            after_ms, status, ..
        } => Some(Write {
            begins_at_ms: now_ms,
            final_at_ms: now_ms.saturating_add(after_ms),
            status,
        }),
        Draw::TimedOut { ghost, .. } => ghost.map(|ghost| Write {
            begins_at_ms: now_ms.saturating_add(ghost.after_ms),
            final_at_ms: now_ms.saturating_add(ghost.after_ms),
            status: ghost.status,
        }),
    }
}
