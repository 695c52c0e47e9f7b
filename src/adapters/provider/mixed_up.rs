//! The way to the provider has handed an answer to the wrong request.
//!
//! An answer that names another payment shows it. "Not found" and most refusals name none, so after such an
//! answer they prove nothing for a while: the next one may be another payment's as well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::transaction::{Finding, Mono, Report};

/// How long answers that name no payment are not believed after one that named another. A connection that is
/// one answer late stays so until it is closed, which idle ones are after minutes.
const DISTRUST_FOR: Duration = Duration::from_mins(10);

/// What was seen of mixed-up answers of one provider.
#[derive(Debug, Default)]
pub(super) struct MixedUp {
    seen: AtomicU64,
    /// Milliseconds of the process's clock.
    until: AtomicU64,
}

impl MixedUp {
    /// Answers that named another payment, since the start.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// An answer has named another payment.
    pub(super) fn note(&self, now: Mono) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let until = (now + DISTRUST_FOR).as_millis();
        self.until.fetch_max(until, Ordering::Relaxed);
    }

    /// The report of an answer that names no payment: one that decides something is not believed for now.
    pub(super) fn doubt(&self, mut report: Report, now: Mono) -> Report {
        let decides = match report.finding {
            Finding::Completed
            | Finding::Declined
            | Finding::NotFound
            | Finding::NotExecuted { .. } => true,
            Finding::Pending | Finding::Unclear { .. } => false,
        };
        if decides && now.as_millis() < self.until.load(Ordering::Relaxed) {
            let why = format!(
                "the answer says {} and names no payment, and answers were mixed up lately",
                report.finding.as_str()
            );
            report.finding = Finding::Unclear { why };
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_payment_is_not_believed_for_a_while_after_a_mix_up() {
        let at = |minutes: u64| Mono::from_millis(minutes * 60_000);
        let mixed_up = MixedUp::default();
        let not_found = || Report::bare(Finding::NotFound);
        assert_eq!(mixed_up.doubt(not_found(), at(1)), not_found());
        mixed_up.note(at(1));
        let doubted = mixed_up.doubt(not_found(), at(10)).finding;
        assert!(matches!(doubted, Finding::Unclear { .. }), "{doubted:?}");
        let pending = || Report::bare(Finding::Pending);
        assert_eq!(mixed_up.doubt(pending(), at(10)), pending());
        assert_eq!(mixed_up.doubt(not_found(), at(11)), not_found());
        assert_eq!(mixed_up.seen(), 1);
    }
}
