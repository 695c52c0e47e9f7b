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

impl Step {
    const fn at(after_ms: u64, state: State) -> Self {
        Self { after_ms, state }
    }
}

impl Life {
    pub(crate) fn exists_after_ms(&self) -> u64 {
        self.steps.first().map_or(0, |step| step.after_ms)
    }

    /// The state at a moment; `None` = it doesn't exist yet.
    pub(crate) fn state_at(&self, after_ms: u64) -> Option<State> {
        let begun = |step: &&Step| step.after_ms <= after_ms;
        self.steps.iter().rfind(begun).map(|step| step.state)
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
    let ghost = hit("ghost", faults.ghost);
    if !ghost && hit("lost", faults.lost) {
        return unexecuted(Answer::Timeout, TIMEOUT_MS);
    }
    let decline = if ghost {
        None
    } else if hit("insufficient_funds", faults.insufficient_funds) {
        Some(Decline::InsufficientFunds)
    } else if hit("limit_exceeded", faults.limit_exceeded) {
        Some(Decline::LimitExceeded)
    } else {
        None
    };
    let early = !ghost && decline.is_none() && hit("webhook_early", faults.webhook_early);

    // Everything is drawn in any case, so that a fault changes nothing but what it is about.
    let mut dice = Dice::new(seed, "acorn", key, nth);
    let works_ms = dice.between(ANSWER_MIN_MS, ANSWER_MAX_MS);
    let settles_ms = works_ms + dice.between(SETTLE_MIN_MS, SETTLE_MAX_MS);
    let released_ms = settles_ms + dice.between(HOLD_MIN_MS, HOLD_MAX_MS);
    let ghost_ms = dice.between(TIMEOUT_MS, GHOST_WINDOW_MS);
    let end = if PAID_ODDS.hit(&mut dice) {
        State::Paid
    } else {
        State::Rejected
    };
    let begins = Step::at(works_ms, State::Processing);
    let mut steps = if ghost {
        vec![Step::at(ghost_ms, end)]
    } else if decline.is_some() {
        vec![Step::at(works_ms, State::Rejected)]
    } else if early {
        vec![Step::at(works_ms, end)]
    } else if hit("on_hold", faults.on_hold) {
        let held = Step::at(settles_ms, State::OnHold);
        vec![begins, held, Step::at(released_ms, end)]
    } else {
        vec![begins, Step::at(settles_ms, end)]
    };
    reverse(&mut steps, |paid_ms| {
        hit("reversed", faults.reversed).then_some(paid_ms + REVERSE_MS)
    });
    let events = disturbed(seed, key, execution, faults, changes(&steps, decline));
    let (course, answer, answer_after_ms) = if ghost {
        (Course::Ghost, Answer::Timeout, TIMEOUT_MS)
    } else {
        let held_back_ms = if early { batch_ms + EARLY_MARGIN_MS } else { 0 };
        let answer = [
            ("answer_lost", faults.answer_lost, Answer::Close),
            ("error_500", faults.error_500, Answer::Error500),
            ("reset", faults.reset, Answer::Reset),
            ("garbage", faults.garbage, Answer::Garbage),
            ("drip", faults.drip, Answer::Drip),
        ]
        .into_iter()
        .find_map(|(fault, p, answer)| hit(fault, p).then_some(answer));
        let answer = answer.unwrap_or(Answer::Ok);
        (Course::Answered, answer, works_ms + held_back_ms)
    };
    Plan {
        course,
        answer,
        answer_after_ms,
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
    let end = script.state.unwrap_or(State::Paid);
    let mut decline = script.decline;
    let mut steps = match existence {
        Existence::Never => return unexecuted(answer, answer_after_ms),
        Existence::OutOfNowhere { after_ms } => {
            decline = None;
            vec![Step::at(after_ms, end)]
        }
        Existence::WithTheAnswer if decline.is_some() => {
            vec![Step::at(answer_after_ms, State::Rejected)]
        }
        Existence::WithTheAnswer if script.webhook == ScriptedEvents::Early => {
            vec![Step::at(answer_after_ms / 2, end)]
        }
        Existence::WithTheAnswer => {
            let begins = Step::at(answer_after_ms, State::Processing);
            let held = script
                .hold_after_ms
                .map(|after_ms| Step::at(after_ms.max(begins.after_ms), State::OnHold));
            let settle_ms = script
                .settle_after_ms
                .unwrap_or(answer_after_ms.saturating_add(SCRIPTED_SETTLE_MS))
                .max(held.unwrap_or(begins).after_ms);
            let ends = (end != State::Processing).then(|| Step::at(settle_ms, end));
            [Some(begins), held, ends].into_iter().flatten().collect()
        }
    };
    reverse(&mut steps, |paid_ms| {
        script
            .reverse_after_ms
            .map(|after_ms| after_ms.max(paid_ms))
    });
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

/// Adds the reversal of a paid charge, if there is to be one at a time after the payment.
fn reverse(steps: &mut Vec<Step>, at_ms: impl Fn(u64) -> Option<u64>) {
    let paid = steps.last().filter(|step| step.state == State::Paid);
    let reversed_ms = paid.and_then(|step| at_ms(step.after_ms));
    steps.extend(reversed_ms.map(|after_ms| Step::at(after_ms, State::Reversed)));
}

fn unexecuted(answer: Answer, answer_after_ms: u64) -> Plan {
    Plan {
        course: Existence::Never.course(answer),
        answer,
        answer_after_ms,
        life: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn states(plan: &Plan) -> Vec<(u64, State)> {
        let life = plan.life.as_ref().expect("it is executed");
        life.steps.iter().map(|s| (s.after_ms, s.state)).collect()
    }

    #[test]
    fn without_faults_everything_settles_and_is_told() {
        let mut paid = 0;
        for n in 0..1_000 {
            let plan = drawn(3, &n.to_string(), 1, &Faults::default(), 1_000);
            assert_eq!((plan.course, plan.answer), (Course::Answered, Answer::Ok));
            assert!((ANSWER_MIN_MS..ANSWER_MAX_MS).contains(&plan.answer_after_ms));
            let [(begins_ms, State::Processing), (ends_ms, end)] = states(&plan)[..] else {
                panic!("{plan:?}");
            };
            assert_eq!(begins_ms, plan.answer_after_ms);
            assert!((SETTLE_MIN_MS..SETTLE_MAX_MS).contains(&(ends_ms - begins_ms)));
            let events = plan.life.expect("it is executed").events;
            assert_eq!((events.len(), events[0].state), (1, end));
            paid += u32::from(end == State::Paid);
        }
        assert!((750..850).contains(&paid), "{paid} of 1000 paid");
    }

    #[test]
    fn faults_change_the_telling_but_not_the_outcome() {
        let outcome = |plan: &Plan| plan.life.as_ref().and_then(Life::decided).map(|s| s.state);
        let all_but_ghosts = Faults {
            answer_lost: 1.0,
            on_hold: 1.0,
            reversed: 1.0,
            webhook_lost: 1.0,
            ..Faults::default()
        };
        let ghosts = Faults {
            ghost: 1.0,
            lost: 1.0,
            insufficient_funds: 1.0,
            webhook_early: 1.0,
            ..Faults::default()
        };
        for n in 0..1_000 {
            let key = n.to_string();
            let plain = drawn(3, &key, 1, &Faults::default(), 1_000);
            let faulty = drawn(3, &key, 1, &all_but_ghosts, 1_000);
            assert_eq!(outcome(&faulty), outcome(&plain));
            assert_eq!(faulty.answer, Answer::Close);
            assert!(faulty.life.is_some_and(|life| life.events.is_empty()));
            let ghost = drawn(3, &key, 1, &ghosts, 1_000);
            assert_eq!(
                (ghost.course, ghost.answer),
                (Course::Ghost, Answer::Timeout)
            );
            assert_eq!(outcome(&ghost), outcome(&plain));
            let exists_ms = ghost.life.expect("a ghost is executed").exists_after_ms();
            assert!((TIMEOUT_MS..GHOST_WINDOW_MS).contains(&exists_ms));
        }
    }

    /// Script → what the charge goes through.
    #[test]
    fn what_scripts_mean() {
        use State::{OnHold, Paid, Processing, Rejected, Reversed};
        let table = [
            (json!({}), 200, vec![(200, Processing), (2_000, Paid)]),
            (
                json!({"state": "rejected", "hold_after_ms": 3_000}),
                200,
                vec![(200, Processing), (3_000, OnHold), (3_000, Rejected)],
            ),
            (json!({"state": "processing"}), 200, vec![(200, Processing)]),
            (
                json!({"answer_after_ms": 50, "settle_after_ms": 0}),
                50,
                vec![(50, Processing), (50, Paid)],
            ),
            (
                json!({"reverse_after_ms": 1}),
                200,
                vec![(200, Processing), (2_000, Paid), (2_000, Reversed)],
            ),
            (
                json!({"state": "rejected", "reverse_after_ms": 9_000}),
                200,
                vec![(200, Processing), (2_000, Rejected)],
            ),
            (
                json!({"decline": "limit_exceeded"}),
                200,
                vec![(200, Rejected)],
            ),
            (
                json!({"answer": "timeout", "ghost_after_ms": 20_000}),
                TIMEOUT_MS,
                vec![(20_000, Paid)],
            ),
            (
                json!({"answer_after_ms": 600, "webhook": "early"}),
                600,
                vec![(300, Paid)],
            ),
        ];
        for (script, answer_after_ms, expected) in table {
            let plan = scripted(&crate::acorn::script::parse(&script, 1).expect("well-formed"));
            assert_eq!(plan.answer_after_ms, answer_after_ms, "{script}");
            assert_eq!(states(&plan), expected, "{script}");
        }
        for refused in [
            json!({"answer": "timeout"}),
            json!({"answer": "refuse_503"}),
        ] {
            let script = crate::acorn::script::parse(&refused, 1).expect("well-formed");
            assert_eq!(scripted(&script).life, None, "{refused}");
        }
    }
}
