//! The provider calls us: as evidence where the profile trusts the webhook, else as a hint.

use super::super::attempts::Attempt;
use super::super::evidence::{Finding, Outcome, Report, Source};
use super::super::policy::{MAX_RECORDED_WEBHOOKS, Way};
use super::super::record::Fact;
use super::super::state::{Errand, State};
use super::super::timers::Timer;
use super::conclusion::{self, Claim};
use super::dispute::{self, Difference};
use super::pending::{self, News};
use super::step::{Brings, Step};
use super::{Decision, Ignored, resend};

/// A trusted webhook came in.
pub(super) fn arrived(
    step: Step<'_>,
    provider: String,
    attempt: Option<u32>,
    event_id: Option<String>,
    report: Report,
) -> Result<Decision, Ignored> {
    let known = |event_id: &String| step.next.knows_event(&provider, event_id, &report);
    if event_id.as_ref().is_some_and(known) {
        return Err(Ignored::Duplicate);
    }
    let other = attempt.is_some_and(|attempt| step.next.names_another_payment(attempt, &report));
    let (outcome, finding) = (report.finding.outcome(), report.finding.clone());
    let fact = Fact::Webhook {
        provider: Some(provider),
        attempt,
        event_id,
        report,
    };
    if let Some(outcome) = outcome {
        let claim = Claim {
            outcome,
            source: Source::Webhook,
            attempt,
        };
        return match (other, outcome) {
            (false, _) => conclusion::conclude(step, claim, fact),
            (true, Outcome::Completed) => {
                dispute::executed_otherwise(step, claim, fact, Difference::Reference)
            }
            // Another payment of the provider's that moved no money changes nothing about this one.
            (true, Outcome::Declined | Outcome::Failed) => Err(Ignored::Stale),
        };
    }
    if other {
        return Err(Ignored::Stale);
    }
    let present = step.next.attempt_no();
    let about = attempt.unwrap_or(present);
    let named = names_for_the_first_time(&step, about, &fact);
    if (finding == Finding::Pending || named)
        && let Some(news) = pending::news(&step.next, about)
    {
        let decides = match news {
            News::Revived | News::Earlier | News::AfterEnd => true,
            // A word that no profile lists tells no more than that the provider has it.
            News::Arrived | News::InReview => !named,
        };
        if decides {
            return pending::take(step, news, fact, about, None);
        }
    }
    if attempt.is_some_and(|attempt| attempt != present) {
        return Err(Ignored::Stale);
    }
    match step.next.state {
        State::Accepted
        | State::Submitting { .. }
        | State::Unknown { .. }
        | State::Pending { .. }
        | State::BackingOff { .. }
        | State::InReview { .. } => undecided(step, fact, &finding),
        State::Completed | State::Declined | State::Failed => Err(Ignored::Late),
    }
}

/// Whether the provider gives the attempt an id of its own for the first time: that shows that it has the
/// attempt, whatever its word for it means.
fn names_for_the_first_time(step: &Step<'_>, attempt: u32, fact: &Fact) -> bool {
    let Some((_, report)) = fact.report() else {
        return false;
    };
    let unnamed = |attempt: &Attempt| attempt.provider_reference.is_none();
    report.finding != Finding::Pending
        && report.provider_reference.is_some()
        && step.next.numbered(attempt).is_some_and(unnamed)
}

/// It decides nothing, but operators see in the history that the provider said something. A word that
/// nobody listed is a reason to ask at once: something has happened, and the sender is trusted.
fn undecided(mut step: Step<'_>, fact: Fact, finding: &Finding) -> Result<Decision, Ignored> {
    if usize::try_from(step.next.webhooks).unwrap_or(usize::MAX) >= MAX_RECORDED_WEBHOOKS {
        return Err(Ignored::Uninformative);
    }
    step.note(fact, Brings::default());
    match finding {
        Finding::Unclear { .. } => ask_at_once(&mut step),
        Finding::Completed
        | Finding::Declined
        | Finding::Pending
        | Finding::NotFound
        | Finding::NotExecuted { .. } => {}
    }
    step.done()
}

/// Brings the armed inquiry forward, where one is armed.
fn ask_at_once(step: &mut Step<'_>) {
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            if step.next.volatile.inquiry == Errand::Idle && resend::way(step) != Way::Never {
                step.arm(Timer::Inquire, step.now.mono);
            }
        }
        State::Accepted
        | State::Submitting { .. }
        | State::BackingOff { .. }
        | State::Completed
        | State::Declined
        | State::Failed => {}
    }
}

/// Somebody who can't prove who they are says that something happened: worth one early inquiry.
pub(super) fn hinted(mut step: Step<'_>) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            if step.next.volatile.inquiry != Errand::Idle {
                return Err(Ignored::Duplicate);
            }
            if resend::way(&step) == Way::Never {
                return Err(Ignored::Uninformative);
            }
            step.arm(Timer::Inquire, step.now.mono);
            step.done()
        }
        State::Accepted | State::Submitting { .. } | State::BackingOff { .. } => {
            Err(Ignored::Uninformative)
        }
        State::Completed | State::Declined | State::Failed => Err(Ignored::Late),
    }
}
