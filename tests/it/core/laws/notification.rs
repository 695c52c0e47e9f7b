//! Law 6: the app is told, again and again if need be, and the payment is never touched by it.

use teller::transaction::{DeliveryRecord, Fact, Record};

use super::super::fixture::{policy, resending, s};
use super::super::life::Life;
use super::{begin, check, check_with, play};

#[test]
fn an_outcome_is_told_until_it_is_acknowledged() {
    check(
        "2    answer completed  => completed, tells, notify at 2
         2    timer notify      => completed, notify, notify_overdue at 47
         3    told badly        => completed, telling failed, notify at 8, no closed
         8    timer notify      => completed, notify
         9    told badly        => completed, telling failed, notify at 309
         309  timer notify      => completed, notify
         310  told ok           => completed, telling acknowledged, closed, no notify
         311  told ok           => ignored: duplicate",
    );
}

#[test]
fn after_the_last_delivery_it_is_visibly_given_up() {
    let life = play(
        Life::begin(1, policy(), false, true),
        "2    answer completed  => completed
         2    timer notify      => completed, notify
         3    told badly        => completed, telling failed
         8    timer notify      => completed, notify
         9    told badly        => completed, telling failed
         309  timer notify      => completed, notify
         310  told badly        => completed, telling given up, closed, no notify",
    );
    let notice = life.transaction.notice.expect("it was told");
    assert_eq!(notice.delivery, teller::transaction::Delivery::GivenUp);
}

#[test]
fn gone_means_gone() {
    check(
        "2    answer completed  => completed
         2    timer notify      => completed, notify
         3    told gone         => completed, telling given up, closed, no notify",
    );
}

#[test]
fn a_delivery_that_was_held_back_takes_none_from_the_schedule() {
    // The schedule has three; held back far more often, all three still go out.
    check(
        "2    answer completed   => completed
         2    timer notify       => completed, notify
         3    told held retry 4  => completed, notify at 7, no telling
         7    timer notify       => completed, notify
         8    told held retry 60 => completed, notify at 68, no telling
         68   timer notify       => completed, notify
         69   told held retry 1  => completed, notify at 70, no telling
         70   timer notify       => completed, notify
         71   told badly         => completed, telling failed, notify at 76
         76   timer notify       => completed, notify
         77   told badly         => completed, telling failed, notify at 377
         377  timer notify       => completed, notify
         378  told badly         => completed, telling given up, closed, no notify",
    );
}

#[test]
fn retry_after_is_honoured_up_to_a_day() {
    check(
        "2    answer completed  => completed
         2    timer notify      => completed, notify
         3    told badly retry 60 => completed, notify at 63
         63   timer notify      => completed, notify
         64   told badly retry 999999 => completed, notify at 86464",
    );
    // Never sooner than our own schedule.
    check(
        "2    answer completed  => completed
         2    timer notify      => completed, notify
         3    told badly retry 1 => completed, notify at 8",
    );
}

#[test]
fn a_delivery_that_never_comes_back_counts_as_failed() {
    check(
        "2    answer completed      => completed
         2    timer notify          => completed, notify, notify_overdue at 47
         47   timer notify_overdue  => completed, telling failed, notify at 52
         52   timer notify          => completed, notify
         53   told ok               => completed, closed",
    );
}

#[test]
fn a_newer_version_supersedes_what_is_being_told() {
    check(
        "200  answer unclear     => unknown 1
         400  act resolve failed => failed, notify at 400
         400  timer notify       => failed, notify
         401  webhook completed  => completed, tells, notify at 401
         401  timer notify       => completed, no notify at, no telling
         402  told ok version 4  => completed, notify at 402, no telling, no closed
         402  timer notify       => completed, notify
         403  told ok            => completed, telling acknowledged, closed",
    );
}

#[test]
fn an_overdue_delivery_of_an_older_version_is_not_held_against_the_newer_one() {
    check_with(
        |policy| policy.notify.as_mut().expect("set").schedule = vec![s(0)],
        "200  answer unclear        => unknown 1
         400  act resolve failed    => failed
         400  timer notify          => failed, notify, notify_overdue at 445
         401  webhook completed     => completed, tells
         401  timer notify          => completed, no notify at
         445  timer notify_overdue  => completed, no telling, notify at 445, no closed
         445  timer notify          => completed, notify
         446  told ok               => completed, telling acknowledged, closed",
    );
}

