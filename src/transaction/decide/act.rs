//! Somebody acts: the app cancels, a person inquires, resubmits or resolves. Each act is recorded
//! with who and why, and refused where it could pay twice or end what may still happen.

use super::super::attempts::Fate;
use super::super::event::{Act, Command};
use super::super::evidence::{Outcome, Resolution, Source};
use super::super::policy::Way;
use super::super::record::Fact;
use super::super::state::{Errand, State, Transaction};
use super::super::timers::Timer;
use super::step::{Brings, Step};
use super::{Decision, Ignored, Refusal, resend};

pub(super) fn acted(step: Step<'_>, act: Act) -> Result<Decision, Ignored> {
    let present = step.next.version;
    if let Some(seen) = act.seen.filter(|&seen| seen != present) {
        return Err(Refusal::VersionMismatch { seen, present }.into());
    }
    match act.command {
        Command::Cancel => cancel(step, act),
        Command::Inquire => inquire(step, act),
        Command::Resubmit => resubmit(step, act),
        Command::Resolve {
            outcome,
            while_open,
        } => resolve(step, act, outcome, while_open),
        Command::Redeliver => redeliver(step, act),
    }
}

fn fact(act: Act, while_open: bool) -> Fact {
    let outcome = match act.command {
        Command::Resolve { outcome, .. } => Some(outcome),
        Command::Cancel | Command::Inquire | Command::Resubmit | Command::Redeliver => None,
    };
    Fact::Acted {
        by: act.by,
        why: act.why,
        command: act.command.as_str().to_owned(),
        outcome,
        while_open,
    }
}

fn cancel(mut step: Step<'_>, act: Act) -> Result<Decision, Ignored> {
    match step.next.state {
        State::Accepted | State::BackingOff { .. } => {
            let why = format!(
                "cancelled by {} before anything could have been executed",
                act.by
            );
            step.enter_failed(fact(act, false), Source::Teller, &why, Brings::default());
            step.done()
        }
        State::Submitting { attempt } | State::Pending { attempt } | State::Unknown { attempt } => {
            Err(Refusal::MayBeExecuted { attempt }.into())
        }
        State::InReview { .. } => Err(Refusal::MayBeExecuted {
            attempt: step.next.attempt_no(),
        }
        .into()),
        State::Completed | State::Declined | State::Failed => Err(already_final(&step.next)),
    }
}

fn inquire(mut step: Step<'_>, act: Act) -> Result<Decision, Ignored> {
    match step.next.state {
        State::InReview { .. } if step.next.attempts.is_empty() => Err(Refusal::NeverSent.into()),
        State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
            match resend::way(&step) {
                Way::Never => return Err(Refusal::NoInquiry.into()),
                Way::Ask | Way::Resend => {}
            }
            step.note(fact(act, false), Brings::default());
            if step.next.volatile.inquiry == Errand::Idle {
                step.arm(Timer::Inquire, step.now.mono);
            }
            step.done()
        }
        State::Accepted | State::BackingOff { .. } => Err(Refusal::NeverSent.into()),
        State::Submitting { attempt } => Err(Refusal::MayBeExecuted { attempt }.into()),
        State::Completed | State::Declined | State::Failed => Err(already_final(&step.next)),
    }
}

fn resubmit(mut step: Step<'_>, act: Act) -> Result<Decision, Ignored> {
    let attempt = step.next.attempt_no();
    match step.next.state {
        State::BackingOff { .. } => {
            if step.next.volatile.submission != Errand::Idle {
                return Err(Refusal::AlreadyQueued.into());
            }
            step.note(fact(act, false), Brings::default());
            step.ask_to_submit();
            step.done()
        }
        State::Accepted => Err(Refusal::AlreadyQueued.into()),
        // A review is opened by doubt, and doubt is what forbids another attempt (law 2).
        State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::InReview { .. } => Err(Refusal::MayBeExecuted { attempt }.into()),
        State::Completed | State::Declined | State::Failed => Err(already_final(&step.next)),
    }
}

fn resolve(
    mut step: Step<'_>,
    act: Act,
    outcome: Outcome,
    while_open: bool,
) -> Result<Decision, Ignored> {
    let attempt = step.next.attempt_no();
    match step.next.state {
        State::Accepted | State::BackingOff { .. } => return Err(Refusal::NeverSent.into()),
        State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::InReview { .. } => {
            if still_open(&step) && !while_open {
                return Err(Refusal::StillOpen { attempt }.into());
            }
        }
        State::Completed | State::Declined | State::Failed => {
            if !step.next.conflict_open {
                return Err(already_final(&step.next));
            }
            if step.next.state == State::of(outcome) {
                // The first outcome stands; only the contradiction is settled.
                step.note(fact(act, false), Brings::default());
                return step.done();
            }
        }
    }
    let why = format!("{} said so: {}", act.by, act.why);
    let attempt = (attempt > 0).then_some(attempt);
    let resolution = Resolution {
        outcome,
        source: Source::Operator,
        attempt,
        why,
    };
    step.enter_final(fact(act, while_open), resolution, Brings::default());
    step.done()
}

/// In any state: what the app is told doesn't touch the payment.
fn redeliver(mut step: Step<'_>, act: Act) -> Result<Decision, Ignored> {
    if step.next.notice.is_none() {
        return Err(Refusal::NothingToTell.into());
    }
    match step.next.volatile.delivery {
        Errand::Out => Err(Refusal::BeingTold.into()),
        Errand::Idle | Errand::Queued => {
            step.note(fact(act, false), Brings::default());
            step.arm(Timer::Notify, step.now.mono);
            step.done()
        }
    }
}

/// Whether a call is out, the provider holds an attempt, or a ghost window is open over one in
/// doubt. A window that the profile does not state never ends.
fn still_open(step: &Step<'_>) -> bool {
    let volatile = &step.next.volatile;
    let held_by_provider = step
        .next
        .attempts
        .iter()
        .any(|attempt| attempt.fate == Fate::Pending);
    held_by_provider
        || volatile.own_request_is_out()
        || step.next.may_execute() && volatile.window_ends.is_none_or(|ends| step.now.mono < ends)
}

fn already_final(transaction: &Transaction) -> Ignored {
    let outcome = transaction
        .resolution
        .as_ref()
        .map_or(Outcome::Failed, |resolution| resolution.outcome);
    Refusal::AlreadyFinal { outcome }.into()
}
