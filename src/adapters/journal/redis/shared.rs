//! What nodes that own nothing of a transaction leave for its owner.

use std::future::ready;
use std::sync::Arc;

use super::answers::{Said, key, read, said};
use super::library::JOURNAL;
use super::{RedisJournal, written};
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
        let name = name_of(key, &letter.provider, &letter.event_id);
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

    fn discard(
        &self,
        key: &Key,
        provider: &str,
        event_id: &str,
    ) -> Promise<Result<(), AppendError>> {
        let keys = self.inner.link.keys();
        let partition = key.partition();
        let mut call = JOURNAL.call("teller_discard", &keys.records(key));
        call.arg(keys.partition(partition));
        call.arg(name_of(key, provider, event_id));
        self.write(partition, call, || AppendError::VersionConflict)
    }
}

/// One event may speak of several transactions.
fn name_of(key: &Key, provider: &str, event_id: &str) -> String {
    format!("{key}\0{provider}\0{event_id}")
}
