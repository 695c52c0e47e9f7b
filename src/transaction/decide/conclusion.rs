//! Conclusive evidence, whoever brings it and whenever: the first wins, a contradiction is kept,
//! shown and never silent (law 5).

use super::super::evidence::{Conflict, ConflictKind, Outcome, Resolution, Source};
use super::super::policy::MAX_CONFLICTS;
use super::super::record::{AttemptFate, Fact};
use super::super::state::{Fate, State, Transaction};
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
            if claim.outcome == Outcome::Declined && later_attempt_decides(&step.next, claim) {
                // The earlier attempt is known to have moved nothing; the one that is out may still.
                if fate.is_none() {
                    return Err(Ignored::Duplicate);
                }
                step.note(fact, brings);
            } else {
                // Money has moved, and the attempt that is out may move it again: a person has to look,
                // whatever becomes of that one.
                let conflict = later_attempt_decides(&step.next, claim).then_some(Conflict {
                    kind: ConflictKind::MayBeExecutedTwice,
                    source: claim.source,
                    attempt: claim.attempt,
                    claimed: claim.outcome,
                });
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
            let conflict = Conflict {
                kind,
                source: claim.source,
                attempt: claim.attempt,
                claimed: claim.outcome,
            };
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
        }
        State::Failed => {
            let conflict = Conflict {
                kind: ConflictKind::FailedButExecuted,
                source: claim.source,
                attempt: claim.attempt,
                claimed: claim.outcome,
            };
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

/// The fate that the claim gives to an attempt, unless that was known.
fn changed_fate(transaction: &Transaction, claim: Claim) -> Option<AttemptFate> {
    let attempt = claim.attempt.unwrap_or(transaction.attempt_no());
    let index = usize::try_from(attempt)
        .unwrap_or(usize::MAX)
        .wrapping_sub(1);
    let known = transaction.attempts.get(index)?.fate;
    let settled = matches!(known, Fate::Completed | Fate::Declined);
    (!settled).then(|| AttemptFate {
        attempt,
        fate: claim.fate(),
    })
}

/// Whether the claim is about an earlier attempt while a later one may still be executed.
fn later_attempt_decides(transaction: &Transaction, claim: Claim) -> bool {
    claim
        .attempt
        .is_some_and(|attempt| attempt < transaction.attempt_no())
        && transaction.may_execute()
}

fn resolved_attempt(transaction: &Transaction) -> Option<u32> {
    transaction
        .resolution
        .as_ref()
        .and_then(|resolution| resolution.attempt)
}

/// How the claim contradicts a transaction that is completed or declined.
fn contradiction(transaction: &Transaction, claim: Claim) -> Option<ConflictKind> {
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