#[test]
fn every_delivery_of_one_version_has_one_id_and_another_version_has_another() {
    let life = play(
        Life::begin(1, policy(), false, true),
        "200  answer unclear     => unknown 1
         400  act resolve failed => failed, tells
         400  timer notify       => failed, notify
         401  told badly         => failed, telling failed",
    );
    let first = life.transaction.notice.clone().expect("it is told");
    let life = play(
        life,
        "405  restart            => failed, notify at 410
         410  timer notify       => failed, notify",
    );
    let again = life.transaction.notice.clone().expect("it is told");
    assert_eq!((again.id, again.failures), (first.id, 1));
    let life = play(life, "411  webhook completed => completed, tells");
    assert_ne!(life.transaction.notice.expect("it is told").id, first.id);
}

#[test]
fn where_nobody_is_told_an_outcome_closes_the_transaction() {
    check_with(
        |policy| policy.notify = None,
        "2  answer completed => completed, closed, no tells, no notify",
    );
}

#[test]
fn an_address_that_is_disabled_is_given_up_with_its_own_words() {
    let life = play(
        begin(policy()),
        "2   answer completed  => completed, notify at 2
         2   timer notify      => completed, notify
         3   told disabled     => completed, telling given up, closed, no notify",
    );
    let last = life.records.last().expect("it was told");
    let Fact::Notified { delivery, .. } = &last.fact else {
        panic!("{last:?}")
    };
    let why = "the app's endpoint is disabled".to_owned();
    assert_eq!(*delivery, DeliveryRecord::GivenUp { why });
}

#[test]
fn the_delivery_log_says_how_the_app_answered_and_how_long_it_took() {
    let life = play(
        begin(policy()),
        "2   answer completed  => completed
         2   timer notify      => completed
         3   told badly        => completed, telling failed
         8   timer notify      => completed
         9   told ok           => completed, closed",
    );
    let log: Vec<_> = life
        .records
        .iter()
        .filter_map(|record| match &record.fact {
            Fact::Notified {
                status, took_ms, ..
            } => Some((*status, *took_ms)),
            _ => None,
        })
        .collect();
    assert_eq!(log, [(Some(503), None), (Some(204), Some(40))]);
    let written = r#"{"v":1,"version":4,"at":"2026-11-02T12:00:09.000Z","to":{"name":"completed"},
        "type":"notified","told_version":3,"delivery":"acknowledged"}"#;
    let record: Record = serde_json::from_str(written).expect("a record of an older release");
    assert!(matches!(
        record.fact,
        Fact::Notified {
            status: None,
            took_ms: None,
            ..
        }
    ));
}

#[test]
fn a_person_can_have_the_app_told_again_whatever_became_of_the_last_time() {
    check(
        "1   act redeliver      => refused: nothing to tell
         2   answer completed   => completed, notify at 2
         2   timer notify       => completed, notify
         2   act redeliver      => refused: being told
         3   told gone          => completed, telling given up, closed
         4   act redeliver      => completed, record acted, notify at 4, no tells, no closed
         4   timer notify       => completed, notify
         5   told badly         => completed, telling failed, notify at 10
         6   act redeliver      => completed, notify at 6
         7   restart            => completed, notify at 7
         7   timer notify       => completed, notify
         8   told ok            => completed, telling acknowledged, closed
         9   act redeliver seen 3 => refused: version mismatch
         9   act redeliver      => completed, notify at 9
         9   timer notify       => completed
         9   told ok            => completed, closed",
    );
}

#[test]
fn telling_again_is_no_act_on_the_payment() {
    let mut resends = resending(policy(), s(3_600));
    resends.notify.as_mut().expect("it tells").tells_review = true;
    resends.review_after = s(60);
    play(
        begin(resends),
        "30  answer unclear    => unknown 1
         90  timer review      => in review, tells
         91  act redeliver     => in review, notify at 91
         690 asks              => in review, resend 1",
    );
}
