//! The beginning: an app's request becomes a transaction.

use std::sync::Arc;

use super::super::identity::{Key, PayloadHash};
use super::super::policy::Policy;
use super::super::record::{Fact, RECORD_FORMAT, Record};
use super::super::request::{Intent, Request};
use super::super::state::{State, Transaction};
use super::super::time::Now;
use super::Decision;
use super::step::{Brings, Step};

/// A request that was checked at the edge.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The transaction's name.
    pub key: Key,
    /// What is asked for.
    pub request: Arc<Request>,
    /// What makes it the same request (law 7).
    pub payload_hash: PayloadHash,
}

/// Accepts a request. With `intent` the gate has granted a permit already, and acceptance and the
/// first attempt are one commit; without, the transaction waits for the gate.
#[must_use]
pub fn accept(
    acceptance: &Acceptance,
    intent: Option<Intent>,
    now: Now,
    policy: &Policy,
) -> Decision {
    let record = Record {
        format: RECORD_FORMAT,
        version: 1,
        at: now.wall,
        to: State::Accepted,
        fact: Fact::Accepted {
            request: Arc::clone(&acceptance.request),
            payload_hash: acceptance.payload_hash,
        },
        fate: None,
        resolution: None,
        conflict: None,
        tell: false,
    };
    let transaction = Transaction::begin(&acceptance.key, &record)
        .expect("the record made above is an acceptance, numbered 1, in the present format");
    let mut step = Step::starting(transaction, vec![record], now, policy);
    match intent.filter(|_| now.wall < acceptance.request.submit_by) {
        Some(intent) => start_attempt(&mut step, intent),
        None => step.ask_to_submit(),
    }
    step.done()
        .expect("`done` never ignores: it only takes the step apart")
}

/// Commits the next attempt's intent; its request goes out once that is durable.
pub(super) fn start_attempt(step: &mut Step<'_>, intent: Intent) {
    let attempt = step.next.attempt_no() + 1;
    let fact = Fact::AttemptStarted {
        attempt,
        intent: Arc::new(intent),
    };
    step.record(fact, State::Submitting { attempt }, Brings::default());
    step.enter_submitting(attempt);
}
