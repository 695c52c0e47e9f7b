//! Idempotency keys that came together with an id.
//!
//! A key alone names a transaction by an id that is derived from it. A key that came with another id
//! is bound: its derived id is taken, in the same name space as transactions, so that one of "the key
//! names its own transaction" and "the key stands for that id" is written, and never both.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::schema::integer;
use crate::ports::JournalError;
use crate::transaction::{Key, TransactionId};

/// Whether any key was ever bound. While none was, nobody has to look.
pub(super) fn any(archive: &Connection) -> rusqlite::Result<bool> {
    archive.query_row("SELECT EXISTS (SELECT 1 FROM bindings)", [], |row| {
        row.get(0)
    })
}

/// What a derived id stands for.
pub(super) fn bound_to(
    archive: &Connection,
    derived: &Key,
) -> Result<Option<TransactionId>, JournalError> {
    let bound: Option<String> =
        read(archive, derived).map_err(|error| JournalError(format!("archive.db: {error}")))?;
    bound
        .map(|id| Uuid::try_parse(&id).map(TransactionId))
        .transpose()
        .map_err(|error| JournalError(format!("the binding of {derived}: {error}")))
}

/// Whether a derived id stands for another.
pub(super) fn is_bound(archive: &Connection, derived: &Key) -> rusqlite::Result<bool> {
    read(archive, derived).map(|bound| bound.is_some())
}

fn read(archive: &Connection, derived: &Key) -> rusqlite::Result<Option<String>> {
    archive
        .prepare_cached("SELECT bound_to FROM bindings WHERE id = ?1 AND app = ?2")?
        .query_row((derived.id.to_string(), derived.app.as_str()), |row| {
            row.get(0)
        })
        .optional()
}

/// Folds one binding into the archive. A second one for the same id is an error of the log.
pub(super) fn keep(
    archive: &Connection,
    position: u64,
    derived: &Key,
    to: &str,
) -> rusqlite::Result<()> {
    archive
        .prepare_cached(
            "INSERT INTO bindings (id, app, bound_to, position) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            derived.id.to_string(),
            derived.app.as_str(),
            to,
            integer(position),
        ))?;
    Ok(())
}
