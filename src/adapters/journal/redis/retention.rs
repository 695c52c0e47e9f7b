//! Retention: what has been finished for long enough goes to the archive and leaves a tombstone, which
//! answers for it (law 7).
//!
//! - The owner of a partition does it, by its tenure: a node that has lost the partition removes nothing.
//! - The tombstone is the one record that [`Transaction::archived`] makes, in the place of the last one.
//!   Whoever loads the transaction folds it like any other, and evidence that comes late goes on from it.
//! - With a stream, history, tombstone and indexes change in one Function. With a file the line is durable
//!   before the store lets go, and what changed in between stays: a crash writes a line twice, never
//!   loses one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use redis::{Cmd, FromRedisValue, Pipeline, Value, from_redis_value};

use super::answers::{key, next};
use super::library::JOURNAL;
use super::options::{Archive, Retention};
use super::{Inner, RedisJournal, archive, lists, written};
use crate::ports::{AppendError, JournalError, Promise, Tenure};
use crate::transaction::{Key, Status, Timestamp, Transaction};

/// How a finished transaction has ended.
const FINAL: [Status; 3] = [Status::Completed, Status::Declined, Status::Failed];
/// Rows of one status that are looked at in one round: a fraction of a millisecond of the server's time.
const LOOKED_AT: usize = 200;
/// Histories that are read and removed together: a millisecond of the server's time, for which the
/// appends behind them wait.
const TOGETHER: usize = 32;

/// What one round did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retired {
    /// Transactions that went to the archive.
    pub moved: usize,
    /// Whether there may be more that is old enough.
    pub more: bool,
}

/// How far the indexes of each partition and status have been gone through.
#[derive(Default, Debug)]
pub(super) struct Cursors(Mutex<BTreeMap<(u32, &'static str), u64>>);

impl Cursors {
    fn of(&self, partition: u32, status: Status) -> u64 {
        let cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cursors
            .get(&(partition, status.as_str()))
            .copied()
            .unwrap_or(0)
    }

    fn set(&self, partition: u32, status: Status, cursor: u64) {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.insert((partition, status.as_str()), cursor);
    }
}

/// A transaction that is ripe, with what is needed to let its history go.
struct Ripe {
    key: Key,
    version: u64,
    /// As it goes to a file.
    line: Vec<u8>,
    tombstone: String,
}

impl RedisJournal {
    /// Moves what one partition has finished longer ago than the retention to the archive, up to a few
    /// hundred; nothing where no retention is configured. A round that failed is repeated by the next.
    ///
    /// # Errors
    /// [`AppendError::Fenced`] if the partition has another owner by now, and whatever is in the way of
    /// the store or of the archive's file.
    pub fn retire(&self, partition: u32, tenure: Tenure) -> Promise<Result<Retired, AppendError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            match &inner.retention {
                Some(retention) => inner.retire(partition, tenure, retention).await,
                None => Ok(Retired::default()),
            }
        })
    }
}

impl Inner {
    async fn retire(
        &self,
        partition: u32,
        tenure: Tenure,
        retention: &Retention,
    ) -> Result<Retired, AppendError> {
        let (names, more) = self.ripe(partition, retention).await?;
        let mut moved = 0;
        for names in names.chunks(TOGETHER) {
            let ripe = self.read_ripe(names).await.map_err(unreadable)?;
            if let Archive::File(path) = &retention.archive {
                let lines = ripe.iter().map(|one| one.line.as_slice());
                archive::append(path, lines.collect::<Vec<_>>().concat()).await?;
            }
            moved += self.trim(partition, tenure, retention, ripe).await?;
        }
        Ok(Retired { moved, more })
    }

