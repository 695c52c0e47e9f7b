//! The two databases: their tables, their marks, and how a connection to them is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// The format of both files. A release refuses newer ones by name and brings older ones up to date.
///
/// - 1: an inbox for people.
/// - 2: webhooks are kept to be claimed, references, notes; an index by app.
/// - 3: a kept webhook's name holds what it states; each attempt is filed under its own provider.
pub(super) const FORMAT: u32 = 3;

/// How long a connection waits for another one's lock: an operator's shell may hold one for a moment.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// One of the two files.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) file: &'static str,
    /// What SQLite calls `application_id`: the bytes 68 to 71 of the file.
    pub(super) application_id: u32,
    pub(super) tables: &'static str,
}

/// The log. Nothing in it but appends in sequence: no secondary index, so a commit writes each row
/// once and in order.
pub(super) const JOURNAL: Database = Database {
    file: "journal.db",
    application_id: u32::from_be_bytes(*b"tljn"),
    tables: "
        CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE log (
            seq     INTEGER PRIMARY KEY,  -- assigned by teller, without gaps, never used twice
            kind    TEXT NOT NULL,        -- 'step', 'bound' (idempotency key), 'kept' and 'released'
                                          -- (webhook; 'unmatched' in format 1), 'expired' (webhooks
                                          -- before this time), 'noted', 'forgotten', 'started'
            app     TEXT NOT NULL,        -- of a webhook: its provider
            id      TEXT NOT NULL,        -- of a webhook: its event id; of a note: its name
            version INTEGER NOT NULL,     -- of the transaction after this step
            at      TEXT NOT NULL,
            summary TEXT NOT NULL,        -- JSON
            records TEXT NOT NULL         -- JSON Lines, a record each; a webhook's body; a note's
                                          -- value; the id that a key is bound to
        ) STRICT;
        INSERT INTO meta VALUES ('trimmed_through', 0);
    ",
};

/// One row per transaction. Each index answers one question, named beside it.
pub(super) const ARCHIVE: Database = Database {
    file: "archive.db",
    application_id: u32::from_be_bytes(*b"tlar"),
    tables: "
        CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE transactions (
            position     INTEGER PRIMARY KEY,  -- the log's seq of its acceptance
            app          TEXT NOT NULL,
            id           TEXT NOT NULL,
            version      INTEGER NOT NULL,
            status       TEXT NOT NULL,
            state        TEXT NOT NULL,        -- JSON: its name, its attempt
            provider     TEXT NOT NULL,        -- the one that has it now
            accepted_at  TEXT NOT NULL,
            changed_at   TEXT NOT NULL,
            final_at     TEXT,
            due_at       TEXT,
            attempts     INTEGER NOT NULL,
            open         INTEGER NOT NULL,     -- 1: something remains to be done
            needs_review INTEGER NOT NULL,     -- 1: a person is asked
            history      TEXT NOT NULL         -- JSON Lines, a record each
        ) STRICT;
        -- Does it exist, and what is its history?
        CREATE UNIQUE INDEX transactions_by_key ON transactions (id, app);
        -- What is still to be done (after a restart)?
        CREATE INDEX transactions_open ON transactions (open) WHERE open = 1;
        -- What needs a person?
        CREATE INDEX transactions_in_review ON transactions (needs_review) WHERE needs_review = 1;
        -- What is pending, declined, failed?
        CREATE INDEX transactions_by_status ON transactions (status);
        -- What went to this provider?
        CREATE INDEX transactions_by_provider ON transactions (provider);
        -- What has this app?
        CREATE INDEX transactions_by_app ON transactions (app);
        CREATE TABLE bindings (
            id       TEXT NOT NULL,            -- what an idempotency key alone would have named
            app      TEXT NOT NULL,
            bound_to TEXT NOT NULL,            -- the id that came with the key
            position INTEGER NOT NULL,
            PRIMARY KEY (id, app)
        ) STRICT, WITHOUT ROWID;
        -- Webhooks that wait for their transaction or for a person.
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
        -- Which provider, beside the one that has it, had an attempt or was asked for?
        CREATE TABLE other_providers (
            id       TEXT NOT NULL,
            app      TEXT NOT NULL,
            provider TEXT NOT NULL,
            PRIMARY KEY (id, app, provider)
        ) STRICT, WITHOUT ROWID;
        -- Which transaction has this reference of its attempt's provider?
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
        INSERT INTO meta VALUES ('folded_through', 0);
    ",
};

/// Creates a whole database in `path`, in WAL mode, with its marks in the main file.
pub(super) fn create(path: &Path, database: &Database, store: &str) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(database.tables)?;
    transaction.pragma_update(None, "application_id", database.application_id)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.execute("INSERT INTO meta VALUES ('store', ?1)", [store])?;
    transaction.commit()?;
    use_wal(&connection)?;
    connection.close().map_err(|(_, error)| error)
}

/// A connection that writes. It never creates a file.
pub(super) fn writing(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// A connection that only reads.
pub(super) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Statements that a connection keeps prepared; none of ours uses as many.
    const PREPARED: usize = 32;
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_FOR)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Makes sure of WAL mode. An operator's shell may have changed it.
pub(super) fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
        match row.get_ref(0)?.as_str()? {
            "wal" => Ok(()),
            _ => Err(rusqlite::Error::InvalidQuery),
        }
    })
}

/// The id that both files of a store share.
pub(super) fn store_id(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT value FROM meta WHERE name = 'store'", [], |row| {
        row.get(0)
    })
}

/// A watermark in `meta`.
pub(super) fn watermark(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .map(natural)
}

/// Moves a watermark.
pub(super) fn set_watermark(
    connection: &Connection,
    name: &str,
    value: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE meta SET value = ?2 WHERE name = ?1")?
        .execute((name, integer(value)))?;
    Ok(())
}

/// How far a checkpoint came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wal {
    /// Pages in the WAL.
    pub(super) pages: u64,
    /// Those of them that are in the database file as well.
    pub(super) brought_over: u64,
}

impl Wal {
    /// What the WAL takes on disk.
    pub(super) fn bytes(self) -> u64 {
        // SQLite's default page and the header of a WAL frame.
        const FRAME_BYTES: u64 = 4096 + 24;
        self.pages * FRAME_BYTES
    }

    /// Whether the next write starts the WAL again from its beginning.
    pub(super) fn is_done(self) -> bool {
        self.pages == self.brought_over
    }
}

/// Runs a checkpoint: `NOOP` only measures, `PASSIVE` waits for nobody, `TRUNCATE` waits for readers.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Wal> {
    connection
        .prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
        .query_row([], |row| {
            // -1 when another connection runs a checkpoint.
            Ok(Wal {
                pages: natural(row.get(1)?),
                brought_over: natural(row.get(2)?),
            })
        })
}

/// SQLite's integers are signed; sequence numbers and versions never come near the difference.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back. Nothing that teller writes is negative.
pub(super) fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
