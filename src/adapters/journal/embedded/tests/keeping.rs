//! What is kept, referred to and noted, across crashes, folds and commits.

use super::*;
use crate::ports::AppendError;

const ALL: usize = 100;

/// The event ids of everything that is kept, newest first.
async fn all(journal: &EmbeddedJournal) -> Vec<String> {
    let query = InboxQuery {
        limit: ALL,
        ..InboxQuery::default()
    };
    let page = journal.inbox(query).await.expect("readable");
    page.rows.into_iter().map(|one| one.event_id).collect()
}

async fn notes(journal: &EmbeddedJournal) -> Vec<(String, String)> {
    journal.noted("").await.expect("readable")
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Folds everything, and then nothing more.
async fn fold_once(journal: &EmbeddedJournal) {
    journal.shared.pause_folds(false);
    folded(journal).await;
    journal.shared.pause_folds(true);
}

/// Seven events: `claimed` and `dismissed` are released, `old` expires, the others stay; one comes
/// back after its release. A crash after any of the steps, whether what was before it is folded or
/// not, leaves exactly what was answered.
#[tokio::test]
async fn a_crash_at_any_point_leaves_what_was_answered() {
    const STEPS: usize = 8;
    for folded_after in (0..STEPS).map(Some).chain([None]) {
        let dir = tempdir();
        let journal = open_paused(dir.path());
        let (mut life, first) = Life::begin("shop", 1, "bank");
        journal.append(first).await.expect("written");
        for step in 0..STEPS {
            match step {
                0 => {
                    for event in ["claimed", "dismissed", "stays"] {
                        let webhook = kept("bank", event, &["r"]);
                        journal.keep(webhook).await.expect("kept");
                    }
                }
                1 => {
                    let old = Kept {
                        received_at: wall(1),
                        ..kept("bank", "old", &[])
                    };
                    journal.keep(old).await.expect("kept");
                }
                2 => drop(journal.append(life.known_as("r")).await.expect("written")),
                3 => journal
                    .release("bank", "claimed", None)
                    .await
                    .expect("released"),
                4 => journal
                    .release("bank", "dismissed", None)
                    .await
                    .expect("released"),
                5 => assert_eq!(journal.expire_kept(wall(5)).await, Ok(1)),
                6 => journal
                    .note("n", Some("1".to_owned()))
                    .await
                    .expect("noted"),
                _ => {
                    let webhook = kept("bank", "claimed", &["r"]);
                    journal.keep(webhook).await.expect("kept again");
                    journal.note("n", None).await.expect("forgotten");
                    journal
                        .note("m", Some("2".to_owned()))
                        .await
                        .expect("noted");
                }
            }
            let expected: &[&str] = match step {
                0 => &["stays", "dismissed", "claimed"],
                1 | 2 => &["old", "stays", "dismissed", "claimed"],
                3 => &["old", "stays", "dismissed"],
                4 => &["old", "stays"],
                5 | 6 => &["stays"],
                _ => &["claimed", "stays"],
            };
            let noted = match step {
                0..=5 => vec![],
                6 => vec![pair("n", "1")],
                _ => vec![pair("m", "2")],
            };
            let what = format!("after step {step}, folded after {folded_after:?}");
            let after_crash = restore(&contents(dir.path()));
            // Opened twice: from the log, and from the archive alone.
            for _ in 0..2 {
                let journal = open(after_crash.path());
                assert_eq!(all(&journal).await, expected, "{what}");
                let found = journal.kept_for("bank", "r").await.expect("readable");
                let waiting = expected.iter().filter(|&&event| event != "old").count();
                assert_eq!(found.len(), waiting, "{what}");
                let owner = journal.referred("bank", "r").await.expect("readable");
                let known = (step >= 2).then(|| key("shop", 1));
                assert_eq!(owner, known, "{what}");
                assert_eq!(notes(&journal).await, noted, "{what}");
            }
            if folded_after == Some(step) {
                fold_once(&journal).await;
            }
        }
    }
}

const WAL: &str = "journal.db-wal";

/// One commit holds an append with a reference, a webhook, a release, an expiry and two notes. Cut off
/// or damaged anywhere, all of it is there or nothing of it.
#[tokio::test]
async fn a_torn_commit_of_many_kinds_is_whole_or_absent() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    let old = Kept {
        received_at: wall(1),
        ..kept("bank", "old", &[])
    };
    journal.keep(old).await.expect("kept");
    journal.keep(kept("bank", "a", &["r"])).await.expect("kept");
    journal
        .note("n", Some("1".to_owned()))
        .await
        .expect("noted");
    let (_, plug) = Life::begin("shop", 2, "bank");
    journal.append(plug).await.expect("written");
    let answered = contents(dir.path())[WAL].len();
    let step = life.known_as("r");
    let (_, plug) = Life::begin("shop", 3, "bank");
    let write = || -> Vec<Promise<bool>> {
        let step = journal.append(step);
        let mut all: Vec<Promise<Result<(), AppendError>>> = vec![
            journal.release("bank", "a", None),
            journal.keep(Kept {
                body: "b".repeat(9_000),
                ..kept("bank", "b", &["s"])
            }),
            journal.note("n", None),
            journal.note("m", Some("2".to_owned())),
        ];
        let expired = journal.expire_kept(wall(5));
        all.push(Box::pin(async move {
            expired.await.map(|removed| assert_eq!(removed, 1))
        }));
        let all = all.into_iter();
        let all = all.map(|one| -> Promise<bool> { Box::pin(async { one.await.is_ok() }) });
        let step: Promise<bool> = Box::pin(async { step.await.is_ok() });
        std::iter::once(step).chain(all).collect()
    };
    let results = as_one_batch(dir.path(), &journal, plug, write).await;
    assert!(results.into_iter().all(|ok| ok));
    let contents = contents(dir.path());
    let wal = contents[WAL].len();
    assert!(wal > answered + 4 * 4096, "several pages");

    let mut wholes = Vec::new();
    for cut in (answered..wal).step_by(2_053).chain([wal]) {
        let mut torn = contents.clone();
        torn.entry(WAL.to_owned()).or_default().truncate(cut);
        let after_crash = restore(&torn);
        let journal = open(after_crash.path());
        let seen = all(&journal).await;
        let owner = journal.referred("bank", "r").await.expect("readable");
        let whole = owner.is_some();
        wholes.push(whole);
        if whole {
            assert_eq!(seen, ["b"], "cut at {cut} of {wal}");
            assert_eq!(notes(&journal).await, [pair("m", "2")]);
        } else {
            assert_eq!(seen, ["a", "old"], "cut at {cut} of {wal}");
            assert_eq!(notes(&journal).await, [pair("n", "1")]);
        }
    }
    assert!(wholes.is_sorted() && wholes.contains(&false));
    assert_eq!(wholes.last(), Some(&true));
}

