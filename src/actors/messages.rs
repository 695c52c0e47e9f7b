//! What the outside can say to a transaction, and what it answers.

use actix::Message;
use tokio::sync::oneshot;

use super::gate::Grant;
use super::router::Place;
use super::status::ActorStatus;
use crate::transaction::{Acceptance, Act, Ignored, Key, Report, Transaction};

/// Said of a transaction whose partition has another owner, or none just now.
pub(super) const MOVING: &str = "the transaction is on its way to another node";
/// Said to a caller whose call can't wait, because as many wait as may.
pub(super) const MAILBOX_FULL: &str = "too many messages wait for this transaction";

/// One message to one transaction, routed by its key.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// Whose.
    pub key: Key,
    /// What.
    pub call: Call,
    /// Its place among the calls that the shard holds at once; given back with the answer.
    pub place: Option<Place>,
}

/// The sender of one answer. Dropping it unanswered tells the caller that the actor is gone.
pub type Reply<T> = oneshot::Sender<T>;

/// What can be said to a transaction.
pub enum Call {
    /// An app asks for it.
    Accept {
        /// The request.
        acceptance: Box<Acceptance>,
        /// Answered once it is durable.
        reply: Reply<Accepted>,
    },
    /// What is it now?
    Read {
        /// Answered at once.
        reply: Reply<Found>,
    },
    /// Tell me when it has changed.
    Watch {
        /// What to wait for.
        until: Until,
        /// Answered when that is so, or never.
        reply: Reply<Found>,
    },
    /// What is its actor doing?
    Inspect {
        /// Answered at once.
        reply: Reply<Option<Box<ActorStatus>>>,
    },
    /// A trusted webhook.
    Webhook {
        /// What it says, of whom.
        webhook: Box<TrustedWebhook>,
        /// Answered once it is durable, or known to change nothing.
        reply: Reply<WebhookTaken>,
    },
    /// An untrusted webhook.
    Hint {
        /// The provider whose door it came to.
        provider: String,
    },
    /// Somebody acts.
    Act {
        /// Who, what and why.
        act: Act,
        /// Answered once it is durable, or refused.
        reply: Reply<Acted>,
    },
    /// The gate's permit.
    Granted(Box<Grant>),
    /// The gate where it waits for a submission has shut: there may be another way.
    Reroute,
    /// It was taken in by another node: somebody has to go on with it.
    Arrived,
    /// The process stops: write down what is out.
    Stop {
        /// Answered once it is durable.
        reply: Reply<()>,
    },
    /// Panics, to prove that a panic is survived. No door leads here; tests send it.
    Crash,
}

/// A webhook that the profile trusts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedWebhook {
    /// The provider that sent it.
    pub provider: String,
    /// How it names the transaction.
    pub named_by: NamedBy,
    /// The attempt that it names.
    pub attempt: Option<u32>,
    /// What makes it the same event.
    pub event_id: Option<String>,
    /// What it says.
    pub report: Report,
}

/// How a webhook names the transaction that it is handed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedBy {
    /// By the reference that teller gave, or by a token that only teller can make.
    OurReference,
    /// The same, where the provider vouches for that reference, and no other transaction is known under the
    /// provider's id in it.
    OurReferenceAlone,
    /// By the provider's own id only.
    ProviderReference,
}

/// What a watcher waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// An outcome.
    Final,
    /// Another version than this.
    Changed(u64),
}

impl Until {
    /// Whether `transaction` is what the watcher waits for.
    #[must_use]
    pub fn is_met(self, transaction: &Transaction) -> bool {
        match self {
            Self::Final => transaction.state.is_final(),
            Self::Changed(version) => transaction.version != version,
        }
    }
}

/// The answer to [`Call::Accept`].
#[derive(Debug)]
pub enum Accepted {
    /// It is durable and new.
    New(Box<Transaction>),
    /// It was there already.
    Replayed(Box<Transaction>),
    /// The id is taken by another payload.
    OtherPayload,
    /// This node does not own it (any more), and nothing was written.
    Elsewhere,
    /// Nothing was written.
    Unavailable(String),
}

