//! What must hold of every transaction and of every step, whoever looks: the actor, which counts and logs
//! what is broken, the property tests and the simulation all call these same functions.

use super::attempts::Fate;
use super::decide::Decision;
use super::event::Effect;
use super::evidence::{Outcome, Source};
use super::policy::{MAX_ATTEMPTS_EVER, MAX_CONFLICTS, MAX_RECORDED_WEBHOOKS, MAX_RESENDS, Policy};
use super::record::{Fact, Record};
use super::state::{Delivery, Errand, ReviewReason, State, Transaction};
use super::timers::Timer;

/// Checks a transaction at rest, after its effects were handed out.
///
/// # Errors
/// The law that is broken, in words.
pub fn check(transaction: &Transaction) -> Result<(), String> {
    outcome_has_evidence(transaction)?;
    attempts_match_state(transaction)?;
    never_stuck(transaction)?;
    bounded(transaction)
}

/// Checks one step: `before` (none at acceptance) and what was decided.
///
/// # Errors
/// The law that is broken, in words.
pub fn check_step(before: Option<&Transaction>, decision: &Decision) -> Result<(), String> {
    check(&decision.next)?;
    let version = before.map_or(0, |before| before.version) + decision.records.len() as u64;
    ensure(
        decision.next.version == version,
        "each record raises the version by one",
    )?;
    effects_are_committed(decision)?;
    if let Some(before) = before {
        at_most_one_execution(before, decision)?;
        absence_is_proven(before, decision)?;
        outcomes_stay(before, &decision.next)?;
        each_event_once(before, decision)?;
        resent_safely(before, decision)?;
    }
    Ok(())
}

/// Checks a provider's numbers: what the profile's reader has to see to.
///
/// # Errors
/// The law that is broken, in words.
pub fn check_policy(policy: &Policy) -> Result<(), String> {
    ensure(
        policy.resend_safe_for.is_some() || !policy.inquiry.resends(),
        "law 2: asking by sending again needs resend_safe_for",
    )
}

fn ensure(holds: bool, law: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(law.to_owned()) }
}

/// Law 3.
fn outcome_has_evidence(transaction: &Transaction) -> Result<(), String> {
    let Some(resolution) = &transaction.resolution else {
        return ensure(
            !transaction.state.is_final(),
            "law 3: a final state without a resolution",
        );
    };
    ensure(
        transaction.state == State::of(resolution.outcome),
        "law 3: the state differs from its resolution",
    )?;
    match (resolution.outcome, resolution.source) {
        (Outcome::Completed | Outcome::Declined, Source::Teller) => {
            Err("law 3: teller ended it as executed by itself".to_owned())
        }
        (Outcome::Failed, Source::Teller | Source::Answer) => {
            ensure(
                !transaction.may_execute(),
                "law 3: failed while an attempt may be executed",
            )?;
            let executed = |fate: Fate| fate == Fate::Completed;
            ensure(
                !transaction
                    .attempts
                    .iter()
                    .any(|attempt| executed(attempt.fate)),
                "law 3: failed, but executed",
            )
        }
        (Outcome::Completed | Outcome::Declined | Outcome::Failed, _) => Ok(()),
    }
}

/// Law 2, at rest: at most one attempt can be executing, and it is the last one.
fn attempts_match_state(transaction: &Transaction) -> Result<(), String> {
    let last = transaction.attempt().map(|attempt| attempt.fate);
    let number = transaction.attempt_no();
    let open = |fate: Fate| matches!(fate, Fate::Out | Fate::Pending | Fate::Unknown);
    let earlier = transaction.attempts.iter().rev().skip(1);
    let asks_a_person = matches!(transaction.state, State::InReview { .. });
    ensure(
        asks_a_person
            || transaction.state.is_final()
            || !earlier.clone().any(|attempt| open(attempt.fate)),
        "law 2: an earlier attempt may still execute",
    )?;
    match transaction.state {
        State::Accepted => ensure(number == 0, "an accepted transaction has no attempt"),
        State::Submitting { attempt } => ensure(
            attempt == number && last == Some(Fate::Out),
            "submitting: the last attempt is out",
        ),
        State::Pending { attempt } => ensure(
            attempt == number && last == Some(Fate::Pending),
            "pending: the provider has the last attempt",
        ),
        State::Unknown { attempt } => ensure(
            attempt == number && last == Some(Fate::Unknown),
            "unknown: the last attempt is in doubt",
        ),
        State::BackingOff { attempt } => ensure(
            attempt == number && matches!(last, Some(Fate::NotExecuted | Fate::Absent)),
            "backing off: the last attempt was surely not executed",
        ),
        State::InReview { why } => ensure(
            number > 0 || why != ReviewReason::Deadline,
            "in review: an attempt was made, or the provider says so",
        ),
        State::Completed | State::Declined | State::Failed => Ok(()),
    }
}

/// Law 4: whatever is open has an armed timer. The gate's queue counts, because the gate answers for
/// everyone in it; a wait there has `submit_by` or the review deadline armed besides.
fn never_stuck(transaction: &Transaction) -> Result<(), String> {
    let volatile = &transaction.volatile;
    let armed = |timer: Timer| volatile.timers.due(timer).is_some();
    let asking =
        armed(Timer::Inquire) || armed(Timer::InquiryOverdue) || volatile.inquiry == Errand::Queued;
    match transaction.state {
        State::Accepted | State::BackingOff { .. } => {
            let going = armed(Timer::Submit) || volatile.submission == Errand::Queued;
            ensure(
                going && armed(Timer::Expire),
                "law 4: nothing would start the next attempt",
            )?;
        }
        State::Submitting { .. } => {
            ensure(
                armed(Timer::SubmissionOverdue),
                "law 4: a lost call would never be noticed",
            )?;
        }
        State::Pending { .. } | State::Unknown { .. } => {
            ensure(
                asking && armed(Timer::Review),
                "law 4: nobody would ask the provider or a person",
            )?;
        }
        State::InReview { .. } => {
            ensure(asking, "law 4: a review is not asked about any more")?;
            ensure(
                transaction.last_fate() != Some(Fate::Out) || armed(Timer::SubmissionOverdue),
                "law 4: a lost call would never be noticed in review",
            )?;
        }
        State::Completed | State::Declined | State::Failed => {}
    }
    let untold = transaction
        .notice
        .as_ref()
        .is_some_and(|notice| notice.delivery == Delivery::Open);
    ensure(
        !untold || armed(Timer::Notify) || armed(Timer::NotifyOverdue),
        "law 4: the app would never be told",
    )
}

