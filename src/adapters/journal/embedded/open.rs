//! Opening a store: whether the two files belong together, and what state they are in. A store that
//! is refused is left as it is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::files::{self, beside};
use super::migrate::{self, ARCHIVE_STEPS, JOURNAL_STEPS};
use super::schema::{self, ARCHIVE, FORMAT, JOURNAL};

/// Why a store was not opened. The files are as they were.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody has it.
    #[error(
        "{} is in use by another teller (or another part of this one): a data directory belongs to one process; stop that one, or give this one a directory of its own",
        dir.display()
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("{} can't be used", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Its words.
        #[source]
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{} can't be read as a database; if it is damaged, restore journal.db and archive.db from the same backup", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its words.
        #[source]
        source: rusqlite::Error,
    },
    /// Not teller's.
    #[error(
        "{} is not a file of teller's: {why}; move it away, or restore journal.db and archive.db from the same backup",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// Written by a newer release.
    #[error(
        "{} has format {format}, this release reads up to {FORMAT}: use the release that wrote it, or a newer one",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// One of the two files alone.
    #[error(
        "{} is there, but {} is missing: the two belong together; restore both from the same backup",
        present.display(),
        missing.display()
    )]
    Missing {
        /// The one that is missing.
        missing: PathBuf,
        /// The one that is there.
        present: PathBuf,
    },
    /// A WAL without its database.
    #[error(
        "{} is there without {}: it holds commits of a store that was moved or deleted; move it to where that store is, or restore both files from the same backup",
        wal.display(),
        missing.display()
    )]
    StrayWal {
        /// The WAL.
        wal: PathBuf,
        /// Its database.
        missing: PathBuf,
    },
    /// Files of two stores.
    #[error(
        "journal.db and archive.db in {} belong to two different stores ({journal} and {archive}); restore both from the same backup",
        dir.display()
    )]
    TwoStores {
        /// The data directory.
        dir: PathBuf,
        /// The log's store id.
        journal: String,
        /// The archive's.
        archive: String,
    },
    /// Between the archive and the log there is a gap.
    #[error(
        "archive.db in {} is older than journal.db: it knows {folded} records, and the log has let go of everything up to {trimmed}; restore both from the same backup",
        dir.display()
    )]
    ArchiveOlder {
        /// The data directory.
        dir: PathBuf,
        /// What the archive has.
        folded: u64,
        /// What the log no longer has.
        trimmed: u64,
    },
    /// The archive knows what the log doesn't.
    #[error(
        "journal.db in {} is older than archive.db: it ends with record {last}, and the archive knows {folded}; restore both from the same backup",
        dir.display()
    )]
    JournalOlder {
        /// The data directory.
        dir: PathBuf,
        /// The log's last record.
        last: u64,
        /// The archive's.
        folded: u64,
    },
    /// The log doesn't continue the archive.
    #[error("the log in {} does not continue its archive: {why}; restore both from the same backup", dir.display())]
    Inconsistent {
        /// The data directory.
        dir: PathBuf,
        /// Where.
        why: String,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }

    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        Self::Sqlite {
            path: path.into(),
            source,
        }
    }

    pub(super) fn missing(missing: PathBuf, present: PathBuf) -> Self {
        Self::Missing { missing, present }
    }
}

/// A store that may be written to.
#[derive(Debug)]
pub(super) struct Store {
    /// Held for life.
    pub(super) lock: File,
    pub(super) journal: Connection,
    pub(super) archive: Connection,
    pub(super) standing: Standing,
}

/// How far each file is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// The log's last sequence number, whether it is still there or not.
    pub(super) last: u64,
    pub(super) trimmed: u64,
    pub(super) folded: u64,
}

/// Opens the store in `dir`, or creates it.
pub(super) fn open(dir: &Path) -> Result<Store, OpenError> {
    let lock = files::lock(dir)?;
    files::prepare(dir)?;
    let (journal_path, archive_path) = (dir.join(JOURNAL.file), dir.join(ARCHIVE.file));
    let journal = untouched(&journal_path)?;
    let archive = untouched(&archive_path)?;
    let standing = compare(dir, &journal, &archive)?;
    for (file, path, steps) in [
        (&journal, &journal_path, &JOURNAL_STEPS),
        (&archive, &archive_path, &ARCHIVE_STEPS),
    ] {
        adopt(file)
            .and_then(|()| migrate::upgrade(file, steps))
            .map_err(|source| OpenError::sqlite(path, source))?;
    }
    Ok(Store {
        lock,
        journal,
        archive,
        standing,
    })
}

/// A connection that leaves the files as they are when it is closed again. SQLite's last connection
/// would otherwise bring the WAL over into the database file.
fn untouched(path: &Path) -> Result<Connection, OpenError> {
    let has_wal = fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0);
    let sqlite = |source| OpenError::sqlite(path, source);
    let connection = schema::writing(path).map_err(sqlite)?;
    // Without a WAL, closing removes the empty one that opening makes.
    keep_wal(&connection, has_wal).map_err(sqlite)?;
    Ok(connection)
}

fn keep_wal(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)
        .map(drop)
}

/// Refuses files of which one was restored without the other.
fn compare(dir: &Path, journal: &Connection, archive: &Connection) -> Result<Standing, OpenError> {
    let (journal_path, archive_path) = (dir.join(JOURNAL.file), dir.join(ARCHIVE.file));
    let (journal_store, last, trimmed) =
        log_standing(journal).map_err(|source| OpenError::sqlite(&journal_path, source))?;
    let (archive_store, folded) =
        archive_standing(archive).map_err(|source| OpenError::sqlite(&archive_path, source))?;
    if journal_store != archive_store {
        return Err(OpenError::TwoStores {
            dir: dir.into(),
            journal: journal_store,
            archive: archive_store,
        });
    }
    if trimmed > folded {
        return Err(OpenError::ArchiveOlder {
            dir: dir.into(),
            folded,
            trimmed,
        });
    }
    let last = last.max(trimmed);
    if folded > last {
        return Err(OpenError::JournalOlder {
            dir: dir.into(),
            last,
            folded,
        });
    }
    Ok(Standing {
        last,
        trimmed,
        folded,
    })
}

fn log_standing(journal: &Connection) -> rusqlite::Result<(String, u64, u64)> {
    let last: Option<i64> = journal.query_row("SELECT max(seq) FROM log", [], |row| row.get(0))?;
    Ok((
        schema::store_id(journal)?,
        last.map_or(0, schema::natural),
        schema::watermark(journal, "trimmed_through")?,
    ))
}

fn archive_standing(archive: &Connection) -> rusqlite::Result<(String, u64)> {
    Ok((
        schema::store_id(archive)?,
        schema::watermark(archive, "folded_through")?,
    ))
}

/// Makes a file ready for writing.
fn adopt(connection: &Connection) -> rusqlite::Result<()> {
    // What a checkpoint leaves of a WAL that grew under an operator's long read.
    const WAL_BYTES_KEPT: u64 = 64 << 20;
    schema::use_wal(connection)?;
    keep_wal(connection, false)?;
    connection.pragma_update(None, "journal_size_limit", schema::integer(WAL_BYTES_KEPT))?;
    // After a failed fsync the kernel shows pages as written that never reached the disk, so what was
    // just read from the WAL may be in memory only. Writing it again, to the database file, and
    // syncing that is what makes it durable.
    schema::checkpoint(connection, "TRUNCATE").map(drop)
}
