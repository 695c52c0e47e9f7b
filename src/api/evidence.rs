//! From a verified webhook to its transaction: what the door and the delivery of letters share.
//!
//! ```text
//!   named by our own reference ──▶ the transaction ── known there ──▶ durable with it
//!        │ not known                      ▲
//!        ▼                                │
//!   the provider's id ── referred ────────┤
//!        │ not known                      │
//!        ▼                                │
//!   kept in the inbox ── read again ──────┘ and released
//! ```
//!
//! A webhook needs no transaction to be there: what nobody is known for is kept, durably, and claimed
//! by the transaction as soon as it learns the provider's reference. The door keeps first and then
//! looks again; the transaction writes its reference first and then looks; so whichever comes first,
//! one of them sees the other.
//!
//! Nor does it need the transaction's owner: for one that lives elsewhere, or nowhere just now, it
//! becomes a letter, which is as durable, and which the owner fetches.

use super::{Doors, Problem};
use crate::actors::messages::{Found, NamedBy, WebhookTaken};
use crate::ports::{AppendError, Kept, Letter, Owner, Posted, Subject};
use crate::transaction::Statement;
use crate::transaction::{AppId, Key, Report, Timestamp, Transaction, TransactionId};

/// One verified event on its way to its transaction.
pub(super) struct Evidence<'a> {
    pub(super) doors: &'a Doors,
    pub(super) provider: &'a str,
    pub(super) event_id: &'a str,
    pub(super) report: &'a Report,
    /// When it came.
    pub(super) received_at: Timestamp,
    /// The webhook's body, as it came, for people.
    pub(super) body: &'a str,
    /// The partition from whose letters it was fetched, if it was. It must not go back there: a second
    /// letter of the same event is none, and the first is discarded once this is over.
    pub(super) fetched_from: Option<u32>,
}

