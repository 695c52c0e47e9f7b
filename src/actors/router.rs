//! key → partition → shard: a cheap handle that everybody outside of the actors holds.
//!
//! Back-pressure sits here: each shard holds a bounded number of calls ([`CALLS_AT_ONCE`]), because
//! an actix mailbox grows by a slot for every clone of its address and so bounds nothing by itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use actix::Addr;
use actix::dev::SendError;
use tokio::sync::oneshot;

use super::messages::{
    Accepted, Acted, Call, Deliver, Found, NamedBy, Reply, TrustedWebhook, Until, WebhookTaken,
};
use super::registry::{List, PutAside, Recall, Registry};
use super::status::{ActorStatus, ShardStatus};
use crate::transaction::{Acceptance, Act, Key, Report};

/// Calls that one shard holds at once, answers outstanding. A worker serves some 25,000 a second, so
/// this many are a quarter of a second's work; more would only wait longer and then time out.
pub const CALLS_AT_ONCE: usize = 8_192;

/// The way to every transaction.
#[derive(Clone)]
pub struct Router {
    shards: Arc<[Shard]>,
}

struct Shard {
    address: RwLock<Option<Addr<Registry>>>,
    calls: Arc<AtomicUsize>,
}

/// A call's place among those that its shard holds.
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Why a call was not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unanswered {
    /// The shard holds as many calls as it may.
    #[error("teller has as much to do as it can hold")]
    Overloaded,
    /// The shard is not there yet, or not any more.
    #[error("this part of teller is starting or stopping")]
    NotServing,
    /// The actor went away before it answered. Whether it had done it is not known; asking again is
    /// safe.
    #[error("the transaction's actor was interrupted before it could answer")]
    Interrupted,
}

