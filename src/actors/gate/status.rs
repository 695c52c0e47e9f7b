//! What operators see of a gate.

use serde::Serialize;

use super::{BreakerState, Gate};

/// What a gate looks like to operators.
#[derive(Clone, Debug, Serialize)]
pub struct GateStatus {
    /// The provider.
    pub provider: String,
    /// What the breaker lets through.
    pub breaker: BreakerState,
    /// Milliseconds until an open breaker probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes_in_ms: Option<u64>,
    /// How often the breaker has opened since the start.
    pub breaker_opened_total: u64,
    /// Calls in a row that failed.
    pub failed_in_a_row: u32,
    /// Transactions that wait to be submitted.
    pub submissions_waiting: usize,
    /// Submissions that are out.
    pub submissions_out: u32,
    /// Submissions since the start.
    pub submissions_total: u64,
    /// Inquiries that wait for the budget.
    pub inquiries_waiting: usize,
    /// Inquiries that are out.
    pub inquiries_out: u32,
    /// Inquiries since the start.
    pub inquiries_total: u64,
    /// Inquiries that could go out at this moment.
    pub inquiry_budget_left: f64,
    /// The budget's rate.
    pub inquiries_per_second: f64,
}

impl Gate {
    /// What operators see.
    #[must_use]
    pub fn status(&self) -> GateStatus {
        let now = self.clock.mono();
        let mut state = self.lock();
        let _ = state.inquiry_budget.has(now);
        GateStatus {
            provider: self.provider.clone(),
            breaker: state.breaker.state(),
            probes_in_ms: state
                .breaker
                .open_until()
                .map(|until| until.since(now).as_millis() as u64),
            breaker_opened_total: state.breaker.times_opened(),
            failed_in_a_row: state.failed_in_a_row,
            submissions_waiting: state.submissions.len(),
            submissions_out: state.submissions_out,
            submissions_total: state.submitted,
            inquiries_waiting: state.inquiries.len(),
            inquiries_out: state.inquiries_out,
            inquiries_total: state.inquired,
            inquiry_budget_left: state.inquiry_budget.left(),
            inquiries_per_second: self.limits.inquiries_per_second,
        }
    }
}
