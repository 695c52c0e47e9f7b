//! What people and apps may do, and what is refused because it could pay twice or end what may still
//! happen.

use super::super::fixture::policy;
use super::super::life::Life;
use super::{check, play};

#[test]
fn cancel_is_allowed_only_while_nothing_can_have_been_executed() {
    play(
        Life::begin(1, policy(), false, false),
        "5  act cancel => failed, by teller, leave gate, record acted, tells
         6  act cancel => refused: already final",
    );
    check(
        "5   act cancel           => refused: may be executed
         6   answer not_executed  => backing off 1
         6   act cancel           => failed, by teller, no submit at",
    );
    for (at, doubt) in [(5, "answer pending"), (30, "answer unclear")] {
        let state = if at == 5 { "pending 1" } else { "unknown 1" };
        check(&format!(
            "{at}  {doubt}     => {state}
             40    act cancel  => refused: may be executed
             9000  timer review => in review
             9000  act cancel  => refused: may be executed"
        ));
    }
    check(
        "2  answer completed => completed
         3  act cancel       => refused: already final",
    );
}

#[test]
fn an_act_on_another_version_than_the_one_seen_is_refused_whatever_it_is() {
    for act in [
        "cancel",
        "inquire",
        "resubmit",
        "resolve declined while_open",
    ] {
        check(&format!(
            "30  answer unclear      => unknown 1
             31  act {act} seen 2    => refused: version mismatch
             31  act {act} seen 4    => refused: version mismatch"
        ));
    }
    check(
        "30  answer unclear      => unknown 1
         31  act inquire seen 3  => unknown 1, inquire at 31, record acted
         31  act inquire seen 3  => refused: version mismatch",
    );
}

#[test]
fn an_operators_inquiry_is_recorded_and_at_once() {
    play(
        Life::begin(1, policy(), false, false),
        "1   act inquire => refused: never sent",
    );
    check(
        "1    act inquire    => refused: may be executed
         30   answer unclear => unknown 1
         31   act inquire    => unknown 1, inquire at 31, record acted
         3630 timer review   => in review
         3640 act inquire    => in review, inquire at 3640
         3640 asks           => in review
         3641 act inquire    => in review, no inquire at
         3641 report declined => declined
         3642 act inquire    => refused: already final",
    );
}

#[test]
fn resubmitting_only_shortens_a_wait_that_was_safe_anyway() {
    play(
        Life::begin(1, policy(), false, false),
        "1   act resubmit => refused: already queued",
    );
    check(
        "1   act resubmit                  => refused: may be executed
         2   answer not_executed retry 900 => backing off 1, submit at 902
         3   act resubmit                  => backing off 1, ask to submit, no submit at
         4   act resubmit                  => refused: already queued
         5   permit                        => submitting 2
         6   answer completed              => completed
         7   act resubmit                  => refused: already final",
    );
}

#[test]
fn resolving_while_something_may_still_happen_needs_to_say_so() {
    check(
        "1   act resolve declined             => refused: still open
         2   act resolve declined while_open  => declined, by operator, tells
         3   act resolve completed            => refused: already final",
    );
    check(
        "30  answer unclear        => unknown 1
         120.999 act resolve failed => refused: still open
         121 act resolve failed    => failed, by operator, tells, no inquire",
    );
    play(
        Life::begin(1, policy(), false, false),
        "1   act resolve completed while_open => refused: never sent",
    );
}

#[test]
fn without_a_declared_window_resolving_always_needs_to_say_so() {
    let mut windowless = policy();
    windowless.ghost_window = None;
    play(
        Life::begin(1, windowless, false, true),
        "30     answer unclear                => unknown 1
         99999  act resolve failed            => refused: still open
         99999  act resolve failed while_open => failed, by operator",
    );
}

#[test]
fn the_call_that_was_out_is_still_heard_after_a_person_has_spoken() {
    check(
        "1   act resolve failed while_open => failed, by operator
         9   answer completed              => completed, by answer, conflict failed_but_executed, tells",
    );
}
