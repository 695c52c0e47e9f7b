//! Folding one group of log rows into the archive, in one transaction that also says how far the
//! archive is now.
//!
//! Rows of the same transaction are joined first and the group is sorted by key, so that each page of
//! the archive's index is touched once. The history grows inside SQLite (`history || …`): nothing is
//! read back.

use rusqlite::Connection;
use uuid::Uuid;

use super::entry::{Entry, Matter};
use super::group::{Change, Group, out_of_order};
use super::schema::{integer, natural, set_watermark};
use super::{bindings, inbox, notes, references};
use crate::ports::{ProviderReference, Summary};
use crate::transaction::{Key, State, Timestamp};

/// Log rows in one group, at most.
pub(super) const GROUP_ROWS: u64 = 128_000;

/// Why the log can't be folded.
#[derive(Debug, thiserror::Error)]
pub(super) enum FoldError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The log holds what doesn't continue the archive.
    #[error("{0}")]
    Inconsistent(String),
}

/// What was folded.
#[derive(Debug)]
pub(super) struct Folded {
    /// The last row of the group.
    pub(super) through: u64,
    /// The transactions and bound keys of the group.
    pub(super) keys: Vec<Key>,
    /// The references that its steps bring.
    pub(super) references: Vec<ProviderReference>,
}

/// Folds a group.
pub(super) fn fold_group(archive: &Connection, group: Group) -> Result<Folded, FoldError> {
    let mut changes: Vec<(Key, Change)> = group.changes.into_iter().collect();
    changes.sort_unstable_by(|(a, _), (b, _)| (a.id, &a.app).cmp(&(b.id, &b.app)));
    let transaction = archive.unchecked_transaction()?;
    for (key, change) in &changes {
        write(&transaction, key, change)?;
    }
    let brought = group.references.sorted();
    for (reference, key) in &brought {
        references::fold(&transaction, reference, key)?;
    }
    for (position, derived, to) in &group.bindings {
        bindings::keep(&transaction, *position, derived, to)?;
    }
    for (position, entry) in &group.beside {
        write_beside(&transaction, *position, entry)?;
    }
    set_watermark(&transaction, "folded_through", group.through)?;
    transaction.commit()?;
    let bound = group.bindings.into_iter().map(|(_, derived, _)| derived);
    let transactions = changes.into_iter().map(|(key, _)| key);
    Ok(Folded {
        through: group.through,
        keys: transactions.chain(bound).collect(),
        references: brought.into_iter().map(|(name, _)| name).collect(),
    })
}

// ---- writing the archive -----------------------------------------------------------------------------

/// Writes one transaction's row. Both statements fail to find their place when the group doesn't
/// continue exactly what the archive has.
fn write(archive: &Connection, key: &Key, change: &Change) -> Result<(), FoldError> {
    let rows = if change.first == 1 {
        insert(archive, key, change)?
    } else {
        update(archive, key, change)?
    };
    if rows == 1 {
        return Ok(write_providers(archive, &change.summary)?);
    }
    let id = key.id.to_string();
    let archived: Option<i64> = archive.query_row(
        "SELECT max(version) FROM transactions WHERE id = ?1 AND app = ?2",
        (id, key.app.as_str()),
        |row| row.get(0),
    )?;
    let archived = archived.map_or(0, natural);
    Err(out_of_order(key, change.first, archived))
}

/// The state with its details, as lists and people read it.
fn state_json(state: State) -> String {
    serde_json::to_string(&state).expect("a state is a small tree of text and numbers")
}

fn insert(archive: &Connection, key: &Key, change: &Change) -> rusqlite::Result<usize> {
    let summary = &change.summary;
    let mut buffer = Uuid::encode_buffer();
    let id: &str = key.id.0.hyphenated().encode_lower(&mut buffer);
    archive
        .prepare_cached(
            "INSERT INTO transactions (position, app, id, version, status, state, provider, \
             accepted_at, changed_at, final_at, due_at, attempts, open, needs_review, \
             history) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
             ON CONFLICT (id, app) DO NOTHING",
        )?
        .execute(rusqlite::params![
            integer(change.position),
            key.app.as_str(),
            id,
            integer(summary.version),
            summary.status.as_str(),
            state_json(summary.state),
            summary.provider,
            summary.accepted_at.to_string(),
            summary.changed_at.to_string(),
            summary.final_at.as_ref().map(Timestamp::to_string),
            summary.due_at.as_ref().map(Timestamp::to_string),
            summary.attempts,
            summary.open,
            summary.needs_review,
            change.history,
        ])
}

fn update(archive: &Connection, key: &Key, change: &Change) -> rusqlite::Result<usize> {
    let summary = &change.summary;
    let mut buffer = Uuid::encode_buffer();
    let id: &str = key.id.0.hyphenated().encode_lower(&mut buffer);
    archive
        .prepare_cached(
            "UPDATE transactions SET version = ?4, status = ?5, state = ?6, changed_at = ?7, \
             final_at = ?8, due_at = ?9, attempts = ?10, open = ?11, needs_review = ?12, \
             history = history || char(10) || ?13 \
             WHERE id = ?1 AND app = ?2 AND version = ?3",
        )?
        .execute(rusqlite::params![
            id,
            key.app.as_str(),
            integer(change.first - 1),
            integer(summary.version),
            summary.status.as_str(),
            state_json(summary.state),
            summary.changed_at.to_string(),
            summary.final_at.as_ref().map(Timestamp::to_string),
            summary.due_at.as_ref().map(Timestamp::to_string),
            summary.attempts,
            summary.open,
            summary.needs_review,
            change.history,
        ])
}

/// Writes which providers a transaction is or was with. Nothing is to be done for one that has only ever
/// been with the provider that it was inserted with.
pub(super) fn write_providers(archive: &Connection, summary: &Summary) -> rusqlite::Result<()> {
    if summary.providers.len() <= 1 {
        return Ok(());
    }
    let (id, app) = (summary.key.id.to_string(), summary.key.app.as_str());
    archive
        .prepare_cached(
            "UPDATE transactions SET provider = ?3 WHERE id = ?1 AND app = ?2 AND provider <> ?3",
        )?
        .execute((&id, app, &summary.provider))?;
    let others = summary.providers.iter();
    for other in others.filter(|other| **other != summary.provider) {
        archive
            .prepare_cached(
                "INSERT OR IGNORE INTO other_providers (id, app, provider) VALUES (?1, ?2, ?3)",
            )?
            .execute((&id, app, other))?;
    }
    Ok(())
}

/// Writes what is no transaction's.
fn write_beside(archive: &Connection, position: u64, entry: &Entry) -> rusqlite::Result<()> {
    let Entry {
        at,
        summary,
        records,
        ..
    } = entry;
    match &entry.matter {
        // Those are joined first and written in their own order.
        Matter::Step { .. } | Matter::Bound { .. } => Ok(()),
        Matter::Kept { event, .. } => {
            inbox::fold_kept(archive, position, event, at, summary, records)
        }
        Matter::Released(release) => inbox::fold_release(archive, release),
        Matter::Expired(before) => inbox::fold_expiry(archive, *before),
        Matter::Noted(name) => notes::fold(archive, name, records),
        Matter::Forgotten(name) => notes::fold_end(archive, name),
    }
}
