//! Charges: from the request to the record, and what the record says.

use std::collections::VecDeque;

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::charge::State;
use super::keys::{Held, Use};
use super::ledger::Execution;
use super::plan::{self, GHOST_WINDOW_MS, Life, Plan};
use super::request::Wanted;
use super::script;
use super::state::{Acorn, Inner};
use crate::clock::{Clock, epoch_ms};
use crate::inquiry::Inquiry;
use crate::ledger::Course;
use crate::model::Dice;
use crate::script::BadScript;

/// A charge that exists or will.
pub(super) struct Charge {
    posted_at_ms: u64,
    life: Life,
    answer: Stored,
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) nested: Map<String, Value>,
    pub(super) callback: Option<Url>,
    inquiries: u64,
    scripted: VecDeque<u16>,
}

/// An answer as it is stored for repetitions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) code: u16,
    pub(crate) body: Value,
}

/// What a request for a charge met.
pub(crate) enum Met {
    Taken(Taken),
    Replay(Stored),
    InProgress,
    KeyReuse,
}

/// A request that became an entry of the ledger.
pub(crate) struct Taken {
    pub(crate) plan: Plan,
    pub(crate) at_ms: u64,
    pub(crate) origin: Origin,
    pub(crate) answer: Stored,
}

/// What the events of a charge go back to.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The entry's place in the ledger.
    pub(crate) index: usize,
    pub(crate) key: String,
    /// Which execution of its key it is, counted from 1.
    pub(crate) execution: u32,
    pub(crate) charge: String,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error(transparent)]
    BadScript(#[from] BadScript),
    #[error("the ledger is full")]
    LedgerFull,
}

impl Acorn {
    /// Plans a charge and makes it a fact, or says what an earlier one with the key was told.
    /// Nothing that happens to the client afterwards matters.
    pub(crate) fn charge(&self, wanted: Wanted) -> Result<Met, NotTaken> {
        let mut inner = self.lock();
        let at_ms = self.clock.now_ms();
        let execution = match inner.keys.ask(&wanted.key, &wanted.body, at_ms) {
            Use::First { execution } => execution,
            Use::InProgress { index } => {
                inner.repeated(index);
                inner.stats.charges.in_progress += 1;
                return Ok(Met::InProgress);
            }
            Use::OtherBody { index } => {
                inner.repeated(index);
                inner.stats.charges.key_reuse += 1;
                return Ok(Met::KeyReuse);
            }
            Use::Stored { index } => {
                let id = inner.repeated(index).unwrap_or_default();
                inner.stats.charges.replayed += 1;
                let stored = inner.charges.get(&id).map(|charge| charge.answer.clone());
                return Ok(Met::Replay(
                    stored.expect("an executed entry of the ledger has its charge"),
                ));
            }
        };
        if !inner.entries.has_room_for(wanted.body_bytes) {
            return Err(NotTaken::LedgerFull);
        }
        let (plan, gets) = self.plan(&mut inner, &wanted, execution)?;
        let charge = name(
            "ch",
            "charge",
            self.options.seed,
            &wanted.key,
            u64::from(execution),
        );
        let entry = self.entry(&wanted, execution, &plan, &charge);
        let index = inner.entries.push(entry, wanted.body_bytes);
        inner.stats.charges.entered += 1;
        let answer = answer(&charge, &wanted, &plan);
        if plan.course == Course::Refused {
            inner.keys.refused(&wanted.key);
        } else {
            let exists_ms = plan.life.as_ref().map(Life::exists_after_ms);
            let known_ms = exists_ms
                .unwrap_or(GHOST_WINDOW_MS)
                .max(plan.answer_after_ms);
            let held = Held {
                body: wanted.body,
                since_ms: at_ms,
                known_at_ms: at_ms.saturating_add(known_ms),
                index,
                executed: plan.life.is_some(),
            };
            inner.keys.hold(&wanted.key, held);
        }
        if let Some(life) = plan.life.clone() {
            let record = Charge {
                posted_at_ms: at_ms,
                life,
                answer: answer.clone(),
                amount: wanted.amount,
                currency: wanted.currency,
                nested: wanted.nested,
                callback: wanted.callback,
                inquiries: 0,
                scripted: gets.into(),
            };
            inner.charges.insert(charge.clone(), record);
        }
        Ok(Met::Taken(Taken {
            plan,
            at_ms,
            origin: Origin {
                index,
                key: wanted.key,
                execution,
                charge,
            },
            answer,
        }))
    }

    /// The request's own script before its order's, and both before chance.
    fn plan(
        &self,
        inner: &mut Inner,
        wanted: &Wanted,
        execution: u32,
    ) -> Result<(Plan, Vec<u16>), NotTaken> {
        let subject = wanted.order.as_ref().unwrap_or(&wanted.key);
        let nth = inner.tried.get(subject).copied().unwrap_or(0) + 1;
        let of_order = wanted.order.as_ref().and_then(|it| inner.scripts.get(it));
        let planned = match wanted.script.as_ref().or(of_order) {
            Some(value) => {
                let script = script::parse(value, nth)?;
                (plan::scripted(&script), script.get)
            }
            None => {
                let (seed, batch_ms) = (self.options.seed, self.options.batch_every_ms);
                let plan = plan::drawn(seed, &wanted.key, execution, &inner.faults, batch_ms);
                (plan, Vec::new())
            }
        };
        inner.tried.insert(subject.clone(), nth);
        Ok(planned)
    }

