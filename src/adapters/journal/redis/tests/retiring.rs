//! Retention: what goes, what stays, and what remains of what went.

use std::path::Path;

use super::super::{Archive, Retention};
use super::*;
use crate::transaction::{Fact, Outcome, Record, Status, Transaction};

/// Long enough that nothing of a test gets so old.
const LONG: Duration = Duration::from_hours(1);
/// 400 days, less what a test may take.
const TOMBSTONE_MS: std::ops::RangeInclusive<i64> = 34_559_900_000..=34_560_000_000;

async fn keeping(server: &Server, finished_kept_for: Duration, archive: Archive) -> RedisJournal {
    own_everything(server);
    let retention = Retention {
        finished_kept_for,
        archive,
    };
    connected(Options {
        retention: Some(retention),
        ..at(server)
    })
    .await
}

async fn at_once(server: &Server) -> RedisJournal {
    keeping(server, Duration::ZERO, Archive::Stream).await
}

/// A transaction that has ended, in the journal.
async fn finished(journal: &RedisJournal, n: u128) -> Life {
    let (mut life, first) = Life::begin("shop", n, "bank");
    journal.append(first).await.expect("written");
    journal
        .append(life.known_as(&format!("r-{n}")))
        .await
        .expect("written");
    journal.append(life.completed()).await.expect("written");
    // So that it is older than this moment by the server's clock, too.
    tokio::time::sleep(Duration::from_millis(2)).await;
    life
}

async fn retired(journal: &RedisJournal, key: &Key) -> usize {
    let retired = journal.retire(key.partition(), Tenure::ALONE).await;
    retired.expect("nothing is in the way").moved
}

async fn records(journal: &RedisJournal, key: &Key) -> Vec<Record> {
    let records = journal.load(key).await.expect("readable");
    records.expect("something remains of it")
}

fn list_of(key: &Key) -> String {
    format!("teller:{{p{}}}:r:{key}", key.partition())
}

/// The histories in the stream of a transaction's partition, as name, version and records.
fn archived(server: &Server, key: &Key) -> Vec<(String, u64, Vec<Record>)> {
    let name = format!("teller:{{p{}}}:archive", key.partition());
    let entries = server.command(&["XRANGE", &name, "-", "+"]);
    let entries: Vec<(String, Vec<String>)> = redis::from_redis_value(entries).expect("entries");
    let entry = |(_, fields): (String, Vec<String>)| {
        let [one, key, two, version, three, history] =
            <[String; 6]>::try_from(fields).expect("three fields");
        assert_eq!([one, two, three], ["transaction", "version", "history"]);
        let history = serde_json::from_str(&history).expect("records");
        (key, version.parse().expect("a number"), history)
    };
    entries.into_iter().map(entry).collect()
}

#[tokio::test]
async fn a_finished_transaction_leaves_its_history_to_the_stream_and_a_tombstone_to_whoever_asks() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = at_once(&server).await;
        let life = finished(&journal, 1).await;
        let key = life.transaction.key.clone();
        assert_eq!(retired(&journal, &key).await, 1, "{kind:?}");
        let version = life.transaction.version;
        let expected = vec![(key.to_string(), version, life.history.clone())];
        assert_eq!(archived(&server, &key), expected, "{kind:?}");

        let left = records(&journal, &key).await;
        assert_eq!(left.len(), 1, "{kind:?}: {left:?}");
        assert!(matches!(left[0].fact, Fact::Archived { .. }), "{left:?}");
        let remains = Transaction::fold(&key, &left).expect("it folds");
        assert_eq!(remains.payload_hash, life.transaction.payload_hash);
        assert_eq!(remains.resolution, life.transaction.resolution);
        assert_eq!(remains.version, version, "{kind:?}");
        assert_eq!(remains.final_at, life.transaction.final_at);
        let text = serde_json::to_string(&left).expect("JSON");
        assert!(!text.contains("of many"), "the payload is gone: {text}");

        let ttl = server.command(&["PTTL", &list_of(&key)]);
        let ttl: i64 = redis::from_redis_value(ttl).expect("a number");
        assert!(TOMBSTONE_MS.contains(&ttl), "{kind:?}: {ttl}");
        let page = journal.list(ListQuery::default()).await.expect("readable");
        assert!(page.rows.is_empty(), "{kind:?}: {page:?}");
        // Nobody can take its place.
        let (_, again) = Life::begin("shop", 1, "bank");
        for again in [again.clone(), by_anybody(again)] {
            let taken = journal.append(again).await;
            assert_eq!(taken, Err(AppendError::Exists), "{kind:?}");
        }
        assert_eq!(journal.referred("bank", "r-1").await, Ok(Some(key.clone())));
        assert_eq!(retired(&journal, &key).await, 0, "{kind:?}: once");
    }
}

