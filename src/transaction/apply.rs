//! Folding records into a transaction: the one way in which its durable part ever changes, at
//! recording and at recovery alike.

use std::sync::Arc;

use super::attempts::Attempt;
use super::event::Command;
use super::evidence::Report;
use super::identity::{Key, notification_id};
use super::policy::{MAX_CONFLICTS, MAX_RECORDED_WEBHOOKS};
use super::record::{DeliveryRecord, Fact, RECORD_FORMAT, Record};
use super::state::{Delivery, KnownEvent, Notice, Transaction, Volatile};

/// A history that can't be folded: the journal holds something that no teller wrote.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CorruptHistory {
    /// The first record is neither an acceptance nor what an archive left, or there is none.
    #[error("the history does not begin with an acceptance, nor with what an archive left of it")]
    NoBeginning,
    /// A version is missing or stands twice.
    #[error("record {found} follows record {after}")]
    Gap {
        /// The version folded last.
        after: u64,
        /// The version that came.
        found: u64,
    },
    /// A record speaks of an attempt that never started.
    #[error("record {version} speaks of attempt {attempt}, which never started")]
    NoSuchAttempt {
        /// The record.
        version: u64,
        /// The attempt.
        attempt: u32,
    },
    /// Written by a newer release.
    #[error(
        "record {version} has format {format}; this release reads up to {RECORD_FORMAT}: use the release that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The record.
        version: u64,
        /// Its format.
        format: u32,
    },
}

impl Transaction {
    /// Folds a whole history.
    ///
    /// # Errors
    /// [`CorruptHistory`] when the records are not one transaction's whole history in order.
    pub fn fold(key: &Key, records: &[Record]) -> Result<Self, CorruptHistory> {
        let (first, rest) = records.split_first().ok_or(CorruptHistory::NoBeginning)?;
        let mut transaction = if let Fact::Archived { remains } = &first.fact {
            readable(first)?;
            Self::from_remains(key, first, remains)
        } else {
            Self::begin(key, first)?
        };
        for record in rest {
            transaction.apply(record)?;
        }
        Ok(transaction)
    }

    /// A transaction of one record.
    pub(super) fn begin(key: &Key, record: &Record) -> Result<Self, CorruptHistory> {
        readable(record)?;
        let Fact::Accepted {
            request,
            payload_hash,
        } = &record.fact
        else {
            return Err(CorruptHistory::NoBeginning);
        };
        if record.version != 1 {
            return Err(CorruptHistory::Gap {
                after: 0,
                found: record.version,
            });
        }
        Ok(Self {
            key: key.clone(),
            version: 1,
            state: record.to,
            request: Arc::clone(request),
            payload_hash: *payload_hash,
            accepted_at: record.at,
            changed_at: record.at,
            final_at: None,
            archived_at: None,
            attempts: Vec::new(),
            resolution: None,
            conflicts: Vec::new(),
            conflict_open: false,
            notice: None,
            inquiries: 0,
            last_report: None,
            resends: 0,
            acted_on: false,
            webhooks: 0,
            webhook_events: Vec::new(),
            volatile: Volatile::default(),
        })
    }

    /// Folds one more record.
    ///
    /// # Errors
    /// [`CorruptHistory`] when it doesn't follow.
    pub fn apply(&mut self, record: &Record) -> Result<(), CorruptHistory> {
        readable(record)?;
        if record.version != self.version + 1 {
            return Err(CorruptHistory::Gap {
                after: self.version,
                found: record.version,
            });
        }
        self.apply_fact(record)?;
        if let Some(change) = record.fate {
            self.attempt_mut(record.version, change.attempt)?
                .becomes(change.fate, record.at);
        }
        if let Some(resolution) = &record.resolution {
            self.resolution = Some(resolution.clone());
            self.final_at.get_or_insert(record.at);
        }
        if let Some(conflict) = &record.conflict {
            self.conflict_open = true;
            if self.conflicts.len() < MAX_CONFLICTS {
                self.conflicts.push(conflict.clone());
            }
        }
        self.version = record.version;
        self.state = record.to;
        self.changed_at = record.at;
        if record.tell {
            self.notice = Some(Notice {
                id: notification_id(&self.key, record.version),
                version: record.version,
                status: record.to.status(),
                since: record.at,
                failures: 0,
                delivery: Delivery::Open,
            });
        }
        Ok(())
    }

