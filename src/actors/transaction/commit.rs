//! decide → commit → perform, with the records on disk in between (law 1).

use std::time::Duration;

use actix::{ActorContext, Context};

use super::TransactionActor;
use crate::actors::house::House;
use crate::ports::{Append, AppendError, Committed, Expect, JournalHealth, Summary};
use crate::transaction::{Decision, Event, Ignored, Mono, Now, Record, Transaction};

/// The first pause before an append that the journal had no room for is tried again; each further one
/// is twice as long. A journal clears its queue at every fsync.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);
/// The longest such pause: a store that comes back should not be waited for much longer than that.
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(1);
/// A commit that takes this long is worth a line: a disk or a store that is well needs milliseconds.
const SLOW_COMMIT: Duration = Duration::from_secs(5);

impl TransactionActor {
    /// Decides, commits, performs, then calls `after` with what came of it. While a commit is under way it
    /// waits for its turn.
    pub(super) fn happen_then(
        &mut self,
        event: Event,
        ctx: &mut Context<Self>,
        after: impl FnOnce(&mut Self, Result<(), Ignored>) + 'static,
    ) {
        if self.queue.is_busy() {
            let later = |actor: &mut Self, ctx: &mut Context<Self>| {
                actor.happen_then(event, ctx, after);
            };
            return self.queue.push(later);
        }
        self.log_other_payment(&event);
        let (name, now) = (event.name(), self.now_for(&event));
        match self.decision(event, now) {
            Some(Ok(decision)) => {
                self.commit(decision, now.mono, ctx, |actor| after(actor, Ok(())));
            }
            Some(Err(ignored)) => {
                self.log_ignored(name, &ignored);
                after(self, Err(ignored));
            }
            // No seat: an acceptance that failed. The registry takes this actor away.
            None => after(self, Err(Ignored::Stale)),
        }
    }

    /// The present. Who comes back from the journal is told as much as can be known of how long ago the last
    /// request left, on whichever machine that was.
    fn now_for(&self, event: &Event) -> Now {
        let clock = &self.house.clock;
        let attempt = self.seat.as_ref().and_then(Transaction::attempt);
        match attempt.and_then(|attempt| attempt.sent) {
            Some(sent) if *event == Event::Recovered => clock.now_seen_from(sent),
            Some(_) | None => clock.now(),
        }
    }

    /// Makes the decision durable, becomes what it says and performs its effects. When the journal
    /// can't say "durable", nothing of that happens and the actor goes.
    fn commit(
        &mut self,
        decision: Decision,
        decided_at: Mono,
        ctx: &mut Context<Self>,
        after: impl FnOnce(&mut Self) + 'static,
    ) {
        self.house.check_step(self.seat.as_ref(), &decision);
        if decision.records.is_empty() {
            self.become_decided(decision, decided_at, ctx);
            after(self);
            return;
        }
        let expect = self
            .seat
            .as_ref()
            .map_or(Expect::Absent, |seat| Expect::Version(seat.version));
        let append = self.append_of(&decision, expect);
        let house = std::sync::Arc::clone(&self.house);
        let durable = async move { persist(&house, append).await };
        self.wait_for(durable, ctx, move |actor, result, ctx| match result {
            Ok(committed) => {
                actor.committed = committed.sequence;
                actor.become_decided(decision, decided_at, ctx);
                after(actor);
            }
            Err(error) => actor.refused(&error, ctx),
        });
    }

    /// The journal holds something else than this actor thought, or another node is its owner: it
    /// goes, and whoever has the right to brings it back from the journal.
    pub(super) fn refused(&self, error: &AppendError, ctx: &mut Context<Self>) {
        if *error == AppendError::Fenced {
            tracing::warn!(key = %self.key, "record refused: the partition has another owner");
            self.house
                .ownership
                .fenced(self.key.partition(), self.tenure);
        } else {
            self.house.append_was_refused(&self.key);
            tracing::error!(key = %self.key, %error, "record refused");
        }
        ctx.stop();
    }

    pub(super) fn append_of(&self, decision: &Decision, expect: Expect) -> Append {
        Append {
            key: self.key.clone(),
            expect,
            tenure: Some(self.tenure),
            records: decision.records.clone(),
            summary: Summary::of(&decision.next, self.house.clock.now()),
        }
    }

    /// The records are durable: this is what the transaction is now. `decided_at` is when it was decided.
    pub(super) fn become_decided(
        &mut self,
        mut decision: Decision,
        decided_at: Mono,
        ctx: &mut Context<Self>,
    ) {
        let durable = self.house.clock.mono();
        if let Some(policy) = self.policy(decision.next.provider()) {
            decision = decision.made_durable(durable, policy);
        }
        let took = durable.since(decided_at);
        if took >= SLOW_COMMIT {
            tracing::warn!(key = %self.key, took_ms = took.as_millis() as u64, "a commit was slow");
        }
        let Decision {
            records,
            next,
            effects,
        } = decision;
        self.log_records(&records, &next);
        self.last_active = self.house.clock.mono();
        self.seat = Some(next);
        for effect in effects {
            self.perform(effect, ctx);
        }
        self.drop_unused_permits();
        if !records.is_empty() {
            self.tell_watchers();
        }
        self.set_alarm(ctx);
    }

    /// Folds what the journal holds and takes its seat, before anything else is handled.
    pub(super) fn load_then(
        &mut self,
        ctx: &mut Context<Self>,
        after: impl FnOnce(&mut Self, Result<(), String>, &mut Context<Self>) + 'static,
    ) {
        let history = self.house.journal.load(&self.key);
        self.wait_for(history, ctx, move |actor, result, ctx| {
            let folded = match result {
                Ok(Some(records)) => fold(actor, &records),
                Ok(None) => Err("its history could not be found".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            let seated = folded.map(|transaction| {
                let open = transaction.is_open();
                actor.seat = Some(transaction);
                if open {
                    actor.happen(Event::Recovered, ctx);
                }
                actor.set_alarm(ctx);
            });
            after(actor, seated, ctx);
        });
    }
}

fn fold(actor: &TransactionActor, records: &[Record]) -> Result<Transaction, String> {
    Transaction::fold(&actor.key, records).map_err(|corrupt| corrupt.to_string())
}

/// Appends, waiting while the journal has no room or can't be reached, and repeating what it has not
/// confirmed: until then nothing of it is acted upon or answered. An error that the journal can't
/// recover from ends the process soon; the end of the tenure ends the waiting.
pub(super) async fn persist(house: &House, append: Append) -> Result<Committed, AppendError> {
    let mut pause = REFUSED_PAUSE;
    loop {
        let error = match house.journal.append(append.clone()).await {
            Err(error @ (AppendError::Unavailable(_) | AppendError::Unconfirmed(_))) => error,
            result => return result,
        };
        match house.journal.health() {
            JournalHealth::Failed(_) => return Err(error),
            JournalHealth::Serving | JournalHealth::Lagging(_) | JournalHealth::Unreachable(_) => {}
        }
        if append.tenure != house.ownership.tenure(append.key.partition()) {
            return Err(AppendError::Fenced);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(REFUSED_PAUSE_MAX);
    }
}
