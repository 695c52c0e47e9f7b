//! The app was told, or wasn't (law 6). Whatever comes of it, the payment is not touched.

use std::time::Duration;

use super::super::event::DeliveryResult;
use super::super::record::{DeliveryRecord, Fact};
use super::super::state::{Delivery, Errand};
use super::super::timers::Timer;
use super::step::{Brings, Step};
use super::{Decision, Ignored};

/// The longest wait that an app's `Retry-After` can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

pub(super) fn answered(
    mut step: Step<'_>,
    version: u64,
    result: &DeliveryResult,
) -> Result<Decision, Ignored> {
    step.next.volatile.delivery = Errand::Idle;
    step.next.volatile.telling = None;
    step.disarm(Timer::NotifyOverdue);
    let Some(notice) = step.next.notice.clone() else {
        return Err(Ignored::Stale);
    };
    if notice.delivery != Delivery::Open {
        return Err(Ignored::Duplicate);
    }
    if notice.version != version {
        // An older version came back; the newer one, which supersedes it, goes out now.
        step.arm(Timer::Notify, step.now.mono);
        return step.done();
    }
    let next = notice.failures + 1;
    let goes_on = step
        .policy
        .notify
        .as_ref()
        .is_some_and(|notify| notify.wait(&step.next.key, next).is_some());
    if let Some(delivery) = DeliveryRecord::of(result, goes_on) {
        let fact = Fact::Notified {
            told_version: version,
            delivery,
            status: result.status(),
            took_ms: result
                .took()
                .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        step.note(fact, Brings::default());
    }
    match result {
        DeliveryResult::Acknowledged { .. }
        | DeliveryResult::Gone { .. }
        | DeliveryResult::Disabled { .. } => step.disarm(Timer::Notify),
        // It takes no delivery from the schedule: the app has not been asked.
        DeliveryResult::HeldBack { wait } => {
            step.arm(Timer::Notify, step.now.mono + (*wait).min(RETRY_AFTER_MAX));
        }
        DeliveryResult::Failed { retry_after, .. } => {
            if goes_on {
                step.arm_notification(next);
                let asked = step.now.mono + retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                if step
                    .next
                    .volatile
                    .timers
                    .due(Timer::Notify)
                    .is_some_and(|due| due < asked)
                {
                    step.arm(Timer::Notify, asked);
                }
            } else {
                step.disarm(Timer::Notify);
            }
        }
    }
    step.done()
}
