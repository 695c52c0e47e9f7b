//! What a webhook states, as a short text: with its provider and its event id, the identity of an event.
//!
//! Providers send an event again under the same id, and that is a duplicate. They also send another
//! finding or another amount under the same id, and that is a contradiction, which must not be lost as a
//! duplicate (law 5). The core, the inbox and the letters therefore compare this text too.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::evidence::{Report, ReportedAmount};

/// Bytes of a statement, at most: it is part of names that stores hold in memory. No statement that teller
/// writes itself comes near; a longer one is replaced by its digest.
pub const MAX_STATEMENT_BYTES: usize = 96;

/// A finding and, where the webhook states one, its amount: `completed`, `completed 1000 EUR`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statement(Arc<str>);

impl Statement {
    /// What this report states. Its wording, its reasons and the references beside it don't count: they
    /// may differ between two deliveries of one event.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let finding = report.finding.as_str();
        let text = match &report.amount {
            None => finding.to_owned(),
            Some(ReportedAmount::Read(amount)) => {
                format!("{finding} {} {}", amount.value, amount.currency)
            }
            Some(ReportedAmount::Unreadable { text }) => {
                format!("{finding} unreadable {}", digest(text))
            }
        };
        Self::from_text(&text)
    }

    /// The statement that was written as `text`.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if text.len() > MAX_STATEMENT_BYTES {
            return Self(digest(text).into());
        }
        Self(text.into())
    }

    /// As it is stored and shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Half of a SHA-256, in hexadecimal: 32 bytes of text.
fn digest(text: &str) -> String {
    use fmt::Write as _;
    let hash = Sha256::digest(text.as_bytes());
    hash[..16].iter().fold(String::new(), |mut text, byte| {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::{Amount, Finding};

    fn of(finding: Finding, amount: Option<ReportedAmount>) -> String {
        let report = Report {
            amount,
            ..Report::bare(finding)
        };
        Statement::of(&report).as_str().to_owned()
    }

    fn read(value: i64) -> Option<ReportedAmount> {
        let currency = "EUR".to_owned();
        Some(ReportedAmount::Read(Amount { value, currency }))
    }

    /// Rows are stored under these texts: another wording would not find them again.
    #[test]
    fn statements_are_written_as_they_always_were() {
        assert_eq!(of(Finding::Completed, None), "completed");
        assert_eq!(of(Finding::Completed, read(1000)), "completed 1000 EUR");
        assert_eq!(of(Finding::Declined, read(-5)), "declined -5 EUR");
        let why = || "a reason".to_owned();
        let not_executed = Finding::NotExecuted {
            why: why(),
            retry_after: None,
        };
        assert_eq!(of(not_executed, None), "not_executed");
        assert_eq!(of(Finding::Unclear { why: why() }, None), "unclear");
        let text = "a lot ?".to_owned();
        assert_eq!(
            of(
                Finding::Completed,
                Some(ReportedAmount::Unreadable { text })
            ),
            "completed unreadable 0320c8f30c311cf41f68e458b634a880"
        );
    }

    #[test]
    fn another_finding_or_amount_is_another_statement_and_another_wording_is_not() {
        let report = Report {
            word: Some("DONE".to_owned()),
            amount: read(7),
            ..Report::bare(Finding::Completed)
        };
        let again = Report {
            word: Some("done".to_owned()),
            provider_reference: Some("r".to_owned()),
            ..report.clone()
        };
        assert_eq!(Statement::of(&report), Statement::of(&again));
        for other in [
            of(Finding::Declined, read(7)),
            of(Finding::Completed, read(8)),
            of(Finding::Completed, None),
        ] {
            assert_ne!(Statement::of(&report).as_str(), other);
        }
    }

    #[test]
    fn a_statement_is_short_whatever_the_provider_writes() {
        let endless = |letter: &str| {
            Some(ReportedAmount::Unreadable {
                text: letter.repeat(10_000),
            })
        };
        let (one, other) = (
            of(Finding::Completed, endless("x")),
            of(Finding::Completed, endless("y")),
        );
        assert!(one.len() <= MAX_STATEMENT_BYTES);
        assert_ne!(one, other);
        let long = Statement::from_text(&"z".repeat(MAX_STATEMENT_BYTES + 1));
        assert!(long.as_str().len() <= MAX_STATEMENT_BYTES);
    }
}
