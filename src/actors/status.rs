//! What operators see of an actor: what it does, why the transaction is not final yet, what happens
//! next and when.

use serde::Serialize;

use crate::transaction::{
    Attempt, Conflict, Delivery, Errand, Fate, Key, Mono, Now, Report, Resolution, ReviewReason,
    State, Status, Timestamp, Transaction,
};

/// What happens next to a transaction that is put aside.
const BACK_FROM_ASIDE: &str = "its actor is rebuilt from the journal; \"inquire\", \"resolve\" and \"cancel\" do that at once";

/// One actor, as operators see it.
#[derive(Clone, Debug, Serialize)]
pub struct ActorStatus {
    /// Whose.
    #[serde(flatten)]
    pub key: Key,
    /// Where it is on its way.
    pub state: State,
    /// What the app sees.
    pub status: Status,
    /// Its version.
    pub version: u64,
    /// The provider that has it, or will.
    pub provider: String,
    /// Whether it is in memory now.
    pub resident: bool,
    /// Whether repeated panics have put it aside for a while.
    pub quarantined: bool,
    /// How often it was brought into memory by this process.
    pub activations: u32,
    /// Messages that wait for it.
    pub mailbox: u64,
    /// Clients that wait for it.
    pub watchers: usize,
    /// Why it is not final, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_final_because: Option<String>,
    /// What happens next unless something happens before, in words.
    pub next: String,
    /// When that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Its armed timers.
    pub timers: Vec<TimerStatus>,
    /// When the last attempt's ghost window ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghost_window_ends_at: Option<Timestamp>,
    /// Its attempts.
    pub attempts: Vec<AttemptStatus>,
    /// Status reports recorded so far.
    pub inquiries: u32,
    /// The last status report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_report: Option<Report>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Contradictions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// How far the app's notification is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<NotificationStatus>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its last record was made.
    pub changed_at: Timestamp,
}

/// One armed timer.
#[derive(Clone, Debug, Serialize)]
pub struct TimerStatus {
    /// What for.
    pub timer: &'static str,
    /// When.
    pub due_at: Timestamp,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptStatus {
    /// Its number.
    pub attempt: u32,
    /// The provider that it went to, if that is not the request's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The id under which the provider knows it.
    pub reference: String,
    /// The provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<String>,
    /// When it was recorded.
    pub started_at: Timestamp,
    /// What is known of it.
    pub fate: Fate,
}

/// How far a notification is.
#[derive(Clone, Debug, Serialize)]
pub struct NotificationStatus {
    /// Its id.
    pub id: uuid::Uuid,
    /// What it tells.
    pub status: Status,
    /// Deliveries that failed.
    pub failures: u32,
    /// How far it is.
    pub delivery: Delivery,
}

/// What only the actor and its shard know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Residence {
    /// Whether it is in memory now.
    pub resident: bool,
    /// Until when repeated panics have put it aside, if they have.
    pub aside_until: Option<Mono>,
    /// How often it was brought into memory.
    pub activations: u32,
    /// Messages that wait for it.
    pub mailbox: u64,
    /// Clients that wait for it.
    pub watchers: usize,
}

/// What a shard holds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ShardStatus {
    /// Its number.
    pub shard: usize,
    /// Actors in memory.
    pub live: usize,
    /// Open transactions that wait outside of memory.
    pub dormant: usize,
    /// Actors that are being brought in.
    pub activating: usize,
    /// Transactions that are put aside after repeated panics.
    pub quarantined: usize,
    /// Panics survived since the start.
    pub panics_total: u64,
    /// Decisions that broke a law, since the start: each was logged, and none may ever be.
    pub invariant_violations: u64,
    /// Records that the journal refused because it held others than the actor thought, since the start.
    pub appends_refused: u64,
    /// Answers that named another payment than the one that the attempt is known as, since the start.
    pub answers_about_others: u64,
    /// Whether the open transactions of the last run are all known again.
    pub recovered: bool,
}

