//! The world of the core's tests: one transaction, one policy, one way to render an intent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use teller::transaction::{
    Acceptance, Amount, AppId, Finding, GhostWindow, Inquiries, Intent, Key, NotifyPolicy,
    OnAbsence, PayloadHash, Policy, Rendered, Report, Request, Timestamp, TransactionId, Way,
};
use uuid::Uuid;

/// When the tests' world begins: 2026-11-02T12:00:00Z.
pub(crate) const BEGINNING: i64 = 1_793_620_800_000;

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The numbers of the reference provider's profile, with a short schedule for notifications.
pub(crate) fn policy() -> Policy {
    Policy {
        ghost_window: Some(s(120)),
        ghost_margin: s(1),
        resend_safe_for: None,
        inquiry: Inquiries::ALWAYS,
        inquiry_gaps: 6,
        pending_ladder: [5, 5, 10, 20, 30, 60].map(s).to_vec(),
        retry_ladder: [15, 30, 60, 120, 300].map(s).to_vec(),
        review_ladder: [600, 3_600, 21_600, 86_400].map(s).to_vec(),
        review_after: s(3_600),
        pending_review_after: s(3_600),
        on_absence: OnAbsence::Resubmit,
        max_attempts: 10,
        backoff_ladder: [1, 2, 5, 10, 30, 60].map(s).to_vec(),
        submit_within: s(3_600),
        call_overdue_after: s(45),
        max_pause: Duration::ZERO,
        notify: Some(NotifyPolicy {
            schedule: [0, 5, 300].map(s).to_vec(),
            jitter: 0.0,
            tells_review: false,
        }),
    }
}

/// A provider that is asked by sending again until it gave its reference, within `safe_for`.
pub(crate) fn resending(mut policy: Policy, safe_for: Duration) -> Policy {
    policy.resend_safe_for = Some(safe_for);
    policy.inquiry.without_reference = Way::Resend;
    policy
}

/// A provider that can't be asked.
pub(crate) fn silent(mut policy: Policy) -> Policy {
    policy.inquiry = Inquiries {
        with_reference: Way::Never,
        without_reference: Way::Never,
    };
    policy
}

pub(crate) fn key(n: u128) -> Key {
    Key {
        app: AppId::parse("shop").expect("a legal name"),
        id: TransactionId(Uuid::from_u128(n)),
    }
}

pub(crate) fn amount(value: i64, currency: &str) -> Amount {
    Amount {
        value,
        currency: currency.to_owned(),
    }
}

/// The acceptance of transaction `n`, to be submitted within an hour.
pub(crate) fn acceptance(n: u128, policy: &Policy) -> Acceptance {
    let key = key(n);
    let request = Request {
        provider: "reference".to_owned(),
        amount: Some(amount(1_000, "EUR")),
        submit_by: Timestamp::from_millis(BEGINNING) + policy.submit_within,
        payload: json!({ "note": "a table for two" }),
        traceparent: None,
    };
    let payload_hash = PayloadHash::of_canonical(key.id.to_string().as_bytes());
    Acceptance {
        key,
        request: Arc::new(request),
        payload_hash,
    }
}

/// What attempt number `attempt` would do. With `one_reference` every attempt has the same one, as at
/// a provider that knows our id only; else each has its own.
pub(crate) fn intent(key: &Key, attempt: u32, one_reference: bool, policy: &Policy) -> Intent {
    let reference = if one_reference {
        key.id.to_string()
    } else {
        format!("{}-{attempt}", key.id)
    };
    Intent {
        provider: None,
        request: Rendered {
            method: "POST".to_owned(),
            url: "http://provider.example/transaction".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: json!({ "id": &reference }).to_string(),
        },
        reference,
        window: policy.ghost_window.map(|ghost| GhostWindow {
            ghost,
            margin: policy.ghost_margin,
        }),
        resend_safe_for_ms: policy.resend_safe_for.map(|safe| safe.as_millis() as u64),
        profile_hash: "00".repeat(32),
    }
}

/// The six findings, by the words that scripts and the table use.
pub(crate) fn finding(word: &str) -> Option<Finding> {
    Some(match word {
        "completed" => Finding::Completed,
        "declined" => Finding::Declined,
        "pending" => Finding::Pending,
        "not_found" => Finding::NotFound,
        "not_executed" => Finding::NotExecuted {
            why: "connection refused".to_owned(),
            retry_after: None,
        },
        "unclear" => Finding::Unclear {
            why: "504".to_owned(),
        },
        _ => return None,
    })
}

pub(crate) fn report(word: &str) -> Report {
    Report::bare(finding(word).unwrap_or_else(|| panic!("{word:?} is not a finding")))
}
