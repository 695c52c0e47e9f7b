//! The data directory before SQLite sees it: the lock, the marks in the files' headers, and the
//! creation of a store in one step.
//!
//! Nothing that isn't a whole store of teller's is ever handed to SQLite, which would create, recover
//! or delete files beside it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::OpenError;
use super::schema::{self, ARCHIVE, Database, FORMAT, JOURNAL};

const LOCK_FILE: &str = "teller.lock";

/// Takes the directory for this process, for as long as the file stays open.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    create_dir(dir)?;
    let failed = |source| OpenError::io(dir, source);
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK_FILE))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.into() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Creates the directory where it is missing, private to its owner. What will be committed in it must
/// not be lost with a name that never reached the disk.
fn create_dir(dir: &Path) -> Result<(), OpenError> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|one| !one.as_os_str().is_empty() && !one.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| OpenError::io(dir, source))?;
    for parent in missing.into_iter().filter_map(Path::parent) {
        let here = parent.as_os_str().is_empty();
        sync_dir(if here { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Sees to it that both files are there and are teller's; creates them if neither is.
pub(super) fn prepare(dir: &Path) -> Result<(), OpenError> {
    let (journal, archive) = (dir.join(JOURNAL.file), dir.join(ARCHIVE.file));
    refuse_stray_wal(&journal)?;
    refuse_stray_wal(&archive)?;
    match (exists(&journal)?, exists(&archive)?) {
        (true, true) => {}
        (false, false) => create(dir)?,
        // A creation that was cut off between its two last steps.
        (false, true) if exists(&unfinished(&journal))? => finish(dir, &JOURNAL)?,
        (true, false) => return Err(OpenError::missing(archive, journal)),
        (false, true) => return Err(OpenError::missing(journal, archive)),
    }
    check_header(&journal, &JOURNAL)?;
    check_header(&archive, &ARCHIVE)
}

/// Creates both files under other names and renames them when both are whole and on disk. Cut off
/// before the first rename, the next start begins anew: nothing was ever promised. Cut off between
/// the two, it finishes.
fn create(dir: &Path) -> Result<(), OpenError> {
    let store = Uuid::new_v4().to_string();
    for database in [&ARCHIVE, &JOURNAL] {
        let path = unfinished(&dir.join(database.file));
        for leftover in ["", "-journal", "-wal", "-shm"] {
            remove(&beside(&path, leftover))?;
        }
        schema::create(&path, database, &store)
            .map_err(|source| OpenError::sqlite(&path, source))?;
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(|source| OpenError::io(&path, source))?;
    }
    sync_dir(dir)?;
    finish(dir, &ARCHIVE)?;
    finish(dir, &JOURNAL)
}

fn finish(dir: &Path, database: &Database) -> Result<(), OpenError> {
    let path = dir.join(database.file);
    fs::rename(unfinished(&path), &path).map_err(|source| OpenError::io(&path, source))?;
    sync_dir(dir)
}

/// SQLite would take a WAL that lies there for the one of whatever database appears beside it.
fn refuse_stray_wal(path: &Path) -> Result<(), OpenError> {
    let wal = beside(path, "-wal");
    let holds_commits = fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0);
    if holds_commits && !exists(path)? {
        return Err(OpenError::StrayWal {
            wal,
            missing: path.into(),
        });
    }
    Ok(())
}

fn unfinished(path: &Path) -> PathBuf {
    beside(path, ".new")
}

/// The path with `suffix` at its end.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists()
        .map_err(|source| OpenError::io(path, source))
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(OpenError::io(path, source)),
        _ => Ok(()),
    }
}

/// Makes renames in `dir` durable.
fn sync_dir(dir: &Path) -> Result<(), OpenError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| OpenError::io(dir, source))
}

/// Reads the marks in the first 100 bytes, as SQLite's file format places them.
fn check_header(path: &Path, database: &Database) -> Result<(), OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let foreign = |why: &str| OpenError::Foreign {
        path: path.into(),
        why: why.to_owned(),
    };
    let mut header = Vec::with_capacity(100);
    File::open(path)
        .and_then(|file| file.take(100).read_to_end(&mut header))
        .map_err(|source| OpenError::io(path, source))?;
    if header.is_empty() {
        return Err(foreign("it is empty (0 bytes)"));
    }
    if !header.starts_with(MAGIC) {
        return Err(foreign("it is not an SQLite database"));
    }
    let (Some(format), Some(application)) = (number(&header, 60), number(&header, 68)) else {
        return Err(foreign("it breaks off within its header"));
    };
    if application != database.application_id {
        return Err(foreign("it is another application's database"));
    }
    if format > FORMAT {
        return Err(OpenError::NewerFormat {
            path: path.into(),
            format,
        });
    }
    Ok(())
}

/// Four bytes, the most significant first.
fn number(header: &[u8], at: usize) -> Option<u32> {
    let bytes = header.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
