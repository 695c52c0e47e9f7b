//! "Executed", but not quite as the app asked: for another amount, or under another id of the provider's
//! than the one that it gave before. Neither completed nor not executed: a person looks at it.
//!
//! The attempt's fate is [`Fate::Completed`] from then on, because money has moved: that forbids every
//! further attempt (law 2), also after a person has looked, and nothing that teller infers (absence, a
//! refused connection) can end the transaction as failed. The state says what is in doubt. It ends by
//! evidence that agrees with what was asked, by the provider's decline, which is a contradiction, or by a
//! person. A person needs no override for that: what was executed is no ghost.

use super::super::attempts::Fate;
use super::super::evidence::{ConflictKind, Finding};
use super::super::record::Fact;
use super::super::state::{ReviewReason, State, Transaction};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::step::{Brings, Step};
use super::{Decision, Ignored};

/// In what the provider's "executed" differs from what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Difference {
    /// In the amount.
    Amount,
    /// In the provider's own id.
    Reference,
}

impl Difference {
    fn review(self) -> ReviewReason {
        match self {
            Self::Amount => ReviewReason::AmountMismatch,
            Self::Reference => ReviewReason::OtherReference,
        }
    }

    /// The contradiction with an outcome that agrees with "executed", as far as that can be told.
    fn beside_completed(self) -> ConflictKind {
        match self {
            Self::Amount => ConflictKind::AmountMismatch,
            Self::Reference => ConflictKind::MayBeExecutedTwice,
        }
    }

    fn beside_failed(self) -> ConflictKind {
        match self {
            Self::Amount => ConflictKind::AmountMismatch,
            Self::Reference => ConflictKind::FailedButExecuted,
        }
    }
}

/// Whether the evidence in `fact` speaks of another amount than the app asked for.
pub(super) fn amount_differs(transaction: &Transaction, fact: &Fact) -> bool {
    let asked = transaction.request.amount.as_ref();
    fact.report()
        .is_some_and(|(_, report)| report.differs_from(asked))
}

/// The provider says that an attempt was executed, and something about it differs.
pub(super) fn executed_otherwise(
    mut step: Step<'_>,
    claim: Claim,
    fact: Fact,
    difference: Difference,
) -> Result<Decision, Ignored> {
    let fate = conclusion::changed_fate(&step.next, claim);
    match step.next.state {
        State::Accepted
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::InReview { .. } => {
            if step.next.execution_is_disputed() && fate.is_none() {
                step.keep_asking();
                return step.ignored(Ignored::Duplicate);
            }
            let conflict = conclusion::doubled(&step.next, claim).map(|kind| claim.conflict(kind));
            step.leave_submission();
            step.enter_review(
                fact,
                difference.review(),
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
                .unwrap_or(difference.beside_completed());
            let brings = Brings {
                fate,
                ..Brings::default()
            };
            conclusion::contradict(step, claim, kind, fact, brings)
        }
        // What moved is not what was asked for, so the app is not told that it was completed; a person
        // says what it was.
        State::Failed => {
            let kind = difference.beside_failed();
            conclusion::contradict(step, claim, kind, fact, Brings::default())
        }
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

/// In review, the call of the last attempt is given up. It stays out: its request may still leave.
pub(super) fn lose_call_in_review(step: &mut Step<'_>, why: &str) {
    step.disarm(Timer::SubmissionOverdue);
    if step.next.last_fate() == Some(Fate::Out) {
        let (attempt, why) = (step.next.attempt_no(), why.to_owned());
        let fact = Fact::AnswerLost { attempt, why };
        step.note(fact, Brings::fate(attempt, Fate::Unknown));
        step.start_doubt(None);
        step.disarm(Timer::Review);
    }
}