    /// What is old enough, and whether there may be more.
    async fn ripe(
        &self,
        partition: u32,
        retention: &Retention,
    ) -> Result<(Vec<Key>, bool), AppendError> {
        let base = self.link.keys().partition(partition);
        let ask = |status: &Status| {
            let mut call = JOURNAL.call("teller_ripe", &format!("{base}s"));
            call.arg(&base).arg(status.as_str());
            call.arg(self.cursors.of(partition, *status));
            call.arg(millis(retention)).arg(LOOKED_AT);
            call
        };
        // Not as a question: a server that has lost the library is given it again.
        let calls = FINAL.iter().map(ask).collect();
        let answers = self.link.write(partition, &JOURNAL, calls).await?;
        let (mut keys, mut more) = (Vec::new(), false);
        for (status, answer) in FINAL.into_iter().zip(answers) {
            let mut names: std::vec::IntoIter<String> = said::<Vec<String>>(answer)?.into_iter();
            let cursor = names.next().and_then(|cursor| cursor.parse().ok());
            let cursor = cursor.unwrap_or(0);
            self.cursors.set(partition, status, cursor);
            more |= cursor > 0;
            for name in names {
                keys.push(key(&name).map_err(unreadable)?);
            }
        }
        Ok((keys, more))
    }

    /// The histories of these, and what is to remain of them. One that can't be understood stays as it
    /// is, for a person.
    async fn read_ripe(&self, keys: &[Key]) -> Result<Vec<Ripe>, JournalError> {
        let mut pipeline = Pipeline::with_capacity(keys.len());
        for key in keys {
            let list = self.link.keys().records(key);
            pipeline.cmd("LRANGE").arg(list).arg(0).arg(-1);
        }
        let now = lists::server_time(&self.link).await?;
        let mut answers = self.link.query(pipeline).await?.into_iter();
        let mut ripe = Vec::with_capacity(keys.len());
        for key in keys {
            let lines = written::lines(next(&mut answers)?);
            match remains(key, &lines, now) {
                Ok(one) => ripe.extend(one),
                Err(why) => {
                    tracing::warn!(%key, %why, "a finished transaction can't be archived");
                }
            }
        }
        Ok(ripe)
    }

    /// Has the store let go of those that nothing has happened to meanwhile, and says how many.
    async fn trim(
        &self,
        partition: u32,
        tenure: Tenure,
        retention: &Retention,
        ripe: Vec<Ripe>,
    ) -> Result<usize, AppendError> {
        let keys = self.link.keys();
        let to_stream = u8::from(retention.archive == Archive::Stream);
        let trim = |one: Ripe| -> Cmd {
            let mut call = JOURNAL.call("teller_trim", &keys.records(&one.key));
            call.arg(keys.partition(partition)).arg(one.key.to_string());
            call.arg(tenure.epoch.to_string());
            call.arg(tenure.claim.to_string());
            call.arg(one.version).arg(millis(retention));
            call.arg(to_stream).arg(one.tombstone);
            call
        };
        let calls: Vec<Cmd> = ripe.into_iter().map(trim).collect();
        if calls.is_empty() {
            return Ok(0);
        }
        let mut moved = 0;
        for answer in self.link.write(partition, &JOURNAL, calls).await? {
            match said::<String>(answer)?.as_str() {
                "fenced" => return Err(AppendError::Fenced),
                "ok" => moved += 1,
                // Something has happened to it meanwhile, or an earlier round got further than it heard.
                _ => {}
            }
        }
        Ok(moved)
    }
}

/// What is to remain of a transaction with this history; `None` if something has to be done for it.
fn remains(key: &Key, lines: &[Vec<u8>], now: Timestamp) -> Result<Option<Ripe>, String> {
    if lines.is_empty() {
        return Ok(None);
    }
    let records = written::read_records(key, lines).map_err(|error| error.to_string())?;
    let transaction = Transaction::fold(key, &records).map_err(|corrupt| corrupt.to_string())?;
    let Some(record) = transaction.archived(now) else {
        return Ok(None);
    };
    let tombstone = written::records(std::slice::from_ref(&record));
    let tombstone = tombstone.map_err(|error| error.to_string())?.concat();
    Ok(Some(Ripe {
        line: archive::line(key, record.version, lines),
        key: key.clone(),
        version: record.version,
        tombstone,
    }))
}

fn millis(retention: &Retention) -> u64 {
    u64::try_from(retention.finished_kept_for.as_millis()).unwrap_or(u64::MAX)
}

fn said<T: FromRedisValue>(answer: Value) -> Result<T, AppendError> {
    from_redis_value(answer)
        .map_err(|error| AppendError::Unconfirmed(format!("an answer like none: {error}")))
}

/// A write that has to read first, and could not.
pub(super) fn unreadable(JournalError(why): JournalError) -> AppendError {
    AppendError::Unavailable(format!("the journal can't be read: {why}"))
}
