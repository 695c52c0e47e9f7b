//! An attempt goes out, and its answer comes back, or doesn't.

use std::time::Duration;

use super::super::attempts::Fate;
use super::super::evidence::{Finding, Report, Source};
use super::super::policy::{MAX_ATTEMPTS_EVER, OnAbsence};
use super::super::record::Fact;
use super::super::request::Intent;
use super::super::state::{Errand, State};
use super::super::time::Mono;
use super::super::timers::Timer;
use super::accept::start_attempt;
use super::conclusion::{self, Claim};
use super::step::{Brings, Step};
use super::{Decision, Ignored, dispute, pending};

/// The longest wait that a provider's `Retry-After` can ask for; more would park a payment on one
/// header's word.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// The gate granted the next attempt.
pub(super) fn permitted(mut step: Step<'_>, intent: Intent) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Accepted | State::BackingOff { .. } => {
            if step.next.volatile.submission != Errand::Queued {
                return Err(Ignored::Stale);
            }
            let to = intent
                .provider
                .as_deref()
                .unwrap_or(&step.next.request.provider);
            if !step.next.may_go_to(to) {
                return Err(Ignored::Stale);
            }
            if expired(&step) {
                step.next.volatile.submission = Errand::Idle;
                step.enter_failed(Fact::Expired, Source::Teller, EXPIRED, Brings::default());
            } else {
                start_attempt(&mut step, intent);
            }
            step.done()
        }
        State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

/// Why an expired transaction failed.
pub(super) const EXPIRED: &str =
    "submit_by was reached before any attempt could have been executed";

/// The gate granted the next attempt, but no request can be made of it: nothing went out, nothing will.
pub(super) fn unrenderable(mut step: Step<'_>, why: String) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Accepted | State::BackingOff { .. } => {
            if step.next.volatile.submission != Errand::Queued {
                return Err(Ignored::Stale);
            }
            step.next.volatile.submission = Errand::Idle;
            let reason = format!("the provider's profile can't make a request of it: {why}");
            step.enter_failed(
                Fact::Unrenderable { why },
                Source::Teller,
                &reason,
                Brings::default(),
            );
            step.done()
        }
        State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => Err(Ignored::Stale),
    }
}

/// The submission's call came back with an answer, or with what is known of its failure.
pub(super) fn answered(
    mut step: Step<'_>,
    attempt: u32,
    sent_at: Option<Mono>,
    report: Report,
) -> Result<Decision, Ignored> {
    let present = attempt == step.next.attempt_no();
    if present && step.next.volatile.submission == Errand::Out {
        step.next.volatile.submission = Errand::Idle;
        step.disarm(Timer::SubmissionOverdue);
        step.came_home = true;
    }
    let report = step.about(attempt, report);
    let (outcome, finding) = (report.finding.outcome(), report.finding.clone());
    let sent = step.lasting(sent_at.filter(|_| outcome.is_none()));
    let fact = Fact::Answered {
        attempt,
        report,
        resend: false,
        sent,
    };
    if let Some(outcome) = outcome {
        let claim = Claim {
            outcome,
            source: Source::Answer,
            attempt: Some(attempt),
        };
        return conclusion::conclude(step, claim, fact);
    }
    if finding == Finding::Pending
        && let Some(news) = pending::news(&step.next, attempt)
    {
        return pending::take(step, news, fact, attempt, sent_at);
    }
    if !present {
        return Err(Ignored::Stale);
    }
    inconclusive(step, attempt, sent_at, finding, fact)
}

fn inconclusive(
    mut step: Step<'_>,
    attempt: u32,
    sent_at: Option<Mono>,
    finding: Finding,
    fact: Fact,
) -> Result<Decision, Ignored> {
    let finding = if proves_it_was_not_executed(&step) {
        finding
    } else {
        disbelieved(finding)
    };
    match (step.next.state, finding) {
        (
            State::Submitting { .. } | State::Unknown { .. },
            Finding::NotExecuted { why, retry_after },
        ) => not_executed(&mut step, fact, attempt, &why, retry_after),
        (State::Submitting { .. }, _) => step.enter_unknown(fact, attempt, sent_at),
        (State::InReview { .. }, finding) if step.next.last_fate() == Some(Fate::Out) => {
            dispute::answered_in_review(&mut step, fact, attempt, sent_at, &finding);
        }
        (State::InReview { .. }, Finding::NotExecuted { why, .. })
            if step.next.last_fate() == Some(Fate::Unknown) =>
        {
            let brings = Brings::fate(attempt, Fate::NotExecuted);
            if step.next.execution_is_disputed() || step.next.may_execute_beside(attempt) {
                step.note(fact, brings);
                step.keep_asking();
            } else {
                step.enter_failed(fact, Source::Answer, &why, brings);
            }
        }
        // The call had been given up, by its overdue timer or by a stop, or something else told more in
        // the meantime; and then it came back after all.
        (State::Pending { .. } | State::Unknown { .. } | State::InReview { .. }, _) => {
            return came_home_late(step, fact, sent_at);
        }
        (State::Accepted | State::BackingOff { .. }, _) => return Err(Ignored::Stale),
        (State::Completed | State::Declined | State::Failed, _) => {
            return step.ignored(Ignored::Late);
        }
    }
    step.done()
}

