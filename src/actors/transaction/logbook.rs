//! One line per record: message and fields, no payloads, no secrets.

use super::TransactionActor;
use crate::transaction::{DeliveryRecord, Event, Fact, Record, Transaction};

impl TransactionActor {
    /// An answer that names another payment of the provider's than the one that the attempt is known as: the
    /// core takes it for one that says nothing, and operators have to know.
    pub(super) fn log_other_payment(&self, event: &Event) {
        let (attempt, report) = match event {
            Event::SubmissionAnswered {
                attempt, report, ..
            }
            | Event::ResendAnswered {
                attempt, report, ..
            }
            | Event::InquiryAnswered {
                attempt, report, ..
            } => (*attempt, report),
            Event::SubmissionPermitted { .. }
            | Event::SubmissionUnrenderable { .. }
            | Event::InquiryPermitted { .. }
            | Event::WebhookArrived { .. }
            | Event::HintArrived
            | Event::TimerFired(_)
            | Event::NotificationAnswered { .. }
            | Event::Acted(_)
            | Event::Recovered
            | Event::Stopping => return,
        };
        let Some(seat) = &self.seat else { return };
        if seat.names_another_payment(attempt, report) {
            let known = seat.numbered(attempt);
            let known = known.and_then(|known| known.provider_reference.as_deref());
            let named = report.provider_reference.as_deref();
            tracing::warn!(key = %self.key, attempt, known, named, "an answer about another payment");
            self.house.answer_was_about_another(&self.key);
        }
    }

    pub(super) fn log_records(&self, records: &[Record], next: &Transaction) {
        for record in records {
            log_fact(record, next);
            if let Some(conflict) = &record.conflict {
                tracing::error!(key = %next.key, version = record.version, kind = conflict.kind.as_str(), claim = %conflict, "conflict");
            }
            if let Some(resolution) = &record.resolution {
                tracing::info!(
                    key = %next.key,
                    version = record.version,
                    outcome = resolution.outcome.as_str(),
                    source = resolution.source.as_str(),
                    attempts = next.attempt_no(),
                    took_ms = record.at.since(next.accepted_at).as_millis() as u64,
                    "final"
                );
            }
        }
    }
}

fn log_fact(record: &Record, next: &Transaction) {
    let (key, version, state) = (&next.key, record.version, record.to.name());
    match &record.fact {
        Fact::Accepted { request, .. } => {
            tracing::info!(%key, version, provider = %request.provider, "accepted");
        }
        Fact::AttemptStarted { attempt, .. } if *attempt > 1 => {
            tracing::info!(%key, version, attempt, "retried")
        }
        Fact::AttemptStarted { attempt, .. } => tracing::info!(%key, version, attempt, "submitted"),
        Fact::Resent { attempt } => tracing::info!(%key, version, attempt, state, "sent again"),
        Fact::Answered {
            attempt,
            report,
            resend,
            sent: _,
        } => {
            tracing::info!(%key, version, attempt, state, resend, finding = report.finding.as_str(), word = report.word.as_deref(), "answered");
        }
        Fact::AnswerLost { attempt, why } => {
            tracing::warn!(%key, version, attempt, state, why = %why, "answer lost")
        }
        Fact::Inquired {
            attempt,
            report,
            after_window,
        } => {
            tracing::info!(%key, version, attempt, state, finding = report.finding.as_str(), after_window, "inquiry");
        }
        Fact::Webhook {
            provider: _,
            attempt,
            event_id,
            report,
        } => {
            tracing::info!(%key, version, attempt, state, event_id = event_id.as_deref(), finding = report.finding.as_str(), word = report.word.as_deref(), "webhook");
        }
        Fact::ReviewOpened { why } => tracing::warn!(%key, version, why = %why, "review opened"),
        Fact::Expired => tracing::info!(%key, version, "expired"),
        Fact::Unrenderable { why } => tracing::warn!(%key, version, why = %why, "unrenderable"),
        Fact::Acted { by, command, .. } => {
            tracing::info!(%key, version, state, by = %by, command = %command, "acted")
        }
        Fact::Notified {
            told_version,
            delivery,
            status,
            took_ms,
        } => match delivery {
            DeliveryRecord::Acknowledged => {
                tracing::info!(%key, version, told_version, status, took_ms, "notified")
            }
            DeliveryRecord::Failed { why } => {
                tracing::warn!(%key, version, told_version, status, took_ms, why = %why, "notification failed")
            }
            DeliveryRecord::GivenUp { why } => {
                tracing::error!(%key, version, told_version, status, took_ms, why = %why, "notification given up");
            }
        },
        Fact::Archived { .. } => tracing::info!(%key, version, state, "archived"),
    }
}
