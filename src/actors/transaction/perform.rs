//! Effects: one line each, and what comes back is an event.

use std::sync::Arc;

use actix::Context;

use super::TransactionActor;
use super::calls::{SKIPPED_PAUSE, healthy};
use crate::ports::{NotPermitted, Notification, SendPermission};
use crate::transaction::{
    DeliveryResult, Effect, Errand, Event, Fate, Finding, Report, Timer, Timestamp,
};

impl TransactionActor {
    pub(super) fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::AskToSubmit => self.ask_to_submit(),
            Effect::AskToInquire => self.ask_to_inquire(),
            Effect::LeaveGate => self.leave_gates(None),
            Effect::Submit { attempt } => self.submit(attempt, ctx),
            Effect::Inquire { attempt } => self.inquire(attempt, ctx),
            Effect::Resend { attempt } => self.resend(attempt, ctx),
            Effect::Notify => self.notify(ctx),
            Effect::ClaimInbox => self.claim_inbox(ctx),
        }
    }

    fn submit(&mut self, attempt: u32, ctx: &mut Context<Self>) {
        let permit = self.submission_permit.take();
        let Some((provider, seat)) = self.provider().zip(self.seat.as_ref()) else {
            return;
        };
        let Some(intent) = seat.attempt().map(|attempt| Arc::clone(&attempt.intent)) else {
            return;
        };
        let submit_by = seat.request.submit_by;
        let permission = self.permission(Timer::SubmissionOverdue, move |wall| {
            let in_time = wall < submit_by;
            in_time.then_some(()).ok_or(NotPermitted::SubmitByPassed)
        });
        let call = provider.submit(intent, seat.request.traceparent.clone(), permission);
        Self::run(ctx, self, call, move |_, result| {
            if let Some(permit) = permit {
                permit.came_back(healthy(&result.report.finding));
            }
            Event::SubmissionAnswered {
                attempt,
                sent_at: result.sent_at,
                report: result.report,
            }
        });
    }

    fn ask_to_inquire(&self) {
        if let Some((gate, seat)) = self.gate_to_ask().zip(self.seat.as_ref()) {
            let last_asked = seat
                .volatile
                .last_asked
                .or(seat.volatile.doubt_since)
                .unwrap_or_default();
            gate.ask_to_inquire(&self.key, last_asked, !self.watchers.is_empty());
        }
    }

    fn inquire(&mut self, attempt: u32, ctx: &mut Context<Self>) {
        let permit = self.inquiry_permit.take();
        let Some(seat) = &self.seat else { return };
        let provider = self.house.providers.get(seat.provider_of(attempt));
        let Some((provider, asked)) = provider.zip(seat.numbered(attempt)) else {
            return;
        };
        let call = provider.inquire(&self.key, &seat.request, asked);
        Self::run_or_skip(ctx, self, call, move |actor, result| match result {
            Some(result) => {
                if let Some(permit) = permit {
                    permit.came_back(healthy(&result.report.finding));
                }
                Event::InquiryAnswered {
                    attempt,
                    sent_at: result.sent_at,
                    report: result.report,
                }
            }
            None => {
                drop(permit);
                let why = "not asked: this node's right to act was not renewed in time".to_owned();
                Event::InquiryAnswered {
                    attempt,
                    sent_at: actor.house.clock.mono(),
                    report: Report::bare(Finding::Unclear { why }),
                }
            }
        });
    }

    /// Sends the request again, if that is still safe when its first byte would leave.
    fn resend(&mut self, attempt: u32, ctx: &mut Context<Self>) {
        let permit = self.inquiry_permit.take();
        let Some((provider, seat)) = self.provider().zip(self.seat.as_ref()) else {
            return;
        };
        let Some(repeated) = seat.attempt() else {
            return;
        };
        let (since, until) = (repeated.started_at, repeated.resend_safe_until());
        // It may be the first of its kind to be executed, unless the provider says that it has it.
        let submit_by = (repeated.fate != Fate::Pending).then_some(seat.request.submit_by);
        let permission = self.permission(Timer::InquiryOverdue, move |wall| {
            if wall < since || until.is_none_or(|until| wall >= until) {
                return Err(NotPermitted::ResendUnsafe);
            }
            match submit_by {
                Some(submit_by) if wall >= submit_by => Err(NotPermitted::SubmitByPassed),
                Some(_) | None => Ok(()),
            }
        });
        let intent = Arc::clone(&repeated.intent);
        let call = provider.submit(intent, seat.request.traceparent.clone(), permission);
        Self::run(ctx, self, call, move |_, result| {
            if let Some(permit) = permit {
                permit.came_back(healthy(&result.report.finding));
            }
            Event::ResendAnswered {
                attempt,
                sent_at: result.sent_at,
                report: result.report,
            }
        });
    }

    /// Asked by the request itself, right before its first byte: whether this node may act, the call has
    /// not been given up (`overdue` is its timer), and the wall clock still allows it.
    fn permission(
        &self,
        overdue: Timer,
        allowed_at: impl Fn(Timestamp) -> Result<(), NotPermitted> + Send + Sync + 'static,
    ) -> SendPermission {
        let (house, partition, tenure) =
            (Arc::clone(&self.house), self.key.partition(), self.tenure);
        let given_up = self
            .seat
            .as_ref()
            .and_then(|seat| seat.volatile.timers.due(overdue));
        SendPermission::asking(move || {
            let now = house.clock.now();
            if !house.ownership.may_act(partition, tenure) {
                return Err(NotPermitted::NotOwner);
            }
            if given_up.is_some_and(|given_up| now.mono >= given_up) {
                return Err(NotPermitted::GivenUp);
            }
            allowed_at(now.wall)
        })
    }

    fn notify(&mut self, ctx: &mut Context<Self>) {
        let Some(seat) = &self.seat else { return };
        let Some(notice) = seat.notice.clone() else {
            return;
        };
        let version = notice.version;
        let notification = Notification {
            key: self.key.clone(),
            notice,
            request: Arc::clone(&seat.request),
            resolution: seat.resolution.clone(),
        };
        let call = self.house.notifier.notify(notification);
        Self::run_or_skip(ctx, self, call, move |_, result: Option<DeliveryResult>| {
            let skipped = DeliveryResult::HeldBack {
                wait: SKIPPED_PAUSE,
            };
            let result = result.unwrap_or(skipped);
            Event::NotificationAnswered { version, result }
        });
    }

    /// A permit that no call is out for goes back to the gate.
    pub(super) fn drop_unused_permits(&mut self) {
        let Some(seat) = &self.seat else { return };
        if seat.volatile.submission != Errand::Out {
            self.submission_permit = None;
        }
        if seat.volatile.inquiry != Errand::Out {
            self.inquiry_permit = None;
        }
    }
}
