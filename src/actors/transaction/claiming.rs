//! Webhooks that came before the transaction knew the provider's reference: kept in the journal, and
//! claimed as soon as the reference is learned.
//!
//! The reference is durable before this looks, and the door keeps a webhook before it looks for the
//! reference, so one of the two always sees the other. What both see is known by its event id.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AsyncContext, Context};

use super::TransactionActor;
use crate::actors::messages::{NamedBy, TrustedWebhook};
use crate::ports::{JournalError, Kept};
use crate::transaction::Event;

/// The pause before a journal that could not be read is asked again.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(1);

/// How far the look into the inbox is. Until it has been read the actor stays in memory: nothing else
/// would look again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Claim {
    /// Nothing is to be looked for.
    #[default]
    Idle,
    /// The journal is being read, or is asked again soon.
    Reading,
    /// The same, and since then another reference has become known: one more look follows.
    ReadingOnceMore,
}

impl Claim {
    pub(super) fn is_under_way(self) -> bool {
        self != Self::Idle
    }
}

impl TransactionActor {
    /// Looks for what was kept under the references that are known. One look at a time.
    pub(super) fn claim_inbox(&mut self, ctx: &mut Context<Self>) {
        if self.claim.is_under_way() {
            self.claim = Claim::ReadingOnceMore;
        } else {
            self.claim = Claim::Reading;
            self.read_inbox(ctx);
        }
    }

    fn read_inbox(&mut self, ctx: &mut Context<Self>) {
        let Some(seat) = &self.seat else {
            self.claim = Claim::Idle;
            return;
        };
        let known = seat.provider_references().into_iter();
        let known: Vec<(String, String)> = known
            .map(|(provider, reference)| (provider.to_owned(), reference.to_owned()))
            .collect();
        let journal = Arc::clone(&self.house.journal);
        let found = async move {
            let mut kept = Vec::new();
            for (provider, reference) in known {
                kept.extend(journal.kept_for(&provider, &reference).await?);
            }
            Ok::<Vec<Kept>, JournalError>(kept)
        };
        ctx.spawn(found.into_actor(self).map(|found, actor, ctx| match found {
            Ok(kept) => actor.inbox_was_read(kept, ctx),
            Err(error) => {
                tracing::warn!(key = %actor.key, %error, "the inbox can't be read; asked again soon");
                ctx.run_later(UNREADABLE_PAUSE, Self::read_inbox);
            }
        }));
    }

    fn inbox_was_read(&mut self, kept: Vec<Kept>, ctx: &mut Context<Self>) {
        let claim = std::mem::take(&mut self.claim);
        for one in kept {
            self.take_in(one, ctx);
        }
        if claim == Claim::ReadingOnceMore {
            self.claim_inbox(ctx);
        }
    }

    /// Decides what a kept webhook changes, in its turn: on what the one before has made durable.
    fn take_in(&mut self, kept: Kept, ctx: &mut Context<Self>) {
        if self.queue.is_busy() {
            return self.queue.push(|actor, ctx| actor.take_in(kept, ctx));
        }
        let configured = self.provider().is_some();
        let webhook = TrustedWebhook {
            provider: kept.provider.clone(),
            named_by: NamedBy::ProviderReference,
            attempt: kept.attempt,
            event_id: Some(kept.event_id.clone()),
            report: kept.report.clone(),
        };
        let Some(attempt) = self.attribute(&webhook).filter(|_| configured) else {
            // It stays in the inbox, for a person.
            return;
        };
        tracing::info!(key = %self.key, event_id = kept.event_id, "claims a webhook that had come before");
        let event = Event::WebhookArrived {
            provider: webhook.provider,
            attempt,
            event_id: webhook.event_id,
            report: webhook.report,
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
    }
}
