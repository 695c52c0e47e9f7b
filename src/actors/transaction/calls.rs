//! What others say to a transaction, and its answers. An answer goes out after the commit that it
//! speaks of.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{ActorContext, AsyncContext, Context};

use super::commit::persist;
use super::stand_in::{addressed, destination};
use super::{TransactionActor, WATCHERS_MAX};
use crate::actors::gate::Grant;
use crate::actors::house::House;
use crate::actors::messages::{
    Accepted, Acted, Call, Found, NamedBy, Reply, TrustedWebhook, Until, WebhookTaken,
};
use crate::actors::router::Place;
use crate::actors::status::{ActorStatus, Residence};
use crate::ports::{Append, AppendError, Committed, Expect};
use crate::transaction::{Acceptance, Errand, Event, Finding, Ignored, Transaction, accept};

impl TransactionActor {
    pub(super) fn answer(&mut self, call: Call, place: Option<Place>, ctx: &mut Context<Self>) {
        match call {
            Call::Accept { acceptance, reply } => match &self.seat {
                Some(seat) => {
                    let _ = reply.send(replay(seat, &acceptance));
                }
                None => self.begin(*acceptance, reply, place, ctx),
            },
            Call::Read { reply } => {
                let _ = reply.send(self.found());
            }
            Call::Watch { until, reply } => self.watch(until, reply),
            Call::Inspect { reply } => {
                let _ = reply.send(self.status());
            }
            Call::Webhook { webhook, reply } => {
                if self.provider().is_none() {
                    // Nothing can be decided, so nothing would be durable.
                    let why = "the provider of this transaction is not configured".to_owned();
                    let _ = reply.send(WebhookTaken::Unavailable(why));
                    return;
                }
                let Some(attempt) = self.attribute(&webhook) else {
                    let _ = reply.send(WebhookTaken::Unknown);
                    return;
                };
                let arrived = Event::WebhookArrived {
                    provider: webhook.provider,
                    attempt,
                    event_id: webhook.event_id,
                    report: webhook.report,
                };
                self.happen_then(arrived, ctx, move |_, _| {
                    let _ = reply.send(WebhookTaken::Yes);
                    drop(place);
                });
            }
            Call::Hint { provider } => {
                let theirs = |seat: &Transaction| seat.provider() == provider;
                if self.seat.as_ref().is_some_and(theirs)
                    && self.gate().is_some_and(|gate| gate.take_hint())
                {
                    self.happen(Event::HintArrived, ctx);
                }
            }
            Call::Act { act, reply } => {
                self.happen_then(Event::Acted(act), ctx, move |actor, result| {
                    let answer = match (result, &actor.seat) {
                        (Ok(()), Some(seat)) => Acted::Done(Box::new(seat.clone())),
                        (Err(ignored), Some(_)) => Acted::Refused(ignored),
                        (_, None) => Acted::Nowhere,
                    };
                    let _ = reply.send(answer);
                    drop(place);
                });
            }
            Call::Granted(grant) => self.granted(*grant, ctx),
            Call::Reroute => self.reroute(),
            // It is here already.
            Call::Arrived => {}
            Call::Stop { reply } => self.happen_then(Event::Stopping, ctx, |_, _| {
                let _ = reply.send(());
            }),
            Call::Crash => panic!("crashed on purpose"),
        }
    }

    /// The attempt that a webhook of `provider` speaks of, or that it names none; `None` if it is about
    /// something else.
    ///
    /// Another id of the provider's than the ones that its attempts are known under means another payment.
    /// Only where the provider vouches for our own reference in it, says that it was executed, and no other
    /// transaction is known under that id, a person has to look at this transaction.
    pub(super) fn attribute(&self, webhook: &TrustedWebhook) -> Option<Option<u32>> {
        let seat = self.seat.as_ref()?;
        let TrustedWebhook {
            provider,
            named_by,
            attempt: named,
            report,
            ..
        } = webhook;
        let (named_by, named) = (*named_by, *named);
        let Some(reference) = report.provider_reference.as_deref() else {
            return seat.attributed(provider, named).ok();
        };
        let known = seat.known_as(provider, reference);
        if seat.is_foreign(provider, reference) {
            let executed = report.finding == Finding::Completed;
            let concerns_us = named_by == NamedBy::OurReferenceAlone && executed;
            let last = seat.last_at(provider);
            return concerns_us
                .then_some(named.or(last))
                .filter(Option::is_some);
        }
        // The index by the provider's ids is a hint: what counts is what the transaction itself has learned.
        let pair = (provider.as_str(), reference);
        if named_by == NamedBy::ProviderReference && !seat.provider_references().contains(&pair) {
            return None;
        }
        seat.attributed(provider, named.or(known)).ok()
    }

