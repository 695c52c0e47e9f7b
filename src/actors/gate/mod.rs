//! The gate of one provider: what goes out, and when.
//!
//! ```text
//!   actor ── ask ──▶ queue ──▶ [ breaker · concurrency · rate · budget ] ──▶ permit ──▶ actor
//! ```
//!
//! One gate is shared by all shards. Nobody waits inside of it: a queued transaction is a key in a
//! queue, and may even have left memory; [`pump`] routes the permit to it when its turn comes. The
//! inquiry budget is never exceeded, whoever asks and however often (the provider blocks those who
//! do), and its bucket starts empty.

mod breaker;
mod budget;
pub mod pump;
mod queue;
mod reroute;
mod share;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use breaker::Breaker;
pub use breaker::BreakerState;
use budget::Budget;
use queue::{Doubt, Doubts, Line};
use reroute::Rerouting;
use share::Share;
pub use status::GateStatus;

use crate::clock::Clock;
use crate::ports::Limits;
use crate::transaction::{Key, Mono};

/// Unauthenticated hints may use this share of the inquiry budget.
const HINT_SHARE: f64 = 0.1;
/// Permits handed out in one go, so that a pump never holds the lock for long.
const GRANTS_AT_ONCE: usize = 256;

/// One provider's gate.
pub struct Gate {
    provider: String,
    limits: Limits,
    clock: Clock,
    state: Mutex<GateState>,
    changed: Notify,
    /// Whether transactions that wait here may have somewhere else to go while the breaker is open.
    diverts: AtomicBool,
}

struct GateState {
    breaker: Breaker,
    submissions: Line,
    rerouting: Option<Rerouting>,
    submissions_out: u32,
    submission_rate: Option<Budget>,
    inquiries: Doubts,
    inquiries_out: u32,
    inquiry_budget: Budget,
    hint_budget: Budget,
    share: Share,
    closed: bool,
    submitted: u64,
    inquired: u64,
    failed_in_a_row: u32,
}

/// What kind of call a permit is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Submission,
    Inquiry,
}

/// The right to make one call. Dropping it gives the place back.
pub struct Permit {
    gate: Arc<Gate>,
    kind: Kind,
    probe: bool,
    verdict: Option<bool>,
}

impl Permit {
    /// Ends the call: `healthy` says whether the provider answered as one that works.
    pub fn came_back(mut self, healthy: bool) {
        self.verdict = Some(healthy);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.give_back(self.kind, self.probe, self.verdict);
    }
}

/// A permit for somebody in the queue.
pub struct Grant {
    /// Whose turn it is.
    pub key: Key,
    /// The right to make the call.
    pub permit: Permit,
    /// For an inquiry, how long it waited here.
    pub inquiry_waited: Option<Duration>,
    last_asked: Mono,
}

impl Grant {
    /// The provider whose gate granted it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.permit.gate.provider
    }

    /// The permit could not be delivered: its holder waits again where it stood.
    pub fn put_back(self) {
        let gate = Arc::clone(&self.permit.gate);
        gate.return_grant(self);
    }
}

