//! "Executed", for another amount than the app asked for: neither completed nor not executed. A person
//! looks at it.
//!
//! The attempt's fate is [`Fate::Completed`] from then on, because money has moved: that forbids every
//! further attempt (law 2), also after somebody has looked, and nothing that teller infers (absence, a
//! refused connection) can end the transaction as failed. The state says that the amount is in doubt.
//! It ends by evidence with the right amount, by the provider's decline, which is a contradiction, or by
//! a person. A person needs no override for that: what was executed is no ghost.

use super::super::attempts::Fate;
use super::super::event::Effect;
use super::super::evidence::{ConflictKind, Finding};
use super::super::record::Fact;
use super::super::state::{Errand, ReviewReason, State, Transaction};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::step::{Brings, Step};
use super::{Decision, Ignored};

/// Whether the evidence in `fact` speaks of another amount than the app asked for.
pub(super) fn differs(transaction: &Transaction, fact: &Fact) -> bool {
    let asked = transaction.request.amount.as_ref();
    fact.report()
        .is_some_and(|(_, report)| report.differs_from(asked))
}

/// The provider says that an attempt was executed, for another amount.
pub(super) fn mismatched(
    mut step: Step<'_>,
    claim: Claim,
    fact: Fact,
) -> Result<Decision, Ignored> {
    let fate = conclusion::changed_fate(&step.next, claim);
    match step.next.state {
        State::Accepted
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::InReview { .. } => {
            if step.next.amount_is_disputed() && fate.is_none() {
                step.keep_asking();
                return step.ignored(Ignored::Duplicate);
            }
            let conflict = conclusion::doubled(&step.next, claim).map(|kind| claim.conflict(kind));
            leave_the_gate(&mut step);
            step.enter_review(
                fact,
                ReviewReason::AmountMismatch,
                Brings {
                    fate,
                    conflict,
                    ..Brings::default()
                },
            );
            step.done()
        }
        State::Completed | State::Declined => {
            let kind = conclusion::contradiction(&step.next, claim)
                .unwrap_or(ConflictKind::AmountMismatch);
            let brings = Brings {
                fate,
                ..Brings::default()
            };
            conclusion::contradict(step, claim, kind, fact, brings)
        }
        // What moved is not what was asked for, so the app is not told that it was completed; a person
        // says what it was.
        State::Failed => conclusion::contradict(
            step,
            claim,
            ConflictKind::AmountMismatch,
            fact,
            Brings::default(),
        ),
    }
}

/// Nothing is submitted any more.
fn leave_the_gate(step: &mut Step<'_>) {
    step.disarm(Timer::Submit);
    step.disarm(Timer::Expire);
    if step.next.volatile.submission == Errand::Queued {
        step.next.volatile.submission = Errand::Idle;
        step.effect(Effect::LeaveGate);
    }
}

/// In review, the call of the last attempt comes back after all and decides nothing: what is known of
/// that attempt is kept.
pub(super) fn answered_in_review(
    step: &mut Step<'_>,
    fact: Fact,
    attempt: u32,
    sent_at: Option<Mono>,
    finding: &Finding,
) {
    let fate = match finding {
        Finding::NotExecuted { .. } => Fate::NotExecuted,
        Finding::Pending => Fate::Pending,
        Finding::Completed | Finding::Declined | Finding::NotFound | Finding::Unclear { .. } => {
            Fate::Unknown
        }
    };
    step.note(fact, Brings::fate(attempt, fate));
    step.start_doubt(sent_at);
    step.disarm(Timer::Review);
}

/// In review, nobody will hear the call of the last attempt any more.
pub(super) fn lose_call_in_review(step: &mut Step<'_>, why: &str) {
    step.disarm(Timer::SubmissionOverdue);
    step.next.volatile.submission = Errand::Idle;
    if step.next.last_fate() == Some(Fate::Out) {
        let (attempt, why) = (step.next.attempt_no(), why.to_owned());
        let fact = Fact::AnswerLost { attempt, why };
        step.note(fact, Brings::fate(attempt, Fate::Unknown));
        step.start_doubt(None);
        step.disarm(Timer::Review);
    }
}
