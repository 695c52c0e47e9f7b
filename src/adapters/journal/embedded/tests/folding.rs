//! The way from the log into the archive.

use super::*;

#[tokio::test]
async fn histories_of_several_folds_are_joined_in_order() {
    let dir = tempdir();
    let journal = open(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    let mut other = Life::begin("shop", 2, "bank");
    journal.append(other.1).await.expect("written");
    journal.append(first).await.expect("written");
    folded(&journal).await;
    journal.append(life.unknown()).await.expect("written");
    journal.append(other.0.unknown()).await.expect("written");
    folded(&journal).await;
    journal.append(life.completed()).await.expect("written");
    folded(&journal).await;
    let versions: Vec<u64> = life.history.iter().map(|record| record.version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    let loaded = load(&journal, &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
}

#[tokio::test]
async fn several_steps_in_one_fold_are_joined_too() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    for append in [first, life.unknown(), life.completed()] {
        journal.append(append).await.expect("written");
    }
    journal.shared.pause_folds(false);
    let loaded = load(&journal, &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
    let archive = sqlite(dir.path(), &ARCHIVE);
    let row: (i64, i64, String, String, bool) = archive
        .query_row(
            "SELECT position, version, status, state, open FROM transactions",
            [],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            },
        )
        .expect("one row");
    let (status, state) = ("completed".to_owned(), r#"{"name":"completed"}"#.to_owned());
    assert_eq!(row, (2, 4, status, state, false));
}

/// A load of what is in the tail doesn't wait for the next fold's time: it asks for one.
#[tokio::test]
async fn a_load_sees_what_was_answered_before_it() {
    let dir = tempdir();
    let journal = open(dir.path());
    for n in 0..50 {
        let (life, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
        let loaded = load(&journal, &life.transaction.key).await;
        assert_eq!(loaded, Some(life.history));
    }
}

#[tokio::test]
async fn an_emptied_log_goes_on_above_what_is_folded() {
    let dir = tempdir();
    let journal = open(dir.path());
    for n in 0..10 {
        let (_, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
    }
    journal.close();
    let last = journal.stats().folded_through;
    assert_eq!(last, 11);
    drop(journal);
    let log = sqlite(dir.path(), &JOURNAL);
    log.execute_batch(
        "BEGIN; DELETE FROM log; UPDATE meta SET value = 11 WHERE name = 'trimmed_through'; COMMIT",
    )
    .expect("emptied");
    drop(log);
    let journal = open(dir.path());
    let (mut life, _) = Life::begin("shop", 3, "bank");
    let committed = journal.append(life.unknown()).await.expect("written");
    assert_eq!(committed.sequence, last + 2, "after the process's own row");
    let loaded = load(&journal, &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
}

#[tokio::test]
async fn folded_rows_leave_the_log_in_whole_chunks() {
    let chunk = super::super::writer::TRIM_ROWS;
    let dir = tempdir();
    let journal = open(dir.path());
    let promises: Vec<_> = (0..u128::from(2 * chunk + 100))
        .map(|n| journal.append(Life::begin("shop", n, "bank").1))
        .collect();
    for promise in promises {
        promise.await.expect("written");
    }
    folded(&journal).await;
    // Trims go with commits.
    for n in 0..2 {
        let (_, first) = Life::begin("till", n, "bank");
        journal.append(first).await.expect("written");
    }
    assert_eq!(journal.stats().trimmed_through, 2 * chunk);
    let rows: i64 = sqlite(dir.path(), &JOURNAL)
        .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
        .expect("readable");
    assert_eq!(
        rows.unsigned_abs(),
        journal.stats().committed_through - 2 * chunk
    );
}

/// The log's WAL starts again from its beginning while appends go on.
#[tokio::test]
async fn the_logs_wal_is_brought_over_and_begun_again() {
    const BODY_BYTES: usize = 16_000;
    let dir = tempdir();
    let journal = open(dir.path());
    let looker = sqlite(dir.path(), &JOURNAL);
    let wal = || super::super::schema::checkpoint(&looker, "NOOP").expect("readable");
    let begun_again = async {
        let mut before = 0;
        let mut n = 0_u64;
        while wal().bytes() >= before {
            before = wal().bytes();
            // A name of its own for each thousand, because of the cap.
            let mut webhook = kept(&format!("bank-{}", n / 1000), &n.to_string(), &[]);
            webhook.body = "x".repeat(BODY_BYTES);
            journal.keep(webhook).await.expect("written");
            n += 1;
        }
        before
    };
    let largest = tokio::time::timeout(super::super::port::FOLD_WAIT, begun_again)
        .await
        .expect("begun again");
    assert!(largest > 16 << 20, "only when it is worth while: {largest}");
}
