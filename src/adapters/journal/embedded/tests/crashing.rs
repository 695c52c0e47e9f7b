//! What a crash can leave of a commit: all of it or nothing, and never less than what was answered.

use super::*;

/// A store at the moment of a crash, and what is known of it.
struct Wreck {
    contents: BTreeMap<String, Vec<u8>>,
    /// Bytes of the log's WAL when the first batch had been answered.
    answered: usize,
    wal: usize,
}

const WAL: &str = "journal.db-wal";
/// The first batch, the one that holds the writer up, and the one that is being torn.
const BATCHES: [std::ops::Range<u128>; 3] = [0..1, 1..2, 2..42];

async fn wreck() -> Wreck {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let first = |n| Life::begin("shop", n, "bank").1;
    journal.append(first(0)).await.expect("written");
    let answered = contents(dir.path())[WAL].len();
    let appends = BATCHES[2].clone().map(first).collect();
    let results = append_as_one_batch(dir.path(), &journal, first(1), appends).await;
    assert!(results.iter().all(Result::is_ok));
    let contents = contents(dir.path());
    let wal = contents[WAL].len();
    assert!(wal > answered + 3 * 4096, "several pages");
    Wreck {
        contents,
        answered,
        wal,
    }
}

/// Opens what a crash has left: whole batches, at least the answered one, and it goes on working.
async fn check(contents: &BTreeMap<String, Vec<u8>>, what: &str) -> usize {
    let dir = restore(contents);
    let journal = open(dir.path());
    let mut whole = 0;
    for batch in BATCHES {
        let mut found = 0;
        for n in batch.clone() {
            let (life, _) = Life::begin("shop", n, "bank");
            let loaded = load(&journal, &life.transaction.key).await;
            found += usize::from(loaded.is_some());
            assert!(loaded.is_none_or(|loaded| loaded == life.history), "{what}");
        }
        assert!(
            found == 0 || found == batch.count(),
            "{what}: part of a batch"
        );
        whole += usize::from(found > 0);
    }
    assert!(whole >= 1, "{what}: the answered batch is gone");
    let (mut life, _) = Life::begin("shop", 0, "bank");
    journal.append(life.unknown()).await.expect(what);
    drop(journal);
    let loaded = load(&open(dir.path()), &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history), "{what}");
    whole
}

#[tokio::test]
async fn a_torn_commit_is_whole_or_absent() {
    let Wreck {
        contents,
        answered,
        wal,
    } = wreck().await;
    let mut seen = Vec::new();
    // Odd steps, so that frames are cut in their headers and at any place of their pages.
    let cuts = (answered..wal).step_by(6_151).chain([wal - 1, wal]);
    for cut in cuts {
        let mut contents = contents.clone();
        contents.entry(WAL.to_owned()).or_default().truncate(cut);
        seen.push(check(&contents, &format!("cut at {cut} of {wal}")).await);
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.first(), Some(&1), "{seen:?}");
    assert_eq!(seen.last(), Some(&3), "{seen:?}");
}

#[tokio::test]
async fn a_commit_with_a_damaged_page_is_dropped_whole() {
    let Wreck {
        contents,
        answered,
        wal,
    } = wreck().await;
    for place in (answered..wal).step_by(9_973) {
        let mut contents = contents.clone();
        let bytes = contents.entry(WAL.to_owned()).or_default();
        bytes[place] ^= 0x40;
        let whole = check(&contents, &format!("damaged at {place} of {wal}")).await;
        assert!(whole < 3, "a damaged commit was taken");
    }
}

/// The disk kept the length but not the bytes: a file system that lost its last writes.
#[tokio::test]
async fn a_commit_that_reads_as_zeros_is_dropped_whole() {
    let Wreck {
        mut contents,
        answered,
        ..
    } = wreck().await;
    contents.entry(WAL.to_owned()).or_default()[answered..].fill(0);
    assert_eq!(check(&contents, "zeros").await, 1);
}

#[tokio::test]
async fn a_crash_between_fold_and_trim_folds_nothing_twice() {
    let dir = tempdir();
    let journal = open(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    folded(&journal).await;
    journal.append(life.unknown()).await.expect("written");
    folded(&journal).await;
    assert_eq!(journal.stats().trimmed_through, 0);
    let after_crash = restore(&contents(dir.path()));
    let loaded = load(&open(after_crash.path()), &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
}

#[tokio::test]
async fn a_crash_before_the_fold_loses_nothing() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    journal.append(life.unknown()).await.expect("written");
    let after_crash = restore(&contents(dir.path()));
    let reopened = open(after_crash.path());
    assert_eq!(reopened.folded_through(), 3, "folded before it serves");
    let loaded = load(&reopened, &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
}
