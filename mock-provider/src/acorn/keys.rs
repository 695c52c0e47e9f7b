//! Idempotency keys: what a second request with the same key meets. Pure; it is told the unscaled time.

use std::collections::HashMap;

/// The SHA-256 of a body.
pub(crate) type BodyHash = [u8; 32];

/// Every key that was used. Bounded by the ledger, because only an execution adds one.
pub(crate) struct Keys {
    window_ms: u64,
    keys: HashMap<String, Key>,
}

#[derive(Default)]
struct Key {
    executions: u32,
    held: Option<Held>,
}

/// An execution that has its key.
pub(crate) struct Held {
    pub(crate) body: BodyHash,
    pub(crate) since_ms: u64,
    /// When it is known what became of it.
    pub(crate) known_at_ms: u64,
    /// Its place in the ledger.
    pub(crate) index: usize,
    /// Whether it is or will be executed.
    pub(crate) executed: bool,
}

/// What a request meets; `index` is the earlier one's place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is to be executed, as this key's nth execution.
    First { execution: u32 },
    /// An earlier one isn't through yet.
    InProgress { index: usize },
    /// An earlier one had another body.
    OtherBody { index: usize },
    /// An earlier one was executed, and its answer is stored.
    Stored { index: usize },
}

impl Keys {
    pub(crate) fn new(window_ms: u64) -> Self {
        Self {
            window_ms,
            keys: HashMap::new(),
        }
    }

    pub(crate) fn ask(&self, key: &str, body: &BodyHash, now_ms: u64) -> Use {
        let Some(key) = self.keys.get(key) else {
            return Use::First { execution: 1 };
        };
        let first = Use::First {
            execution: key.executions + 1,
        };
        match &key.held {
            Some(held) if now_ms < held.since_ms.saturating_add(self.window_ms) => {
                let known = now_ms >= held.known_at_ms;
                let index = held.index;
                if known && !held.executed {
                    first
                } else if held.body != *body {
                    Use::OtherBody { index }
                } else if known {
                    Use::Stored { index }
                } else {
                    Use::InProgress { index }
                }
            }
            _ => first,
        }
    }

    /// Counts an execution that was refused at once; the key stays free.
    pub(crate) fn refused(&mut self, key: &str) {
        let key = self.keys.entry(key.to_owned()).or_default();
        key.executions += 1;
        key.held = None;
    }

    /// Counts an execution and holds the key for it.
    pub(crate) fn hold(&mut self, key: &str, held: Held) {
        let key = self.keys.entry(key.to_owned()).or_default();
        key.executions += 1;
        key.held = Some(held);
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Keys, Use};

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];

    fn held(known_at_ms: u64, executed: bool) -> Held {
        Held {
            body: A,
            since_ms: 0,
            known_at_ms,
            index: 7,
            executed,
        }
    }

    #[test]
    fn an_executed_one_is_stored_for_the_window() {
        let mut keys = Keys::new(1_000);
        assert_eq!(keys.ask("k", &A, 0), Use::First { execution: 1 });
        keys.hold("k", held(100, true));
        for (body, now_ms, expected) in [
            (A, 99, Use::InProgress { index: 7 }),
            (B, 99, Use::OtherBody { index: 7 }),
            (A, 100, Use::Stored { index: 7 }),
            (B, 999, Use::OtherBody { index: 7 }),
            (A, 999, Use::Stored { index: 7 }),
            (A, 1_000, Use::First { execution: 2 }),
            (B, 1_000, Use::First { execution: 2 }),
        ] {
            assert_eq!(keys.ask("k", &body, now_ms), expected, "at {now_ms}");
        }
    }

    #[test]
    fn a_lost_one_frees_its_key_when_that_is_known() {
        let mut keys = Keys::new(1_000);
        keys.hold("k", held(60, false));
        assert_eq!(keys.ask("k", &A, 59), Use::InProgress { index: 7 });
        assert_eq!(keys.ask("k", &B, 59), Use::OtherBody { index: 7 });
        assert_eq!(keys.ask("k", &B, 60), Use::First { execution: 2 });
    }

    #[test]
    fn a_refused_one_leaves_it_free() {
        let mut keys = Keys::new(1_000);
        keys.refused("k");
        assert_eq!(keys.ask("k", &B, 0), Use::First { execution: 2 });
    }
}