    /// The first message: the acceptance, together with the first attempt if the gate lets it go at
    /// once.
    fn begin(
        &mut self,
        acceptance: Acceptance,
        reply: Reply<Accepted>,
        place: Option<Place>,
        ctx: &mut Context<Self>,
    ) {
        let request = Arc::clone(&acceptance.request);
        let house = Arc::clone(&self.house);
        let name = &request.provider;
        let to = destination(&house, &self.key, &request, None);
        let (Some(own), Some(provider), Some(gate)) = (
            house.policy(name, &self.key.app),
            house.providers.get(to),
            house.gate(to),
        ) else {
            let _ = reply.send(Accepted::Unavailable(format!(
                "the provider {name:?} is not configured"
            )));
            ctx.stop();
            return;
        };
        let permit = gate.try_submit();
        // A request that can't be rendered is accepted all the same, and fails with the reason in its
        // history: that is where the app and the operators look.
        let intent = permit
            .is_some()
            .then(|| provider.intent(&self.key, &request, 1).ok())
            .flatten()
            .map(|intent| addressed(intent, &request, to));
        let there = house.policy(to, &self.key.app);
        let policy = intent.as_ref().and(there).unwrap_or(own);
        let now = self.house.clock.now();
        let decision = accept(&acceptance, intent, now, policy);
        self.house.check_step(None, &decision);
        self.submission_permit = permit;
        let append = self.append_of(&decision, Expect::Absent);
        let appended = first_append(Arc::clone(&self.house), append);
        self.wait_for(appended, ctx, move |actor, result, ctx| {
            let _held_until_answered = place;
            match result {
                Ok(committed) => {
                    actor.committed = committed.sequence;
                    let new = Box::new(decision.next.clone());
                    actor.become_decided(decision, now.mono, ctx);
                    let _ = reply.send(Accepted::New(new));
                }
                Err(AppendError::Exists) => {
                    actor.submission_permit = None;
                    actor.load_then(ctx, move |actor, seated, ctx| {
                        let answer = match (seated, &actor.seat) {
                            (Ok(()), Some(seat)) => replay(seat, &acceptance),
                            (Ok(()), None) => {
                                Accepted::Unavailable("its history could not be read".to_owned())
                            }
                            (Err(why), _) => Accepted::Unavailable(why),
                        };
                        let _ = reply.send(answer);
                        if actor.seat.is_none() {
                            ctx.stop();
                        }
                    });
                }
                Err(error @ (AppendError::VersionConflict | AppendError::Full(_))) => {
                    actor.house.append_was_refused(&actor.key);
                    let _ = reply.send(Accepted::Unavailable(error.to_string()));
                    ctx.stop();
                }
                Err(error @ AppendError::Fenced) => {
                    let _ = reply.send(Accepted::Elsewhere);
                    actor.refused(&error, ctx);
                }
                Err(AppendError::Unavailable(why) | AppendError::Unconfirmed(why)) => {
                    let _ = reply.send(Accepted::Unavailable(why));
                    ctx.stop();
                }
            }
        });
    }

    fn granted(&mut self, grant: Grant, ctx: &mut Context<Self>) {
        let from = grant.provider().to_owned();
        let Grant {
            permit,
            inquiry_waited,
            ..
        } = grant;
        let Some((provider, seat)) = self.house.providers.get(&from).zip(self.seat.as_ref()) else {
            return;
        };
        if let Some(waited) = inquiry_waited {
            if seat.provider_of(seat.asked_about()) != from {
                // Asked for before the transaction went elsewhere.
                return;
            }
            self.inquiry_permit = Some(permit);
            self.happen_then(Event::InquiryPermitted { waited }, ctx, |actor, _| {
                actor.drop_unused_permits()
            });
            return;
        }
        if seat.volatile.submission != Errand::Queued {
            return;
        }
        let own = from == seat.request.provider;
        let rendered = provider.intent(&self.key, &seat.request, seat.attempt_no() + 1);
        let event = match rendered {
            Ok(intent) if seat.may_go_to(&from) => Event::SubmissionPermitted {
                intent: Box::new(addressed(intent, &seat.request, &from)),
            },
            // It may go nowhere else, so it would ask here again.
            Err(why) if seat.may_go_to(&from) && (own || !seat.surely_untouched()) => {
                Event::SubmissionUnrenderable { why }
            }
            Err(why) if seat.may_go_to(&from) => {
                tracing::warn!(key = %self.key, provider = from, why, "the stand-in can't take it");
                let own = seat.request.provider.clone();
                drop(permit);
                return self.queue_at(&own);
            }
            // It joined that gate when it could still go there: it asks where it may.
            Ok(_) | Err(_) => {
                drop(permit);
                return self.reroute();
            }
        };
        self.leave_gates(Some(&from));
        self.submission_permit = Some(permit);
        self.happen_then(event, ctx, |actor, _| actor.drop_unused_permits());
    }