#[tokio::test]
async fn what_is_open_or_young_or_waits_for_a_person_stays() {
    let server = Server::redis(&[]);
    let journal = at_once(&server).await;
    let (mut open, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    journal.append(open.unknown()).await.expect("written");
    let (mut asked, first) = Life::begin("shop", 2, "bank");
    journal.append(first).await.expect("written");
    let mut ended = asked.completed();
    ended.summary.needs_review = true;
    journal.append(ended).await.expect("written");
    tokio::time::sleep(Duration::from_millis(5)).await;
    for life in [&open, &asked] {
        let key = &life.transaction.key;
        assert_eq!(retired(&journal, key).await, 0);
        assert_eq!(records(&journal, key).await, life.history);
    }
    let patient = keeping(&server, LONG, Archive::Stream).await;
    let young = finished(&patient, 3).await;
    assert_eq!(retired(&patient, &young.transaction.key).await, 0);
    let never = connected(at(&server)).await;
    assert_eq!(retired(&never, &young.transaction.key).await, 0);
    assert_eq!(retired(&journal, &young.transaction.key).await, 1);
}

/// The retention counts from the last change by the server's clock, whatever the nodes' clocks say: those
/// of the samples say 2023.
#[tokio::test]
async fn it_is_the_last_change_that_counts_not_the_acceptance() {
    let server = Server::redis(&[]);
    let span = Duration::from_millis(600);
    let journal = keeping(&server, span, Archive::Stream).await;
    let (mut life, first) = Life::begin("shop", 1, "bank");
    let key = first.key.clone();
    journal.append(first).await.expect("written");
    tokio::time::sleep(span + Duration::from_millis(50)).await;
    journal.append(life.completed()).await.expect("written");
    assert_eq!(retired(&journal, &key).await, 0, "it has just ended");
    eventually("it gets old", async || retired(&journal, &key).await == 1).await;
}

#[tokio::test]
async fn a_node_that_lost_the_partition_removes_nothing() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("archive.jsonl");
        for (n, archive) in [(1, Archive::Stream), (2, Archive::File(file))] {
            let journal = keeping(&server, Duration::ZERO, archive).await;
            let life = finished(&journal, n).await;
            let key = &life.transaction.key;
            let lost = Tenure {
                epoch: 0,
                claim: Uuid::from_u128(9),
            };
            let refused = journal.retire(key.partition(), lost).await;
            assert_eq!(refused, Err(AppendError::Fenced), "{kind:?}");
            assert_eq!(records(&journal, key).await, life.history, "{kind:?}");
            assert_eq!(archived(&server, key), Vec::new(), "{kind:?}");
            assert_eq!(retired(&journal, key).await, 1, "{kind:?}: its owner");
        }
    }
}

/// A provider corrects itself after the history went.
#[tokio::test]
async fn late_evidence_goes_on_from_the_tombstone() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = at_once(&server).await;
        let mut life = finished(&journal, 1).await;
        let key = life.transaction.key.clone();
        let stale = life.clone().declined();
        assert_eq!(retired(&journal, &key).await, 1);

        // By an actor that has it in memory, or by one that folds what is left: both see the same version.
        life.transaction =
            Transaction::fold(&key, &records(&journal, &key).await).expect("it folds");
        let contradiction = life.declined();
        assert_eq!(contradiction.expect, stale.expect, "{kind:?}");
        journal.append(contradiction).await.expect("written");
        let now = Transaction::fold(&key, &records(&journal, &key).await).expect("it folds");
        assert!(now.conflict_open && now.needs_review(), "{kind:?}: {now:?}");
        let ttl = server.command(&["PTTL", &list_of(&key)]);
        assert_eq!(ttl, redis::Value::Int(-1), "{kind:?}: it may not expire");
        let review = ListQuery {
            needs_review: true,
            ..ListQuery::default()
        };
        let page = journal.list(review).await.expect("readable");
        assert_eq!(page.rows.len(), 1, "{kind:?}: a person sees it");
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(retired(&journal, &key).await, 0, "{kind:?}: it stays");
        assert_eq!(
            now.resolution.map(|one| one.outcome),
            Some(Outcome::Completed)
        );
    }
}