impl Gate {
    /// An open gate with empty buckets.
    #[must_use]
    pub fn new(provider: &str, limits: Limits, clock: Clock) -> Arc<Self> {
        let now = clock.mono();
        let budget = limits.inquiries_per_second;
        let state = GateState {
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause),
            submissions: Line::default(),
            rerouting: None,
            submissions_out: 0,
            submission_rate: limits
                .submissions_per_second
                .map(|rate| Budget::empty(rate, rate.max(1.0), now)),
            inquiries: Doubts::default(),
            inquiries_out: 0,
            inquiry_budget: Budget::empty(budget, f64::from(limits.inquiry_burst), now),
            hint_budget: Budget::empty(
                budget * HINT_SHARE,
                f64::from(limits.inquiry_burst) * HINT_SHARE,
                now,
            ),
            share: Share::WHOLE,
            closed: false,
            submitted: 0,
            inquired: 0,
            failed_in_a_row: 0,
        };
        let provider = provider.to_owned();
        Arc::new(Self {
            provider,
            limits,
            clock,
            state: Mutex::new(state),
            changed: Notify::new(),
            diverts: AtomicBool::new(false),
        })
    }

    /// A submission permit at once, if nobody waits before and nothing stands against it.
    #[must_use]
    pub fn try_submit(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.lock();
        if !state.submissions.is_empty() {
            return None;
        }
        self.admit_submission(&mut state)
    }

    /// Queues for a submission; the permit comes as a message.
    pub fn ask_to_submit(&self, key: &Key) {
        let mut state = self.lock();
        let first = state.submissions.is_empty();
        state.submissions.join(key);
        // Behind others nothing changes for the pump: it waits for what they wait for.
        if first && state.submissions_out < state.share.places(self.limits.submissions_at_once) {
            self.changed.notify_one();
        }
    }

    /// Queues for an inquiry; the permit comes as a message. Asking again moves it up if by now a
    /// client waits.
    pub fn ask_to_inquire(&self, key: &Key, last_asked: Mono, client_waits: bool) {
        let since = self.clock.mono();
        let doubt = Doubt {
            key: key.clone(),
            last_asked,
            since,
        };
        let mut state = self.lock();
        let first = state.inquiries.is_empty();
        state.inquiries.join(doubt, client_waits);
        if first {
            self.changed.notify_one();
        }
    }

    /// A client began to wait for this transaction.
    pub fn client_waits(&self, key: &Key, last_asked: Mono) {
        let queued = self.lock().inquiries.holds(key);
        if queued {
            self.ask_to_inquire(key, last_asked, true);
        }
    }

    /// Leaves both queues.
    pub fn leave(&self, key: &Key) {
        let mut state = self.lock();
        state.submissions.leave(key);
        state.inquiries.leave(key);
    }

    /// Whether a hint may advance an inquiry now; spends the hints' share of the budget.
    #[must_use]
    pub fn take_hint(&self) -> bool {
        let now = self.clock.mono();
        let mut state = self.lock();
        state.has_share(now) && state.hint_budget.take(now)
    }

    /// Hands out nothing more: the process is about to stop.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Calls that are out.
    #[must_use]
    pub fn calls_out(&self) -> u32 {
        let state = self.lock();
        state.submissions_out + state.inquiries_out
    }

    /// Whoever may go now, in order, at most [`GRANTS_AT_ONCE`].
    fn grants(self: &Arc<Self>) -> Vec<Grant> {
        let mut state = self.lock();
        let mut grants = Vec::new();
        while grants.len() < GRANTS_AT_ONCE {
            let Some(grant) = self
                .next_inquiry(&mut state)
                .or_else(|| self.next_submission(&mut state))
            else {
                break;
            };
            grants.push(grant);
        }
        grants
    }

    /// The message could not be delivered: back to where it stood.
    fn return_grant(&self, grant: Grant) {
        let mut state = self.lock();
        match grant.inquiry_waited {
            None => state.submissions.return_to_front(grant.key.clone()),
            Some(waited) => {
                let since = self.clock.mono() - waited;
                let doubt = Doubt {
                    key: grant.key.clone(),
                    last_asked: grant.last_asked,
                    since,
                };
                state.inquiries.join(doubt, false);
            }
        }
        drop(state);
        drop(grant);
    }

    /// When [`Self::grants`] may have something next; `None`: not before something changes.
    fn next_at(&self) -> Option<Mono> {
        let now = self.clock.mono();
        let mut state = self.lock();
        if state.closed || (state.submissions.is_empty() && state.inquiries.is_empty()) {
            return None;
        }
        if state.rerouting.is_some() {
            return Some(now + reroute::PAUSE);
        }
        if !state.has_share(now) {
            return None;
        }
        let breaker = state.breaker.next_at(now)?;
        let inquiry = (!state.inquiries.is_empty()
            && state.inquiries_out < state.share.places(self.limits.inquiries_at_once))
        .then(|| state.inquiry_budget.next_at(now));
        let submission = (!state.submissions.is_empty()
            && state.submissions_out < state.share.places(self.limits.submissions_at_once))
        .then(|| {
            state
                .submission_rate
                .as_mut()
                .map_or(now, |rate| rate.next_at(now))
        });
        Some(inquiry.into_iter().chain(submission).min()?.max(breaker))
    }

    fn next_submission(self: &Arc<Self>, state: &mut GateState) -> Option<Grant> {
        if state.submissions.is_empty() {
            return None;
        }
        let permit = self.admit_submission(state)?;
        let key = state
            .submissions
            .pop()
            .expect("the line was checked not to be empty under the same lock");
        Some(Grant {
            key,
            permit,
            inquiry_waited: None,
            last_asked: Mono::default(),
        })
    }

    fn admit_submission(self: &Arc<Self>, state: &mut GateState) -> Option<Permit> {
        let now = self.clock.mono();
        if state.closed
            || !state.has_share(now)
            || state.submissions_out >= state.share.places(self.limits.submissions_at_once)
        {
            return None;
        }
        if state
            .submission_rate
            .as_mut()
            .is_some_and(|rate| !rate.has(now))
            || !state.breaker.admit(now)
        {
            return None;
        }
        if let Some(rate) = &mut state.submission_rate {
            rate.take(now);
        }
        state.submissions_out += 1;
        state.submitted += 1;
        let probe = state.breaker.is_probing();
        Some(Permit {
            gate: Arc::clone(self),
            kind: Kind::Submission,
            probe,
            verdict: None,
        })
    }

    fn next_inquiry(self: &Arc<Self>, state: &mut GateState) -> Option<Grant> {
        let now = self.clock.mono();
        let room = !state.closed
            && state.has_share(now)
            && state.inquiries_out < state.share.places(self.limits.inquiries_at_once);
        if state.inquiries.is_empty()
            || !room
            || !state.inquiry_budget.has(now)
            || !state.breaker.admit(now)
        {
            return None;
        }
        state.inquiry_budget.take(now);
        let doubt = state
            .inquiries
            .pop()
            .expect("the queue was checked not to be empty under the same lock");
        state.inquiries_out += 1;
        state.inquired += 1;
        let probe = state.breaker.is_probing();
        let permit = Permit {
            gate: Arc::clone(self),
            kind: Kind::Inquiry,
            probe,
            verdict: None,
        };
        let waited = Some(now.since(doubt.since));
        Some(Grant {
            key: doubt.key,
            permit,
            inquiry_waited: waited,
            last_asked: doubt.last_asked,
        })
    }

    fn give_back(&self, kind: Kind, probe: bool, verdict: Option<bool>) {
        let now = self.clock.mono();
        let mut state = self.lock();
        match kind {
            Kind::Submission => state.submissions_out = state.submissions_out.saturating_sub(1),
            Kind::Inquiry => state.inquiries_out = state.inquiries_out.saturating_sub(1),
        }
        match verdict {
            Some(healthy) => {
                state.failed_in_a_row = if healthy {
                    0
                } else {
                    state.failed_in_a_row.saturating_add(1)
                };
                let opened = state.breaker.came_back(healthy, probe, now);
                if opened && self.diverts.load(Ordering::Acquire) {
                    state.rerouting = Some(Rerouting::of(&state.submissions));
                }
            }
            None if probe => state.breaker.unused(),
            None => {}
        }
        drop(state);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        // Every change under the lock is whole before anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
