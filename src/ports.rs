//! What the actors need from the world, as traits: a journal that remembers, providers that move
//! money, a notifier that tells the app. Adapters implement them; the simulation does too.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::transaction::{Attempt, Intent, Key, Mono, Policy, Report, Request, TransactionId};

pub use self::cluster_view::{ClusterSnapshot, ClusterView, NodeView};
pub use self::council::{Assembly, Council, Lease, NodeCard, Renewal};
pub use self::journal::{
    Append, AppendError, Binding, Committed, Expect, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, ProviderReference, Summary,
};
pub use self::notifier::{
    DisabledSince, EndpointMemory, EndpointRefusal, EndpointState, EndpointStatus, EndpointTrouble,
    Endpoints, Notification, Notifier,
};

pub use self::ownership::{Alone, Owner, Ownership, Tenants, Tenure};
pub use self::send_permission::{NotPermitted, SendPermission};
pub use self::shared::{Letter, Posted, Shared};

mod cluster_view;
mod council;
mod journal;
mod notifier;
mod ownership;
mod send_permission;
mod shared;

/// A future that can cross threads.
pub type Promise<T> = Pin<Box<dyn Future<Output = T> + Send>>;

// ---- provider ----------------------------------------------------------------------------------------

/// A provider as its profile describes it.
pub trait Provider: Send + Sync {
    /// Its name in requests, URLs and logs.
    fn name(&self) -> &str;

    /// The numbers that decisions depend on. Its [`Policy::notify`] is not looked at: how an app is
    /// told is said by [`Notifier::policy`].
    fn policy(&self) -> &Policy;

    /// What its gate lets through.
    fn limits(&self) -> &Limits;

    /// Renders what attempt number `attempt` would do.
    ///
    /// # Errors
    /// The template's complaint, when this transaction lacks what the profile needs.
    fn intent(&self, key: &Key, request: &Request, attempt: u32) -> Result<Intent, String>;

    /// Sends the attempt's request and reads the answer. Never fails: what goes wrong is a finding.
    /// `permission` is asked right before the first byte goes out, once a connection stands; a request
    /// without it is surely not executed.
    fn submit(
        &self,
        intent: Arc<Intent>,
        traceparent: Option<String>,
        permission: SendPermission,
    ) -> Promise<SubmissionResult>;

    /// Asks about an attempt and reads the status report.
    fn inquire(&self, key: &Key, request: &Request, attempt: &Attempt) -> Promise<InquiryResult>;

    /// Reads a webhook. Nothing in it is trusted before the profile's check.
    ///
    /// # Errors
    /// [`WebhookRejected`] when it can't be read or must not be believed.
    fn read_webhook(
        &self,
        webhook: &IncomingWebhook<'_>,
    ) -> Result<WebhookReading, WebhookRejected>;

    /// Answers since the start that named another payment than the one that was asked about. They
    /// count for nothing; many of them mean that the way to the provider mixes its answers up.
    fn answers_about_others(&self) -> u64 {
        0
    }
}

/// What the gate of one provider lets through.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Submissions out at once.
    pub submissions_at_once: u32,
    /// Submissions per second; `None`: as many as come.
    pub submissions_per_second: Option<f64>,
    /// Inquiries per second: the budget. Never exceeded.
    pub inquiries_per_second: f64,
    /// Inquiries that may be saved up while none are needed.
    pub inquiry_burst: u32,
    /// Inquiries out at once.
    pub inquiries_at_once: u32,
    /// Failures in a row that open the breaker.
    pub breaker_failures: u32,
    /// How long the open breaker waits before it lets one call probe; doubles up to eight times this.
    pub breaker_pause: Duration,
}

/// What came of a submission.
#[derive(Clone, Debug)]
pub struct SubmissionResult {
    /// When the first byte went out; `None` if none did.
    pub sent_at: Option<Mono>,
    /// What the answer says.
    pub report: Report,
}

/// What came of an inquiry.
#[derive(Clone, Debug)]
pub struct InquiryResult {
    /// A moment not after its first byte went out.
    pub sent_at: Mono,
    /// What the status report says.
    pub report: Report,
}

/// A webhook as it came in.
#[derive(Clone, Copy, Debug)]
pub struct IncomingWebhook<'a> {
    /// `POST` or `PUT`.
    pub method: &'a str,
    /// The absolute URL that it was sent to, as the provider knows it.
    pub url: &'a str,
    /// The token in its URL, if there is one.
    pub token: Option<&'a str>,
    /// Every header line in order, names in small letters.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The raw bytes of its body.
    pub body: &'a [u8],
}

