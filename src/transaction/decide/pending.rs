//! "The provider has it and has not decided", by answer, webhook or status report, in whatever order.
//!
//! It is never forgotten: after it, neither "not found" nor a failure of our own call proves anything about
//! that attempt, because the provider has shown that it has it ([`Attempt::is_acknowledged`]).
//!
//! [`Attempt::is_acknowledged`]: super::super::attempts::Attempt::is_acknowledged

use super::super::attempts::Fate;
use super::super::evidence::{Conflict, ConflictKind};
use super::super::policy::MAX_CONFLICTS;
use super::super::record::Fact;
use super::super::state::{Errand, ReviewReason, State, Transaction};
use super::super::time::Mono;
use super::step::{Brings, Step};
use super::{Decision, Ignored};

/// What "pending" changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    /// The last attempt was out or in doubt: now it is known where it is.
    Arrived,
    /// The last attempt counted as surely not executed, and the next one was about to start.
    Revived,
    /// A person is asked already, and now the last attempt's fate is known better.
    InReview,
    /// An earlier attempt counted as surely not executed, and a later one has started.
    Earlier,
    /// The transaction has ended, and this attempt counted as not executed.
    AfterEnd,
}

/// What it changes that attempt number `attempt` is pending at the provider; `None` if that was known, or
/// matters no more.
pub(super) fn news(transaction: &Transaction, attempt: u32) -> Option<News> {
    let fate = transaction.numbered(attempt)?.fate;
    let known = match fate {
        Fate::Pending | Fate::Completed | Fate::Declined => true,
        Fate::Out | Fate::Unknown | Fate::NotExecuted | Fate::Absent => false,
    };
    if known {
        return None;
    }
    let present = attempt == transaction.attempt_no();
    let counted_as_not_executed = matches!(fate, Fate::NotExecuted | Fate::Absent);
    match transaction.state {
        State::Completed | State::Declined => counted_as_not_executed.then_some(News::AfterEnd),
        State::Failed => Some(News::AfterEnd),
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Pending { .. }
        | State::BackingOff { .. }
        | State::InReview { .. }
        | State::Accepted
            if !present =>
        {
            Some(News::Earlier)
        }
        State::Submitting { .. } | State::Unknown { .. } => Some(News::Arrived),
        State::BackingOff { .. } => Some(News::Revived),
        State::InReview { .. } => Some(News::InReview),
        // The last attempt of a pending transaction is pending, and an accepted one has none.
        State::Pending { .. } | State::Accepted => None,
    }
}

/// Takes the news in.
pub(super) fn take(
    mut step: Step<'_>,
    news: News,
    fact: Fact,
    attempt: u32,
    sent_at: Option<Mono>,
) -> Result<Decision, Ignored> {
    let brings = Brings::fate(attempt, Fate::Pending);
    match news {
        News::Arrived => step.enter_pending(fact, attempt, sent_at),
        News::Revived => {
            step.leave_submission();
            step.enter_pending(fact, attempt, sent_at);
        }
        News::InReview => {
            step.note(fact, brings);
            if let Some(sent_at) = sent_at {
                step.move_window(sent_at);
            }
            ask_on(&mut step);
        }
        News::Earlier => match step.next.state {
            State::InReview { .. } => {
                step.note(fact, brings);
                step.keep_asking();
            }
            State::Accepted
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::BackingOff { .. }
            | State::Completed
            | State::Declined
            | State::Failed => {
                step.leave_submission();
                step.enter_review(fact, ReviewReason::EarlierAttempt, brings);
            }
        },
        News::AfterEnd => {
            let conflict = Conflict {
                kind: ConflictKind::PendingAfterEnd,
                source: fact.source(),
                attempt: Some(attempt),
                claimed: None,
            };
            let known = step.next.conflicts.contains(&conflict);
            if known || step.next.conflicts.len() >= MAX_CONFLICTS {
                return step.ignored(Ignored::Late);
            }
            let conflict = Some(conflict);
            step.note(
                fact,
                Brings {
                    conflict,
                    ..Brings::default()
                },
            );
        }
    }
    step.done()
}

/// The provider was asked just now, or told by itself: the next inquiry follows the ladder.
fn ask_on(step: &mut Step<'_>) {
    if step.next.volatile.inquiry == Errand::Idle {
        step.arm_next_inquiry();
    }
}
