//! Stores of format 2 filed all attempts under one provider and knew a webhook by its event id alone.

use super::*;
use crate::transaction::Statement;

/// What the archive of format 2 had in the place of what it has now.
const BACK_TO_FORMAT_2: &str = "
    ALTER TABLE inbox RENAME TO inbox_of_format_3;
    CREATE TABLE inbox (
        position    INTEGER PRIMARY KEY,
        provider    TEXT NOT NULL,
        event_id    TEXT NOT NULL,
        received_at TEXT NOT NULL,
        reading     TEXT NOT NULL,
        body        TEXT NOT NULL,
        UNIQUE (provider, event_id)
    ) STRICT;
    INSERT INTO inbox SELECT position, provider, event_id, received_at, reading, body
        FROM inbox_of_format_3;
    DROP TABLE inbox_of_format_3;
    DROP TABLE other_providers;
    UPDATE transactions SET provider = 'bank';
    PRAGMA user_version = 2;
    PRAGMA wal_checkpoint(TRUNCATE);
";

/// Makes of a store what a release of format 2 would have left, whose last row is still in the log: it was
/// filed under the provider that has the transaction, with the references of both.
async fn of_format_2(dir: &Path, webhooks: &[Kept]) -> Life {
    let journal = open(dir);
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    journal.append(life.refused_as("7")).await.expect("written");
    journal
        .append(life.stands_in("other"))
        .await
        .expect("written");
    let (_, untouched) = Life::begin("shop", 2, "bank");
    journal.append(untouched).await.expect("written");
    for webhook in webhooks {
        journal.keep(webhook.clone()).await.expect("kept");
    }
    drop(journal);
    let archive = sqlite(dir, &ARCHIVE);
    archive.execute_batch(BACK_TO_FORMAT_2).expect("old tables");
    let misfiled = "INSERT INTO provider_references VALUES ('other', '7', 'shop', ?1)";
    let id = life.transaction.key.id.to_string();
    archive.execute(misfiled, [&id]).expect("a row");
    drop(archive);

    let last = life.second_known_as("8");
    let log = sqlite(dir, &JOURNAL);
    let next: i64 = log
        .query_row(
            "SELECT max(seq) + 1 FROM (SELECT seq FROM log \
             UNION ALL SELECT value FROM meta WHERE name = 'trimmed_through')",
            [],
            |row| row.get(0),
        )
        .expect("a number");
    let summary = r#"{"state":{"name":"pending","attempt":2},"provider":"other","accepted_at":"2023-11-14T22:13:21.000Z","attempts":2,"open":true,"needs_review":false,"references":["7","8"]}"#;
    let records = serde_json::to_string(&last.records[0]).expect("JSON");
    log.execute(
        "INSERT INTO log VALUES (?1, 'step', 'shop', ?2, ?3, ?4, ?5, ?6)",
        (
            next,
            &id,
            last.records[0].version.cast_signed(),
            last.records[0].at.to_string(),
            summary,
            records,
        ),
    )
    .expect("a row");
    log.execute_batch("PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE);")
        .expect("an old mark");
    life
}

/// Of all that stood in a store of format 2, in the archive as in the log's tail.
#[tokio::test]
async fn attempts_of_an_older_store_are_filed_under_their_own_providers() {
    let dir = tempdir();
    let life = of_format_2(dir.path(), &[]).await;
    let key = life.transaction.key.clone();
    // Opened twice: there is nothing left to be done the second time.
    for _ in 0..2 {
        let journal = open(dir.path());
        assert_eq!(load(&journal, &key).await, Some(life.history.clone()));
        for (provider, reference, is_its) in [
            ("bank", "7", true),
            ("other", "8", true),
            ("other", "7", false),
            ("bank", "8", false),
        ] {
            let owner = journal.referred(provider, reference).await;
            let expected = is_its.then(|| key.clone());
            assert_eq!(owner, Ok(expected), "{reference} of {provider}");
        }
        let listed = async |provider: &str| {
            let query = ListQuery {
                provider: Some(provider.to_owned()),
                limit: 9,
                ..ListQuery::default()
            };
            let page = journal.list(query).await.expect("readable");
            let rows = page.rows.into_iter();
            rows.map(|row| row.key.id.0.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(listed("other").await, [1]);
        assert_eq!(listed("bank").await, [2]);
        let providers = ["bank", "other"].map(str::to_owned).to_vec();
        assert_eq!(journal.open_providers(), Ok(providers));
    }
    let left: i64 = sqlite(dir.path(), &ARCHIVE)
        .query_row(
            "SELECT count(*) FROM meta WHERE name = 'attempts_to_refile'",
            [],
            |row| row.get(0),
        )
        .expect("readable");
    assert_eq!(left, 0);
}

/// A history that can't be read is no reason to refuse all others at the upgrade.
#[tokio::test]
async fn an_unreadable_history_of_an_older_store_stays_filed_as_it_was() {
    let dir = tempdir();
    of_format_2(dir.path(), &[]).await;
    let archive = sqlite(dir.path(), &ARCHIVE);
    archive
        .execute_batch("UPDATE transactions SET history = history || char(10) || 'no record'")
        .expect("writable");
    drop(archive);
    let journal = open(dir.path());
    let owner = journal.referred("other", "7").await;
    assert_eq!(owner, Ok(Some(key("shop", 1))), "as it was");
}

#[tokio::test]
async fn webhooks_of_an_older_store_are_found_released_and_contradicted() {
    let dir = tempdir();
    let first = kept("bank", "a", &["r"]);
    let second = kept("bank", "b", &["r"]);
    of_format_2(dir.path(), &[first.clone(), second.clone()]).await;
    let journal = open(dir.path());
    let waiting = async || journal.kept_for("bank", "r").await.expect("readable");
    assert_eq!(waiting().await, [first.clone(), second.clone()]);
    journal.keep(first.clone()).await.expect("a repetition");
    assert_eq!(waiting().await, [first.clone(), second.clone()]);
    let contradiction = Kept {
        report: crate::transaction::Report::bare(crate::transaction::Finding::Completed),
        ..first.clone()
    };
    journal.keep(contradiction.clone()).await.expect("kept");
    let declined: Statement = first.statement();
    let released = journal.release("bank", "a", Some(&declined)).await;
    assert_eq!(released, Ok(()));
    assert_eq!(waiting().await, [second, contradiction]);
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.expire_kept(wall(1_000)).await, Ok(2));
}
