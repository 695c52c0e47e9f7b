//! What nodes that own nothing of a transaction leave for its owner.

use std::future::ready;
use std::sync::Arc;

use super::answers::{Said, key, read, said};
use super::library::JOURNAL;
use super::retention::unreadable;
use super::{Inner, RedisJournal, written};
use crate::ports::{AppendError, JournalError, Letter, Posted, Promise, Shared};
use crate::transaction::Key;

/// Letters that wait for the owner of one partition, at most: what a provider may send of a 256th of
/// all transactions while its owner is being replaced.
pub(super) const MAX_LETTERS: u64 = 10_000;

impl Shared for RedisJournal {
    fn newcomers(&self, partition: u32, limit: usize) -> Promise<Result<Vec<Key>, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mut ask = redis::cmd("ZRANGE");
            let index = inner.link.keys().partition(partition) + "new";
            ask.arg(index).arg(0).arg(limit.max(1) - 1);
            let names: Vec<String> = read(inner.link.ask(ask).await?)?;
            names.iter().map(|name| key(name)).collect()
        })
    }

    fn post(&self, key: &Key, letter: Letter) -> Promise<Result<Posted, AppendError>> {
        let name = format!("{}\0{}", event_of(key, &letter), letter.statement());
        let text = match written::letter(key, letter) {
            Ok(text) => text,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let keys = self.inner.link.keys();
        let partition = key.partition();
        let mut call = JOURNAL.call("teller_post", &keys.records(key));
        call.arg(keys.partition(partition)).arg(name).arg(text);
        call.arg(MAX_LETTERS).arg(partition);
        let sent = self.inner.link.write(partition, &JOURNAL, vec![call]);
        Box::pin(async move {
            let full = || {
                let why = format!("{MAX_LETTERS} webhooks wait for partition {partition} already");
                AppendError::Full(why)
            };
            match said(sent.await)? {
                Said::Nowhere => Ok(Posted::Nowhere),
                other => other.done(full).map(|_| Posted::Waiting),
            }
        })
    }

    fn letters(
        &self,
        partition: u32,
        limit: usize,
    ) -> Promise<Result<Vec<(Key, Letter)>, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mail = inner.link.keys().partition(partition) + "mail";
            let mut ask = redis::cmd("ZRANGE");
            ask.arg(format!("{mail}:order"))
                .arg(0)
                .arg(limit.max(1) - 1);
            let names: Vec<String> = read(inner.link.ask(ask).await?)?;
            if names.is_empty() {
                return Ok(Vec::new());
            }
            let mut ask = redis::cmd("HMGET");
            ask.arg(mail).arg(names);
            let texts: Vec<Option<Vec<u8>>> = read(inner.link.ask(ask).await?)?;
            let texts = texts.into_iter().flatten();
            texts.map(|text| written::read_letter(&text)).collect()
        })
    }

    fn discard(&self, key: &Key, letter: &Letter) -> Promise<Result<(), AppendError>> {
        let (journal, key, letter) = (self.clone(), key.clone(), letter.clone());
        Box::pin(async move {
            let base = journal.inner.link.keys().partition(key.partition());
            let named = journal.inner.posted_as(&base, &key, &letter).await;
            let keys = journal.inner.link.keys();
            let mut call = JOURNAL.call("teller_discard", &keys.records(&key));
            call.arg(base).arg(named.map_err(unreadable)?);
            let discarded = journal.write(key.partition(), call, || AppendError::VersionConflict);
            discarded.await
        })
    }
}

impl Inner {
    /// The letter's name, and its text where that matters. A release before named a letter by its event
    /// alone: what it has posted under that name is meant only if it states the same.
    async fn posted_as(
        &self,
        base: &str,
        key: &Key,
        letter: &Letter,
    ) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        let (event, statement) = (event_of(key, letter), letter.statement());
        let mut named = vec![(format!("{event}\0{statement}"), Vec::new())];
        let mut ask = redis::cmd("HGET");
        ask.arg(format!("{base}mail")).arg(&event);
        let text: Option<Vec<u8>> = read(self.link.ask(ask).await?)?;
        if let Some(text) = text
            && written::read_letter(&text)?.1.statement() == statement
        {
            named.push((event, text));
        }
        Ok(named)
    }
}

/// One event may speak of several transactions.
fn event_of(key: &Key, letter: &Letter) -> String {
    format!("{key}\0{}\0{}", letter.provider, letter.event_id)
}