    fn entry(&self, wanted: &Wanted, execution: u32, plan: &Plan, charge: &str) -> Execution {
        let received_at_ms = epoch_ms();
        let at = |unscaled_ms| {
            let real_ms = self.clock.real(unscaled_ms).as_millis();
            received_at_ms.saturating_add(u64::try_from(real_ms).unwrap_or(u64::MAX))
        };
        let life = plan.life.as_ref();
        let decided = life.and_then(Life::decided);
        Execution {
            key: wanted.key.clone(),
            execution,
            order: wanted.order.clone(),
            charge: life.map(|_| charge.to_owned()),
            amount: wanted.amount.clone(),
            currency: wanted.currency.clone(),
            payload: wanted.payload.clone(),
            received_at_ms,
            executed: life.is_some(),
            outcome: decided.map(|step| step.state),
            reversed: life.is_some_and(Life::is_reversed),
            exists_at_ms: life.map(|life| at(life.exists_after_ms())),
            decided_at_ms: decided.map(|step| at(step.after_ms)),
            course: plan.course,
            answer: plan.answer,
            declined: life.and_then(|life| life.decline),
            repetitions: 0,
            events: Vec::new(),
        }
    }

    /// Answers an inquiry: first the limit, then scripts and faults, then the record.
    pub(crate) fn inquire(&self, id: &str) -> Inquiry<Value> {
        let mut inner = self.lock();
        let answer = inner.inquire(self.options.seed, id, self.clock.now_ms(), &self.clock);
        inner.stats.inquiries.count(answer.code());
        answer
    }
}

impl Inner {
    /// Counts a repetition of the entry at `index`, and says which charge came of that.
    fn repeated(&mut self, index: usize) -> Option<String> {
        let entry = self.entries.get_mut(index)?;
        entry.repetitions += 1;
        entry.charge.clone()
    }

    fn inquire(&mut self, seed: u64, id: &str, now_ms: u64, clock: &Clock) -> Inquiry<Value> {
        if let Some(limited) = Inquiry::limited(self.limit.as_mut(), now_ms, clock) {
            return limited;
        }
        let Some(charge) = self.charges.get_mut(id) else {
            return Inquiry::NotFound;
        };
        charge.inquiries += 1;
        if let Some(code) = charge.scripted.pop_front() {
            return Inquiry::Code(code);
        }
        if Dice::new(seed, "get_500", id, charge.inquiries).chance(self.faults.get_500) {
            return Inquiry::Code(500);
        }
        match charge
            .life
            .state_at(now_ms.saturating_sub(charge.posted_at_ms))
        {
            None => Inquiry::NotFound,
            Some(state) => {
                let (amount, currency) = (&charge.amount, &charge.currency);
                let shown = shown(id, state, amount, currency, &charge.nested);
                Inquiry::Found(json!({"charge": shown, "error": null}))
            }
        }
    }
}

/// A charge as it is told. What was nested in the request is echoed, acorn's own fields win.
fn shown(
    id: &str,
    state: State,
    amount: &str,
    currency: &str,
    nested: &Map<String, Value>,
) -> Value {
    let mut charge = nested.clone();
    charge.insert("id".to_owned(), id.into());
    charge.insert("state".to_owned(), state.as_str().into());
    charge.insert("amount".to_owned(), amount.into());
    charge.insert("currency".to_owned(), currency.into());
    charge.into()
}

/// The answer to a charge that isn't refused, as it is sent and stored.
fn answer(id: &str, wanted: &Wanted, plan: &Plan) -> Stored {
    let life = plan.life.as_ref();
    let told_ms = life.map_or(0, |life| life.exists_after_ms().max(plan.answer_after_ms));
    let state = life.and_then(|life| life.state_at(told_ms));
    let state = state.unwrap_or(State::Processing);
    let decline = life.and_then(|life| life.decline);
    let error = decline.map(|code| json!({"code": code}));
    let (amount, currency) = (&wanted.amount, &wanted.currency);
    Stored {
        code: if decline.is_some() { 402 } else { 201 },
        body: json!({
            "charge": shown(id, state, amount, currency, &wanted.nested),
            "error": error,
        }),
    }
}

/// A name that is the same on every machine: a prefix, and 24 hexadecimal digits of chance.
pub(super) fn name(prefix: &str, purpose: &str, seed: u64, key: &str, nth: u64) -> String {
    let mut dice = Dice::new(seed, purpose, key, nth);
    let (high, low) = (dice.below(1 << 48), dice.below(1 << 48));
    format!("{prefix}_{high:012x}{low:012x}")
}
