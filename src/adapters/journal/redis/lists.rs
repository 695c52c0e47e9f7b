//! What people ask, and what recovery reads: the partitions' indexes, merged.

use std::collections::{BTreeMap, BTreeSet};

use redis::Pipeline;

use super::super::{MAX_LIST_ROWS, MAX_OPEN_ROWS};
use super::answers::{key, next};
use super::link::Link;
use super::merge::{Merge, Order};
use super::written::{self, Snapshot};
use crate::ports::{JournalError, ListQuery, OpenPage, Page, Summary};
use crate::transaction::{Key, PARTITIONS, Status, Timestamp, Transaction};

/// Rows that one page of a list looks at, at most. A page of a rare app or provider may then be short
/// or empty, and says where the next one goes on.
const LOOKED_AT: usize = 4096;
/// Rows that are looked at together.
const TOGETHER: usize = 512;
/// Histories that are read together: a few megabytes.
const HISTORIES_TOGETHER: usize = 256;

/// A page of a list, newest first.
pub(super) async fn list(link: &Link, query: &ListQuery) -> Result<Page, JournalError> {
    let limit = query.limit.clamp(1, MAX_LIST_ROWS);
    let as_of = server_time(link).await?;
    let mut merge = Merge::new(Order::NewestFirst, indexes(link, query), query.cursor);
    let filtered = query.app.is_some() || query.provider.is_some();
    let together = if filtered { TOGETHER } else { limit + 1 };
    let (mut rows, mut looked_at): (Vec<(u64, Summary)>, usize) = (Vec::new(), 0);
    let mut next = None;
    while rows.len() <= limit {
        let found = merge.take(link, together).await?;
        let ended = found.len() < together;
        looked_at += found.len();
        let last = found.last().map(|(position, _)| *position);
        rows.extend(summaries(link, found, query).await?);
        if ended {
            break;
        }
        if looked_at >= LOOKED_AT && rows.len() <= limit {
            next = last;
            break;
        }
    }
    if rows.len() > limit {
        rows.truncate(limit);
        next = rows.last().map(|(position, _)| *position);
    }
    Ok(Page {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        next,
        as_of,
    })
}

/// The indexes that hold whatever the query may show: the ones that narrow it most.
fn indexes(link: &Link, query: &ListQuery) -> impl Iterator<Item = String> + use<> {
    let names: Vec<String> = if query.needs_review {
        vec!["review".to_owned()]
    } else {
        let statuses = query.status.map_or(Status::ALL.to_vec(), |one| vec![one]);
        let of = |status: Status| format!("st:{}", status.as_str());
        statuses.into_iter().map(of).collect()
    };
    let keys = link.keys().clone();
    (0..PARTITIONS).flat_map(move |partition| {
        let base = keys.partition(partition);
        let full = |name: &String| format!("{base}{name}");
        names.iter().map(full).collect::<Vec<_>>()
    })
}

/// The summaries of those rows that the query shows.
async fn summaries(
    link: &Link,
    found: Vec<(u64, String)>,
    query: &ListQuery,
) -> Result<Vec<(u64, Summary)>, JournalError> {
    let keys = found.into_iter();
    let keys = keys.map(|(position, name)| key(&name).map(|key| (position, key)));
    let mut keys: Vec<(u64, Key)> = keys.collect::<Result<_, _>>()?;
    if let Some(app) = &query.app {
        keys.retain(|(_, key)| key.app.as_str() == app);
    }
    let snapshots = snapshots(link, &keys).await?;
    let shown = |row: &Summary| {
        query.status.is_none_or(|status| status == row.status)
            && query
                .provider
                .as_ref()
                .is_none_or(|one| *one == row.provider)
            && (!query.needs_review || row.needs_review)
    };
    let rows = snapshots.into_iter();
    let rows = rows.map(|(position, snapshot)| (position, snapshot.summary()));
    Ok(rows.filter(|(_, row)| shown(row)).collect())
}

/// The snapshots of these transactions, in their order. What is gone by now is left out.
async fn snapshots(link: &Link, keys: &[(u64, Key)]) -> Result<Vec<(u64, Snapshot)>, JournalError> {
    let mut by_partition: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, (_, key)) in keys.iter().enumerate() {
        by_partition.entry(key.partition()).or_default().push(at);
    }
    if by_partition.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipeline = Pipeline::with_capacity(by_partition.len());
    for (partition, places) in &by_partition {
        let ask = pipeline.cmd("HMGET");
        ask.arg(link.keys().partition(*partition) + "s");
        for &at in places {
            ask.arg(keys[at].1.to_string());
        }
    }
    let mut answers = link.query(pipeline).await?.into_iter();
    let mut texts = vec![None; keys.len()];
    for places in by_partition.values() {
        let found: Vec<Option<Vec<u8>>> = next(&mut answers)?;
        for (&at, text) in places.iter().zip(found) {
            texts[at] = text;
        }
    }
    let read = |((position, _), text): (&(u64, Key), Option<Vec<u8>>)| {
        text.map(|text| Snapshot::read(&text).map(|one| (*position, one)))
    };
    keys.iter().zip(texts).filter_map(read).collect()
}

