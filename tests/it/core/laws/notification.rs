//! Law 6: the app is told, again and again if need be, and the payment is never touched by it.

use super::super::fixture::{policy, s};
use super::super::life::Life;
use super::{check, check_with, play};

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
fn a_disabled_endpoint_is_given_up_visibly() {
    check(
        "2    answer completed  => completed
         2    timer notify      => completed, notify
         3    told disabled     => completed, telling given up, closed, no notify",
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
