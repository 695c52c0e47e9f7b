//! What one charge will do, decided whole before anything of it happens. Pure.
//!
//! Without a script the course is drawn and the faults change it; with one, the script decides.
//! Times are unscaled milliseconds after the request.

use super::charge::{Decline, State};
use super::faults::Faults;
use super::script::{Script, ScriptedEvents};
use super::told::{PlannedEvent, as_scripted, changes, disturbed};
use crate::ledger::{Answer, Course};
use crate::model::{Dice, Odds};
use crate::script::Existence;

/// The earliest answer.
pub const ANSWER_MIN_MS: u64 = 100;
/// No answer comes this late (exclusive), time-outs and early webhooks aside.
pub const ANSWER_MAX_MS: u64 = 800;
/// The shortest way from the answer to the end.
pub const SETTLE_MIN_MS: u64 = 1_000;
/// The longest one (exclusive), unless the charge is on hold.
pub const SETTLE_MAX_MS: u64 = 20_000;
/// The shortest time on hold.
pub const HOLD_MIN_MS: u64 = 5_000;
/// The longest time on hold (exclusive).
pub const HOLD_MAX_MS: u64 = 30_000;
/// When a charge without an answer is answered 504.
pub const TIMEOUT_MS: u64 = 10_000;
/// The ghost window: a charge that was answered 504 and hasn't appeared by now never will.
pub const GHOST_WINDOW_MS: u64 = 60_000;
/// How often a charge is paid; the others are rejected.
pub const PAID_ODDS: Odds = Odds { hits: 4, of: 5 };

/// How long after the payment a reversal follows.
const REVERSE_MS: u64 = 120_000;
/// How long after the answer a scripted charge settles.
const SCRIPTED_SETTLE_MS: u64 = 1_800;
/// By how much an early event comes before its answer, besides the time that a batch is collected.
const EARLY_MARGIN_MS: u64 = 2_000;

/// Everything that follows from one charge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) course: Course,
    pub(crate) answer: Answer,
    pub(crate) answer_after_ms: u64,
    /// The charge; `None` = nothing is executed, ever.
    pub(crate) life: Option<Life>,
}

/// A charge from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Life {
    /// At least one; the first is the beginning.
    steps: Vec<Step>,
    pub(crate) decline: Option<Decline>,
    pub(crate) events: Vec<PlannedEvent>,
}

/// A state and when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) after_ms: u64,
    pub(crate) state: State,
}

impl Life {
    pub(crate) fn exists_after_ms(&self) -> u64 {
        self.steps.first().map_or(0, |step| step.after_ms)
    }

    /// The state at a moment; `None` = it doesn't exist yet.
    pub(crate) fn state_at(&self, after_ms: u64) -> Option<State> {
        let begun = self.steps.iter().filter(|step| step.after_ms <= after_ms);
        begun.last().map(|step| step.state)
    }

    /// The step that decided it, a later reversal aside.
    pub(crate) fn decided(&self) -> Option<Step> {
        self.steps
            .iter()
            .copied()
            .find(|step| step.state.is_decided())
    }

    pub(crate) fn is_reversed(&self) -> bool {
        self.steps.iter().any(|step| step.state == State::Reversed)
    }
}