/// Open transactions, oldest first. Their due times are turned into this machine's, whose clock may be
/// another than the server's.
pub(super) async fn open(
    link: &Link,
    here: impl FnOnce() -> Timestamp,
    partition: Option<u32>,
    after: u64,
    limit: usize,
) -> Result<OpenPage, JournalError> {
    let limit = limit.clamp(1, MAX_OPEN_ROWS);
    let partitions = partition.map_or(0..PARTITIONS, |one| one..one + 1);
    let indexes = partitions.map(|one| link.keys().partition(one) + "open");
    let mut merge = Merge::new(Order::OldestFirst, indexes, Some(after));
    let mut found = merge.take(link, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|(position, _)| *position);
    let keys = found.into_iter();
    let keys = keys.map(|(position, name)| key(&name).map(|key| (position, key)));
    let keys: Vec<(u64, Key)> = keys.collect::<Result<_, _>>()?;
    let snapshots = snapshots(link, &keys).await?;
    let there = server_time(link).await?;
    let here = here();
    let from_now = |due: Timestamp| here + due.since(there);
    let rows = snapshots.into_iter();
    let rows = rows.map(|(_, one)| (one.key().clone(), one.due().map(from_now)));
    Ok(OpenPage {
        rows: rows.collect(),
        next: next.filter(|_| more),
    })
}

/// The providers of open transactions: the ones that have them, and all others that an attempt was made
/// at or that the app asked for.
pub(super) async fn open_providers(link: &Link) -> Result<BTreeSet<String>, JournalError> {
    let mut providers = BTreeSet::new();
    let mut after = 0;
    loop {
        let indexes = (0..PARTITIONS).map(|one| link.keys().partition(one) + "open");
        let mut merge = Merge::new(Order::OldestFirst, indexes, Some(after));
        let found = merge.take(link, MAX_OPEN_ROWS).await?;
        let Some((last, _)) = found.last() else {
            return Ok(providers);
        };
        after = *last;
        let keys = found.iter();
        let keys = keys.map(|(position, name)| key(name).map(|key| (*position, key)));
        let keys: Vec<(u64, Key)> = keys.collect::<Result<_, _>>()?;
        let mut untold = Vec::new();
        for (_, snapshot) in snapshots(link, &keys).await? {
            providers.insert(snapshot.provider().to_owned());
            match snapshot.providers() {
                Some(all) => providers.extend(all.iter().cloned()),
                None => untold.push(snapshot.key().clone()),
            }
        }
        for keys in untold.chunks(HISTORIES_TOGETHER) {
            providers.extend(providers_told_by_histories(link, keys).await?);
        }
    }
}

/// The providers of transactions whose snapshots a release before has written, which don't tell them all.
/// A history that can't be understood tells none: who activates the transaction says so.
async fn providers_told_by_histories(
    link: &Link,
    keys: &[Key],
) -> Result<BTreeSet<String>, JournalError> {
    let mut pipeline = Pipeline::with_capacity(keys.len());
    for key in keys {
        let list = link.keys().records(key);
        pipeline.cmd("LRANGE").arg(list).arg(0).arg(-1);
    }
    let mut answers = link.query(pipeline).await?.into_iter();
    let mut providers = BTreeSet::new();
    for key in keys {
        let lines = written::lines(next(&mut answers)?);
        let folded = written::read_records(key, &lines)
            .map_err(|error| error.to_string())
            .and_then(|records| Transaction::fold(key, &records).map_err(|why| why.to_string()));
        match folded {
            Ok(transaction) => providers.extend(Summary::providers_of(&transaction)),
            Err(why) => tracing::warn!(%key, why, "a history can't be read"),
        }
    }
    Ok(providers)
}

/// The server's time.
pub(super) async fn server_time(link: &Link) -> Result<Timestamp, JournalError> {
    let (seconds, micros): (i64, i64) = super::answers::read(link.ask(redis::cmd("TIME")).await?)?;
    Ok(Timestamp::from_millis(seconds * 1000 + micros / 1000))
}
