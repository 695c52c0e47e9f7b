//! How an app's endpoint is doing, and what follows from it: whether it is told now, later, or not at
//! all. It is told the time and asks nobody.
//!
//! ```text
//!            429, 502, 503, 504                410, or failing for long, or an operator
//!     ok ─────────────────────▶ slowed ──┐  ok, slowed ─────────────────────────────▶ disabled
//!      ▲    one at a time, the pause     │                                              │
//!      └── grows until one succeeds ◀────┘  ok ◀──────────────── an operator ───────────┘
//! ```

use std::time::Duration;

use crate::adapters::provider::TimeScale;
use crate::ports::{DisabledSince, EndpointState, EndpointTrouble};
use crate::transaction::{Mono, Now, Timestamp};

/// The pause after the first answer that asks for one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause of our own: an app that is back is noticed within a minute.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest `Retry-After` that holds for all of an app's news. One answer must not silence an app for
/// a day.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// Failed deliveries before an endpoint counts as lasting trouble: an app that is told twice a week is
/// not judged by one bad evening.
const FAILURES_MIN: u32 = 20;
/// Failing for less than this is not written down: an endpoint that flutters would write all day.
const REMEMBERED_AFTER: Duration = Duration::from_hours(1);
/// Characters of a reason that are kept.
const WHY_MAX_CHARS: usize = 500;

/// The bounds of one endpoint, at the scale that time runs at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pause_first: Duration,
    pause_max: Duration,
    retry_after_max: Duration,
    remembered_after: Duration,
    disable_after: Duration,
}

impl Patience {
    pub(super) fn new(disable_after: Duration, scale: TimeScale) -> Self {
        Self {
            pause_first: scale.duration(PAUSE_FIRST),
            pause_max: scale.duration(PAUSE_MAX),
            retry_after_max: scale.duration(RETRY_AFTER_MAX),
            remembered_after: scale.duration(REMEMBERED_AFTER),
            disable_after: scale.duration(disable_after),
        }
    }
}

/// What came of a delivery, as far as the endpoint is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// 2xx.
    Acknowledged,
    /// 410.
    Gone,
    /// It has too much to do.
    Overloaded {
        /// What it asked for.
        retry_after: Option<Duration>,
    },
    /// Anything else, or nothing.
    Failed,
}

/// Whether a delivery may go out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// Yes, and others may, too.
    Among,
    /// Yes, and nothing else until it is back.
    Alone,
    /// Not before this long.
    Held(Duration),
    /// Never.
    Disabled(DisabledSince),
}

/// The state of one endpoint.
#[derive(Debug)]
pub(super) struct Health {
    patience: Patience,
    slowed: Option<Slowed>,
    disabled: Option<DisabledSince>,
    /// Since the last success.
    pub(super) failures: u32,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) last_success: Option<Timestamp>,
    pub(super) deliveries: u64,
    pub(super) acknowledged: u64,
    remembered: Option<EndpointTrouble>,
}

#[derive(Clone, Copy, Debug)]
struct Slowed {
    pause: Duration,
    until: Mono,
    /// Whether the one delivery is out.
    taken: bool,
}