/// Within one commit, and within one fold, each row is judged as if those before it were written.
#[tokio::test]
async fn rows_of_one_commit_follow_on_each_other() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (_, plug) = Life::begin("shop", 1, "bank");
    let old = |event| Kept {
        received_at: wall(1),
        ..kept("bank", event, &["r"])
    };
    let removed = std::sync::Mutex::new(Vec::new());
    let write = || {
        let expiries = [journal.expire_kept(wall(5)), journal.expire_kept(wall(5))];
        // Nothing is kept yet: these two are first in the queue.
        let before = vec![
            journal.keep(old("a")),
            journal.keep(old("a")),
            journal.release("bank", "a", None),
            journal.keep(old("a")),
            journal.keep(old("b")),
        ];
        let third = journal.expire_kept(wall(5));
        let after = vec![journal.keep(old("b")), journal.keep(old("b"))];
        removed
            .lock()
            .expect("whole")
            .extend(expiries.into_iter().chain([third]));
        before.into_iter().chain(after).collect()
    };
    let rows = journal.stats().rows;
    let results = as_one_batch(dir.path(), &journal, plug, write).await;
    assert!(results.iter().all(Result::is_ok));
    let mut counts = Vec::new();
    for promise in removed.into_inner().expect("whole") {
        counts.push(promise.await.expect("answered"));
    }
    assert_eq!(counts, [0, 0, 2]);
    let written = journal.stats().rows - rows;
    assert_eq!(
        written,
        1 + 4 + 1 + 1,
        "what changes nothing is not written"
    );
    fold_once(&journal).await;
    assert_eq!(all(&journal).await, ["b"]);
    drop(journal);
    assert_eq!(all(&open(dir.path())).await, ["b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_the_same_event_at_once_one_row_stays() {
    let dir = tempdir();
    let journal = std::sync::Arc::new(open(dir.path()));
    let tasks: Vec<_> = (0..400)
        .map(|n| {
            let journal = std::sync::Arc::clone(&journal);
            tokio::spawn(async move {
                let webhook = kept("bank", &(n % 4).to_string(), &["r"]);
                journal.keep(webhook).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(journal.stats().rows, 4);
    let found = journal.kept_for("bank", "r").await.expect("readable");
    assert_eq!(found.len(), 4);
    drop(journal);
    assert_eq!(all(&open(dir.path())).await.len(), 4);
}

#[tokio::test]
async fn the_cap_holds_across_restarts() {
    let cap = super::super::super::MAX_KEPT_PER_PROVIDER;
    let dir = tempdir();
    let keep = |journal: &EmbeddedJournal, n: u64| journal.keep(kept("bank", &n.to_string(), &[]));
    let journal = open(dir.path());
    let promises: Vec<_> = (0..cap - 1).map(|n| keep(&journal, n)).collect();
    for promise in promises {
        promise.await.expect("kept");
    }
    drop(journal);
    let journal = open(dir.path());
    keep(&journal, cap).await.expect("one place was left");
    let refused = keep(&journal, cap + 1).await;
    assert!(matches!(refused, Err(AppendError::Full(_))), "{refused:?}");
    assert_eq!(keep(&journal, 0).await, Ok(()), "it is there");
    assert_eq!(journal.health(), JournalHealth::Serving);
}

/// A transaction asks for its webhooks whenever it learns a reference, and nearly always there are
/// none: that costs no look at the disk.
#[tokio::test]
async fn when_nothing_is_kept_nothing_is_read() {
    let dir = tempdir();
    let journal = open(dir.path());
    journal.keep(kept("bank", "a", &["r"])).await.expect("kept");
    journal.readers.stop();
    assert_eq!(journal.kept_for("bank", "s").await, Ok(Vec::new()));
    assert_eq!(journal.kept_for("other", "r").await, Ok(Vec::new()));
    assert!(journal.kept_for("bank", "r").await.is_err(), "this one is");
}

#[tokio::test]
async fn references_are_looked_up_by_their_index() {
    let dir = tempdir();
    drop(open(dir.path()));
    let plan: String = sqlite(dir.path(), &ARCHIVE)
        .query_row(
            "EXPLAIN QUERY PLAN SELECT app, id FROM provider_references \
             WHERE provider = 'bank' AND reference = 'r'",
            [],
            |row| row.get(3),
        )
        .expect("a plan");
    assert!(plan.starts_with("SEARCH"), "{plan}");
    assert!(plan.contains("provider=? AND reference=?"), "{plan}");
}

/// What a subscriber of the log writes to.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("whole").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether the first claim is in the archive or comes with the same fold.
#[tokio::test]
async fn a_reference_of_two_transactions_is_the_first_ones_and_is_said() {
    for first_is_folded in [false, true] {
        let dir = tempdir();
        let journal = open_paused(dir.path());
        for n in 1..=2 {
            let (mut life, first) = Life::begin("shop", n, "bank");
            journal.append(first).await.expect("written");
            journal.append(life.known_as("r")).await.expect("written");
            if first_is_folded && n == 1 {
                fold_once(&journal).await;
            }
        }
        let owner = journal.referred("bank", "r").await;
        assert_eq!(owner, Ok(Some(key("shop", 1))), "in the tail");
        let after_crash = restore(&contents(dir.path()));
        let lines = Lines::default();
        let its_lines = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || its_lines.clone())
            .finish();
        let journal = tracing::subscriber::with_default(subscriber, || open(after_crash.path()));
        let owner = journal.referred("bank", "r").await;
        assert_eq!(owner, Ok(Some(key("shop", 1))), "folded");
        let said = lines.0.lock().expect("whole").clone();
        let said = String::from_utf8(said).expect("text");
        for part in [
            "WARN".to_owned(),
            "the same reference".to_owned(),
            key("shop", 1).to_string(),
            key("shop", 2).to_string(),
        ] {
            assert!(said.contains(&part), "{part} in {said}");
        }
    }
}
