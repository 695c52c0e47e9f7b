//! The references that providers give: learned from whoever brings them first, and what waits under
//! them is claimed.

use super::super::fixture::policy;
use super::{begin, check, play};

#[test]
fn an_answer_a_report_and_a_webhook_teach_it_and_the_inbox_is_claimed_once() {
    check(
        "5    answer pending ref p1  => pending 1, claim inbox, ref p1
         10   asks                   => pending 1
         10   report pending ref p1  => pending 1, no claim inbox",
    );
    check(
        "30   answer unclear         => unknown 1, no ref
         45.2 asks                   => unknown 1
         45.3 report pending ref p1  => pending 1, claim inbox, ref p1",
    );
    check(
        "30   answer unclear         => unknown 1
         31   webhook unclear ref p1 => unknown 1, claim inbox, ref p1",
    );
    check("2  answer completed ref p1 => completed, claim inbox, ref p1");
}

#[test]
fn the_first_reference_of_an_attempt_stays() {
    check(
        "5    answer pending ref p1      => pending 1, ref p1
         6    webhook 1 unclear ref p2   => ignored: stale
         10   asks                       => pending 1
         10   report completed ref p3    => pending 1, record inquired, ref p1, no ref p3, no by",
    );
    check(
        "5    webhook 1 pending ref p1   => pending 1, ref p1
         6    answer completed ref p2    => pending 1, record answered, ref p1, no ref p2, no by",
    );
}

#[test]
fn every_attempt_has_its_own() {
    check(
        "30   answer not_executed ref p1 => backing off 1, ref p1
         121  timer submit               => backing off 1
         121  permit                     => submitting 2
         123  answer pending ref p2      => pending 2, claim inbox, ref p1, ref p2",
    );
    // Not every earlier attempt is known to have come to nothing by itself: this could be about either.
    check(
        "30   answer unclear             => unknown 1
         121  asks                       => unknown 1
         121  report not_found           => backing off 1
         121  permit                     => submitting 2
         122  webhook unclear ref p2     => submitting 2, no ref p2",
    );
}

#[test]
fn what_names_no_attempt_teaches_the_last_one_if_no_other_can_be_meant() {
    check(
        "1    answer not_executed       => backing off 1
         3    timer submit              => backing off 1
         3    permit                    => submitting 2
         4    webhook pending ref p1    => pending 2, claim inbox, ref p1",
    );
}

#[test]
fn after_a_restart_an_open_transaction_claims_again_because_the_claim_may_not_have_happened() {
    check(
        "5    answer pending ref p1  => pending 1
         6    restart                => pending 1, claim inbox, ref p1
         7    webhook completed      => completed
         8    restart                => completed, claim inbox
         8    timer notify           => completed
         9    told ok                => completed, closed, ref p1
         10   restart                => completed, no claim inbox",
    );
    check(
        "30   answer unclear         => unknown 1
         31   restart                => unknown 1, no claim inbox",
    );
}

#[test]
fn what_is_said_of_a_reference_is_about_the_attempt_that_has_it() {
    let life = play(
        begin(policy()),
        "30   answer not_executed ref p1 => backing off 1, ref p1
         121  timer submit               => backing off 1
         121  permit                     => submitting 2
         123  answer pending ref p2      => pending 2",
    );
    let provider = life.transaction.provider().to_owned();
    let known = |reference| life.transaction.known_as(&provider, reference);
    assert_eq!(
        (known("p1"), known("p2"), known("p3")),
        (Some(1), Some(2), None)
    );
    assert_eq!(life.transaction.known_as("another", "p1"), None);
    assert!(life.transaction.is_foreign(&provider, "p3"));
    assert!(!life.transaction.is_foreign(&provider, "p1"));
    // A late refusal of the first leaves the second, whose money may still move, as it is.
    play(
        life,
        "124  webhook 1 declined => pending 2
         130  webhook 2 completed => completed, by webhook",
    );
}