    fn watch(&mut self, until: Until, reply: Reply<Found>) {
        self.watchers.retain(|(_, reply)| !reply.is_closed());
        let waits = self.seat.as_ref().is_some_and(|seat| !until.is_met(seat));
        if !waits || self.watchers.len() >= WATCHERS_MAX {
            let _ = reply.send(self.found());
            return;
        }
        self.watchers.push((until, reply));
        if let Some((gate, seat)) = self.gate_to_ask().zip(self.seat.as_ref()) {
            gate.client_waits(
                &self.key,
                seat.volatile
                    .last_asked
                    .or(seat.volatile.doubt_since)
                    .unwrap_or_default(),
            );
        }
    }

    pub(super) fn tell_watchers(&mut self) {
        let Some(seat) = &self.seat else { return };
        for (until, reply) in std::mem::take(&mut self.watchers) {
            if until.is_met(seat) {
                let _ = reply.send(Found::Here(Box::new(seat.clone())));
            } else if !reply.is_closed() {
                self.watchers.push((until, reply));
            }
        }
    }

    fn found(&self) -> Found {
        self.seat
            .as_ref()
            .map_or(Found::Nowhere, |seat| Found::Here(Box::new(seat.clone())))
    }

    fn status(&self) -> Option<Box<ActorStatus>> {
        let residence = Residence {
            resident: true,
            aside_until: None,
            activations: self.activations,
            mailbox: self.queue.waiting() as u64,
            watchers: self.watchers.len(),
        };
        let seat = self.seat.as_ref()?;
        Some(Box::new(ActorStatus::of(
            seat,
            residence,
            self.house.clock.now(),
        )))
    }

    /// Calls to the world come back as events; the permit tells the gate how the call went. While the lease
    /// is not renewed in time nothing begins.
    pub(super) fn run<T: 'static>(
        ctx: &mut Context<Self>,
        actor: &Self,
        call: impl Future<Output = T> + 'static,
        came_back: impl FnOnce(&mut Self, T) -> Event + 'static,
    ) {
        let held = actor.until_allowed();
        let house = Arc::clone(&actor.house);
        let partition = actor.key.partition();
        let call = async move {
            held.await;
            let _out = house.calls_out().goes_out(partition);
            call.await
        };
        ctx.spawn(call.into_actor(actor).map(move |result, actor, ctx| {
            let event = came_back(actor, result);
            actor.happen(event, ctx);
        }));
    }

    /// The same for calls that another one follows if they don't come back: one that is held for longer
    /// than [`HELD_MAX`] is not begun any more, and comes back as `None`. Else they would pile up while the
    /// lease is not renewed, and go out all at once after it.
    pub(super) fn run_or_skip<T: 'static>(
        ctx: &mut Context<Self>,
        actor: &Self,
        call: impl Future<Output = T> + 'static,
        came_back: impl FnOnce(&mut Self, Option<T>) -> Event + 'static,
    ) {
        let held = actor.until_allowed();
        let house = Arc::clone(&actor.house);
        let partition = actor.key.partition();
        let call = async move {
            if tokio::time::timeout(HELD_MAX, held).await.is_err() {
                return None;
            }
            let _out = house.calls_out().goes_out(partition);
            Some(call.await)
        };
        ctx.spawn(call.into_actor(actor).map(move |result, actor, ctx| {
            let event = came_back(actor, result);
            actor.happen(event, ctx);
        }));
    }

    /// A lease that was not renewed in time may be another's by now. An actor that has lost it never gets
    /// past here: it is about to go.
    fn until_allowed(&self) -> impl Future<Output = ()> + use<> {
        let house = Arc::clone(&self.house);
        let (partition, tenure) = (self.key.partition(), self.tenure);
        async move {
            if !house.ownership.when_allowed(partition, tenure).await {
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn log_ignored(&self, event: &'static str, ignored: &Ignored) {
        tracing::debug!(key = %self.key, event, because = %ignored, "ignored");
    }
}

/// How long an inquiry or a delivery may wait for the lease to be renewed before it is skipped: shorter than
/// any time in which it would count as lost.
const HELD_MAX: Duration = Duration::from_secs(1);
/// The pause before a delivery that was skipped is due again.
pub(super) const SKIPPED_PAUSE: Duration = Duration::from_secs(1);

/// Appends an acceptance. What was surely not written is answered at once, and its sender tries again;
/// what may have been written is repeated until that is known.
async fn first_append(house: Arc<House>, append: Append) -> Result<Committed, AppendError> {
    match house.journal.append(append.clone()).await {
        Err(AppendError::Unconfirmed(_)) => persist(&house, append).await,
        result => result,
    }
}

pub(in crate::actors) fn replay(seat: &Transaction, acceptance: &Acceptance) -> Accepted {
    if seat.payload_hash == acceptance.payload_hash {
        Accepted::Replayed(Box::new(seat.clone()))
    } else {
        Accepted::OtherPayload
    }
}

/// Whether a provider that answers like this works. An answer that nobody can read counts against it:
/// it must not be sent more money until somebody has looked.
pub(super) fn healthy(finding: &Finding) -> bool {
    match finding {
        Finding::Completed | Finding::Declined | Finding::Pending | Finding::NotFound => true,
        Finding::NotExecuted { .. } | Finding::Unclear { .. } => false,
    }
}