/// Law 8.
fn bounded(transaction: &Transaction) -> Result<(), String> {
    ensure(
        transaction.attempt_no() <= MAX_ATTEMPTS_EVER,
        "law 8: too many attempts",
    )?;
    ensure(
        transaction.conflicts.len() <= MAX_CONFLICTS,
        "law 8: too many conflicts kept",
    )?;
    ensure(
        transaction.webhook_events.len() <= MAX_RECORDED_WEBHOOKS,
        "law 8: too many event ids remembered",
    )?;
    ensure(
        transaction.resends <= MAX_RESENDS,
        "law 8: sent again too often",
    )
}

/// Law 1: a request goes out only for an intent that is in the same commit.
fn effects_are_committed(decision: &Decision) -> Result<(), String> {
    let committed = |wanted: u32| {
        decision.records.iter().any(|record| matches!(record.fact, Fact::AttemptStarted { attempt, .. } if attempt == wanted))
    };
    decision
        .effects
        .iter()
        .try_for_each(|effect| match *effect {
            Effect::Submit { attempt } => ensure(
                committed(attempt),
                "law 1: a submission without a committed intent",
            ),
            Effect::Resend { attempt } => ensure(
                decision
                    .records
                    .iter()
                    .any(|record| record.fact == Fact::Resent { attempt }),
                "law 1: sent again without a record of it",
            ),
            Effect::ClaimInbox => ensure(
                !decision.next.provider_references().is_empty(),
                "an inbox is claimed without a reference",
            ),
            Effect::AskToSubmit
            | Effect::AskToInquire
            | Effect::Inquire { .. }
            | Effect::Notify
            | Effect::LeaveGate => Ok(()),
        })
}

/// Law 2: a new attempt only when no earlier one may be executed.
fn at_most_one_execution(before: &Transaction, decision: &Decision) -> Result<(), String> {
    let started = decision.next.attempts.len() > before.attempts.len();
    ensure(
        !started || !before.may_execute(),
        "law 2: an attempt started while an earlier one may execute",
    )?;
    let executed = before
        .attempts
        .iter()
        .any(|attempt| attempt.fate == Fate::Completed);
    ensure(
        !started || !executed,
        "law 2: an attempt started after one was executed",
    )?;
    ensure(
        !started || !before.volatile.own_request_is_out(),
        "law 2: an attempt started while a request of ours was out",
    )?;
    let in_time = decision
        .next
        .attempt()
        .is_none_or(|attempt| attempt.started_at < decision.next.request.submit_by);
    ensure(!started || in_time, "an attempt started after submit_by")?;
    ensure(
        !started || before.may_go_to(decision.next.provider()),
        "law 2: an attempt went to another provider than one that may have been touched",
    )
}

/// Law 2: a request is sent again only while that can't execute it again.
fn resent_safely(before: &Transaction, decision: &Decision) -> Result<(), String> {
    decision
        .records
        .iter()
        .try_for_each(|record| match record.fact {
            Fact::Resent { attempt } => ensure(
                attempt == before.attempt_no() && before.may_resend(record.at),
                "law 2: sent again outside of the provider's promise",
            ),
            _ => Ok(()),
        })
}

/// Law 3: "not found" proves nothing while a request of ours may still leave, nor after the provider has
/// shown that it has the attempt.
fn absence_is_proven(before: &Transaction, decision: &Decision) -> Result<(), String> {
    let absent = |record: &Record| {
        let change = record.fate.filter(|change| change.fate == Fate::Absent)?;
        before.numbered(change.attempt)
    };
    decision
        .records
        .iter()
        .filter_map(absent)
        .try_for_each(|attempt| {
            ensure(
                !before.volatile.own_request_is_out(),
                "law 3: absence was concluded while a request of ours was out",
            )?;
            ensure(
                !attempt.is_acknowledged(),
                "law 3: absence was concluded of what the provider had shown to have",
            )
        })
}

/// A webhook that came before is not recorded again.
fn each_event_once(before: &Transaction, decision: &Decision) -> Result<(), String> {
    let repeated = decision.records.iter().any(|record| match &record.fact {
        Fact::Webhook {
            provider: Some(provider),
            event_id: Some(event_id),
            report,
            ..
        } => before.knows_event(provider, event_id, report),
        _ => false,
    });
    ensure(!repeated, "a webhook was recorded twice")
}

/// Law 5: an outcome changes only from failed, or by a person.
fn outcomes_stay(before: &Transaction, after: &Transaction) -> Result<(), String> {
    let (Some(first), Some(second)) = (&before.resolution, &after.resolution) else {
        return ensure(
            before.resolution.is_none(),
            "law 5: an outcome was taken back",
        );
    };
    let may_change = first.outcome == Outcome::Failed || second.source == Source::Operator;
    ensure(
        first == second || may_change,
        "law 5: a later claim overwrote the first",
    )
}
