//! The attempts of a transaction: where each went, what is known of it, and what may therefore be sent
//! next (law 2).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::evidence::Report;
use super::policy::MAX_RESENDS;
use super::request::Intent;
use super::state::{State, Transaction};
use super::time::{LastingInstant, Timestamp};

/// One numbered submission and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// What it was committed to do, before it did it.
    pub intent: Arc<Intent>,
    /// When the intent was recorded.
    pub started_at: Timestamp,
    /// What is known of it.
    pub fate: Fate,
    /// The provider's own reference, once it gave one: the first, whoever brought it.
    pub provider_reference: Option<String>,
    /// Whether a webhook that names no attempt has shown an id of the provider's, while this was the last
    /// attempt and an earlier one could be meant too: the id is not known to be this one's.
    pub is_shown: bool,
    /// Times that its request was sent again, as an inquiry.
    pub resends: u32,
    /// When the first byte of its last sending left, once that sending has come home. `None` while one is
    /// out, and where it is not known.
    pub sent: Option<LastingInstant>,
    /// Since when it has been in doubt.
    pub doubt_since: Option<Timestamp>,
    /// Since when the provider has said that it has it.
    pub pending_since: Option<Timestamp>,
}

impl Attempt {
    /// An attempt whose request is about to be sent.
    #[must_use]
    pub fn started(intent: Arc<Intent>, started_at: Timestamp) -> Self {
        Self {
            intent,
            started_at,
            fate: Fate::Out,
            provider_reference: None,
            is_shown: false,
            resends: 0,
            sent: None,
            doubt_since: None,
            pending_since: None,
        }
    }

    /// Whether the provider has shown that it has this attempt: it said "pending", or gave it an id of its
    /// own. After that neither "not found" nor a failure of our own call proves that it is not executed.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.fate == Fate::Pending || self.provider_reference.is_some() || self.is_shown
    }

    /// Whether it may be executed without teller knowing its outcome.
    #[must_use]
    pub fn may_execute(&self) -> bool {
        match self.fate {
            Fate::Out | Fate::Pending | Fate::Unknown => true,
            Fate::NotExecuted | Fate::Absent | Fate::Completed | Fate::Declined => false,
        }
    }

    /// Until when the provider promises that the same request can be sent again without being executed
    /// again; `None` if it promises nothing.
    #[must_use]
    pub fn resend_safe_until(&self) -> Option<Timestamp> {
        let safe_for = Duration::from_millis(self.intent.resend_safe_for_ms?);
        Some(self.started_at + safe_for)
    }

    /// What is known of it from `at` on, by a record of then.
    pub(super) fn becomes(&mut self, fate: Fate, at: Timestamp) {
        self.fate = fate;
        match fate {
            Fate::Unknown => {
                self.doubt_since.get_or_insert(at);
            }
            Fate::Pending => {
                self.doubt_since.get_or_insert(at);
                self.pending_since.get_or_insert(at);
            }
            Fate::Out | Fate::NotExecuted | Fate::Absent | Fate::Completed | Fate::Declined => {}
        }
    }
}

/// What is known of one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The request is out.
    Out,
    /// The provider has it.
    Pending,
    /// It may have been executed.
    Unknown,
    /// It surely never reached the provider's hands.
    NotExecuted,
    /// The provider didn't know it after the end of its ghost window.
    Absent,
    /// Executed.
    Completed,
    /// Processed and refused.
    Declined,
}

/// The webhook's sender has never been sent this transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no attempt of this transaction went to the provider that speaks of it")]
pub struct NeverWentThere;

impl Transaction {
    /// The attempt that counts now: the last one.
    #[must_use]
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The number of the last attempt, 0 before the first.
    #[must_use]
    pub fn attempt_no(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    /// What is known of the last attempt.
    #[must_use]
    pub fn last_fate(&self) -> Option<Fate> {
        self.attempt().map(|attempt| attempt.fate)
    }

    /// Attempt number `number`, if there is one.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<&Attempt> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.attempts.get(index)
    }

