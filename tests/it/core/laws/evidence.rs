//! Laws 3 and 5: what is about another payment tells nothing, and the same event with another statement
//! is a contradiction.

use super::super::fixture::{policy, s};
use super::super::life::Life;
use super::{check, check_with, play};

#[test]
fn an_answer_about_another_payment_is_not_believed() {
    check(
        "5    answer pending ref mine      => pending 1, ref mine
         10   asks                         => pending 1
         10   report completed ref another => pending 1, record inquired, ref mine, no ref another, no by
         20   hint                         => pending 1
         20   asks                         => pending 1
         20   report declined ref another  => pending 1, no by
         30   hint                         => pending 1
         30   asks                         => pending 1
         30   report completed ref mine    => completed, by inquiry",
    );
}

#[test]
fn the_same_event_id_with_another_statement_is_a_contradiction_and_no_duplicate() {
    check(
        "5    webhook 1 declined event e             => declined
         6    webhook 1 declined event e             => ignored: duplicate
         7    webhook 1 completed event e            => declined, conflict completed_against_declined, disputed
         8    webhook 1 completed event e            => ignored: duplicate",
    );
    check(
        "5    webhook 1 pending event e              => pending 1
         6    webhook 1 completed event e            => completed, by webhook",
    );
    check(
        "5    webhook 1 completed event e paying 1000 => completed
         6    webhook 1 completed event e paying 1000 => ignored: duplicate
         7    webhook 1 completed event e paying 900  => completed, conflict amount_mismatch",
    );
}

#[test]
fn event_ids_count_per_provider() {
    play(
        Life::begin(1, policy(), false, false),
        "1    permit at other                      => submitting 1
         2    answer not_executed                  => backing off 1
         4    timer submit                         => backing off 1
         5    permit                               => submitting 2
         6    webhook 1 unclear event 1 from other => ignored: stale
         7    webhook 2 pending event 1 from other => pending 2, record webhook
         8    webhook 2 completed event 1 from reference => completed",
    );
}

#[test]
fn executed_under_another_id_of_the_providers_opens_a_review() {
    check(
        "5    answer pending ref p1          => pending 1
         6    webhook 1 completed ref p2     => in review of its reference, ref p1, no ref p2, no by
         7    act resubmit                   => refused: may be executed
         8    webhook 1 completed ref p1     => completed, by webhook",
    );
    check(
        "5    answer declined ref p1         => declined
         6    webhook 1 completed ref p2     => declined, conflict completed_against_declined, disputed",
    );
    check(
        "5    answer completed ref p1        => completed
         6    webhook 1 completed ref p2     => completed, conflict may_be_executed_twice, disputed
         7    webhook 1 declined ref p3      => ignored: stale",
    );
    check(
        "3    answer not_executed ref p1     => backing off 1
         4    webhook 1 completed ref p2     => in review of its reference, no submit at, no expire at
         5    webhook 1 declined ref p1      => declined, conflict completed_against_declined",
    );
}

#[test]
fn nothing_starts_after_submit_by() {
    check_with(
        |policy| policy.submit_within = s(100),
        "30   answer unclear    => unknown 1
         121  asks              => unknown 1
         121  report not_found  => failed, by teller, no ask to submit",
    );
    // The request waited for longer than that before its first byte: it was not sent.
    check_with(
        |policy| policy.submit_within = s(3),
        "6    answer not_executed unsent => failed, by teller, no submit at",
    );
}