    fn apply_fact(&mut self, record: &Record) -> Result<(), CorruptHistory> {
        match &record.fact {
            Fact::Accepted { .. } | Fact::Archived { .. } => {
                return Err(CorruptHistory::Gap {
                    after: self.version,
                    found: 1,
                });
            }
            Fact::AttemptStarted { attempt, intent } => {
                if *attempt != self.attempt_no() + 1 {
                    return Err(CorruptHistory::NoSuchAttempt {
                        version: record.version,
                        attempt: *attempt,
                    });
                }
                self.attempts
                    .push(Attempt::started(Arc::clone(intent), record.at));
            }
            Fact::Answered {
                attempt,
                report,
                resend,
                sent,
            } => {
                self.learn_reference(record.version, *attempt, report)?;
                if sent.is_some() {
                    self.attempt_mut(record.version, *attempt)?.sent = *sent;
                }
                if *resend {
                    self.last_report = Some(report.clone());
                }
            }
            Fact::Resent { attempt } => {
                let attempt = self.attempt_mut(record.version, *attempt)?;
                attempt.resends = attempt.resends.saturating_add(1);
                // Until it is home nobody can say when it left.
                attempt.sent = None;
                self.resends = self.resends.saturating_add(1);
            }
            Fact::Inquired {
                attempt, report, ..
            } => {
                self.learn_reference(record.version, *attempt, report)?;
                self.inquiries = self.inquiries.saturating_add(1);
                self.last_report = Some(report.clone());
            }
            Fact::Webhook {
                provider,
                attempt,
                event_id,
                report,
            } => {
                // A webhook may name an attempt that never was: it teaches nothing then.
                if let Some(attempt) = attempt
                    .or(self.only_attempt())
                    .filter(|&attempt| (1..=self.attempt_no()).contains(&attempt))
                {
                    self.learn_reference(record.version, attempt, report)?;
                } else if attempt.is_none() && report.provider_reference.is_some() {
                    let sender = provider.as_deref();
                    let last = self.attempt_no();
                    if sender.is_none_or(|sender| sender == self.provider_of(last))
                        && let Some(attempt) = self.attempts.last_mut()
                    {
                        attempt.is_shown = true;
                    }
                }
                self.webhooks = self.webhooks.saturating_add(1);
                if let Some(event_id) = event_id
                    && self.webhook_events.len() < MAX_RECORDED_WEBHOOKS
                {
                    let event = KnownEvent::of(provider.as_deref(), event_id, report);
                    self.webhook_events.push(event);
                }
            }
            Fact::Notified {
                told_version,
                delivery,
                ..
            } => {
                if let Some(notice) = self
                    .notice
                    .as_mut()
                    .filter(|notice| notice.version == *told_version)
                {
                    match delivery {
                        DeliveryRecord::Acknowledged => notice.delivery = Delivery::Acknowledged,
                        DeliveryRecord::Failed { .. } => notice.failures += 1,
                        DeliveryRecord::GivenUp { .. } => {
                            notice.failures += 1;
                            notice.delivery = Delivery::GivenUp;
                        }
                    }
                }
            }
            Fact::Acted {
                outcome, command, ..
            } => {
                if outcome.is_some() {
                    self.conflict_open = false;
                }
                if command == Command::Redeliver.as_str()
                    && let Some(notice) = &mut self.notice
                {
                    notice.delivery = Delivery::Open;
                    notice.failures = 0;
                }
                // Asking and telling change nothing about the payment; whatever else a person does, does.
                let harmless = [Command::Inquire, Command::Redeliver].map(Command::as_str);
                self.acted_on |= !harmless.contains(&command.as_str());
            }
            Fact::AnswerLost { .. }
            | Fact::ReviewOpened { .. }
            | Fact::Expired
            | Fact::Unrenderable { .. } => {}
        }
        Ok(())
    }

    /// The first reference stays: the provider was asked under it, and webhooks are matched by it. A report
    /// that names another one is about another payment, and is never recorded as one about this attempt
    /// without saying so (`decide` sees to that).
    fn learn_reference(
        &mut self,
        version: u64,
        attempt: u32,
        report: &Report,
    ) -> Result<(), CorruptHistory> {
        if let Some(reference) = &report.provider_reference {
            self.attempt_mut(version, attempt)?
                .provider_reference
                .get_or_insert_with(|| reference.clone());
        }
        Ok(())
    }

    fn attempt_mut(&mut self, version: u64, attempt: u32) -> Result<&mut Attempt, CorruptHistory> {
        let index = usize::try_from(attempt)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        self.attempts
            .get_mut(index)
            .ok_or(CorruptHistory::NoSuchAttempt { version, attempt })
    }
}

fn readable(record: &Record) -> Result<(), CorruptHistory> {
    if record.format > RECORD_FORMAT {
        return Err(CorruptHistory::NewerFormat {
            version: record.version,
            format: record.format,
        });
    }
    Ok(())
}
