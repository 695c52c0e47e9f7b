//! Law 5: the first conclusive evidence wins; a contradiction is kept, counted and shown.

use super::super::fixture::policy;
use super::super::life::Life;
use super::{check, play};

/// Attempt 1 proven absent, attempt 2 out.
const SECOND_OUT: &str = "30   answer unclear   => unknown 1
     121  asks             => unknown 1
     121  report not_found => backing off 1
     122  permit           => submitting 2, submit 2\n";

#[test]
fn the_same_news_twice_is_a_duplicate_from_whomever_it_comes() {
    check(
        "2  answer completed   => completed, by answer
         3  answer completed   => ignored: duplicate
         4  webhook completed  => ignored: duplicate
         4  webhook 1 completed => ignored: duplicate
         5  report completed   => ignored: duplicate
         6  webhook pending    => ignored: late
         7  report not_found   => ignored: late",
    );
}

#[test]
fn completed_against_declined_keeps_the_first_and_asks_a_person() {
    for (first, other) in [("completed", "declined"), ("declined", "completed")] {
        check(&format!(
            "2  answer {first}           => {first}, no disputed
             3  webhook {other}          => {first}, conflict completed_against_declined, disputed, no tells
             4  webhook {other}          => ignored: duplicate
             5  report {other}           => {first}, conflict completed_against_declined, disputed
             6  act resolve {first}      => {first}, no disputed, no tells
             7  act resolve {other}      => refused: already final"
        ));
        check(&format!(
            "2  answer {first}           => {first}
             3  webhook {other}          => {first}, disputed
             6  act resolve {other}      => {other}, by operator, no disputed, tells"
        ));
    }
}

#[test]
fn failed_by_absence_is_corrected_and_the_app_told_again() {
    let mut policy = policy();
    policy.max_attempts = 1;
    let life = Life::begin(1, policy, false, true);
    play(
        life,
        "30   answer unclear     => unknown 1
         121  asks               => unknown 1
         121  report not_found   => failed, by teller, tells
         121  timer notify       => failed, notify
         122  told ok            => failed, closed
         300  webhook completed  => completed, by webhook, conflict failed_but_executed, disputed, tells, notify at 300
         300  timer notify       => completed, notify
         301  told ok            => completed, telling acknowledged, closed
         302  webhook completed  => ignored: duplicate",
    );
}

#[test]
fn failed_by_a_person_is_corrected_too() {
    check(
        "30   answer unclear     => unknown 1
         200  act resolve failed => failed, by operator
         300  report declined    => declined, by inquiry, conflict failed_but_executed, tells",
    );
}

#[test]
fn two_attempts_executed_is_the_gravest_conflict() {
    check(&format!(
        "{SECOND_OUT}
         124  answer completed   => completed, by answer
         125  webhook 1 completed => completed, conflict executed_twice, disputed
         126  webhook 1 completed => ignored: duplicate"
    ));
    check(&format!(
        "{SECOND_OUT}
         123  webhook 1 completed => completed, by webhook
         124  answer 2 completed  => completed, conflict executed_twice, disputed"
    ));
}

#[test]
fn an_earlier_attempts_decline_does_not_end_what_is_out() {
    check(&format!(
        "{SECOND_OUT}
         123  webhook 1 declined => submitting 2, record webhook, no by
         124  webhook 1 declined => ignored: duplicate
         125  answer completed   => completed, by answer, no conflict"
    ));
    // With nothing out it does.
    check(
        "30   answer unclear     => unknown 1
         121  asks               => unknown 1
         121  report not_found   => backing off 1
         122  webhook 1 declined => declined, by webhook, leave gate",
    );
}

#[test]
fn an_earlier_attempts_execution_ends_it_whatever_is_out() {
    check(&format!(
        "{SECOND_OUT}
         123  webhook 1 completed => completed, by webhook, no submission_overdue
         130  answer unclear      => completed
         140  answer completed    => completed, conflict executed_twice"
    ));
    check(
        "30   answer unclear      => unknown 1
         121  asks                => unknown 1
         121  report not_found    => backing off 1, ask to submit
         122  webhook 1 completed => completed, leave gate
         122  permit              => ignored: stale",
    );
}

#[test]
fn a_decline_of_another_attempt_does_not_contradict_a_completion() {
    check(&format!(
        "{SECOND_OUT}
         124  answer completed    => completed
         125  webhook 1 declined  => completed, record webhook, no conflict"
    ));
}

#[test]
fn where_all_attempts_share_a_reference_an_inquiry_names_none() {
    let mut life = Life::begin(1, policy(), true, true);
    life = play(life, SECOND_OUT);
    play(
        life,
        "152  answer unclear      => unknown 2
         167.167 asks             => unknown 2, inquire 2
         168  report completed    => completed, by inquiry
         169  webhook completed   => ignored: duplicate
         170  webhook declined    => completed, conflict completed_against_declined",
    );
}

#[test]
fn a_webhook_that_outruns_the_answer_is_the_evidence_and_the_call_comes_home() {
    // Its return changes nothing but that nothing is out any more, so that the actor may leave.
    let life = play(
        Life::begin(1, policy(), false, true),
        "1   webhook completed    => completed, by webhook, no submission_overdue
         2   answer completed     => completed, no record",
    );
    assert_eq!(
        life.transaction.volatile.submission,
        teller::transaction::Errand::Idle
    );
    check(
        "1   webhook completed    => completed
         2   answer declined      => completed, conflict completed_against_declined",
    );
}

#[test]
fn evidence_before_the_first_attempt_counts_like_any_other() {
    play(
        Life::begin(1, policy(), false, false),
        "1   webhook declined     => declined, by webhook, leave gate
         2   permit               => ignored: stale",
    );
}
