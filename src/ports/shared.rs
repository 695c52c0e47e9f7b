//! What only a journal that several nodes share has: what any node may take in for a transaction's
//! owner.

use super::{AppendError, JournalError, Promise, Subject};
use crate::transaction::{Key, Report, Statement, Timestamp};

/// The part of a shared journal by which nodes that own nothing of a transaction reach its owner.
pub trait Shared: Send + Sync {
    /// Transactions of a partition that were accepted without an owner, and that no owner has written
    /// to since; oldest first.
    fn newcomers(&self, partition: u32, limit: usize) -> Promise<Result<Vec<Key>, JournalError>>;

    /// Makes a webhook durable for the owner of the transaction that it names, once per provider, event
    /// id and [`Statement`] while it is there. [`Posted::Nowhere`], and nothing written, if there is no such
    /// transaction; [`AppendError::Full`] at the partition's bound.
    fn post(&self, key: &Key, letter: Letter) -> Promise<Result<Posted, AppendError>>;

    /// What waits for a partition's owner, oldest first.
    fn letters(
        &self,
        partition: u32,
        limit: usize,
    ) -> Promise<Result<Vec<(Key, Letter)>, JournalError>>;

    /// Removes durably this letter, which was delivered, and no other of the same event. A letter that is
    /// not there is a success.
    fn discard(&self, key: &Key, letter: &Letter) -> Promise<Result<(), AppendError>>;
}

/// A verified webhook on its way to the owner of its transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// The provider that sent it.
    pub provider: String,
    /// What makes it the same event.
    pub event_id: String,
    /// Whom it speaks of, in its own words.
    pub subject: Subject,
    /// What it says.
    pub report: Report,
    /// When it came.
    pub received_at: Timestamp,
    /// Its body, as it came, for people.
    pub body: String,
}

impl Letter {
    /// What it states.
    #[must_use]
    pub fn statement(&self) -> Statement {
        Statement::of(&self.report)
    }
}

/// What became of a letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Posted {
    /// It waits, durably.
    Waiting,
    /// Nobody lives there.
    Nowhere,
}