/// The plan of a charge that nobody scripted: the `execution`th under `key`, from 1. Events are
/// collected for `batch_ms`.
pub(crate) fn drawn(seed: u64, key: &str, execution: u32, faults: &Faults, batch_ms: u64) -> Plan {
    let nth = u64::from(execution);
    let hit = |fault, p: f64| p > 0.0 && Dice::new(seed, fault, key, nth).chance(p);
    if hit("refuse_503", faults.refuse_503) {
        return unexecuted(Answer::Refuse503, 0);
    }
    if hit("refuse_429", faults.refuse_429) {
        return unexecuted(Answer::Refuse429, 0);
    }
    // Everything is drawn in any case, so that a fault changes nothing but what it is about.
    let mut dice = Dice::new(seed, "acorn", key, nth);
    let works_ms = dice.between(ANSWER_MIN_MS, ANSWER_MAX_MS);
    let settles_ms = works_ms + dice.between(SETTLE_MIN_MS, SETTLE_MAX_MS);
    let holds_ms = dice.between(HOLD_MIN_MS, HOLD_MAX_MS);
    let ghost_ms = dice.between(TIMEOUT_MS, GHOST_WINDOW_MS);
    let end = if PAID_ODDS.hit(&mut dice) {
        State::Paid
    } else {
        State::Rejected
    };

    let decline = if hit("insufficient_funds", faults.insufficient_funds) {
        Some(Decline::InsufficientFunds)
    } else if hit("limit_exceeded", faults.limit_exceeded) {
        Some(Decline::LimitExceeded)
    } else {
        None
    };
    let step = |after_ms, state| Step { after_ms, state };
    let early = hit("webhook_early", faults.webhook_early);
    let ghost = hit("ghost", faults.ghost);
    if !ghost && hit("lost", faults.lost) {
        return unexecuted(Answer::Timeout, TIMEOUT_MS);
    }
    let mut steps = if ghost {
        vec![step(ghost_ms, end)]
    } else if decline.is_some() {
        vec![step(works_ms, State::Rejected)]
    } else if early {
        vec![step(works_ms, end)]
    } else if hit("on_hold", faults.on_hold) {
        vec![
            step(works_ms, State::Processing),
            step(settles_ms, State::OnHold),
            step(settles_ms + holds_ms, end),
        ]
    } else {
        vec![step(works_ms, State::Processing), step(settles_ms, end)]
    };
    if let Some(last) = steps.last().copied()
        && last.state == State::Paid
        && hit("reversed", faults.reversed)
    {
        steps.push(step(last.after_ms + REVERSE_MS, State::Reversed));
    }
    let decline = decline.filter(|_| !ghost);
    let events = disturbed(seed, key, execution, faults, changes(&steps, decline));
    let answer = if ghost {
        Answer::Timeout
    } else if hit("answer_lost", faults.answer_lost) {
        Answer::Close
    } else if hit("error_500", faults.error_500) {
        Answer::Error500
    } else if hit("reset", faults.reset) {
        Answer::Reset
    } else if hit("garbage", faults.garbage) {
        Answer::Garbage
    } else if hit("drip", faults.drip) {
        Answer::Drip
    } else {
        Answer::Ok
    };
    Plan {
        course: if ghost {
            Course::Ghost
        } else {
            Course::Answered
        },
        answer,
        answer_after_ms: if ghost {
            TIMEOUT_MS
        } else if early && decline.is_none() {
            works_ms + batch_ms + EARLY_MARGIN_MS
        } else {
            works_ms
        },
        life: Some(Life {
            steps,
            decline,
            events,
        }),
    }
}

/// The plan of a scripted charge.
pub(crate) fn scripted(script: &Script) -> Plan {
    let answer = script.telling.answer();
    let answer_after_ms = script.telling.answer_after_ms(TIMEOUT_MS);
    let existence = script.telling.existence(TIMEOUT_MS);
    let early = script.webhook == ScriptedEvents::Early;
    let end = script.state.unwrap_or(State::Paid);
    let step = |after_ms, state| Step { after_ms, state };
    let mut decline = script.decline;
    let mut steps = match existence {
        Existence::Never => return unexecuted(answer, answer_after_ms),
        Existence::OutOfNowhere { after_ms } => {
            decline = None;
            vec![step(after_ms, end)]
        }
        Existence::WithTheAnswer if decline.is_some() => {
            vec![step(answer_after_ms, State::Rejected)]
        }
        Existence::WithTheAnswer if early => vec![step(answer_after_ms / 2, end)],
        Existence::WithTheAnswer => {
            let settle_ms = script
                .settle_after_ms
                .unwrap_or(answer_after_ms.saturating_add(SCRIPTED_SETTLE_MS));
            let held = script
                .hold_after_ms
                .map(|after_ms| step(after_ms.max(answer_after_ms), State::OnHold));
            let ends = (end != State::Processing).then(|| {
                step(
                    settle_ms.max(held.map_or(answer_after_ms, |h| h.after_ms)),
                    end,
                )
            });
            [Some(step(answer_after_ms, State::Processing)), held, ends]
                .into_iter()
                .flatten()
                .collect()
        }
    };
    if let Some(last) = steps.last().copied()
        && let Some(reverse_ms) = script.reverse_after_ms
        && last.state == State::Paid
    {
        steps.push(step(reverse_ms.max(last.after_ms), State::Reversed));
    }
    let events = as_scripted(script.webhook, changes(&steps, decline));
    Plan {
        course: existence.course(answer),
        answer,
        answer_after_ms,
        life: Some(Life {
            steps,
            decline,
            events,
        }),
    }
}

fn unexecuted(answer: Answer, answer_after_ms: u64) -> Plan {
    Plan {
        course: Existence::Never.course(answer),
        answer,
        answer_after_ms,
        life: None,
    }
}
