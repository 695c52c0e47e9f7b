//! Transactions for the tests of all journals: real ones, made by the core.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::ports::{Append, Expect, Kept, ProviderReference, Summary, Tenure};
use crate::transaction::{
    Acceptance, AppId, Decision, Event, Finding, Inquiries, Intent, Key, Mono, Now, OnAbsence,
    PayloadHash, Policy, Record, Rendered, Report, Request, Timer, Timestamp, Transaction,
    TransactionId, accept, decide,
};

/// A transaction on its way, and all the records that it has had.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) transaction: Transaction,
    pub(super) history: Vec<Record>,
}

impl Life {
    /// The first step: acceptance and the first attempt, two records.
    pub(super) fn begin(app: &str, n: u128, provider: &str) -> (Self, Append) {
        let request = Arc::new(Request {
            provider: provider.to_owned(),
            amount: None,
            submit_by: wall(1_000_000),
            payload: json!({ "note": format!("number {n}\nof many") }),
            traceparent: None,
        });
        let acceptance = Acceptance {
            key: key(app, n),
            request,
            payload_hash: PayloadHash([7; 32]),
        };
        let decision = accept(&acceptance, Some(intent(n)), now(1), &policy());
        let mut life = Self {
            transaction: decision.next.clone(),
            history: Vec::new(),
        };
        let append = life.step(decision, Expect::Absent, 1);
        (life, append)
    }

    /// The second step: nobody knows what became of the attempt.
    pub(super) fn unknown(&mut self) -> Append {
        let unclear = Finding::Unclear {
            why: "timed out".to_owned(),
        };
        self.decide(
            Event::SubmissionAnswered {
                attempt: 1,
                sent_at: Some(now(2).mono),
                report: Report::bare(unclear),
            },
            2,
        )
    }

    /// The second step: the provider has the attempt, and calls it so.
    pub(super) fn known_as(&mut self, reference: &str) -> Append {
        let report = Report {
            provider_reference: Some(reference.to_owned()),
            ..Report::bare(Finding::Pending)
        };
        self.decide(
            Event::SubmissionAnswered {
                attempt: 1,
                sent_at: Some(now(2).mono),
                report,
            },
            2,
        )
    }

    /// The second step: the provider calls the attempt so, and surely has not executed it.
    pub(super) fn refused_as(&mut self, reference: &str) -> Append {
        let why = "the provider is closed".to_owned();
        let retry_after = None;
        let report = Report {
            provider_reference: Some(reference.to_owned()),
            ..Report::bare(Finding::NotExecuted { why, retry_after })
        };
        self.decide(
            Event::SubmissionAnswered {
                attempt: 1,
                sent_at: Some(now(2).mono),
                report,
            },
            2,
        )
    }

    /// The step after a refusal: another provider takes the second attempt.
    pub(super) fn stands_in(&mut self, provider: &str) -> Append {
        let due = Event::TimerFired(Timer::Submit);
        let asks = decide(&self.transaction, due, now(100), &policy()).expect("it is due");
        self.transaction = asks.next;
        let intent = Intent {
            provider: Some(provider.to_owned()),
            ..intent(2)
        };
        let intent = Box::new(intent);
        self.decide(Event::SubmissionPermitted { intent }, 101)
    }

    /// A step after a stand-in took the second attempt: the stand-in calls it so.
    pub(super) fn second_known_as(&mut self, reference: &str) -> Append {
        let report = Report {
            provider_reference: Some(reference.to_owned()),
            ..Report::bare(Finding::Pending)
        };
        self.decide(
            Event::SubmissionAnswered {
                attempt: 2,
                sent_at: Some(now(102).mono),
                report,
            },
            102,
        )
    }

    /// The last step: it was executed.
    pub(super) fn completed(&mut self) -> Append {
        self.decide(
            Event::WebhookArrived {
                provider: self.transaction.provider().to_owned(),
                attempt: Some(1),
                event_id: None,
                report: Report::bare(Finding::Completed),
            },
            3,
        )
    }

    /// A step after the last: the provider contradicts itself.
    pub(super) fn declined(&mut self) -> Append {
        self.decide(
            Event::WebhookArrived {
                provider: self.transaction.provider().to_owned(),
                attempt: Some(1),
                event_id: None,
                report: Report::bare(Finding::Declined),
            },
            4,
        )
    }

    /// A step that asks for a person.
    pub(super) fn in_review(&mut self) -> Append {
        let mut append = self.unknown();
        append.summary.needs_review = true;
        append
    }

    fn decide(&mut self, event: Event, second: u64) -> Append {
        let version = self.transaction.version;
        let decision = decide(&self.transaction, event, now(second), &policy())
            .expect("an event that changes something");
        self.step(decision, Expect::Version(version), second)
    }

    fn step(&mut self, decision: Decision, expect: Expect, second: u64) -> Append {
        self.transaction = decision.next;
        self.history.extend(decision.records.clone());
        Append {
            key: self.transaction.key.clone(),
            expect,
            tenure: Some(Tenure::ALONE),
            records: decision.records,
            summary: Summary::of(&self.transaction, now(second)),
        }
    }
}

pub(super) fn key(app: &str, n: u128) -> Key {
    Key {
        app: AppId::parse(app).expect("a legal name"),
        id: TransactionId(Uuid::from_u128(n)),
    }
}

/// A reference as a provider knows it.
pub(super) fn known_to(provider: &str, reference: &str) -> ProviderReference {
    ProviderReference {
        provider: provider.to_owned(),
        reference: reference.to_owned(),
    }
}

/// A webhook that says "declined" and can be claimed by these references.
pub(super) fn kept(provider: &str, event_id: &str, references: &[&str]) -> Kept {
    Kept {
        provider: provider.to_owned(),
        event_id: event_id.to_owned(),
        references: references.iter().map(|&one| one.to_owned()).collect(),
        received_at: wall(5),
        attempt: Some(2),
        report: Report {
            word: Some("DECLINED".to_owned()),
            ..Report::bare(Finding::Declined)
        },
        body: "{\"for\":\n\"nobody\"}".to_owned(),
    }
}

fn now(second: u64) -> Now {
    Now {
        lasting: None,
        wall: wall(second),
        mono: Mono::from_millis(second * 1000),
    }
}

pub(super) fn wall(second: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000) + Duration::from_secs(second)
}

fn intent(n: u128) -> Intent {
    Intent {
        provider: None,
        reference: format!("reference-{n}"),
        request: Rendered {
            method: "POST".to_owned(),
            url: "https://provider.example/payments".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: format!("{{\"amount\":100,\"reference\":\"reference-{n}\"}}"),
        },
        window: None,
        resend_safe_for_ms: None,
        profile_hash: "0".repeat(64),
    }
}

fn policy() -> Policy {
    let minute = Duration::from_mins(1);
    Policy {
        ghost_window: Some(minute),
        ghost_margin: Duration::from_secs(1),
        resend_safe_for: None,
        inquiry: Inquiries::ALWAYS,
        inquiry_gaps: 3,
        pending_ladder: vec![minute],
        retry_ladder: vec![minute],
        review_ladder: vec![minute],
        review_after: minute * 10,
        pending_review_after: minute * 10,
        on_absence: OnAbsence::Fail,
        max_attempts: 1,
        backoff_ladder: vec![minute],
        submit_within: minute,
        call_overdue_after: minute,
        max_pause: Duration::ZERO,
        notify: None,
    }
}
