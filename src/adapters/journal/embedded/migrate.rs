//! Bringing a store of an older format up to date, in place.
//!
//! Each file is brought from one format to the next in one transaction that also writes the new
//! format's number: a crash leaves the old format or the new one, and the next start goes on from
//! there. An older release refuses the file from then on, by name.

use rusqlite::Connection;

use super::entry::Reading;
use super::queries::parsed;
use super::refile;
use super::schema::{self, FORMAT, natural};
use crate::transaction::Statement;

/// What is to be done in a file to bring it to the next format.
type Step = fn(&Connection) -> rusqlite::Result<()>;

/// From each format to the next, from 1 on.
type Steps = [Step; FORMAT as usize - 1];

/// The log's tables are the same; new kinds of rows and of texts are what an older release can't read.
pub(super) const JOURNAL_STEPS: Steps = [|_| Ok(()), |_| Ok(())];

/// What the archive needs.
pub(super) const ARCHIVE_STEPS: Steps = [to_format_2, to_format_3];

fn to_format_2(archive: &Connection) -> rusqlite::Result<()> {
    archive.execute_batch(
        "
    ALTER TABLE inbox RENAME TO inbox_of_format_1;
    CREATE TABLE inbox (
        position    INTEGER PRIMARY KEY,   -- the log's seq of its arrival
        provider    TEXT NOT NULL,
        event_id    TEXT NOT NULL,
        received_at TEXT NOT NULL,
        reading     TEXT NOT NULL,         -- JSON: references, attempt, report
        body        TEXT NOT NULL,
        UNIQUE (provider, event_id)
    ) STRICT;
    INSERT INTO inbox SELECT position, provider, event_id, received_at, '{}', body
        FROM inbox_of_format_1;
    DROP TABLE inbox_of_format_1;
    CREATE TABLE provider_references (
        provider  TEXT NOT NULL,
        reference TEXT NOT NULL,
        app       TEXT NOT NULL,
        id        TEXT NOT NULL,
        PRIMARY KEY (provider, reference)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE notes (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX transactions_by_app ON transactions (app);
        ",
    )
}

fn to_format_3(archive: &Connection) -> rusqlite::Result<()> {
    archive.execute_batch(
        "
    ALTER TABLE inbox RENAME TO inbox_of_format_2;
    CREATE TABLE inbox (
        position    INTEGER PRIMARY KEY,   -- the log's seq of its arrival
        provider    TEXT NOT NULL,
        event_id    TEXT NOT NULL,
        statement   TEXT NOT NULL,         -- the finding, and the amount if there is one
        received_at TEXT NOT NULL,
        reading     TEXT NOT NULL,         -- JSON: references, attempt, report
        body        TEXT NOT NULL,
        UNIQUE (provider, event_id, statement)
    ) STRICT;
    INSERT INTO inbox SELECT position, provider, event_id, '', received_at, reading, body
        FROM inbox_of_format_2;
    DROP TABLE inbox_of_format_2;
    CREATE TABLE other_providers (
        id       TEXT NOT NULL,
        app      TEXT NOT NULL,
        provider TEXT NOT NULL,
        PRIMARY KEY (id, app, provider)
    ) STRICT, WITHOUT ROWID;
        ",
    )?;
    let mut rows = archive.prepare("SELECT position, reading FROM inbox")?;
    let mut rows = rows.query([])?;
    let mut stated = Vec::new();
    while let Some(row) = rows.next()? {
        let reading: Reading = parsed(row, 1, |text| serde_json::from_str(text))?;
        stated.push((row.get::<_, i64>(0)?, Statement::of(&reading.report())));
    }
    let mut state = archive.prepare("UPDATE inbox SET statement = ?2 WHERE position = ?1")?;
    for (position, statement) in stated {
        state.execute((position, statement.as_str()))?;
    }
    // The log's tail has to be in the archive first.
    refile::is_due(archive)
}

/// Brings a file up to date, if it isn't.
pub(super) fn upgrade(file: &Connection, steps: &Steps) -> rusqlite::Result<()> {
    let from = file.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let from = natural(from);
    if from >= u64::from(FORMAT) {
        return Ok(());
    }
    tracing::info!(
        file = file.path(),
        from,
        to = FORMAT,
        "bringing the file up to this release's format"
    );
    for (number, step) in (1..).zip(steps).filter(|(number, _)| *number >= from) {
        let transaction = file.unchecked_transaction()?;
        step(&transaction)?;
        transaction.pragma_update(None, "user_version", schema::integer(number + 1))?;
        transaction.commit()?;
    }
    // The format stands in the file's first page: there an older release looks for it.
    schema::checkpoint(file, "TRUNCATE").map(drop)
}