impl<'a> IncomingWebhook<'a> {
    /// The first header with this name, which is in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let mut lines = self.headers.iter();
        lines.find(|(one, _)| *one == name).map(|(_, value)| *value)
    }
}

/// What a webhook turned out to hold: nothing at all, if it is about something else.
#[derive(Clone, PartialEq, Debug)]
pub struct WebhookReading {
    /// Its events. A batch has several; all of them are made durable, or the webhook is not
    /// acknowledged.
    pub events: Vec<WebhookEvent>,
    /// What the provider wants to hear once that is so.
    pub acknowledgement: Acknowledgement,
}

/// The answer to a webhook that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// A 2xx status.
    pub status: u16,
    /// Of the body.
    pub content_type: String,
    /// Empty for none.
    pub body: String,
}

/// One event.
#[derive(Clone, PartialEq, Debug)]
pub enum WebhookEvent {
    /// It is trusted.
    Evidence {
        /// Whom it speaks of.
        subject: Subject,
        /// What makes it the same event.
        event_id: String,
        /// What it says.
        report: Report,
    },
    /// Nobody vouches for it: a reason to ask about this transaction, at most.
    Hint {
        /// Whom it claims to speak of.
        subject: Subject,
    },
}

/// Whom a webhook speaks of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An attempt that teller itself has named, by a token that only it can make.
    Attempt {
        /// The transaction.
        key: Key,
        /// The attempt.
        attempt: u32,
    },
    /// The reference that teller gave. Whose it is has to be looked up where there are several apps.
    Ours {
        /// The transaction's id.
        id: TransactionId,
        /// The attempt, where the reference tells.
        attempt: Option<u32>,
        /// Whether the provider's signature covers this reference, so that only the provider can
        /// have put it there. Letters of earlier versions don't say; for them it counts as not covered.
        #[serde(default)]
        vouched: bool,
    },
    /// The provider's own reference.
    Theirs {
        /// As it stood there.
        reference: String,
    },
}

/// Why a webhook was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebhookRejected {
    /// The provider sends none.
    #[error("this provider's profile expects no webhooks")]
    NoneExpected,
    /// The profile expects another method.
    #[error("this provider's webhooks come with another method")]
    Method,
    /// It is of another media type than this one.
    #[error("this provider's webhooks are {0}")]
    MediaType(&'static str),
    /// The signature is missing, wrong or stale.
    #[error("the signature doesn't hold: {0}")]
    NotSigned(String),
    /// Not in the form that the profile describes, or without what it reads from it.
    #[error("{0}")]
    Unreadable(String),
}

/// The configured providers.
#[derive(Clone)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn Provider>>,
    default: String,
}

impl Providers {
    /// The providers, of which `default` takes what names none.
    ///
    /// # Panics
    /// If `default` is not among them; the configuration checks that first.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn Provider>>, default: &str) -> Self {
        let by_name: BTreeMap<_, _> = providers
            .into_iter()
            .map(|one| (one.name().to_owned(), one))
            .collect();
        assert!(
            by_name.contains_key(default),
            "the default provider {default:?} is not configured"
        );
        Self {
            by_name,
            default: default.to_owned(),
        }
    }

    /// The provider with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.by_name.get(name)
    }

    /// The name of the one that takes what names none.
    #[must_use]
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The only one, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<&Arc<dyn Provider>> {
        (self.by_name.len() == 1)
            .then(|| self.by_name.values().next())
            .flatten()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.by_name.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_of_an_earlier_version_is_read_as_not_vouched_for() {
        let old = r#"{"ours":{"id":"7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01","attempt":2}}"#;
        let read: Subject = serde_json::from_str(old).expect("readable");
        let Subject::Ours {
            attempt, vouched, ..
        } = &read
        else {
            panic!("{read:?}");
        };
        assert_eq!((*attempt, *vouched), (Some(2), false));
        let now = Subject::Ours {
            id: TransactionId(uuid::Uuid::from_u128(1)),
            attempt: None,
            vouched: true,
        };
        let text = serde_json::to_string(&now).expect("writable");
        let again: Subject = serde_json::from_str(&text).expect("readable");
        assert_eq!(again, now);
    }
}
