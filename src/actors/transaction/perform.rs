//! Effects: one line each, and what comes back is an event.

use std::sync::Arc;

use actix::Context;

use super::TransactionActor;
use super::calls::healthy;
use crate::ports::{NotPermitted, Notification, SendPermission};
use crate::transaction::{Attempt, DeliveryResult, Effect, Errand, Event, Finding, Report};

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
        let call = provider.submit(intent, seat.request.traceparent.clone(), self.permission());
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
        if let Some((gate, seat)) = self.gate().zip(self.seat.as_ref()) {
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
        let Some((provider, seat)) = self.provider().zip(self.seat.as_ref()) else {
            return;
        };
        let Some(asked): Option<&Attempt> = seat.attempt() else {
            return;
        };
        let call = provider.inquire(&self.key, &seat.request, asked);
        Self::run(ctx, self, call, move |_, result| {
            if let Some(permit) = permit {
                permit.came_back(healthy(&result.report.finding));
            }
            Event::InquiryAnswered {
                attempt,
                sent_at: result.sent_at,
                report: result.report,
            }
        });
    }

    /// Sends the request again, unless the time in which that is safe has passed while the record of it
    /// became durable.
    fn resend(&mut self, attempt: u32, ctx: &mut Context<Self>) {
        let permit = self.inquiry_permit.take();
        let Some((provider, seat)) = self.provider().zip(self.seat.as_ref()) else {
            return;
        };
        let Some(intent) = seat.attempt().map(|attempt| Arc::clone(&attempt.intent)) else {
            return;
        };
        let safe = seat.is_resend_safe(self.house.clock.now().wall);
        let call = safe
            .then(|| provider.submit(intent, seat.request.traceparent.clone(), self.permission()));
        let call = async move {
            match call {
                Some(call) => Some(call.await),
                None => None,
            }
        };
        Self::run(ctx, self, call, move |_, result| match result {
            Some(result) => {
                if let Some(permit) = permit {
                    permit.came_back(healthy(&result.report.finding));
                }
                Event::ResendAnswered {
                    attempt,
                    sent_at: result.sent_at,
                    report: result.report,
                }
            }
            None => {
                drop(permit);
                let why = "not sent again: the time in which that is safe was over".to_owned();
                Event::ResendAnswered {
                    attempt,
                    sent_at: None,
                    report: Report::bare(Finding::Unclear { why }),
                }
            }
        });
    }

    /// Asked by the request itself, right before its first byte.
    fn permission(&self) -> SendPermission {
        let (house, partition, tenure) =
            (Arc::clone(&self.house), self.key.partition(), self.tenure);
        SendPermission::asking(move || {
            let may_act = house.ownership.may_act(partition, tenure);
            may_act.then_some(()).ok_or(NotPermitted::NotOwner)
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
        Self::run(ctx, self, call, move |_, result: DeliveryResult| {
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
