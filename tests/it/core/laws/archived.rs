//! Law 7, after retention: one record stands for the whole history, and everything goes on from it.

use std::time::Duration;

use teller::transaction::{Record, Transaction};

use super::super::fixture::report;
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

#[test]
fn what_an_earlier_release_kept_of_webhooks_stands_for_every_statement_under_that_id() {
    let mut life = play(
        begin(policy()),
        "2   webhook 1 completed event e   => completed
         2   timer notify                  => completed
         3   told ok                       => completed, closed",
    );
    assert!(life.archive());
    let written = serde_json::to_string(&life.records).expect("records are JSON");
    let stated = "reference\\u001fe\\u001fcompleted";
    assert!(written.contains(stated), "{written}");
    // As it was written before: the id alone.
    let older = written.replace(stated, "e");
    let records: Vec<Record> = serde_json::from_str(&older).expect("an older tombstone");
    let read = Transaction::fold(&life.transaction.key, &records).expect("a whole history");
    for (event, known) in [("e", true), ("f", false)] {
        for word in ["completed", "declined"] {
            assert_eq!(read.knows_event("reference", event, &report(word)), known);
        }
    }
    let (yes, no) = (report("completed"), report("declined"));
    assert!(life.transaction.knows_event("reference", "e", &yes));
    assert!(!life.transaction.knows_event("reference", "e", &no));
    assert!(!life.transaction.knows_event("other", "e", &yes));
}

#[test]
fn a_history_of_an_earlier_release_is_read_as_it_was() {
    // As release 0.1 wrote it before providers, statements and moments of sending were kept.
    let older = [
        r#"{"v":1,"version":3,"at":"2026-11-02T12:00:30.000Z","to":{"name":"unknown","attempt":1},
            "type":"answered","attempt":1,"report":{"finding":"unclear","why":"504"},
            "fate":{"attempt":1,"fate":"unknown"}}"#,
        r#"{"v":1,"version":4,"at":"2026-11-02T12:00:40.000Z","to":{"name":"unknown","attempt":1},
            "type":"webhook","event_id":"e1","report":{"finding":"unclear","why":"a new word"}}"#,
        r#"{"v":1,"version":5,"at":"2026-11-02T12:00:50.000Z","to":{"name":"declined"},
            "type":"webhook","attempt":1,"event_id":"e2","report":{"finding":"declined"},
            "fate":{"attempt":1,"fate":"declined"},
            "resolution":{"outcome":"declined","source":"webhook","attempt":1,"why":"it said so"}}"#,
        r#"{"v":1,"version":6,"at":"2026-11-02T12:00:55.000Z","to":{"name":"declined"},
            "type":"webhook","attempt":1,"event_id":"e3","report":{"finding":"completed"},
            "conflict":{"kind":"completed_against_declined","source":"webhook","attempt":1,"claimed":"completed"}}"#,
    ];
    let life = begin(policy());
    let mut records = life.records;
    let older = older.map(|text| serde_json::from_str::<Record>(text).expect("an older record"));
    records.extend(older);
    let read = Transaction::fold(&life.transaction.key, &records).expect("a whole history");
    let attempt = read.attempt().expect("one");
    assert_eq!((attempt.sent, attempt.resends), (None, 0));
    assert_eq!(
        attempt
            .doubt_since
            .map(|since| since.to_string())
            .as_deref(),
        Some("2026-11-02T12:00:30.000Z")
    );
    for (event, word, known) in [
        ("e1", "unclear", true),
        ("e2", "completed", true),
        ("e4", "declined", false),
    ] {
        assert_eq!(
            read.knows_event("any", event, &report(word)),
            known,
            "{event}"
        );
    }
    assert_eq!(read.conflicts.len(), 1);
    assert!(read.conflict_open);
}
