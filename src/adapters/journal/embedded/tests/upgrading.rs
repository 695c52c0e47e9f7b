//! Stores of format 1 are brought up to date in place.

use super::*;
use crate::transaction::Finding;

/// What the first format's files were made of.
const JOURNAL_1: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE log (
        seq     INTEGER PRIMARY KEY,
        kind    TEXT NOT NULL,
        app     TEXT NOT NULL,
        id      TEXT NOT NULL,
        version INTEGER NOT NULL,
        at      TEXT NOT NULL,
        summary TEXT NOT NULL,
        records TEXT NOT NULL
    ) STRICT;
    INSERT INTO meta VALUES ('trimmed_through', 0);
    INSERT INTO meta VALUES ('store', 'one-store');
    PRAGMA application_id = 0x746c6a6e;
    PRAGMA user_version = 1;
";
const ARCHIVE_1: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE transactions (
        position     INTEGER PRIMARY KEY,
        app          TEXT NOT NULL,
        id           TEXT NOT NULL,
        version      INTEGER NOT NULL,
        status       TEXT NOT NULL,
        state        TEXT NOT NULL,
        provider     TEXT NOT NULL,
        accepted_at  TEXT NOT NULL,
        changed_at   TEXT NOT NULL,
        final_at     TEXT,
        due_at       TEXT,
        attempts     INTEGER NOT NULL,
        open         INTEGER NOT NULL,
        needs_review INTEGER NOT NULL,
        history      TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX transactions_by_key ON transactions (id, app);
    CREATE INDEX transactions_open ON transactions (open) WHERE open = 1;
    CREATE INDEX transactions_in_review ON transactions (needs_review) WHERE needs_review = 1;
    CREATE INDEX transactions_by_status ON transactions (status);
    CREATE INDEX transactions_by_provider ON transactions (provider);
    CREATE TABLE inbox (
        position    INTEGER PRIMARY KEY,
        provider    TEXT NOT NULL,
        event_id    TEXT NOT NULL,
        received_at TEXT NOT NULL,
        body        TEXT NOT NULL,
        UNIQUE (provider, event_id)
    ) STRICT;
    CREATE TABLE bindings (
        id       TEXT NOT NULL,
        app      TEXT NOT NULL,
        bound_to TEXT NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (id, app)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('folded_through', 0);
    INSERT INTO meta VALUES ('store', 'one-store');
    PRAGMA application_id = 0x746c6172;
    PRAGMA user_version = 1;
";

/// A store as the first release leaves it: a transaction and a webhook in the archive, another of each
/// in the log only. Row 1 and 4 are processes' beginnings.
fn old_store() -> tempfile::TempDir {
    const SUMMARY: &str = r#"{"state":{"name":"submitting","attempt":1},"provider":"bank","accepted_at":"2023-11-14T22:13:21.000Z","due_at":"2023-11-14T22:15:21.000Z","attempts":1,"open":true,"needs_review":false}"#;
    const AT: &str = "2023-11-14T22:13:21.000Z";
    let history = |life: &Life| -> String {
        let lines = life.history.iter();
        let lines = lines.map(|one| serde_json::to_string(one).expect("JSON"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (archived, _) = Life::begin("shop", 1, "bank");
    let (in_log, _) = Life::begin("till", 2, "bank");
    let dir = tempdir();
    let archive = sqlite(dir.path(), &ARCHIVE);
    archive.execute_batch(ARCHIVE_1).expect("the old tables");
    archive
        .execute(
            "INSERT INTO transactions VALUES (2, 'shop', ?1, 2, 'pending', \
             '{\"name\":\"submitting\",\"attempt\":1}', 'bank', ?2, ?2, NULL, ?2, 1, 1, 0, ?3)",
            (
                archived.transaction.key.id.to_string(),
                AT,
                history(&archived),
            ),
        )
        .expect("a row");
    archive
        .execute(
            "INSERT INTO inbox VALUES (3, 'bank', 'archived', ?1, 'as it came')",
            [AT],
        )
        .expect("a row");
    archive
        .execute_batch("UPDATE meta SET value = 3 WHERE name = 'folded_through'")
        .expect("a mark");
    let log = sqlite(dir.path(), &JOURNAL);
    log.execute_batch(JOURNAL_1).expect("the old tables");
    log.execute_batch("UPDATE meta SET value = 3 WHERE name = 'trimmed_through'")
        .expect("a mark");
    let row = "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let id = in_log.transaction.key.id.to_string();
    log.execute(row, (4, "started", "", "process", 0, AT, "{}", ""))
        .expect("a row");
    log.execute(
        row,
        (5, "step", "till", id, 2, AT, SUMMARY, history(&in_log)),
    )
    .expect("a row");
    let body = "from the log";
    log.execute(row, (6, "unmatched", "bank", "in log", 1, AT, "{}", body))
        .expect("a row");
    for file in [&archive, &log] {
        super::super::schema::use_wal(file).expect("WAL mode");
    }
    dir
}

/// The format that stands in the file's first page.
fn format(dir: &Path, database: &Database) -> u8 {
    fs::read(dir.join(database.file)).expect("readable")[63]
}

/// What a database is made of, without comments and layout.
fn made_of(dir: &Path, database: &Database) -> BTreeMap<String, String> {
    let connection = sqlite(dir, database);
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .expect("a table");
    let rows = statement.query_map([], |row| {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        let lines = sql
            .lines()
            .map(|line| line.split("--").next().unwrap_or(""));
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        Ok((name, words.join(" ")))
    });
    rows.expect("readable")
        .map(|row| row.expect("text"))
        .collect()
}

#[tokio::test]
async fn a_store_of_format_1_is_brought_up_to_date_in_place() {
    let dir = old_store();
    assert_eq!(format(dir.path(), &ARCHIVE), 1);
    for _ in 0..2 {
        let journal = open(dir.path());
        for (app, n) in [("shop", 1), ("till", 2)] {
            let (life, _) = Life::begin(app, n, "bank");
            let loaded = load(&journal, &life.transaction.key).await;
            assert_eq!(loaded, Some(life.history), "{app}");
        }
        let page = journal.inbox(InboxQuery {
            limit: 9,
            ..InboxQuery::default()
        });
        let rows = page.await.expect("readable").rows;
        let shown: Vec<_> = rows
            .iter()
            .map(|one| (one.event_id.as_str(), one.body.as_str()))
            .collect();
        assert_eq!(
            shown,
            [("in log", "from the log"), ("archived", "as it came")]
        );
        for one in &rows {
            assert!(one.references.is_empty() && one.attempt.is_none());
            assert!(matches!(one.report.finding, Finding::Unclear { .. }));
        }
        let open = journal.open(None, 0, 9).await.expect("readable");
        assert_eq!(open.rows.len(), 2);
    }
    let fresh = tempdir();
    drop(open(fresh.path()));
    for database in [&JOURNAL, &ARCHIVE] {
        assert_eq!(format(dir.path(), database), 3, "{}", database.file);
        let (upgraded, fresh) = (
            made_of(dir.path(), database),
            made_of(fresh.path(), database),
        );
        assert_eq!(upgraded, fresh);
    }
}

#[tokio::test]
async fn an_upgraded_store_works_like_any_other() {
    let dir = old_store();
    let journal = open(dir.path());
    // What format 1 kept of a webhook does not say what it states, so the same event may be new.
    let again = Kept {
        body: "sent again".to_owned(),
        ..kept("bank", "archived", &["r"])
    };
    for _ in 0..2 {
        assert_eq!(journal.keep(again.clone()).await, Ok(()));
        let found = journal.kept_for("bank", "r").await;
        assert_eq!(found, Ok(vec![again.clone()]));
    }
    let (mut life, _) = Life::begin("shop", 1, "bank");
    journal.append(life.known_as("r")).await.expect("written");
    folded(&journal).await;
    let owner = journal.referred("bank", "r").await;
    assert_eq!(owner, Ok(Some(key("shop", 1))));
    let total = async || {
        let page = journal.inbox(InboxQuery::default()).await;
        page.expect("readable").total
    };
    assert_eq!(journal.release("bank", "archived", None).await, Ok(()));
    assert_eq!(total().await, 1);
    assert_eq!(journal.expire_kept(wall(1_000)).await, Ok(1));
    assert_eq!(total().await, 0);
}

/// A file is brought from one format to the next as a whole: what goes wrong leaves it as it was, and
/// the next start tries again, with one file up to date already.
#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_old_format() {
    let dir = old_store();
    let by_hand = sqlite(dir.path(), &ARCHIVE);
    by_hand
        .execute_batch("CREATE TABLE notes (of_an_operator TEXT)")
        .expect("writable");
    drop(by_hand);
    let before = made_of(dir.path(), &ARCHIVE);
    let error = EmbeddedJournal::open(Options::new(dir.path())).expect_err("refused");
    assert!(matches!(error, OpenError::Sqlite { .. }), "{error}");
    assert_eq!(made_of(dir.path(), &ARCHIVE), before);
    let archive = sqlite(dir.path(), &ARCHIVE);
    let kept: i64 = archive
        .query_row("SELECT count(*) FROM inbox", [], |row| row.get(0))
        .expect("the old inbox");
    assert_eq!(kept, 1);
    archive.execute_batch("DROP TABLE notes").expect("writable");
    drop(archive);
    assert_eq!(format(dir.path(), &ARCHIVE), 1);
    assert_eq!(format(dir.path(), &JOURNAL), 3);

    let journal = open(dir.path());
    let page = journal
        .inbox(InboxQuery::default())
        .await
        .expect("readable");
    assert_eq!(page.total, 2);
}