impl Health {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            slowed: None,
            disabled: None,
            failures: 0,
            failing_since: None,
            last_success: None,
            deliveries: 0,
            acknowledged: 0,
            remembered: None,
        }
    }

    /// Asks for a delivery's turn. `spread`, from 0.0 to 1.0, tells those apart who are held back
    /// together.
    pub(super) fn admit(&mut self, now: Now, spread: f64) -> Admission {
        if let Some(disabled) = &self.disabled {
            return Admission::Disabled(disabled.clone());
        }
        let Some(slowed) = &mut self.slowed else {
            self.deliveries += 1;
            return Admission::Among;
        };
        if slowed.taken || now.mono < slowed.until {
            let mut wait = slowed.until.since(now.mono);
            if slowed.taken {
                // Nobody knows when it will be back.
                wait = wait.max(slowed.pause);
            }
            return Admission::Held(wait + slowed.pause.mul_f64(spread));
        }
        slowed.taken = true;
        self.deliveries += 1;
        Admission::Alone
    }

    /// A wait for a delivery that found no room.
    pub(super) fn no_room(&self, spread: f64) -> Duration {
        self.patience.pause_first.mul_f64(1.0 + spread)
    }

    /// A delivery came back.
    pub(super) fn came_back(&mut self, alone: bool, answer: Answer, now: Now) {
        match answer {
            Answer::Acknowledged => {
                self.acknowledged += 1;
                self.last_success = Some(now.wall);
                self.failures = 0;
                self.failing_since = None;
                self.slowed = None;
            }
            Answer::Gone => {
                self.failed(now);
                self.disable(now, "it answered HTTP 410");
            }
            Answer::Overloaded { retry_after } => {
                self.failed(now);
                self.slow_down(alone, retry_after, now);
            }
            Answer::Failed => {
                self.failed(now);
                if alone {
                    self.slow_down(alone, None, now);
                }
            }
        }
    }

    /// A delivery that was alone did not go out, or its caller left.
    pub(super) fn gave_up_its_turn(&mut self) {
        if let Some(slowed) = &mut self.slowed {
            slowed.taken = false;
        }
    }

    fn failed(&mut self, now: Now) {
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now.wall);
        if self.failures >= FAILURES_MIN && now.wall.since(since) >= self.patience.disable_after {
            let why = format!(
                "{} deliveries in a row have failed since {since}",
                self.failures
            );
            self.disable(now, &why);
        }
    }

    /// The pause grows by what came back from within it; what was out before only keeps it.
    fn slow_down(&mut self, alone: bool, retry_after: Option<Duration>, now: Now) {
        let Patience {
            pause_first,
            pause_max,
            retry_after_max,
            ..
        } = self.patience;
        let (pause, taken, earlier) = match self.slowed {
            None => (pause_first, false, Mono::default()),
            Some(slowed) if alone => ((slowed.pause * 2).min(pause_max), false, slowed.until),
            Some(slowed) => (slowed.pause, slowed.taken, slowed.until),
        };
        let asked = retry_after.unwrap_or_default().min(retry_after_max);
        self.slowed = Some(Slowed {
            pause,
            until: earlier.max(now.mono + pause.max(asked)),
            taken,
        });
    }

    /// Disables it, unless it is already.
    pub(super) fn disable(&mut self, now: Now, why: &str) {
        self.disabled.get_or_insert_with(|| DisabledSince {
            since: now.wall,
            why: why.chars().take(WHY_MAX_CHARS).collect(),
        });
    }

    /// Begins anew.
    pub(super) fn enable(&mut self) {
        self.disabled = None;
        self.slowed = None;
        self.failures = 0;
        self.failing_since = None;
    }

    pub(super) fn disabled(&self) -> Option<&DisabledSince> {
        self.disabled.as_ref()
    }

    pub(super) fn state(&self, now: Now) -> EndpointState {
        match (&self.disabled, self.slowed) {
            (Some(disabled), _) => EndpointState::Disabled(disabled.clone()),
            (None, Some(slowed)) => EndpointState::Slowed {
                until: now.wall + slowed.until.since(now.mono),
            },
            (None, None) => EndpointState::Ok,
        }
    }

    /// What has to be written down now: the new state of the memory, if it differs from the present.
    pub(super) fn to_remember(&self, now: Now) -> Option<Option<EndpointTrouble>> {
        let lasts = |since: &Timestamp| now.wall.since(*since) >= self.patience.remembered_after;
        let failing_since = self
            .failing_since
            .filter(|since| self.disabled.is_some() || lasts(since));
        let wanted =
            (self.disabled.is_some() || failing_since.is_some()).then(|| EndpointTrouble {
                failing_since,
                failures: self.failures,
                disabled: self.disabled.clone(),
            });
        // The count alone is not worth a write.
        let essence = |trouble: &Option<EndpointTrouble>| {
            trouble
                .as_ref()
                .map(|trouble| (trouble.failing_since, trouble.disabled.clone()))
        };
        (essence(&wanted) != essence(&self.remembered)).then_some(wanted)
    }

    pub(super) fn remembered(&mut self, trouble: Option<EndpointTrouble>) {
        self.remembered = trouble;
    }

    /// Takes over a switch that somebody has thrown at another node. `theirs` is what the shared memory
    /// holds now; it counts if it is news to this node, and if nothing of this node's own is still to be
    /// written down over it.
    pub(super) fn follow(&mut self, theirs: Option<EndpointTrouble>) {
        let switch = |trouble: &Option<EndpointTrouble>| {
            trouble
                .as_ref()
                .and_then(|trouble| trouble.disabled.clone())
        };
        let known = switch(&self.remembered);
        if switch(&theirs) == known || self.disabled != known {
            return;
        }
        self.enable();
        match theirs {
            Some(trouble) => self.recalled(trouble),
            None => self.remembered = None,
        }
    }

    /// Takes over what an earlier process has left.
    pub(super) fn recalled(&mut self, trouble: EndpointTrouble) {
        self.failing_since = trouble.failing_since;
        self.failures = trouble.failures;
        self.disabled.clone_from(&trouble.disabled);
        self.remembered = Some(trouble);
    }
}

#[cfg(test)]
mod tests;
