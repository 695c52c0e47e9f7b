//! One step in the making: records are folded as they are added, and entering a state arms the
//! timers that belong to it, so that no decision can forget one (law 4).

use std::time::Duration;

use super::super::attempts::Fate;
use super::super::event::Effect;
use super::super::evidence::{Conflict, Outcome, Resolution, Source};
use super::super::evidence::{Finding, Report};
use super::super::policy::{MAX_RECORDED_INQUIRIES, Policy};
use super::super::record::{AttemptFate, Fact, RECORD_FORMAT, Record};
use super::super::state::{Delivery, Errand, Repetition, ReviewReason, State, Status, Transaction};
use super::super::time::{LastingInstant, Mono, Now};
use super::super::timers::Timer;
use super::{Decision, Ignored};

/// What a record brings beside its fact.
#[derive(Default)]
pub(super) struct Brings {
    pub(super) fate: Option<AttemptFate>,
    pub(super) resolution: Option<Resolution>,
    pub(super) conflict: Option<Conflict>,
    pub(super) tell: bool,
}

impl Brings {
    pub(super) fn fate(attempt: u32, fate: Fate) -> Self {
        Self {
            fate: Some(AttemptFate { attempt, fate }),
            ..Self::default()
        }
    }
}

pub(super) struct Step<'a> {
    pub(super) next: Transaction,
    pub(super) now: Now,
    pub(super) policy: &'a Policy,
    /// Whether this event is the return of a call that was out: worth keeping even when it says
    /// nothing, or the actor would wait for that call for ever.
    pub(super) came_home: bool,
    records: Vec<Record>,
    effects: Vec<Effect>,
}

impl<'a> Step<'a> {
    pub(super) fn new(transaction: &Transaction, now: Now, policy: &'a Policy) -> Self {
        Self::starting(transaction.clone(), Vec::new(), now, policy)
    }

    pub(super) fn starting(
        next: Transaction,
        records: Vec<Record>,
        now: Now,
        policy: &'a Policy,
    ) -> Self {
        Self {
            next,
            now,
            policy,
            came_home: false,
            records,
            effects: Vec::new(),
        }
    }

    pub(super) fn done(self) -> Result<Decision, Ignored> {
        Ok(Decision {
            records: self.records,
            next: self.next,
            effects: self.effects,
        })
    }