/// The lines of an archive's file, as transaction, version and number of records.
fn lines(file: &Path) -> Vec<(String, u64, usize)> {
    let text = std::fs::read_to_string(file).expect("readable");
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let records: Vec<Record> =
            serde_json::from_value(line["history"].clone()).expect("records");
        let name = line["transaction"].as_str().expect("a name").to_owned();
        (
            name,
            line["version"].as_u64().expect("a number"),
            records.len(),
        )
    };
    text.lines().map(line).collect()
}

/// The line is on disk before the store lets go: where a node dies between the two, the next one writes
/// it once more.
#[tokio::test]
async fn a_crash_between_the_file_and_the_store_writes_twice_and_loses_nothing() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("archive.jsonl");
        let journal = keeping(&server, Duration::ZERO, Archive::File(file.clone())).await;
        let life = finished(&journal, 1).await;
        let key = life.transaction.key.clone();
        let line = (
            key.to_string(),
            life.transaction.version,
            life.history.len(),
        );
        // The partition goes at that very moment, which is as good as a crash.
        let gone = Tenure {
            epoch: 9,
            claim: Uuid::from_u128(9),
        };
        let cut_off = journal.retire(key.partition(), gone).await;
        assert_eq!(cut_off, Err(AppendError::Fenced), "{kind:?}");
        assert_eq!(lines(&file), vec![line.clone()], "{kind:?}");
        assert_eq!(records(&journal, &key).await, life.history, "{kind:?}");

        assert_eq!(retired(&journal, &key).await, 1, "{kind:?}");
        assert_eq!(lines(&file), vec![line.clone(), line], "{kind:?}");
        assert_eq!(records(&journal, &key).await.len(), 1, "{kind:?}");
        assert_eq!(archived(&server, &key), Vec::new(), "{kind:?}: no stream");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_everything_in_the_store() {
    let server = Server::redis(&[]);
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("missing/archive.jsonl");
    let journal = keeping(&server, Duration::ZERO, Archive::File(file)).await;
    let life = finished(&journal, 1).await;
    let key = &life.transaction.key;
    let refused = journal.retire(key.partition(), Tenure::ALONE).await;
    let why = refused.expect_err("there is no such folder").to_string();
    assert!(why.contains("missing/archive.jsonl"), "{why}");
    assert_eq!(records(&journal, key).await, life.history);
}

/// More than one round looks at, and some in the way that stay.
#[tokio::test]
async fn rounds_go_on_where_the_last_one_ended() {
    let server = Server::redis(&[]);
    let journal = at_once(&server).await;
    let keys = (0..).filter(|&n| super::super::super::samples::key("shop", n).partition() == 7);
    let lives: Vec<u128> = keys.take(450).collect();
    for &n in &lives {
        let (mut life, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
        journal.append(life.completed()).await.expect("written");
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (mut moved, mut rounds) = (Vec::new(), 0);
    while rounds == 0 || moved.last() != Some(&0) {
        let retired = journal.retire(7, Tenure::ALONE).await.expect("it is owned");
        moved.push(retired.moved);
        rounds += 1;
    }
    assert_eq!(moved.iter().sum::<usize>(), lives.len(), "{moved:?}");
    assert!(moved.iter().all(|&one| one <= 200), "{moved:?}");
    let completed = journal
        .list(ListQuery {
            status: Some(Status::Completed),
            ..ListQuery::default()
        })
        .await
        .expect("readable");
    assert!(completed.rows.is_empty());
}
