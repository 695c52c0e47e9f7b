//! Appends: what is accepted, what is refused, and that it is there after a restart.

use super::*;

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart() {
    let dir = tempdir();
    let (mut life, first) = Life::begin("shop", 1, "bank");
    {
        let journal = open(dir.path());
        journal.append(first).await.expect("written");
        journal.append(life.unknown()).await.expect("written");
        let key = &life.transaction.key;
        assert_eq!(load(&journal, key).await.as_ref(), Some(&life.history));
        assert_eq!(load(&journal, &super::key("shop", 2)).await, None);
    }
    let journal = open(dir.path());
    journal.append(life.completed()).await.expect("written");
    drop(journal);
    let journal = open(dir.path());
    let loaded = load(&journal, &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
}

#[tokio::test]
async fn sequence_numbers_grow_by_one_and_go_on_after_a_restart() {
    let dir = tempdir();
    let journal = open(dir.path());
    let mut sequences = Vec::new();
    for n in 1..=3 {
        let (_, first) = Life::begin("shop", n, "bank");
        sequences.push(journal.append(first).await.expect("written").sequence);
    }
    drop(journal);
    let journal = open(dir.path());
    let (_, first) = Life::begin("shop", 4, "bank");
    sequences.push(journal.append(first).await.expect("written").sequence);
    // 1 and 5 are the beginnings of the two processes.
    assert_eq!(sequences, [2, 3, 4, 6]);
}

/// The same rules, whether the key's last step is in the tail or in the archive.
#[tokio::test]
async fn expectations_are_checked_against_tail_and_archive() {
    for folds in [false, true] {
        let dir = tempdir();
        let journal = open_paused(dir.path());
        journal.shared.pause_folds(!folds);
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let mut ahead = life.clone();
        let second = life.unknown();
        let third = life.completed();

        let refused = journal.append(second.clone()).await;
        assert_eq!(refused, Err(AppendError::VersionConflict), "not there yet");
        journal.append(first.clone()).await.expect("written");
        if folds {
            folded(&journal).await;
        }
        assert_eq!(journal.append(first).await, Err(AppendError::Exists));
        let refused = journal.append(third.clone()).await;
        assert_eq!(refused, Err(AppendError::VersionConflict), "too early");
        journal.append(second.clone()).await.expect("written");
        if folds {
            folded(&journal).await;
        }
        let refused = journal.append(second).await;
        assert_eq!(refused, Err(AppendError::VersionConflict), "too late");
        let mut misnumbered = ahead.unknown();
        misnumbered.expect = Expect::Version(3);
        let refused = journal.append(misnumbered).await;
        assert_eq!(refused, Err(AppendError::VersionConflict), "misnumbered");
        journal.append(third).await.expect("written");
    }
}

#[tokio::test]
async fn the_same_id_of_two_apps_is_two_transactions() {
    let dir = tempdir();
    let journal = open(dir.path());
    let (shop, of_shop) = Life::begin("shop", 1, "bank");
    let (till, of_till) = Life::begin("till", 1, "bank");
    journal.append(of_shop).await.expect("written");
    journal.append(of_till).await.expect("written");
    for life in [shop, till] {
        let loaded = load(&journal, &life.transaction.key).await;
        assert_eq!(loaded, Some(life.history));
    }
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (_, plug) = Life::begin("shop", 0, "bank");
    let appends = (1..=500)
        .map(|n| Life::begin("shop", n, "bank").1)
        .collect();
    let results = append_as_one_batch(dir.path(), &journal, plug, appends).await;
    let sequences: Vec<u64> = results
        .into_iter()
        .map(|one| one.expect("written").sequence)
        .collect();
    assert!(sequences.into_iter().eq(3..503), "answered in their order");
    let stats = journal.stats();
    assert_eq!(
        (stats.rows, stats.batches, stats.largest_batch),
        (501, 2, 500)
    );
}

#[tokio::test]
async fn of_concurrent_duplicates_one_wins() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (_, plug) = Life::begin("shop", 0, "bank");
    let (mut life, first) = Life::begin("shop", 1, "bank");
    let next = life.unknown();
    // Two acceptances of one key, its next step, and that step again: all in one batch.
    let appends = vec![first.clone(), first, next.clone(), next];
    let results = append_as_one_batch(dir.path(), &journal, plug, appends).await;
    assert_eq!(
        results,
        [
            Ok(Committed { sequence: 3 }),
            Err(AppendError::Exists),
            Ok(Committed { sequence: 4 }),
            Err(AppendError::VersionConflict),
        ]
    );
}

#[tokio::test]
async fn a_promise_that_is_dropped_is_kept() {
    let dir = tempdir();
    let journal = open(dir.path());
    let (life, first) = Life::begin("shop", 1, "bank");
    drop(journal.append(first));
    journal.close();
    let loaded = load(&open(dir.path()), &life.transaction.key).await;
    assert_eq!(loaded, Some(life.history));
}

/// Sixteen tasks take 1,250 transactions each through a life of steps, while folds, trims and
/// checkpoints go on beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_thousand_appends_from_sixteen_tasks_are_all_there() {
    const TASKS: u128 = 16;
    const LIVES: u128 = 500;
    let dir = tempdir();
    let journal = std::sync::Arc::new(open(dir.path()));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let journal = std::sync::Arc::clone(&journal);
            tokio::spawn(async move {
                for n in 0..LIVES {
                    let (mut life, first) = Life::begin("shop", task * LIVES + n, "bank");
                    journal.append(first).await.expect("written");
                    journal.append(life.unknown()).await.expect("written");
                    if n.is_multiple_of(2) {
                        journal.append(life.completed()).await.expect("written");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let stats = journal.stats();
    assert_eq!(stats.rows, 20_000);
    assert!(stats.batches < stats.rows, "{stats:?}");
    folded(&journal).await;
    drop(journal);

    let journal = open(dir.path());
    assert!(journal.stats().trimmed_through > 0, "the log was trimmed");
    for n in 0..TASKS * LIVES {
        let (mut life, _) = Life::begin("shop", n, "bank");
        life.unknown();
        if (n % LIVES).is_multiple_of(2) {
            life.completed();
        }
        let loaded = load(&journal, &life.transaction.key).await;
        assert_eq!(loaded, Some(life.history), "number {n}");
    }
}
