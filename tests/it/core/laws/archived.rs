//! Law 7, after retention: one record stands for the whole history, and everything goes on from it.

use std::time::Duration;

use teller::transaction::{Record, Transaction};

use super::super::life::Life;
use super::{begin, play, policy};

/// Its history goes, and what has to remain does.
#[track_caller]
fn archive(mut life: Life) -> Life {
    let before = life.transaction.clone();
    assert!(life.archive(), "nothing remains to be done for it");
    let text = serde_json::to_string(&life.records).expect("records are JSON");
    assert!(
        !text.contains("a table for two"),
        "the payload goes: {text}"
    );
    let after = &life.transaction;
    assert_eq!(after.archived_at, Some(life.now().wall));
    assert_eq!(after.version, before.version);
    assert_eq!(after.state, before.state);
    assert_eq!(after.payload_hash, before.payload_hash);
    assert_eq!(after.resolution, before.resolution);
    assert_eq!(
        (after.accepted_at, after.changed_at, after.final_at),
        (before.accepted_at, before.changed_at, before.final_at)
    );
    assert_eq!(after.attempt_no(), before.attempt_no());
    assert_eq!(after.request.amount, before.request.amount);
    assert!(!after.is_open() && !after.needs_review());
    life
}

/// Declined, and the app knows it.
fn declined() -> Life {
    play(
        begin(policy()),
        "2   answer pending ref r            => pending 1
         3   webhook declined event a        => declined, tells
         3   timer notify                    => declined, notify
         4   told ok                         => declined, closed",
    )
}

#[test]
fn what_was_known_is_known_and_what_contradicts_is_a_conflict() {
    let life = archive(declined());
    let life = play(
        life,
        "1000 webhook declined event a       => ignored: duplicate
         1001 webhook declined event b       => ignored: duplicate
         1002 webhook pending                => ignored: late
         1003 act resolve completed          => refused: already final
         1004 act resubmit                   => refused: already final
         1005 webhook completed event c      => declined, conflict completed_against_declined, disputed
         1006 restart                        => declined, disputed
         1007 act resolve declined           => declined, no disputed, closed",
    );
    // It goes a second time, and what a person has settled stays settled.
    play(
        archive(life),
        "2000 webhook completed event c      => ignored: duplicate
         2001 webhook completed              => ignored: duplicate",
    );
}

#[test]
fn failed_by_absence_is_still_corrected() {
    let mut policy = policy();
    policy.max_attempts = 1;
    policy.notify = None;
    let life = play(
        begin(policy),
        "30   answer unclear                 => unknown 1
         121  asks                           => unknown 1
         121  report not_found               => failed, by teller, closed",
    );
    play(
        archive(life),
        "1000 webhook completed              => completed, by webhook, conflict failed_but_executed, disputed",
    );
}

#[test]
fn what_still_needs_somebody_is_not_archived() {
    let told_to_nobody_yet = play(begin(policy()), "2 answer completed => completed, tells");
    let disputed = play(declined(), "9 webhook completed => declined, disputed");
    for life in [begin(policy()), told_to_nobody_yet, disputed] {
        let then = life.now().wall + Duration::from_hours(24 * 365);
        assert_eq!(life.transaction.archived(then), None);
    }
}

#[test]
fn a_history_has_one_beginning() {
    let life = declined();
    let record = life.transaction.archived(life.now().wall).expect("closed");
    let mut records = life.records.clone();
    records.push(Record {
        version: record.version + 1,
        ..record
    });
    let folded = Transaction::fold(&life.transaction.key, &records);
    assert!(folded.is_err(), "{folded:?}");
}
