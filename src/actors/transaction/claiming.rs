//! Webhooks that came before the transaction knew the provider's reference: kept in the journal, and
//! claimed as soon as the reference is learned.
//!
//! The reference is durable before this looks, and the door keeps a webhook before it looks for the
//! reference, so one of the two always sees the other. What both see is known by its event id.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AsyncContext, Context, Handler, Message};

use super::TransactionActor;
use crate::ports::{JournalError, Kept};
use crate::transaction::Event;

/// The pause before a journal that could not be read is asked again.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(1);

/// Takes in the next claimed webhook.
#[derive(Message)]
#[rtype(result = "()")]
struct TakeNext;

impl TransactionActor {
    /// Looks for what was kept under the references that are known.
    pub(super) fn claim_inbox(&mut self, ctx: &mut Context<Self>) {
        let Some(seat) = &self.seat else { return };
        let provider = seat.provider().to_owned();
        let references: Vec<String> = seat.provider_references().map(str::to_owned).collect();
        let journal = Arc::clone(&self.house.journal);
        let found = async move {
            let mut kept = Vec::new();
            for reference in references {
                kept.extend(journal.kept_for(&provider, &reference).await?);
            }
            Ok::<Vec<Kept>, JournalError>(kept)
        };
        ctx.spawn(found.into_actor(self).map(|found, actor, ctx| match found {
            Ok(kept) => {
                actor.claimed.extend(kept);
                ctx.notify(TakeNext);
            }
            Err(error) => {
                tracing::warn!(key = %actor.key, %error, "the inbox can't be read; asked again soon");
                ctx.run_later(UNREADABLE_PAUSE, Self::claim_inbox);
            }
        }));
    }
}

impl Handler<TakeNext> for TransactionActor {
    type Result = ();

    /// One after the other: each is decided on what the one before has made durable.
    fn handle(&mut self, _: TakeNext, ctx: &mut Self::Context) {
        let Some(kept) = self.claimed.pop_front() else {
            return;
        };
        let configured = self.provider().is_some();
        let attempt = self.attribute(&kept.provider, kept.attempt, &kept.report);
        let Some(attempt) = attempt.filter(|_| configured) else {
            // It stays in the inbox, for a person.
            return ctx.notify(TakeNext);
        };
        tracing::info!(key = %self.key, event_id = kept.event_id, "claims a webhook that had come before");
        let event = Event::WebhookArrived {
            attempt,
            event_id: Some(kept.event_id.clone()),
            report: kept.report.clone(),
        };
        let journal = Arc::clone(&self.house.journal);
        self.happen_then(event, ctx, move |_, _| {
            // Durable by now, or known to change nothing. What can't be released is claimed once more
            // at the next activation, and is known then.
            actix::spawn(async move {
                let statement = kept.statement();
                let released = journal.release(&kept.provider, &kept.event_id, Some(&statement));
                if let Err(error) = released.await {
                    tracing::warn!(%error, "a claimed webhook could not be taken out of the inbox");
                }
            });
        });
        ctx.notify(TakeNext);
    }
}
