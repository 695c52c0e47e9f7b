//! The numbers of a provider's profile that decisions depend on. Configuration makes one per
//! provider; the core only reads it.

use std::time::Duration;

use super::identity::Key;

/// Attempts that one transaction can ever have, refused ones included: bounds its memory and history.
pub const MAX_ATTEMPTS_EVER: u32 = 200;
/// Contradictions kept per transaction; further ones are counted in the logs only.
pub const MAX_CONFLICTS: usize = 16;
/// Inconclusive status reports written to the history of one transaction. After that they only move
/// its timers: a review that lasts for months must not grow a history for months.
pub const MAX_RECORDED_INQUIRIES: u32 = 200;
/// Webhooks written to the history of one transaction while they decide nothing, and event ids that
/// it remembers. A payment's life has a dozen; a provider that sends more is repeating itself, and its
/// conclusive ones are still taken.
pub const MAX_RECORDED_WEBHOOKS: usize = 100;

/// Times that one transaction's requests can ever be sent again as an inquiry. Each is a record of its
/// own; the ladder's last steps are minutes, so this is most of a day.
pub const MAX_RESENDS: u32 = 100;

/// How one provider's transactions are handled.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// How long after its sending an attempt without an answer may still appear. `None`: the
    /// provider states none, so absence is never proven (law 3).
    pub ghost_window: Option<Duration>,
    /// Added to the window for the request's way to the provider.
    pub ghost_margin: Duration,
    /// Whether, and for how long after an attempt's start, sending the same reference again is
    /// idempotent at the provider (law 2). `None`: never.
    pub resend_safe_for: Option<Duration>,
    /// How the provider is asked what became of an attempt.
    pub inquiry: Inquiries,
    /// Equal gaps between the failure and the end of the ghost window, an inquiry at the end of each.
    pub inquiry_gaps: u32,
    /// Waits between inquiries while the provider says "pending", or has no window; the last repeats.
    pub pending_ladder: Vec<Duration>,
    /// Waits between inquiries that brought nothing after the window's end; the last repeats.
    pub retry_ladder: Vec<Duration>,
    /// Waits between inquiries while a person is asked; the last repeats.
    pub review_ladder: Vec<Duration>,
    /// Time in doubt after which a person is asked. Time lost to our own budget is not counted.
    pub review_after: Duration,
    /// Time after which a person is asked about an attempt that the provider says is pending, counted from
    /// when the provider first said so: a bank debit takes days, and nothing is wrong with it.
    pub pending_review_after: Duration,
    /// What to do when an attempt is proven absent.
    pub on_absence: OnAbsence,
    /// Attempts that may have been executed, at most; one more proven absence fails the transaction.
    pub max_attempts: u32,
    /// Waits before the next attempt after one that was surely not executed; the last repeats.
    pub backoff_ladder: Vec<Duration>,
    /// How long after acceptance an attempt may still be started, unless the request says.
    pub submit_within: Duration,
    /// After this long without a word from our own call, the call itself is given up as unknown:
    /// longer than every time-out of the client, so it only fires when something is broken.
    pub call_overdue_after: Duration,
    /// Added to the window of whatever was in another life's hands: how long after it lost the right to
    /// act that life may still send what it had made up its mind to. Zero where there can be no other.
    pub max_pause: Duration,
    /// How the app is told; `None` tells it nothing.
    pub notify: Option<NotifyPolicy>,
}

/// How a provider is asked about an attempt, which may depend on whether it gave a reference for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inquiries {
    /// While the provider's own reference for the attempt is known.
    pub with_reference: Way,
    /// While it isn't.
    pub without_reference: Way,
}

impl Inquiries {
    /// A provider that can always be asked.
    pub const ALWAYS: Self = Self {
        with_reference: Way::Ask,
        without_reference: Way::Ask,
    };

    /// Whether some of it is asked by sending again.
    #[must_use]
    pub fn resends(self) -> bool {
        self.with_reference == Way::Resend || self.without_reference == Way::Resend
    }
}

/// A way of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// By an inquiry.
    Ask,
    /// By sending the same request again: the provider answers what became of the first. Only as
    /// [`super::Transaction::may_resend`] says, which makes [`Policy::resend_safe_for`] mandatory.
    Resend,
    /// Not at all: webhooks and people tell.
    Never,
}

/// What follows a proven absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnAbsence {
    /// Submit again, up to [`Policy::max_attempts`].
    Resubmit,
    /// Give up: `Failed`.
    Fail,
}

/// When to tell the app.
#[derive(Clone, PartialEq, Debug)]
pub struct NotifyPolicy {
    /// The wait before each delivery, the first included. After the last the notification is given up.
    pub schedule: Vec<Duration>,
    /// Each wait is spread by this share of itself, so that a returning app is not stampeded.
    pub jitter: f64,
    /// Whether the app is told when a person is asked.
    pub tells_review: bool,
}

impl Policy {
    /// The step `n` (from 0) of a ladder whose last step repeats.
    #[must_use]
    pub(super) fn step(ladder: &[Duration], n: u32) -> Duration {
        // An empty ladder can't come from a profile; a minute keeps law 4 even then.
        const WITHOUT_LADDER: Duration = Duration::from_mins(1);
        let n = usize::try_from(n)
            .unwrap_or(usize::MAX)
            .min(ladder.len().saturating_sub(1));
        ladder.get(n).copied().unwrap_or(WITHOUT_LADDER)
    }

    /// The wait before the attempt that follows refused attempt number `attempt`, spread over 80 to
    /// 120 % so that a provider that comes back is not met by everybody at once.
    #[must_use]
    pub(super) fn backoff(&self, key: &Key, attempt: u32, refusals: u32) -> Duration {
        Self::step(&self.backoff_ladder, refusals).mul_f64(0.8 + 0.4 * key.jitter(attempt))
    }
}

impl NotifyPolicy {
    /// The wait before delivery number `delivery` (from 0); `None` when the schedule is used up.
    #[must_use]
    pub(super) fn wait(&self, key: &Key, delivery: u32) -> Option<Duration> {
        let wait = self.schedule.get(usize::try_from(delivery).ok()?)?;
        let spread = 1.0 + self.jitter * (2.0 * key.jitter(delivery.wrapping_add(1000)) - 1.0);
        Some(wait.mul_f64(spread.max(0.0)))
    }
}