impl Router {
    /// A router for this many shards, none of which is there yet.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let shard = |_| Shard {
            address: RwLock::new(None),
            calls: Arc::new(AtomicUsize::new(0)),
        };
        Self {
            shards: (0..shards.max(1)).map(shard).collect(),
        }
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The shard that a key lives in.
    #[must_use]
    pub fn shard_of(&self, key: &Key) -> usize {
        self.shard_of_partition(key.partition())
    }

    /// The shard that a partition's transactions live in.
    #[must_use]
    pub fn shard_of_partition(&self, partition: u32) -> usize {
        partition as usize % self.shards.len()
    }

    /// Has `start` fill the first place that no living shard holds, if there is one.
    pub fn fill_vacancy(&self, start: impl FnOnce(usize) -> Addr<Registry>) {
        for (index, shard) in self.shards.iter().enumerate() {
            let mut address = shard
                .address
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if address.as_ref().is_none_or(|address| !address.connected()) {
                *address = Some(start(index));
                return;
            }
        }
    }

    /// Whether every shard is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        (0..self.shards.len()).all(|shard| {
            self.address(shard)
                .is_some_and(|address| address.connected())
        })
    }

    /// Calls that are being answered now, over all shards.
    #[must_use]
    pub fn calls_held(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.calls.load(Ordering::Acquire))
            .sum()
    }

    /// Accepts a request, or finds the transaction that it made before.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, Unanswered> {
        let key = acceptance.key.clone();
        self.ask(key, |reply| Call::Accept {
            acceptance: Box::new(acceptance),
            reply,
        })
        .await
    }

    /// Reads a transaction.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn read(&self, key: Key) -> Result<Found, Unanswered> {
        self.ask(key, |reply| Call::Read { reply }).await
    }

    /// Reads a transaction once it is as `until` says. The caller sets the time limit.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn watch(&self, key: Key, until: Until) -> Result<Found, Unanswered> {
        let (reply, answer) = oneshot::channel();
        // A watcher may wait for long: it holds a place only until the actor has noted it.
        self.send(key, Call::Watch { until, reply })?;
        answer.await.map_err(|_| Unanswered::Interrupted)
    }

    /// What the actor of a transaction is doing; `None` if there is no such transaction.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn inspect(&self, key: Key) -> Result<Option<Box<ActorStatus>>, Unanswered> {
        self.ask(key, |reply| Call::Inspect { reply }).await
    }

    /// Hands over a trusted webhook of `provider`, with how it names the transaction, and which attempt.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn webhook(
        &self,
        key: Key,
        provider: &str,
        (named_by, attempt): (NamedBy, Option<u32>),
        event_id: Option<String>,
        report: Report,
    ) -> Result<WebhookTaken, Unanswered> {
        let webhook = Box::new(TrustedWebhook {
            provider: provider.to_owned(),
            named_by,
            attempt,
            event_id,
            report,
        });
        self.ask(key, |reply| Call::Webhook { webhook, reply })
            .await
    }

    /// Acts on a transaction.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn act(&self, key: Key, act: Act) -> Result<Acted, Unanswered> {
        self.ask(key, |reply| Call::Act { act, reply }).await
    }

    /// Sends a call that nobody waits for, subject to the shard's bound like any other.
    ///
    /// # Errors
    /// [`Unanswered`], and the call is gone.
    pub fn send(&self, key: Key, call: Call) -> Result<(), Unanswered> {
        let index = self.shard_of(&key);
        let place = self.place(index)?;
        let address = self.address(index).ok_or(Unanswered::NotServing)?;
        address
            .try_send(Deliver {
                key,
                call,
                place: Some(place),
            })
            .map_err(|error| match error {
                SendError::Full(_) => Unanswered::Overloaded,
                SendError::Closed(_) => Unanswered::NotServing,
            })
    }

    /// Sends one of our own calls, which are bounded where they come from. Hands it back when the
    /// shard can't take it now.
    pub(super) fn tell(&self, key: Key, call: Call) -> Result<(), Call> {
        let Some(address) = self.address(self.shard_of(&key)) else {
            return Err(call);
        };
        address
            .try_send(Deliver {
                key,
                call,
                place: None,
            })
            .map_err(|error| match error {
                SendError::Full(deliver) | SendError::Closed(deliver) => deliver.call,
            })
    }

    /// What each shard holds.
    pub async fn shard_statuses(&self) -> Vec<ShardStatus> {
        let mut statuses = Vec::new();
        for index in 0..self.shards.len() {
            if let Some(address) = self.address(index)
                && let Ok(status) = address.send(Recall).await
            {
                statuses.push(status);
            }
        }
        statuses
    }

    /// The keys of live actors after `after`, in order, at most `limit` of each shard's.
    pub async fn live_keys(&self, after: Option<Key>, limit: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for index in 0..self.shards.len() {
            if let Some(address) = self.address(index)
                && let Ok(some) = address
                    .send(List {
                        after: after.clone(),
                        limit,
                    })
                    .await
            {
                keys.extend(some);
            }
        }
        keys.sort();
        keys.truncate(limit);
        keys
    }

    /// The keys that are put aside after panics, in order, at most `limit`.
    pub async fn put_aside(&self, limit: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for index in 0..self.shards.len() {
            if let Some(address) = self.address(index)
                && let Ok(some) = address.send(PutAside { limit }).await
            {
                keys.extend(some);
            }
        }
        keys.sort();
        keys.truncate(limit);
        keys
    }

    /// Has every live actor write down what is out, for a stop.
    pub async fn stop_all(&self) {
        for index in 0..self.shards.len() {
            if let Some(address) = self.address(index) {
                // A shard that is gone has nothing left to write down.
                let _ = address.send(super::registry::StopAll).await;
            }
        }
    }

    /// Tells every shard something and waits until all have done it.
    pub(super) async fn ask_all<M>(&self, message: impl Fn() -> M)
    where
        M: actix::Message + Send + 'static,
        M::Result: Send,
        Registry: actix::Handler<M>,
    {
        let addresses = (0..self.shards.len()).filter_map(|shard| self.address(shard));
        let sent: Vec<_> = addresses.map(|address| address.send(message())).collect();
        for done in sent {
            // A shard that is gone has nothing to do any more.
            let _ = done.await;
        }
    }

    async fn ask<T>(&self, key: Key, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, Unanswered> {
        let (reply, answer) = oneshot::channel();
        self.send(key, call(reply))?;
        answer.await.map_err(|_| Unanswered::Interrupted)
    }

    fn place(&self, shard: usize) -> Result<Place, Unanswered> {
        let calls = &self.shards[shard].calls;
        let place = Place(Arc::clone(calls));
        // Counted first: the place takes itself back when it turns out to be one too many.
        if calls.fetch_add(1, Ordering::AcqRel) >= CALLS_AT_ONCE {
            return Err(Unanswered::Overloaded);
        }
        Ok(place)
    }

    fn address(&self, shard: usize) -> Option<Addr<Registry>> {
        self.shards[shard]
            .address
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