impl ActorStatus {
    /// Describes `transaction`.
    #[must_use]
    pub fn of(transaction: &Transaction, residence: Residence, now: Now) -> Self {
        let volatile = &transaction.volatile;
        let wall = |due: Mono| now.wall + due.since(now.mono);
        let aside = |because: String| match residence.aside_until {
            Some(_) => format!("repeated panics have put it aside for a while; {because}"),
            None => because,
        };
        let (next, next_at) = match residence.aside_until {
            Some(until) => (BACK_FROM_ASIDE.to_owned(), Some(until)),
            None => (
                next(transaction),
                volatile.timers.next().map(|(_, due)| due),
            ),
        };
        let mut timers: Vec<_> = volatile
            .timers
            .armed()
            .map(|(timer, due)| TimerStatus {
                timer: timer.as_str(),
                due_at: wall(due),
            })
            .collect();
        timers.sort_by_key(|timer| timer.due_at);
        let attempt = |(index, attempt): (usize, &Attempt)| AttemptStatus {
            attempt: index as u32 + 1,
            provider: attempt.intent.provider.clone(),
            reference: attempt.intent.reference.clone(),
            provider_reference: attempt.provider_reference.clone(),
            started_at: attempt.started_at,
            fate: attempt.fate,
        };
        Self {
            key: transaction.key.clone(),
            state: transaction.state,
            status: transaction.state.status(),
            version: transaction.version,
            provider: transaction.provider().to_owned(),
            resident: residence.resident,
            quarantined: residence.aside_until.is_some(),
            activations: residence.activations,
            mailbox: residence.mailbox,
            watchers: residence.watchers,
            not_final_because: not_final_because(transaction).map(aside),
            next,
            next_at: next_at.map(wall),
            timers,
            ghost_window_ends_at: volatile.window_ends.map(wall),
            attempts: transaction
                .attempts
                .iter()
                .enumerate()
                .map(attempt)
                .collect(),
            inquiries: transaction.inquiries,
            last_report: transaction.last_report.clone(),
            resolution: transaction.resolution.clone(),
            conflicts: transaction.conflicts.clone(),
            notification: transaction
                .notice
                .as_ref()
                .map(|notice| NotificationStatus {
                    id: notice.id,
                    status: notice.status,
                    failures: notice.failures,
                    delivery: notice.delivery,
                }),
            accepted_at: transaction.accepted_at,
            changed_at: transaction.changed_at,
        }
    }
}

fn not_final_because(transaction: &Transaction) -> Option<String> {
    Some(match transaction.state {
        State::Accepted => "it waits for a permit of the provider's gate".to_owned(),
        State::Submitting { attempt } => {
            format!("the request of attempt {attempt} is out and not answered yet")
        }
        State::Pending { attempt } => {
            format!("the provider has attempt {attempt} and has not decided")
        }
        State::Unknown { attempt } => {
            format!("attempt {attempt} may have been executed; nobody has said so yet")
        }
        State::BackingOff { attempt } => {
            format!("attempt {attempt} was surely not executed, and the next has not started")
        }
        State::InReview { why } => match why {
            ReviewReason::Deadline => "no evidence came in time, and a person is asked",
            ReviewReason::AmountMismatch => {
                "the provider says that it executed it, for another amount; a person is asked"
            }
            ReviewReason::OtherReference => {
                "the provider says that it executed it under another id of its own than before; a person is asked"
            }
            ReviewReason::EarlierAttempt => {
                "the provider says that it has an earlier attempt, which counted as not executed; a person is asked"
            }
        }
        .to_owned(),
        State::Completed | State::Declined | State::Failed => return None,
    })
}

fn next(transaction: &Transaction) -> String {
    use crate::transaction::Timer;
    let volatile = &transaction.volatile;
    if volatile.inquiry == Errand::Queued {
        return "the provider is asked as soon as the inquiry budget allows".to_owned();
    }
    if volatile.submission == Errand::Queued {
        return "the request goes out as soon as the gate allows".to_owned();
    }
    let Some((timer, _)) = volatile.timers.next() else {
        return if transaction.is_open() {
            "activation"
        } else {
            "nothing; it is finished"
        }
        .to_owned();
    };
    match timer {
        Timer::Submit => "the gate is asked for the next attempt",
        Timer::Expire => "it fails as expired, if nothing has been sent by then",
        Timer::SubmissionOverdue => "the answer; without one the attempt becomes unknown",
        Timer::Inquire => "the provider is asked",
        Timer::InquiryOverdue => "the status report; without one the provider is asked again",
        Timer::Review => "a person is asked",
        Timer::Notify => "the app is told",
        Timer::NotifyOverdue => "the app's acknowledgement; without one it is told again",
    }
    .to_owned()
}