/// The answer to a reading call.
#[derive(Debug)]
pub enum Found {
    /// The transaction.
    Here(Box<Transaction>),
    /// There is none.
    Nowhere,
    /// It can't be told now.
    Unavailable(String),
}

/// The answer to [`Call::Webhook`].
#[derive(Debug, PartialEq, Eq)]
pub enum WebhookTaken {
    /// Durable, or known to change nothing.
    Yes,
    /// No such transaction, or none that its sender was ever sent.
    Unknown,
    /// This node does not own the transaction (any more), and nothing was written.
    Elsewhere,
    /// Nothing was written.
    Unavailable(String),
}

/// The answer to [`Call::Act`].
#[derive(Debug)]
pub enum Acted {
    /// Done, and this is what it is now.
    Done(Box<Transaction>),
    /// Not done.
    Refused(Ignored),
    /// There is none.
    Nowhere,
    /// Nothing was written.
    Unavailable(String),
}

impl Call {
    /// Whether an actor has to be in memory for it; a reader is served from the journal.
    pub(super) fn needs_actor(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Inspect { .. } => false,
            Self::Accept { .. }
            | Self::Watch { .. }
            | Self::Webhook { .. }
            | Self::Hint { .. }
            | Self::Act { .. }
            | Self::Granted(_)
            | Self::Reroute
            | Self::Arrived
            | Self::Stop { .. }
            | Self::Crash => true,
        }
    }

    /// Answers that no such transaction exists. Whoever asked may have hung up.
    pub(super) fn answer_nowhere(self) {
        match self {
            Self::Accept { reply, .. } => {
                let _ = reply.send(Accepted::Unavailable(
                    "the transaction could not be found again".to_owned(),
                ));
            }
            Self::Read { reply } | Self::Watch { reply, .. } => {
                let _ = reply.send(Found::Nowhere);
            }
            Self::Inspect { reply } => {
                let _ = reply.send(None);
            }
            Self::Webhook { reply, .. } => {
                let _ = reply.send(WebhookTaken::Unknown);
            }
            Self::Act { reply, .. } => {
                let _ = reply.send(Acted::Nowhere);
            }
            Self::Stop { reply } => {
                let _ = reply.send(());
            }
            Self::Hint { .. } | Self::Granted(_) | Self::Reroute | Self::Arrived | Self::Crash => {}
        }
    }

    /// Answers that the transaction is another node's. Whoever asked may have hung up.
    pub(super) fn answer_elsewhere(self) {
        match self {
            Self::Accept { reply, .. } => {
                let _ = reply.send(Accepted::Elsewhere);
            }
            Self::Webhook { reply, .. } => {
                let _ = reply.send(WebhookTaken::Elsewhere);
            }
            other => other.answer_unavailable(MOVING),
        }
    }

    /// Answers a call that can't be taken now; a permit goes back into its queue.
    pub(super) fn turn_away(self, why: &str) {
        match self {
            Self::Granted(grant) => grant.put_back(),
            other => other.answer_unavailable(why),
        }
    }

    /// Answers that nothing can be said or done now. Whoever asked may have hung up.
    pub(super) fn answer_unavailable(self, why: &str) {
        match self {
            Self::Accept { reply, .. } => {
                let _ = reply.send(Accepted::Unavailable(why.to_owned()));
            }
            Self::Read { reply } | Self::Watch { reply, .. } => {
                let _ = reply.send(Found::Unavailable(why.to_owned()));
            }
            Self::Inspect { reply } => {
                let _ = reply.send(None);
            }
            Self::Webhook { reply, .. } => {
                let _ = reply.send(WebhookTaken::Unavailable(why.to_owned()));
            }
            Self::Act { reply, .. } => {
                let _ = reply.send(Acted::Unavailable(why.to_owned()));
            }
            Self::Stop { reply } => {
                let _ = reply.send(());
            }
            Self::Hint { .. } | Self::Granted(_) | Self::Reroute | Self::Arrived | Self::Crash => {}
        }
    }
}
