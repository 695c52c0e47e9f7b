//! What a search may do, and how often.

use teller::transaction::{Inquiries, OnAbsence, Policy};

use super::seconds;

/// How long after it left a request may still arrive.
pub(super) const GHOST_S: u64 = 2;

/// The bounds of one search.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) name: &'static str,
    pub(super) policy: Policy,
    /// Where time ends.
    pub(super) horizon_s: u64,
    /// Attempts at most.
    pub(super) attempts: u32,
    /// Webhooks delivered at most, repetitions included.
    pub(super) webhooks: u8,
    /// Restarts and changes of owner at most.
    pub(super) restarts: u8,
    /// Acts of people and of the app at most.
    pub(super) acts: u8,
    /// All attempts have one reference, so a report can't tell them apart.
    pub(super) one_reference: bool,
    /// Webhooks and answers carry an id of the provider's own.
    pub(super) provider_ids: bool,
    /// A commit takes as long as it likes; else none of the model's time.
    pub(super) slow_commits: bool,
    /// The first byte leaves as late as it likes, also after the call was given up; else within a second.
    pub(super) late_sending: bool,
    /// A request that waits to leave when the owner changes may still leave within `max_pause`.
    pub(super) former_owner_sends: bool,
    /// Attempts may go to a stand-in, where the core lets them.
    pub(super) stand_in: bool,
}

impl Setup {
    /// One process, quick commits, two attempts.
    pub(super) fn plain(name: &'static str) -> Self {
        Self {
            name,
            policy: policy(),
            horizon_s: 11,
            attempts: 2,
            webhooks: 0,
            restarts: 0,
            acts: 0,
            one_reference: false,
            provider_ids: false,
            slow_commits: false,
            late_sending: false,
            former_owner_sends: false,
            stand_in: false,
        }
    }
}

fn policy() -> Policy {
    Policy {
        ghost_window: Some(seconds(GHOST_S)),
        ghost_margin: seconds(1),
        resend_safe_for: None,
        inquiry: Inquiries::ALWAYS,
        inquiry_gaps: 1,
        pending_ladder: vec![seconds(2)],
        retry_ladder: vec![seconds(2)],
        review_ladder: vec![seconds(3)],
        review_after: seconds(7),
        pending_review_after: seconds(7),
        on_absence: OnAbsence::Resubmit,
        max_attempts: 3,
        backoff_ladder: vec![seconds(0)],
        submit_within: seconds(100),
        call_overdue_after: seconds(3),
        max_pause: seconds(0),
        notify: None,
    }
}
