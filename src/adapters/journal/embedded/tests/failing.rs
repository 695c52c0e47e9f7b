//! When the disk fails, when the archive doesn't fit, and when the journal is closed.

use super::*;

/// SQLite really runs out of space here: its own bound on the file's pages.
#[tokio::test]
async fn a_failed_write_stops_the_journal_and_acknowledges_nothing() {
    let dir = tempdir();
    let knobs = Knobs {
        max_journal_pages: Some(24),
        folds_paused: true,
    };
    let journal = EmbeddedJournal::open_with(Options::new(dir.path()), knobs).expect("opens");
    let mut failed = journal.failed();
    assert_eq!(*failed.borrow_and_update(), None);
    let mut acknowledged = Vec::new();
    let error = loop {
        let n = acknowledged.len() as u128;
        assert!(n < 1_000, "the disk never filled up");
        let (life, first) = Life::begin("shop", n, "bank");
        match journal.append(first).await {
            Ok(_) => acknowledged.push(life),
            Err(error) => break error,
        }
    };
    assert!(acknowledged.len() > 5);
    let AppendError::Unavailable(why) = error else {
        panic!("{error:?}");
    };
    assert!(why.contains("full"), "{why}");

    assert!(failed.has_changed().expect("the journal lives"));
    let reason = failed.borrow().clone().expect("a reason");
    assert_eq!(journal.health(), JournalHealth::Failed(reason.clone()));
    let later = Life::begin("shop", 5_000, "bank").1;
    assert_eq!(
        journal.append(later).await,
        Err(AppendError::Unavailable(reason))
    );
    let webhook = journal.keep(kept("bank", "a", &[])).await;
    assert!(matches!(webhook, Err(AppendError::Unavailable(_))));
    drop(journal);

    let journal = open(dir.path());
    for (n, life) in (0..).zip(&acknowledged) {
        let loaded = load(&journal, &life.transaction.key).await;
        assert_eq!(loaded.as_ref(), Some(&life.history), "number {n}");
    }
    let refused = key("shop", acknowledged.len() as u128);
    assert_eq!(load(&journal, &refused).await, None);
}

#[tokio::test]
async fn everyone_in_a_failed_batch_is_refused() {
    let dir = tempdir();
    let knobs = Knobs {
        max_journal_pages: Some(24),
        folds_paused: true,
    };
    let journal = EmbeddedJournal::open_with(Options::new(dir.path()), knobs).expect("opens");
    let (_, plug) = Life::begin("shop", 0, "bank");
    let appends = (1..=200)
        .map(|n| Life::begin("shop", n, "bank").1)
        .collect();
    let results = append_as_one_batch(dir.path(), &journal, plug, appends).await;
    assert!(results.iter().all(Result::is_err));
    drop(journal);
    let journal = open(dir.path());
    assert!(load(&journal, &key("shop", 0)).await.is_some());
    for n in 1..=200 {
        assert_eq!(load(&journal, &key("shop", n)).await, None, "number {n}");
    }
}

/// Somebody wrote into the archive by hand.
#[tokio::test]
async fn a_log_that_does_not_continue_the_archive_stops_the_journal() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    journal.shared.pause_folds(false);
    folded(&journal).await;
    journal.shared.pause_folds(true);
    journal.append(life.unknown()).await.expect("written");
    let by_hand = sqlite(dir.path(), &ARCHIVE);
    by_hand
        .execute("UPDATE transactions SET version = 7", [])
        .expect("writable");
    journal.shared.pause_folds(false);
    let mut failed = journal.failed();
    let reason = failed.wait_for(Option::is_some).await.expect("a reason");
    let reason = reason.clone().expect("a reason");
    let sentence = format!("record 3 of {} follows record 7", life.transaction.key);
    assert!(reason.contains(&sentence), "{reason}");
    assert!(journal.load(&life.transaction.key).await.is_err());
    drop(journal);

    let error = EmbeddedJournal::open(Options::new(dir.path())).expect_err("refused");
    assert!(matches!(error, OpenError::Inconsistent { .. }), "{error}");
    assert!(error.to_string().contains(&sentence), "{error}");
}

#[tokio::test]
async fn a_fold_that_lags_too_far_refuses_acceptances_only() {
    let dir = tempdir();
    let options = Options {
        max_unfolded: 5,
        ..Options::new(dir.path())
    };
    let knobs = Knobs {
        folds_paused: true,
        ..Knobs::default()
    };
    let journal = EmbeddedJournal::open_with(options, knobs).expect("opens");
    let mut lives = Vec::new();
    for n in 0..4 {
        let (life, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("written");
        lives.push(life);
    }
    assert_eq!(journal.health(), JournalHealth::Lagging(5));
    let (_, refused) = Life::begin("shop", 9, "bank");
    let error = journal.append(refused.clone()).await.expect_err("refused");
    assert!(matches!(error, AppendError::Unavailable(_)), "{error:?}");
    for life in &mut lives {
        journal
            .append(life.unknown())
            .await
            .expect("what was accepted goes on");
    }
    let webhook = journal.keep(kept("bank", "a", &[])).await;
    assert_eq!(webhook, Ok(()));
    assert_eq!(journal.health(), JournalHealth::Lagging(10));

    journal.shared.pause_folds(false);
    folded(&journal).await;
    assert_eq!(journal.health(), JournalHealth::Serving);
    journal.append(refused).await.expect("written");
}

#[tokio::test]
async fn more_than_can_wait_is_refused_at_once_and_written_nowhere() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let holder = sqlite(dir.path(), &JOURNAL);
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let waiting = super::super::WAITING_APPENDS as u128 + 2 * 1024;
    let promises: Vec<_> = (0..waiting)
        .map(|n| journal.append(Life::begin("shop", n, "bank").1))
        .collect();
    holder.execute_batch("ROLLBACK").expect("released");
    let mut refused = Vec::new();
    for (n, promise) in (0..).zip(promises) {
        if promise.await.is_err() {
            refused.push(n);
        }
    }
    assert!(!refused.is_empty());
    drop(journal);
    let journal = open(dir.path());
    for n in refused {
        assert_eq!(load(&journal, &key("shop", n)).await, None);
    }
}

#[tokio::test]
async fn a_closed_journal_answers_what_it_had_and_refuses_the_rest() {
    let dir = tempdir();
    let journal = open(dir.path());
    let promises: Vec<_> = (0..100)
        .map(|n| journal.append(Life::begin("shop", n, "bank").1))
        .collect();
    let unread = journal.load(&key("shop", 1));
    journal.close();
    journal.close();
    for promise in promises {
        promise.await.expect("written before the end");
    }
    assert!(unread.await.is_err());
    let late = journal.append(Life::begin("shop", 200, "bank").1).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))));
    assert!(matches!(journal.health(), JournalHealth::Failed(_)));
    assert_eq!(journal.stats().lag, 0, "what is quick to fold is folded");
    // The directory is free again while the closed journal still exists.
    assert!(load(&open(dir.path()), &key("shop", 99)).await.is_some());
}
