//! The journal that several nodes share: Redis 7 or Valkey.
//!
//! Every step is one Function, which checks the partition's fencing token and the transaction's
//! version and then writes everything that belongs to the step. All of a partition's keys carry one
//! hash tag:
//!
//! ```text
//!   teller:{p17}:r:<app>/<id>   list     a record each, JSON; its length is the version. Of what retention
//!                                        removed only the last is there, the tombstone, after empty ones
//!   teller:{p17}:s              hash     transaction → snapshot, JSON: position, status, due, summary
//!   teller:{p17}:open           zset     what is open, by position
//!   teller:{p17}:st:<status>    zset     all, by position
//!   teller:{p17}:review         zset     what needs a person, by position
//!   teller:{p17}:new            zset     accepted by a node that doesn't own it, not yet continued
//!   teller:{p17}:b              hash     idempotency key's own id → the id it stands for
//!   teller:{p17}:archive        stream   the histories that retention removed, if they go to a stream
//!   teller:{p17}:mail           hash     webhooks on their way to the owner; mail:order has their order
//!   teller:{p17}:lease          hash     who owns the partition (written by the council)
//!   teller:{r86}:ref            hash     provider NUL reference → transaction, in 256 slices
//!   teller:{inbox}:…                     webhooks for what is not known yet, for all providers, by provider,
//!                                        event id and what they state
//!   teller:{meta}:notes         hash     small facts
//! ```
//!
//! - **Positions** are unique and grow: the server's time in sixteenths of a millisecond, then the
//!   partition. They order lists and pages.
//! - **Times.** Nodes' clocks may be minutes apart. When something is due is handed over as a span and
//!   kept by the server's clock.
//! - **Acknowledged** means: the server has answered, which with `appendfsync always` it does after its
//!   fsync, and the configured replicas have confirmed it, asked on the connection that wrote. That
//!   goes for refusals too: what they speak of is confirmed with them.
//! - **Repeating** a step is safe. Finding the very same bytes in their place is success.
//! - A provider's reference is written before the step that brings it, in the same pipeline, so that it
//!   is found from the step's confirmation on.
//! - The library of Functions carries its version in its names. A server that has lost it is given it
//!   again.

mod answers;
mod archive;
mod check;
mod inbox;
mod keys;
mod known;
mod library;
mod link;
mod lists;
mod merge;
mod options;
mod port;
mod retention;
mod shared;
mod written;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{owned, owned_cluster};

use std::sync::Arc;
use std::time::Duration;

pub use self::keys::Keys;
pub use self::library::Library;
pub use self::link::{Link, Seen, Trouble};
pub use self::options::{
    Address, Archive, CONNECTIONS_MAX, Options, Password, Place, REPLICAS_MAX, Retention, Tls,
};
pub use self::retention::Retired;

use tokio::time::Instant;

use self::check::Finding;
use self::known::Known;
use self::retention::Cursors;
use crate::clock::Clock;
use crate::ports::JournalError;

/// The pause between two looks while it waits.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The journal over Redis. See the [module](self).
#[derive(Clone, Debug)]
pub struct RedisJournal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    link: Arc<Link>,
    known: Known,
    retention: Option<Retention>,
    cursors: Cursors,
    clock: Clock,
}

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system has no room for another thread.
    #[error("the thread of the connections to Redis can't be started")]
    Thread(#[source] std::io::Error),
    /// The server can't be reached.
    #[error("the journal can't be reached: {0}")]
    Unreachable(String),
    /// The server can't do what teller needs.
    #[error("{0}")]
    Unusable(String),
    /// The server loses what it has acknowledged.
    #[error(
        "the server does not keep what it acknowledges:\n  - {}\nOr say --i-accept-data-loss, which \
         means: transactions that teller has accepted may vanish",
        .0.join("\n  - ")
    )]
    Loses(Vec<String>),
}

impl RedisJournal {
    /// Connects, waits until the server answers, and looks whether it can be relied on.
    ///
    /// # Errors
    /// [`StartError`]: what is in the way, and the way out.
    pub async fn connect(options: Options) -> Result<Self, StartError> {
        let accept_data_loss = options.accept_data_loss;
        let retention = options.retention.clone();
        let end = Instant::now() + options.start_within;
        let link = Arc::new(Link::start(options).map_err(StartError::Thread)?);
        while let Err(JournalError(why)) = link.ask(redis::cmd("PING")).await {
            if Instant::now() >= end {
                return Err(StartError::Unreachable(why));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        match check::check(&link).await {
            Ok(()) => {}
            Err(Finding::Unreachable(why)) => return Err(StartError::Unreachable(why)),
            Err(Finding::Unusable(why)) => return Err(StartError::Unusable(why)),
            Err(Finding::Loses(why)) if accept_data_loss => {
                let why = why.join("; ");
                tracing::warn!(why, "accepted transactions may be lost, as was asked for");
            }
            Err(Finding::Loses(why)) => return Err(StartError::Loses(why)),
        }
        // A server that is there and takes no writes now, because it is full, is waited for no longer:
        // the journal says so, and serves when it does.
        while !link.is_whole() && Instant::now() < end {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                link,
                known: Known::default(),
                retention,
                cursors: Cursors::default(),
                clock: Clock::system(),
            }),
        })
    }

    /// The providers of open transactions, those of earlier attempts included.
    ///
    /// # Errors
    /// Why the store can't be read.
    pub async fn open_providers(&self) -> Result<Vec<String>, JournalError> {
        let providers = lists::open_providers(&self.inner.link).await?;
        Ok(providers.into_iter().collect())
    }

    /// The connections, for what else nodes agree on through the same store.
    #[must_use]
    pub fn link(&self) -> Arc<Link> {
        Arc::clone(&self.inner.link)
    }
}