    /// The provider that attempt number `attempt` went to; the request's own if there is none.
    #[must_use]
    pub fn provider_of(&self, attempt: u32) -> &str {
        let attempt = self.numbered(attempt);
        self.goes_to(attempt.map(|attempt| attempt.intent.as_ref()))
    }

    /// Whether a report about attempt number `attempt` names another payment: it carries another id of
    /// the provider's than the one that the attempt is known under.
    #[must_use]
    pub fn names_another_payment(&self, attempt: u32, report: &Report) -> bool {
        let known = self
            .numbered(attempt)
            .and_then(|attempt| attempt.provider_reference.as_deref());
        let named = report.provider_reference.as_deref();
        known
            .zip(named)
            .is_some_and(|(known, named)| known != named)
    }

    /// The provider that has it now: the last attempt's, or the request's own before the first.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.goes_to(self.attempt().map(|attempt| attempt.intent.as_ref()))
    }

    fn goes_to<'a>(&'a self, intent: Option<&'a Intent>) -> &'a str {
        intent
            .and_then(|intent| intent.provider.as_deref())
            .unwrap_or(&self.request.provider)
    }

    /// Whether every attempt so far was surely not executed, because it never reached its provider's
    /// hands. An attempt that is only absent after its ghost window doesn't count: that is as good as the
    /// provider's word for its window, which is enough to submit to the same provider again, and not
    /// enough to pay through another one.
    #[must_use]
    pub fn surely_untouched(&self) -> bool {
        self.attempts
            .iter()
            .all(|attempt| attempt.fate == Fate::NotExecuted)
    }

    /// Whether the next attempt may go to `provider` (law 2): to another one than the last only if
    /// nothing was touched.
    #[must_use]
    pub fn may_go_to(&self, provider: &str) -> bool {
        self.surely_untouched() || self.provider() == provider
    }

    /// The attempt that a webhook of `provider` speaks of, which names `named` or none: evidence counts
    /// only for attempts that went to its sender.
    ///
    /// # Errors
    /// [`NeverWentThere`].
    pub fn attributed(
        &self,
        provider: &str,
        named: Option<u32>,
    ) -> Result<Option<u32>, NeverWentThere> {
        let numbers = 1..=self.attempt_no();
        if let Some(named) = named.filter(|named| numbers.contains(named)) {
            let there = self.provider_of(named) == provider;
            return there.then_some(Some(named)).ok_or(NeverWentThere);
        }
        if self.provider() == provider {
            return Ok(named);
        }
        let last = self.last_at(provider).ok_or(NeverWentThere)?;
        Ok(named.or(Some(last)))
    }

    /// The attempt that the provider is asked about: the last one, unless it is settled while an earlier one
    /// may still be executed.
    #[must_use]
    pub fn asked_about(&self) -> u32 {
        let may_execute = |number: &u32| self.numbered(*number).is_some_and(Attempt::may_execute);
        let last = self.attempt_no();
        (1..=last).rev().find(may_execute).unwrap_or(last)
    }

    /// The last attempt that went to `provider`.
    #[must_use]
    pub fn last_at(&self, provider: &str) -> Option<u32> {
        let mut numbers = (1..=self.attempt_no()).rev();
        numbers.find(|number| self.provider_of(*number) == provider)
    }

    /// The one attempt that `provider` knows under `reference`. What it says of that reference is about that
    /// attempt: taken for the present one, the refusal of an earlier attempt would end a transaction whose
    /// money may still move.
    #[must_use]
    pub fn known_as(&self, provider: &str, reference: &str) -> Option<u32> {
        let mut named = (1..=self.attempt_no())
            .zip(&self.attempts)
            .filter(|(_, attempt)| attempt.provider_reference.as_deref() == Some(reference))
            .map(|(number, _)| number)
            .filter(|number| self.provider_of(*number) == provider);
        let one = named.next();
        one.filter(|_| named.next().is_none())
    }

    /// Whether `reference` is none of this transaction's, for sure: every attempt that went to `provider`
    /// has one, and it is another. What a webhook says of it is about something else, whatever our own
    /// reference in it, which not every provider signs.
    #[must_use]
    pub fn is_foreign(&self, provider: &str, reference: &str) -> bool {
        let mut there = (1..=self.attempt_no())
            .zip(&self.attempts)
            .filter(|(number, _)| self.provider_of(*number) == provider)
            .peekable();
        let other = |known: &str| known != reference;
        there.peek().is_some()
            && there.all(|(_, attempt)| attempt.provider_reference.as_deref().is_some_and(other))
    }

    /// The providers' own references for the attempts, each with the provider that gave it, each pair
    /// once, oldest first.
    #[must_use]
    pub fn provider_references(&self) -> Vec<(&str, &str)> {
        let mut known = Vec::new();
        for attempt in &self.attempts {
            if let Some(reference) = attempt.provider_reference.as_deref() {
                let pair = (self.goes_to(Some(&attempt.intent)), reference);
                if !known.contains(&pair) {
                    known.push(pair);
                }
            }
        }
        known
    }

    /// The attempt that evidence without an attempt's name can only speak of: the last one, if every
    /// earlier one surely never reached the provider.
    #[must_use]
    pub fn only_attempt(&self) -> Option<u32> {
        let (_, earlier) = self.attempts.split_last()?;
        earlier
            .iter()
            .all(|attempt| attempt.fate == Fate::NotExecuted)
            .then(|| self.attempt_no())
    }

    /// Whether some attempt may have been executed without teller knowing its outcome. While this
    /// is so, no new attempt may start (law 2).
    #[must_use]
    pub fn may_execute(&self) -> bool {
        self.attempts.iter().any(Attempt::may_execute)
    }

    /// Whether an attempt other than `attempt` may have been executed without teller knowing its outcome.
    #[must_use]
    pub fn may_execute_beside(&self, attempt: u32) -> bool {
        let numbered = self.attempts.iter().zip(1_u32..);
        numbered
            .filter(|&(_, number)| number != attempt)
            .any(|(other, _)| other.may_execute())
    }

    /// Whether an attempt other than `attempt` was executed.
    #[must_use]
    pub fn executed_beside(&self, attempt: u32) -> bool {
        let numbered = self.attempts.iter().zip(1_u32..);
        numbered
            .filter(|&(_, number)| number != attempt)
            .any(|(other, _)| other.fate == Fate::Completed)
    }

    /// Whether, at `wall`, the provider still promises that the last attempt's request can be sent again
    /// without being executed again. A wall clock that was set back behind the attempt's start can't
    /// tell, so it says no.
    #[must_use]
    pub fn is_resend_safe(&self, wall: Timestamp) -> bool {
        self.attempt().is_some_and(|attempt| {
            let safe_until = attempt.resend_safe_until();
            wall >= attempt.started_at && safe_until.is_some_and(|end| wall < end)
        })
    }

    /// Whether the last attempt's request may be sent again, as an inquiry: while it is in doubt, within
    /// the provider's promise, never after an outcome and never once somebody has acted (law 2). It may
    /// be the first of its kind to be executed, so it is as late after `submit_by` as any attempt would
    /// be; one that the provider says it has can't be executed anew.
    #[must_use]
    pub fn may_resend(&self, wall: Timestamp) -> bool {
        let in_doubt = match self.state {
            State::Pending { .. } | State::Unknown { .. } | State::InReview { .. } => {
                matches!(self.last_fate(), Some(Fate::Pending | Fate::Unknown))
            }
            State::Accepted
            | State::Submitting { .. }
            | State::BackingOff { .. }
            | State::Completed
            | State::Declined
            | State::Failed => false,
        };
        in_doubt
            && !self.execution_is_disputed()
            && !self.acted_on
            && self.resends < MAX_RESENDS
            && (wall < self.request.submit_by || self.last_fate() == Some(Fate::Pending))
            && self.is_resend_safe(wall)
    }
}