/// Whether a failure of our own call proves that the last attempt was not executed: not once the provider
/// has shown that it has the attempt, and not if its request was sent again, because the failure says
/// nothing about the repetition.
fn proves_it_was_not_executed(step: &Step<'_>) -> bool {
    step.next
        .attempt()
        .is_some_and(|attempt| !attempt.is_acknowledged() && attempt.resends == 0)
}

fn disbelieved(finding: Finding) -> Finding {
    match finding {
        Finding::NotExecuted { why, .. } => Finding::Unclear { why },
        Finding::Completed
        | Finding::Declined
        | Finding::Pending
        | Finding::NotFound
        | Finding::Unclear { .. } => finding,
    }
}

/// It decides nothing, but it says when the request left: the window ends a whole window after that.
fn came_home_late(
    mut step: Step<'_>,
    fact: Fact,
    sent_at: Option<Mono>,
) -> Result<Decision, Ignored> {
    if !step.came_home {
        return Err(Ignored::Uninformative);
    }
    step.note(fact, Brings::default());
    if let Some(sent_at) = sent_at {
        step.move_window(sent_at);
    }
    if step.next.volatile.inquiry == Errand::Idle {
        match step.next.state {
            // The moment at which "not found" proves something has moved.
            State::Unknown { .. } => step.arm_next_inquiry(),
            State::Accepted
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::BackingOff { .. }
            | State::InReview { .. }
            | State::Completed
            | State::Declined
            | State::Failed => step.keep_asking(),
        }
    }
    step.done()
}

/// The attempt surely never reached the provider's hands: the next one is armed, within bounds.
fn not_executed(
    step: &mut Step<'_>,
    fact: Fact,
    attempt: u32,
    why: &str,
    retry_after: Option<Duration>,
) {
    let brings = Brings::fate(attempt, Fate::NotExecuted);
    if attempt >= MAX_ATTEMPTS_EVER {
        let why = format!(
            "given up after {attempt} attempts, none of which can have been executed; the last: {why}"
        );
        step.enter_failed(fact, Source::Teller, &why, brings);
    } else if expired(step) {
        step.enter_failed(fact, Source::Teller, EXPIRED, brings);
    } else {
        let refusals = refusals_in_a_row(step);
        let wait = step.policy.backoff(&step.next.key, attempt, refusals);
        let wait = wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
        step.enter_backing_off(fact, attempt, Fate::NotExecuted, wait);
    }
}

/// The attempt is proven absent (law 3): submit again or give up, as the profile says.
pub(super) fn absent(step: &mut Step<'_>, fact: Fact, attempt: u32) {
    let brings = Brings::fate(attempt, Fate::Absent);
    if step.next.execution_is_disputed() || step.next.may_execute_beside(attempt) {
        // Another attempt was executed, or may be: absence of this one ends nothing.
        step.note(fact, brings);
        return step.keep_asking();
    }
    let absences = 1 + step
        .next
        .attempts
        .iter()
        .filter(|attempt| attempt.fate == Fate::Absent)
        .count();
    let exhausted = absences >= usize::try_from(step.policy.max_attempts).unwrap_or(usize::MAX)
        || attempt >= MAX_ATTEMPTS_EVER;
    let asked_for_review = match step.next.state {
        State::InReview { .. } => true,
        State::Accepted
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::Completed
        | State::Declined
        | State::Failed => false,
    };
    let why = match step.policy.on_absence {
        _ if asked_for_review => {
            "the provider did not know it after its ghost window, and a person had been asked"
        }
        _ if expired(step) => EXPIRED,
        OnAbsence::Fail => "the provider did not know it after its ghost window",
        OnAbsence::Resubmit if exhausted => {
            "the last attempt allowed was not known to the provider after its ghost window"
        }
        OnAbsence::Resubmit => {
            return step.enter_backing_off(fact, attempt, Fate::Absent, Duration::ZERO);
        }
    };
    step.enter_failed(fact, Source::Teller, why, brings);
}

fn expired(step: &Step<'_>) -> bool {
    step.now.wall >= step.next.request.submit_by
}

fn refusals_in_a_row(step: &Step<'_>) -> u32 {
    let refused = step
        .next
        .attempts
        .iter()
        .rev()
        .skip(1)
        .take_while(|attempt| attempt.fate == Fate::NotExecuted);
    u32::try_from(refused.count()).unwrap_or(u32::MAX)
}
