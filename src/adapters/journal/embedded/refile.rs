//! Files the attempts that a store of format 2 holds under their own providers.
//!
//! Format 2 filed all references of a transaction under the provider that had it last, and listed it under
//! the one that it was first written with. After a stand-in had taken an attempt, both were wrong: a webhook
//! of one provider found the payment of another. The histories have always told each attempt's provider, so
//! this is made right from them, once: in one transaction, at the first opening by a release of format 3,
//! after the log's tail is folded and before anything is answered. It reads every history, one at a time,
//! and changes only those that a stand-in has touched.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension};

use super::super::finds;
use super::queries::parsed;
use super::{fold, references};
use crate::ports::Summary;
use crate::transaction::{AppId, Key, Mono, Now, Record, Transaction, TransactionId};

/// The mark in `meta` of a store where this is still to be done.
const DUE: &str = "attempts_to_refile";

/// What stands in a history in which an attempt went to another provider than the app asked for. A payload
/// may hold the same text, so this only says which histories are worth reading.
const STOOD_IN: &str = r#""intent":{"provider":""#;

/// Marks a store as one where this is to be done.
pub(super) fn is_due(archive: &Connection) -> rusqlite::Result<()> {
    archive
        .execute("INSERT OR REPLACE INTO meta VALUES (?1, 1)", [DUE])
        .map(drop)
}

/// Does it, where it is due.
pub(super) fn refile(archive: &Connection) -> rusqlite::Result<()> {
    let due: Option<i64> = archive
        .query_row("SELECT value FROM meta WHERE name = ?1", [DUE], |row| {
            row.get(0)
        })
        .optional()?;
    if due.is_none() {
        return Ok(());
    }
    let began = Instant::now();
    let transaction = archive.unchecked_transaction()?;
    let positions: Vec<i64> = transaction
        .prepare("SELECT position FROM transactions WHERE instr(history, ?1) > 0")?
        .query_map([STOOD_IN], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    // All wrong ones go before the first right one comes: a reference is the first transaction's that
    // claims it.
    for position in &positions {
        if let Some(summary) = read(&transaction, *position)? {
            take_back(&transaction, &summary)?;
        }
    }
    for position in &positions {
        if let Some(summary) = read(&transaction, *position)? {
            file(&transaction, &summary)?;
        }
    }
    transaction.execute("DELETE FROM meta WHERE name = ?1", [DUE])?;
    transaction.commit()?;
    tracing::info!(
        transactions = positions.len(),
        took_ms = began.elapsed().as_millis(),
        "attempts at stand-ins are filed under their own providers"
    );
    Ok(())
}

/// The transaction in this row; `None`, with a line in the log, if its history can't be read. Recovery and
/// every reader say the same of it, and this is no reason to refuse all others.
fn read(archive: &Connection, position: i64) -> rusqlite::Result<Option<Summary>> {
    let (key, history) = archive
        .prepare_cached("SELECT app, id, history FROM transactions WHERE position = ?1")?
        .query_row([position], |row| {
            let key = Key {
                app: parsed(row, 0, AppId::parse)?,
                id: TransactionId(parsed(row, 1, uuid::Uuid::try_parse)?),
            };
            Ok((key, row.get::<_, String>(2)?))
        })?;
    let records = history.lines().map(serde_json::from_str);
    let folded = records
        .collect::<Result<Vec<Record>, _>>()
        .map_err(|error| error.to_string())
        .and_then(|records| Transaction::fold(&key, &records).map_err(|why| why.to_string()));
    match folded {
        Ok(transaction) => {
            // No timer of it is read.
            let now = Now {
                wall: transaction.changed_at,
                mono: Mono::from_millis(0),
                lasting: None,
            };
            Ok(Some(Summary::of(&transaction, now)))
        }
        Err(why) => {
            tracing::warn!(%key, why, "a history can't be read, and stays filed as it was");
            Ok(None)
        }
    }
}

/// Takes the references back that are filed under a provider that they are not of.
fn take_back(archive: &Connection, summary: &Summary) -> rusqlite::Result<()> {
    for reference in &summary.references {
        let others = summary.providers.iter();
        for other in others.filter(|other| **other != reference.provider) {
            let mut all = summary.references.iter();
            let is_theirs =
                all.any(|one| one.provider == *other && one.reference == reference.reference);
            if !is_theirs {
                references::take_back(archive, other, &reference.reference, &summary.key)?;
            }
        }
    }
    Ok(())
}

fn file(archive: &Connection, summary: &Summary) -> rusqlite::Result<()> {
    fold::write_providers(archive, summary)?;
    let mut found = summary.references.iter();
    found
        .by_ref()
        .filter(|one| finds(&one.reference))
        .try_for_each(|name| references::fold(archive, name, &summary.key))
}