impl Evidence<'_> {
    /// Once this is over the event is durable: with its transaction, on its way to its owner, or kept.
    pub(super) async fn take(&self, subject: &Subject) -> Result<(), Problem> {
        let (named, attempt, vouched) = match subject {
            Subject::Attempt { key, attempt } => (Some(key.clone()), Some(*attempt), true),
            Subject::Ours {
                id,
                attempt,
                vouched,
            } => (self.bearer(*id).await?, *attempt, *vouched),
            Subject::Theirs { .. } => (None, None, false),
        };
        let ours = (NamedBy::OurReference, attempt);
        if let Some(key) = &named
            && self.hand_over(key, ours, subject).await?
        {
            return Ok(());
        }
        let reference = self.report.provider_reference.clone();
        if let Some(reference) = &reference
            && self.hand_to_referred(reference).await?
        {
            return Ok(());
        }
        let alone = (NamedBy::OurReferenceAlone, attempt);
        if let Some(key) = named.filter(|_| vouched)
            && self.hand_over(&key, alone, subject).await?
        {
            return Ok(());
        }
        let attempt = attempt.filter(|_| reference.is_none());
        self.keep(attempt).await?;
        // It may have become known while this was being kept.
        if let Some(reference) = &reference
            && self.hand_to_referred(reference).await?
        {
            let journal = &self.doors.house.journal;
            let statement = Statement::of(self.report);
            let released = journal.release(self.provider, self.event_id, Some(&statement));
            let released = released.await;
            released.map_err(|error| unavailable(&error))?;
        }
        Ok(())
    }

    /// Whether the transaction that the provider's id belongs to is known, and has it or will.
    async fn hand_to_referred(&self, reference: &str) -> Result<bool, Problem> {
        let journal = &self.doors.house.journal;
        let found = journal.referred(self.provider, reference).await;
        let found = found.map_err(|error| Problem::unavailable(error.to_string()))?;
        let Some(key) = found else {
            return Ok(false);
        };
        // Whoever is found by the provider's id is not whom our own reference named, so the attempt that
        // it names is none of theirs: that follows from the provider's id, too.
        let subject = Subject::Theirs {
            reference: reference.to_owned(),
        };
        self.hand_over(&key, (NamedBy::ProviderReference, None), &subject)
            .await
    }

    /// Whether the transaction is there, and has it or will.
    async fn hand_over(
        &self,
        key: &Key,
        named: (NamedBy, Option<u32>),
        subject: &Subject,
    ) -> Result<bool, Problem> {
        let house = &self.doors.house;
        if house.ownership.owner(key.partition()) == Owner::Here {
            let (event_id, report) = (Some(self.event_id.to_owned()), self.report.clone());
            let delivered =
                house
                    .router
                    .webhook(key.clone(), self.provider, named, event_id, report);
            match delivered.await? {
                WebhookTaken::Yes => return Ok(true),
                WebhookTaken::Unknown => return Ok(false),
                // The partition went while this was on its way.
                WebhookTaken::Elsewhere => {}
                WebhookTaken::Unavailable(why) => return Err(Problem::unavailable(why)),
            }
        }
        self.post(key, subject).await
    }

    async fn post(&self, key: &Key, subject: &Subject) -> Result<bool, Problem> {
        if self.fetched_from == Some(key.partition()) {
            return Err(Problem::moving());
        }
        let shared = self.doors.house.shared.as_ref();
        let shared = shared.ok_or_else(Problem::moving)?;
        let letter = Letter {
            provider: self.provider.to_owned(),
            event_id: self.event_id.to_owned(),
            subject: subject.clone(),
            report: self.report.clone(),
            received_at: self.received_at,
            body: self.body.to_owned(),
        };
        match shared.post(key, letter).await {
            Ok(Posted::Waiting) => Ok(true),
            Ok(Posted::Nowhere) => Ok(false),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The transaction with this id. Ids are unique within an app only: one that two apps use for the
    /// same provider belongs to neither, for one of them might have chosen it to get the other's
    /// webhooks.
    async fn bearer(&self, id: TransactionId) -> Result<Option<Key>, Problem> {
        let key = |app: &AppId| Key {
            app: app.clone(),
            id,
        };
        if let [only] = self.doors.apps.as_slice() {
            return Ok(Some(key(only)));
        }
        let mut bearers = Vec::new();
        for key in self.doors.apps.iter().map(key) {
            if let Some(transaction) = self.look_up(&key).await?
                && transaction.attributed(self.provider, None).is_ok()
            {
                bearers.push(key);
            }
        }
        if bearers.len() > 1 {
            tracing::error!(%id, provider = self.provider, "two apps have a transaction with this id; its webhook is kept for a person");
        }
        Ok((bearers.len() == 1).then(|| bearers.remove(0)))
    }

    /// The transaction as its actor has it, or as the journal has it where the actor is not here. Which
    /// provider it went to never changes back, so the journal's word is as good for that.
    async fn look_up(&self, key: &Key) -> Result<Option<Box<Transaction>>, Problem> {
        let house = &self.doors.house;
        if house.ownership.owner(key.partition()) == Owner::Here {
            match house.router.read(key.clone()).await? {
                Found::Here(transaction) => return Ok(Some(transaction)),
                Found::Nowhere => return Ok(None),
                Found::Unavailable(why) if house.shared.is_none() => {
                    return Err(Problem::unavailable(why));
                }
                Found::Unavailable(_) => {}
            }
        }
        let unreadable = |why: String| Problem::unavailable(why);
        let records = house.journal.load(key).await;
        let Some(records) = records.map_err(|error| unreadable(error.to_string()))? else {
            return Ok(None);
        };
        let transaction = Transaction::fold(key, &records);
        let transaction = transaction.map_err(|corrupt| unreadable(corrupt.to_string()))?;
        Ok(Some(Box::new(transaction)))
    }

    async fn keep(&self, attempt: Option<u32>) -> Result<(), Problem> {
        let kept = Kept {
            provider: self.provider.to_owned(),
            event_id: self.event_id.to_owned(),
            references: self.report.provider_reference.iter().cloned().collect(),
            received_at: self.received_at,
            attempt,
            report: self.report.clone(),
            body: self.body.to_owned(),
        };
        tracing::info!(
            provider = self.provider,
            event_id = self.event_id,
            "webhook for something not known yet, kept"
        );
        let kept = self.doors.house.journal.keep(kept).await;
        kept.map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &AppendError) -> Problem {
    Problem::unavailable(error.to_string())
}