    /// Ends a step that says nothing new.
    pub(super) fn ignored(self, why: Ignored) -> Result<Decision, Ignored> {
        if self.came_home {
            self.done()
        } else {
            Err(why)
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn arm(&mut self, timer: Timer, due: Mono) {
        self.next.volatile.timers.arm(timer, due);
    }

    pub(super) fn disarm(&mut self, timer: Timer) {
        self.next.volatile.timers.disarm(timer);
    }

    /// Adds a record that leaves the state as it is.
    pub(super) fn note(&mut self, fact: Fact, brings: Brings) {
        let state = self.next.state;
        self.record(fact, state, brings);
    }

    /// Adds a record and folds it.
    pub(super) fn record(&mut self, fact: Fact, to: State, brings: Brings) {
        let record = Record {
            format: RECORD_FORMAT,
            version: self.next.version + 1,
            at: self.now.wall,
            to,
            fact,
            fate: brings.fate,
            resolution: brings.resolution,
            conflict: brings.conflict,
            tell: brings.tell && self.policy.notify.is_some(),
        };
        let knew = self.next.provider_references().len();
        self.next
            .apply(&record)
            .expect("a step numbers its records itself and names only attempts that started");
        self.records.push(record);
        if self.next.provider_references().len() > knew {
            self.effect(Effect::ClaimInbox);
        }
    }

    /// Adds a status report that changed nothing, unless the history has enough of them.
    pub(super) fn note_inconclusive(&mut self, fact: Fact) {
        if self.next.inquiries < MAX_RECORDED_INQUIRIES {
            self.note(fact, Brings::default());
        }
    }

    // ---- entering states -------------------------------------------------------------------------

    /// Waits for the gate, with `submit_by` armed.
    pub(super) fn ask_to_submit(&mut self) {
        self.disarm(Timer::Submit);
        self.next.volatile.submission = Errand::Queued;
        self.arm_expiry();
        self.effect(Effect::AskToSubmit);
    }

    pub(super) fn arm_expiry(&mut self) {
        let left = self.next.request.submit_by.since(self.now.wall);
        self.arm(Timer::Expire, self.now.mono + left);
    }

    /// The attempt's request goes out after the commit.
    pub(super) fn enter_submitting(&mut self, attempt: u32) {
        self.disarm(Timer::Submit);
        self.disarm(Timer::Expire);
        self.arm(
            Timer::SubmissionOverdue,
            self.now.mono + self.policy.call_overdue_after,
        );
        let volatile = &mut self.next.volatile;
        volatile.submission = Errand::Out;
        volatile.window_ends = None;
        volatile.doubt_since = None;
        volatile.rung = 0;
        self.effect(Effect::Submit { attempt });
    }

    /// The report, or, if it names another payment than this attempt, that it says nothing about it.
    pub(super) fn about(&self, attempt: u32, report: Report) -> Report {
        if !self.next.names_another_payment(attempt, &report) {
            return report;
        }
        let named = report.provider_reference.as_deref().unwrap_or_default();
        let why = format!("it is about another payment of the provider's, {named:?}");
        Report {
            finding: Finding::Unclear { why },
            provider_reference: None,
            amount: None,
            ..report
        }
    }

    /// A moment of this process's clock on the timeline that outlives the process, if there is one.
    pub(super) fn lasting(&self, at: Option<Mono>) -> Option<LastingInstant> {
        let ago = self.now.mono.since(at?);
        self.now.lasting.map(|now| now.before(ago))
    }

    /// From here on the attempt may have been executed. `sent_at` is when its first byte left; where
    /// that isn't known, a whole window starts now.
    pub(super) fn enter_unknown(&mut self, fact: Fact, attempt: u32, sent_at: Option<Mono>) {
        self.record(
            fact,
            State::Unknown { attempt },
            Brings::fate(attempt, Fate::Unknown),
        );
        self.start_doubt(sent_at);
        self.arm_next_inquiry();
    }

    /// The provider has the attempt: webhooks are awaited, the ladder of inquiries armed.
    pub(super) fn enter_pending(&mut self, fact: Fact, attempt: u32, sent_at: Option<Mono>) {
        self.record(
            fact,
            State::Pending { attempt },
            Brings::fate(attempt, Fate::Pending),
        );
        self.start_doubt(sent_at);
        self.arm_next_inquiry();
    }

    /// Starts, or goes on with, the time in doubt: window and review deadline. A call of ours that was
    /// given up stays out: its request may still leave.
    pub(super) fn start_doubt(&mut self, sent_at: Option<Mono>) {
        self.disarm(Timer::SubmissionOverdue);
        let now = self.now.mono;
        let window = self
            .next
            .attempt()
            .and_then(|attempt| attempt.intent.window);
        let volatile = &mut self.next.volatile;
        volatile.rung = 0;
        if volatile.doubt_since.is_none() {
            volatile.doubt_since = Some(now);
            volatile.window_ends = window.map(|window| sent_at.unwrap_or(now) + window.whole());
        } else if let Some(sent_at) = sent_at {
            self.move_window(sent_at);
        }
        self.arm(Timer::Review, now + self.time_until_review());
    }

    /// The window of the last attempt ends a whole window after its last sending. Where none runs (it has
    /// ended with the doubt, or the profile states none), none starts.
    pub(super) fn move_window(&mut self, sent_at: Mono) {
        let window = self
            .next
            .attempt()
            .and_then(|attempt| attempt.intent.window);
        let ends = &mut self.next.volatile.window_ends;
        if let (Some(window), Some(ends)) = (window, ends) {
            *ends = (*ends).max(sent_at + window.whole());
        }
    }

    /// The attempt was surely not executed: the next one follows after `wait`.
    pub(super) fn enter_backing_off(
        &mut self,
        fact: Fact,
        attempt: u32,
        fate: Fate,
        wait: Duration,
    ) {
        self.record(
            fact,
            State::BackingOff { attempt },
            Brings::fate(attempt, fate),
        );
        self.end_doubt();
        if wait.is_zero() {
            self.ask_to_submit();
        } else {
            self.next.volatile.submission = Errand::Idle;
            self.arm(Timer::Submit, self.now.mono + wait);
            self.arm_expiry();
        }
    }

    /// Asks a person. One who is asked already is not told again.
    pub(super) fn enter_review(&mut self, fact: Fact, why: ReviewReason, brings: Brings) {
        let tell = self.next.state.status() != Status::InReview
            && self
                .policy
                .notify
                .as_ref()
                .is_some_and(|notify| notify.tells_review);
        self.record(fact, State::InReview { why }, Brings { tell, ..brings });
        self.disarm(Timer::Review);
        self.next.volatile.rung = 0;
        if self.next.volatile.inquiry == Errand::Idle {
            self.arm_next_inquiry();
        }
        if tell {
            self.arm_notification(0);
        }
    }

    /// Ends the transaction, or changes its end, and has the app told.
    pub(super) fn enter_final(&mut self, fact: Fact, resolution: Resolution, mut brings: Brings) {
        brings.tell = true;
        let to = State::of(resolution.outcome);
        brings.resolution = Some(resolution);
        self.record(fact, to, brings);
        self.end_doubt();
        self.disarm(Timer::SubmissionOverdue);
        self.leave_submission();
        if self
            .next
            .notice
            .as_ref()
            .is_some_and(|notice| notice.delivery == Delivery::Open)
        {
            self.arm_notification(0);
        }
    }

    /// Gives up a transaction of which surely nothing was executed.
    pub(super) fn enter_failed(&mut self, fact: Fact, source: Source, why: &str, brings: Brings) {
        let resolution = Resolution {
            outcome: Outcome::Failed,
            source,
            attempt: None,
            why: why.to_owned(),
        };
        self.enter_final(fact, resolution, brings);
    }

    fn end_doubt(&mut self) {
        let volatile = &mut self.next.volatile;
        for timer in [
            Timer::SubmissionOverdue,
            Timer::Inquire,
            Timer::InquiryOverdue,
            Timer::Review,
        ] {
            volatile.timers.disarm(timer);
        }
        volatile.window_ends = None;
        volatile.doubt_since = None;
        volatile.held = Duration::ZERO;
        volatile.rung = 0;
        if volatile.repetition == Repetition::Out {
            volatile.repetition = Repetition::GivenUp;
        }
        if volatile.inquiry == Errand::Queued {
            self.effect(Effect::LeaveGate);
        }
        self.next.volatile.inquiry = Errand::Idle;
    }

    /// Nothing is submitted any more.
    pub(super) fn leave_submission(&mut self) {
        self.disarm(Timer::Submit);
        self.disarm(Timer::Expire);
        if self.next.volatile.submission == Errand::Queued {
            self.next.volatile.submission = Errand::Idle;
            self.effect(Effect::LeaveGate);
        }
    }

    /// Arms the next inquiry where one belongs and none is armed or under way.
    pub(super) fn keep_asking(&mut self) {
        let volatile = &self.next.volatile;
        let asked = volatile.inquiry != Errand::Idle;
        if asked || volatile.timers.due(Timer::Inquire).is_some() {
            return;
        }
        match self.next.state {
            State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
                self.arm_next_inquiry();
            }
            State::Accepted
            | State::Submitting { .. }
            | State::BackingOff { .. }
            | State::Completed
            | State::Declined
            | State::Failed => {}
        }
    }
}
