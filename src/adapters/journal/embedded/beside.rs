//! What is known beside the transactions' versions, in memory, as of the last commit: kept webhooks,
//! the references in the log's tail, and notes.
//!
//! All of it is made known before whoever waits for the commit is answered. So a transaction that
//! asks for its webhooks after its append, and a webhook's receiver that asks for its transaction
//! after the webhook is kept, can't both find nothing.

use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::entry::{Entry, Matter};
use super::inbox::Inbox;
use super::notes::Notes;
use super::references::Overlay;
use super::shared::{PRUNE_NAMES, locked};
use crate::ports::ProviderReference;

#[derive(Default, Debug)]
pub(super) struct Beside {
    inbox: Mutex<Inbox>,
    references: Mutex<Overlay>,
    notes: Mutex<Notes>,
}

impl Beside {
    /// What the archive has, which is everything while the log has no tail.
    pub(super) fn over(archive: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            inbox: Mutex::new(Inbox::over(archive)?),
            references: Mutex::default(),
            notes: Mutex::new(Notes::over(archive)?),
        })
    }

    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        locked(&self.inbox)
    }

    pub(super) fn references(&self) -> MutexGuard<'_, Overlay> {
        locked(&self.references)
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        locked(&self.notes)
    }

    /// Makes one row of a committed batch known.
    pub(super) fn publish(&self, entry: &Entry, sequence: u64) {
        match &entry.matter {
            Matter::Step { summary, .. } if summary.references.is_empty() => {}
            Matter::Step { key, summary, .. } => self.references().claim(sequence, key, summary),
            Matter::Bound { .. } => {}
            Matter::Kept { event, waiting } => self.inbox().keep(sequence, event, waiting),
            Matter::Released(release) => self.inbox().release(release),
            Matter::Expired(before) => self.inbox().expire(*before),
            Matter::Noted(name) => self.notes().set(name, &entry.records),
            Matter::Forgotten(name) => self.notes().forget(name),
        }
    }

    /// Lets go of the references that are in the archive now.
    pub(super) fn prune(&self, folded: &[ProviderReference], through: u64) {
        for some in folded.chunks(PRUNE_NAMES) {
            self.references().prune(some, through);
        }
    }
}
