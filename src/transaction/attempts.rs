//! The attempts of a transaction: where each went, what is known of it, and what may therefore be sent
//! next (law 2).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::MAX_RESENDS;
use super::request::Intent;
use super::state::{State, Transaction};
use super::time::Timestamp;

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
}

/// What is known of one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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

    /// The provider that attempt number `attempt` went to; the request's own if there is none.
    #[must_use]
    pub fn provider_of(&self, attempt: u32) -> &str {
        let index = usize::try_from(attempt)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        let attempt = self.attempts.get(index);
        self.goes_to(attempt.map(|attempt| attempt.intent.as_ref()))
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
        let there = |attempt: &u32| self.provider_of(*attempt) == provider;
        let numbers = 1..=self.attempt_no();
        if let Some(named) = named.filter(|named| numbers.contains(named)) {
            return there(&named).then_some(Some(named)).ok_or(NeverWentThere);
        }
        if self.provider() == provider {
            return Ok(named);
        }
        let last = numbers.rev().find(there).ok_or(NeverWentThere)?;
        Ok(named.or(Some(last)))
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

    /// The references that the present provider gave to its attempts, each once, oldest first.
    pub fn provider_references(&self) -> impl Iterator<Item = &str> {
        let present = self.provider();
        let given = move |attempt: &Attempt| {
            attempt.provider_reference.is_some() && self.goes_to(Some(&attempt.intent)) == present
        };
        let first = |at: usize, attempt: &Attempt| {
            let mut earlier = self.attempts[..at].iter();
            !earlier.any(|other| other.provider_reference == attempt.provider_reference)
        };
        self.attempts
            .iter()
            .enumerate()
            .filter(move |(at, attempt)| given(attempt) && first(*at, attempt))
            .filter_map(|(_, attempt)| attempt.provider_reference.as_deref())
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
        self.attempts.iter().any(|attempt| match attempt.fate {
            Fate::Out | Fate::Pending | Fate::Unknown => true,
            Fate::NotExecuted | Fate::Absent | Fate::Completed | Fate::Declined => false,
        })
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
            let safe = attempt
                .intent
                .resend_safe_for_ms
                .map(|safe| attempt.started_at + Duration::from_millis(safe));
            wall >= attempt.started_at && safe.is_some_and(|end| wall < end)
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
            && !self.amount_is_disputed()
            && !self.acted_on
            && self.resends < MAX_RESENDS
            && (wall < self.request.submit_by || self.last_fate() == Some(Fate::Pending))
            && self.is_resend_safe(wall)
    }
}
