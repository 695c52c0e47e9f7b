//! Conclusive evidence, whoever brings it and whenever: the first wins, a contradiction is kept,
//! shown and never silent (law 5).

use super::super::attempts::Fate;
use super::super::evidence::{Conflict, ConflictKind, Outcome, Resolution, Source};
use super::super::policy::MAX_CONFLICTS;
use super::super::record::{AttemptFate, Fact};
use super::super::state::{State, Transaction};
use super::dispute::{self, Difference};
use super::step::{Brings, Step};
use super::{Decision, Ignored};

/// "This attempt was executed", or "was processed and refused".
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// [`Outcome::Completed`] or [`Outcome::Declined`]; findings have no third.
    pub(super) outcome: Outcome,
    pub(super) source: Source,
    /// The attempt that it surely speaks of; `None` where the evidence can't tell.
    pub(super) attempt: Option<u32>,
}

impl Claim {
    /// The attempt that it most likely speaks of.
    pub(super) fn about(self, transaction: &Transaction) -> u32 {
        self.attempt.unwrap_or(transaction.attempt_no())
    }

    pub(super) fn conflict(self, kind: ConflictKind) -> Conflict {
        Conflict {
            kind,
            source: self.source,
            attempt: self.attempt,
            claimed: Some(self.outcome),
        }
    }

    fn fate(self) -> Fate {
        match self.outcome {
            Outcome::Completed => Fate::Completed,
            Outcome::Declined => Fate::Declined,
            Outcome::Failed => Fate::NotExecuted,
        }
    }

    fn resolution(self, why: &str) -> Resolution {
        Resolution {
            outcome: self.outcome,
            source: self.source,
            attempt: self.attempt,
            why: why.to_owned(),
        }
    }
}

pub(super) fn conclude(mut step: Step<'_>, claim: Claim, fact: Fact) -> Result<Decision, Ignored> {
    if claim.outcome == Outcome::Completed && dispute::amount_differs(&step.next, &fact) {
        return dispute::executed_otherwise(step, claim, fact, Difference::Amount);
    }
    let fate = changed_fate(&step.next, claim);
    let brings = Brings {
        fate,
        ..Brings::default()
    };
    match step.next.state {
        State::Accepted
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::InReview { .. } => {
            let executed_beside = step.next.executed_beside(claim.about(&step.next));
            if claim.outcome == Outcome::Declined
                && (another_attempt_decides(&step.next, claim) || executed_beside)
            {
                // This attempt is known to have moved nothing; another one may still, or has.
                if fate.is_none() {
                    step.keep_asking();
                    return step.ignored(Ignored::Duplicate);
                }
                step.note(fact, brings);
                step.keep_asking();
            } else {
                let conflict = doubled(&step.next, claim)
                    // It was said to be executed, if not as asked, and now to be declined.
                    .or(
                        (claim.outcome == Outcome::Declined && step.next.execution_is_disputed())
                            .then_some(ConflictKind::CompletedAgainstDeclined),
                    )
                    .map(|kind| claim.conflict(kind));
                step.enter_final(
                    fact,
                    claim.resolution("the provider said so"),
                    Brings { conflict, ..brings },
                );
            }
        }
        State::Completed | State::Declined => {
            let Some(kind) = contradiction(&step.next, claim) else {
                // Another attempt's fate is worth a line; the same news twice is not.
                if fate.is_none() || claim.attempt == resolved_attempt(&step.next) {
                    return step.ignored(Ignored::Duplicate);
                }
                step.note(fact, brings);
                return step.done();
            };
            return contradict(step, claim, kind, fact, brings);
        }
        State::Failed => {
            let conflict = claim.conflict(ConflictKind::FailedButExecuted);
            let resolution = claim.resolution("the provider said so after it had been given up");
            step.enter_final(
                fact,
                resolution,
                Brings {
                    conflict: Some(conflict),
                    ..brings
                },
            );
        }
    }
    step.done()
}

/// Keeps a contradiction of what has ended, once.
pub(super) fn contradict(
    mut step: Step<'_>,
    claim: Claim,
    kind: ConflictKind,
    fact: Fact,
    brings: Brings,
) -> Result<Decision, Ignored> {
    let conflict = claim.conflict(kind);
    let known = step.next.conflicts.contains(&conflict);
    if known || step.next.conflicts.len() >= MAX_CONFLICTS {
        return step.ignored(Ignored::Duplicate);
    }
    step.note(
        fact,
        Brings {
            conflict: Some(conflict),
            ..brings
        },
    );
    step.done()
}

/// Whether money has moved, by this claim, where another attempt moved it too, or may still: a person
/// has to look, whatever becomes of that one.
pub(super) fn doubled(transaction: &Transaction, claim: Claim) -> Option<ConflictKind> {
    if transaction.executed_beside(claim.about(transaction)) {
        return Some(ConflictKind::ExecutedTwice);
    }
    another_attempt_decides(transaction, claim).then_some(ConflictKind::MayBeExecutedTwice)
}

/// The fate that the claim gives to an attempt, unless that was known. What was executed otherwise than
/// asked is not settled before the review of it is.
pub(super) fn changed_fate(transaction: &Transaction, claim: Claim) -> Option<AttemptFate> {
    let attempt = claim.about(transaction);
    let known = transaction.numbered(attempt)?.fate;
    let settled = matches!(known, Fate::Completed | Fate::Declined)
        && (known == claim.fate() || !transaction.execution_is_disputed());
    (!settled).then(|| AttemptFate {
        attempt,
        fate: claim.fate(),
    })
}

/// Whether another attempt than the one that the claim is about may still be executed.
fn another_attempt_decides(transaction: &Transaction, claim: Claim) -> bool {
    transaction.may_execute_beside(claim.about(transaction))
}

fn resolved_attempt(transaction: &Transaction) -> Option<u32> {
    transaction
        .resolution
        .as_ref()
        .and_then(|resolution| resolution.attempt)
}

/// How the claim contradicts a transaction that is completed or declined.
pub(super) fn contradiction(transaction: &Transaction, claim: Claim) -> Option<ConflictKind> {
    let other_attempt = match (claim.attempt, resolved_attempt(transaction)) {
        (Some(claimed), Some(resolved)) => claimed != resolved,
        (Some(_) | None, _) => false,
    };
    let completed = transaction.state == State::Completed;
    match (completed, claim.outcome == Outcome::Completed) {
        (true, true) => other_attempt.then_some(ConflictKind::ExecutedTwice),
        (true, false) => (!other_attempt).then_some(ConflictKind::CompletedAgainstDeclined),
        (false, true) => Some(ConflictKind::CompletedAgainstDeclined),
        (false, false) => None,
    }
}
