//! Opening: what is refused, why, and that it is left as it was.

use super::*;

/// Tries to open, expects a refusal, and that not a byte has changed.
fn refused(dir: &Path) -> OpenError {
    let before = contents(dir);
    let error = EmbeddedJournal::open(Options::new(dir)).expect_err("refused");
    let after = contents(dir);
    assert!(
        before.keys().eq(after.keys()),
        "files came or went: {:?}",
        after.keys()
    );
    assert_eq!(before, after, "{error}");
    error
}

/// A closed store with `n` transactions, as contents.
async fn store(n: u128) -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>) {
    let dir = tempdir();
    grow(dir.path(), 0..n).await;
    let contents = contents(dir.path());
    assert!(contents.keys().eq([ARCHIVE.file, JOURNAL.file]), "closed");
    (dir, contents)
}

async fn grow(dir: &Path, numbers: std::ops::Range<u128>) {
    let journal = open(dir);
    for n in numbers {
        let (_, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
    }
}

fn put(dir: &Path, database: &Database, from: &BTreeMap<String, Vec<u8>>) {
    fs::write(dir.join(database.file), &from[database.file]).expect("writable");
}

/// Empties the log, as a trim would.
fn trim_all(dir: &Path) {
    let log = sqlite(dir, &JOURNAL);
    log.execute_batch(
        "BEGIN; UPDATE meta SET value = (SELECT max(seq) FROM log) WHERE name = 'trimmed_through'; \
         DELETE FROM log; COMMIT",
    )
    .expect("emptied");
}

#[tokio::test]
async fn a_new_store_is_private_and_whole() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempdir();
    let dir = outer.path().join("a").join("b");
    drop(open(&dir));
    let mode = fs::metadata(&dir).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(contents(&dir).keys().eq([ARCHIVE.file, JOURNAL.file]));
    let log = sqlite(&dir, &JOURNAL);
    let started: i64 = log
        .query_row(
            "SELECT count(*) FROM log WHERE kind = 'started'",
            [],
            |row| row.get(0),
        )
        .expect("readable");
    assert_eq!(started, 1);
}

#[tokio::test]
async fn a_directory_belongs_to_one_journal() {
    let dir = tempdir();
    let journal = open(dir.path());
    let error = EmbeddedJournal::open(Options::new(dir.path())).expect_err("refused");
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    let name = dir.path().display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
    drop(journal);
    drop(open(dir.path()));
}

#[tokio::test]
async fn files_that_are_not_tellers_are_refused() {
    let (_, good) = store(1).await;
    let elsewhere = tempdir();
    let other = elsewhere.path().join("other.db");
    Connection::open(&other)
        .and_then(|other| other.execute_batch("PRAGMA application_id = 7; CREATE TABLE t (a)"))
        .expect("a database");
    let other = fs::read(other).expect("readable");
    let mut newer = good[JOURNAL.file].clone();
    newer[63] = 4;
    let swapped = good[ARCHIVE.file].clone();
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("empty", Vec::new(), "it is empty (0 bytes)"),
        (
            "text",
            b"dear diary".repeat(100),
            "it is not an SQLite database",
        ),
        (
            "short",
            good[JOURNAL.file][..50].to_vec(),
            "it breaks off within its header",
        ),
        ("other", other, "it is another application's database"),
        ("swapped", swapped, "it is another application's database"),
        ("newer", newer, "has format 4, this release reads up to 3"),
    ];
    for (name, bytes, sentence) in cases {
        let dir = restore(&good);
        let path = dir.path().join(JOURNAL.file);
        fs::write(&path, bytes).expect("writable");
        let error = refused(dir.path()).to_string();
        assert!(error.contains(sentence), "{name}: {error}");
        assert!(
            error.contains(&path.display().to_string()),
            "{name}: {error}"
        );
        assert!(!dir.path().join("journal.db-shm").exists(), "{name}");
        assert!(!dir.path().join("archive.db-shm").exists(), "{name}");
    }
}

#[tokio::test]
async fn one_file_without_the_other_is_refused() {
    for (gone, left) in [(&JOURNAL, &ARCHIVE), (&ARCHIVE, &JOURNAL)] {
        let (dir, _) = store(1).await;
        fs::remove_file(dir.path().join(gone.file)).expect("there");
        let error = refused(dir.path());
        assert!(matches!(error, OpenError::Missing { .. }), "{error}");
        let error = error.to_string();
        let missing = format!("{} is missing", dir.path().join(gone.file).display());
        assert!(
            error.contains(&missing) && error.contains(left.file),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_wal_without_its_database_is_refused() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let live = contents(dir.path());
    drop(journal);
    let dir = tempdir();
    fs::write(dir.path().join("journal.db-wal"), &live["journal.db-wal"]).expect("writable");
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::StrayWal { .. }), "{error}");
}

