//! What one POST does: the figures of the reference provider and the draw from them.
//!
//! Every time is in milliseconds after the POST, unscaled: as the real provider would take.

use super::{Dice, Status};

/// The earliest answer.
pub const ANSWER_MIN_MS: u64 = 200;
/// No answer comes this late (exclusive).
pub const ANSWER_MAX_MS: u64 = 10_000;
/// When a POST that gets no outcome is answered with 504.
pub const TIMEOUT_MS: u64 = 30_000;
/// The earliest moment of a ghost.
pub const GHOST_MIN_MS: u64 = TIMEOUT_MS;
/// The ghost window: a timed-out POST that hasn't appeared by now never will (exclusive).
pub const GHOST_WINDOW_MS: u64 = 120_000;
/// The earliest webhook.
pub const WEBHOOK_MIN_MS: u64 = 10_000;
/// No webhook is sent this late (exclusive).
pub const WEBHOOK_MAX_MS: u64 = 30_000;

/// How often a POST is answered 504.
pub const TIMEOUT_ODDS: Odds = Odds { hits: 1, of: 10 };
/// How often a 504 executes nevertheless.
pub const GHOST_ODDS: Odds = Odds { hits: 1, of: 2 };
/// How often an answered POST also sends a webhook.
pub const WEBHOOK_ODDS: Odds = Odds { hits: 4, of: 5 };
/// How often an executed transaction completes; the others are declined.
pub const COMPLETED_ODDS: Odds = Odds { hits: 2, of: 3 };

/// A probability as a fraction, so that no rounding differs between machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odds {
    /// How many of the equally likely cases count.
    pub hits: u64,
    /// How many equally likely cases there are.
    pub of: u64,
}

impl Odds {
    /// The same as a number between 0 and 1.
    #[must_use]
    pub fn probability(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    pub(crate) fn hit(self, dice: &mut Dice) -> bool {
        dice.below(self.of) < self.hits
    }
}

/// A timed-out POST that executes later all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ghost {
    /// When it appears, directly final.
    pub after_ms: u64,
    /// What it appears as.
    pub status: Status,
}

/// What one POST will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Answered with the final status; pending until then.
    Answered {
        /// When the answer is sent and the outcome exists.
        after_ms: u64,
        /// The outcome.
        status: Status,
        /// When the one webhook is sent, if there is one.
        webhook_after_ms: Option<u64>,
    },
    /// Answered with 504.
    TimedOut {
        /// When the 504 is sent.
        after_ms: u64,
        /// What appears later; `None` = the POST is lost and money never moves.
        ghost: Option<Ghost>,
    },
}

impl Draw {
    /// The moment at which the final outcome exists; `None` = lost.
    #[must_use]
    pub fn exists_after_ms(&self) -> Option<u64> {
        match *self {
            Self::Answered { after_ms, .. } => Some(after_ms),
            Self::TimedOut { ghost, .. } => ghost.map(|ghost| ghost.after_ms),
        }
    }

    /// The outcome that will exist; `None` = lost.
    #[must_use]
    pub fn outcome(&self) -> Option<Status> {
        match *self {
            Self::Answered { status, .. } => Some(status),
            Self::TimedOut { ghost, .. } => ghost.map(|ghost| ghost.status),
        }
    }

    /// When the client hears, whatever it hears.
    #[must_use]
    pub fn answer_after_ms(&self) -> u64 {
        match *self {
            Self::Answered { after_ms, .. } | Self::TimedOut { after_ms, .. } => after_ms,
        }
    }
}

/// What the `execution`th POST (from 1) of `id` does under `seed`, independent of all other POSTs.
#[must_use]
pub fn draw(seed: u64, id: &str, execution: u32) -> Draw {
    let mut dice = Dice::new(seed, "draw", id, u64::from(execution));
    if TIMEOUT_ODDS.hit(&mut dice) {
        let ghost = GHOST_ODDS.hit(&mut dice).then(|| Ghost {
            after_ms: dice.between(GHOST_MIN_MS, GHOST_WINDOW_MS),
            status: outcome(&mut dice),
        });
        return Draw::TimedOut {
            after_ms: TIMEOUT_MS,
            ghost,
        };
    }
    Draw::Answered {
        after_ms: dice.between(ANSWER_MIN_MS, ANSWER_MAX_MS),
        status: outcome(&mut dice),
        webhook_after_ms: WEBHOOK_ODDS
            .hit(&mut dice)
            .then(|| dice.between(WEBHOOK_MIN_MS, WEBHOOK_MAX_MS)),
    }
}

fn outcome(dice: &mut Dice) -> Status {
    if COMPLETED_ODDS.hit(dice) {
        Status::Completed
    } else {
        Status::Declined
    }
}

/// What an oracle would need for `id`: it knows at once whether a POST exists or is lost, but to
/// be safe it waits a whole ghost window before it posts again.
#[must_use]
pub fn floor_ms(seed: u64, id: &str) -> u64 {
    let mut waited_ms = 0;
    let mut execution = 1;
    loop {
        if let Some(exists_after_ms) = draw(seed, id, execution).exists_after_ms() {
            return waited_ms + exists_after_ms;
        }
        waited_ms += GHOST_WINDOW_MS;
        execution += 1;
    }
}