#[tokio::test]
async fn files_of_two_stores_are_refused() {
    let (dir, _) = store(3).await;
    let (_, other) = store(3).await;
    put(dir.path(), &ARCHIVE, &other);
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::TwoStores { .. }), "{error}");
    assert!(!dir.path().join("journal.db-shm").exists());
}

#[tokio::test]
async fn an_older_archive_is_refused() {
    let (dir, old) = store(3).await;
    grow(dir.path(), 3..6).await;
    trim_all(dir.path());
    put(dir.path(), &ARCHIVE, &old);
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::ArchiveOlder { .. }), "{error}");
    let sentence = "is older than journal.db: it knows 4 records";
    assert!(error.to_string().contains(sentence), "{error}");
}

/// While the log still has what an older archive lacks, nothing is lost: it is folded again.
#[tokio::test]
async fn an_older_archive_that_the_log_still_continues_catches_up() {
    let (dir, old) = store(3).await;
    grow(dir.path(), 3..6).await;
    put(dir.path(), &ARCHIVE, &old);
    let journal = open(dir.path());
    for n in 0..6 {
        assert!(
            load(&journal, &key("shop", n)).await.is_some(),
            "number {n}"
        );
    }
}

#[tokio::test]
async fn an_older_log_is_refused() {
    let (dir, old) = store(3).await;
    grow(dir.path(), 3..6).await;
    put(dir.path(), &JOURNAL, &old);
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::JournalOlder { .. }), "{error}");
    let sentence = "is older than archive.db: it ends with record 4, and the archive knows 8";
    assert!(error.to_string().contains(sentence), "{error}");
}

/// The same refusals when a crash has left WALs: those stay as well.
#[tokio::test]
async fn a_refused_store_keeps_its_wals() {
    let (dir, old) = store(3).await;
    let journal = open(dir.path());
    let (_, first) = Life::begin("shop", 3, "bank");
    journal.append(first).await.expect("written");
    folded(&journal).await;
    let mut crashed = contents(dir.path());
    drop(journal);
    assert!(crashed["journal.db-wal"].len() > 4096 && crashed["archive.db-wal"].len() > 4096);

    crashed.insert(JOURNAL.file.to_owned(), old[JOURNAL.file].clone());
    crashed.insert("journal.db-wal".to_owned(), Vec::new());
    let dir = restore(&crashed);
    // An empty WAL is no commit; SQLite may take it away.
    fs::remove_file(dir.path().join("journal.db-wal")).expect("there");
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::JournalOlder { .. }), "{error}");
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_finished_or_begun_anew() {
    let (_, good) = store(0).await;
    let fresh = tempdir();
    super::super::files::prepare(fresh.path()).expect("created");
    let fresh = contents(fresh.path());

    // Cut off before the first rename: whatever lies there was never used.
    let dir = tempdir();
    fs::write(dir.path().join("archive.db.new"), &good[ARCHIVE.file]).expect("writable");
    fs::write(dir.path().join("journal.db.new"), b"half a file").expect("writable");
    grow(dir.path(), 0..1).await;
    assert!(contents(dir.path()).keys().eq([ARCHIVE.file, JOURNAL.file]));

    // Cut off between the two renames.
    let dir = tempdir();
    put(dir.path(), &ARCHIVE, &fresh);
    fs::write(dir.path().join("journal.db.new"), &fresh[JOURNAL.file]).expect("writable");
    grow(dir.path(), 0..1).await;
    assert!(contents(dir.path()).keys().eq([ARCHIVE.file, JOURNAL.file]));
}

#[tokio::test]
async fn a_hole_in_the_log_is_refused() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    for n in 0..5 {
        let (_, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
    }
    let crashed = restore(&contents(dir.path()));
    sqlite(crashed.path(), &JOURNAL)
        .execute("DELETE FROM log WHERE seq = 3", [])
        .expect("writable");
    let error = EmbeddedJournal::open(Options::new(crashed.path())).expect_err("refused");
    assert!(error.to_string().contains("row 4 follows row 2"), "{error}");
}
