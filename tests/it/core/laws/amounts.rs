//! Amounts in evidence: what was executed for another amount is neither completed nor not executed.

use super::super::fixture::policy;
use super::super::life::Life;
use super::{check, check_with, play};

/// Attempt 1 proven absent, attempt 2 out.
const SECOND_OUT: &str = "30   answer unclear   => unknown 1
     121  asks             => unknown 1
     121  report not_found => backing off 1
     122  permit           => submitting 2, submit 2\n";

#[test]
fn the_right_amount_and_none_at_all_conclude() {
    check("2  answer completed paying 1000 => completed, by answer");
    check("2  webhook completed            => completed, by webhook");
    check("2  answer declined paying 999   => declined, by answer");
    let mut life = super::begin(policy());
    let mut request = (*life.transaction.request).clone();
    request.amount = None;
    life.transaction.request = std::sync::Arc::new(request.clone());
    life.records.iter_mut().for_each(|record| {
        if let teller::transaction::Fact::Accepted { request: kept, .. } = &mut record.fact {
            *kept = std::sync::Arc::new(request.clone());
        }
    });
    play(
        life,
        "2  answer completed paying 999 => completed, by answer",
    );
}

#[test]
fn another_amount_or_currency_or_an_unreadable_one_opens_a_review_whoever_says_so() {
    for paying in ["999", "1001", "1000USD", "0", "much"] {
        check(&format!(
            "2   answer completed paying {paying} => in review of its amount, record answered, no by, no tells"
        ));
        check(&format!(
            "2   webhook completed paying {paying} => in review of its amount, record webhook"
        ));
        check(&format!(
            "30  answer unclear                    => unknown 1
             46  asks                              => unknown 1
             46  report completed paying {paying}  => in review of its amount, record inquired, inquire at 646, no review at"
        ));
    }
}

#[test]
fn the_same_again_is_a_duplicate_and_the_asking_goes_on() {
    check(
        "30   answer unclear               => unknown 1
         46   webhook completed paying 999 => in review of its amount, inquire at 646
         47   webhook completed paying 999 => ignored: duplicate
         646  asks                         => in review of its amount, inquire 1
         647  report completed paying 999  => in review of its amount, no record, inquire at 4247
         4247 asks                         => in review of its amount
         4248 report pending               => in review of its amount, record inquired, inquire at 25848",
    );
}

#[test]
fn it_ends_by_the_right_amount_by_a_decline_or_by_a_person_without_an_override() {
    let disputed = "2  answer completed paying 999 => in review of its amount\n";
    check(&format!(
        "{disputed} 3 webhook completed paying 1000 => completed, by webhook, no conflict, tells, no inquire"
    ));
    check(&format!(
        "{disputed} 3 webhook completed => completed, by webhook"
    ));
    check(&format!(
        "{disputed} 3 webhook declined => declined, by webhook, conflict completed_against_declined, disputed"
    ));
    for outcome in ["completed", "declined", "failed"] {
        check(&format!(
            "{disputed} 3 act resolve {outcome} => {outcome}, by operator, tells"
        ));
    }
}

#[test]
fn nothing_is_ever_submitted_again_nor_inferred_to_have_failed() {
    check(
        "1    answer not_executed          => backing off 1
         1.1  webhook completed paying 999 => in review of its amount, no submit at, no expire
         3    permit                       => ignored: stale
         4    act resubmit                 => refused: may be executed
         5    act cancel                   => refused: may be executed",
    );
    check(
        "30   answer unclear               => unknown 1
         31   webhook completed paying 999 => in review of its amount
         700  asks                         => in review of its amount
         700  report not_found             => in review of its amount, no by",
    );
    play(
        Life::begin(1, policy(), false, false),
        "1    webhook completed paying 999 => in review of its amount, leave gate, inquire at 601
         2    permit                       => ignored: stale
         3    act inquire                  => refused: never sent
         601  timer inquire                => in review of its amount, inquire at 4201, no ask to inquire
         700  act resolve completed        => completed, by operator",
    );
}

#[test]
fn the_app_is_told_as_of_any_review_and_once() {
    check_with(
        |policy| policy.notify.as_mut().expect("it tells").tells_review = true,
        "2    answer completed paying 999  => in review of its amount, tells, notify at 2
         2    timer notify                 => in review of its amount, notify
         2    told ok                      => in review of its amount, telling acknowledged
         9    webhook completed            => completed, tells",
    );
    check_with(
        |policy| policy.notify.as_mut().expect("it tells").tells_review = true,
        "30   answer unclear               => unknown 1
         3630 timer review                 => in review, tells
         3700 webhook completed paying 999 => in review of its amount, no tells",
    );
}

#[test]
fn a_restart_keeps_the_doubt() {
    check(
        "2    webhook completed paying 999 => in review of its amount
         3    restart                      => in review of its amount, inquire at 3, no submission_overdue
         3    asks                         => in review of its amount
         4    report completed paying 1000 => completed, by inquiry",
    );
}

#[test]
fn after_the_end_it_is_a_contradiction_kept_once() {
    for end in ["completed", "failed"] {
        let script = match end {
            "completed" => "2 answer completed => completed",
            _ => "2 act resolve failed while_open => failed",
        };
        check(&format!(
            "{script}
             3 webhook completed paying 999 => {end}, conflict amount_mismatch, disputed, no tells
             4 webhook completed paying 999 => ignored: duplicate
             5 act resolve completed        => completed, no disputed"
        ));
    }
    check(
        "2 answer declined                => declined
         3 webhook completed paying 999   => declined, conflict completed_against_declined",
    );
}

#[test]
fn the_call_that_the_webhook_outran_comes_home() {
    check(
        "2   webhook completed paying 999  => in review of its amount, submission_overdue at 45
         9   answer completed paying 999   => in review of its amount, no record, no submission_overdue",
    );
    check(
        "2   webhook completed paying 999  => in review of its amount
         9   answer unclear                => in review of its amount, record answered",
    );
    check(
        "2   webhook completed paying 999  => in review of its amount
         45  timer submission_overdue      => in review of its amount, no record, no submission_overdue",
    );
}

#[test]
fn an_earlier_attempt_for_another_amount_while_a_later_one_is_out_is_grave() {
    let grave = format!(
        "{SECOND_OUT}
         123  webhook 1 completed paying 999 => in review of its amount, conflict may_be_executed_twice, disputed\n"
    );
    check(&format!(
        "{grave} 124 answer completed => completed, by answer, conflict executed_twice"
    ));
    check(&format!(
        "{grave} 124 answer completed paying 1 => in review of its amount, conflict executed_twice"
    ));
    check(&format!(
        "{grave}
         124  answer not_executed => in review of its amount, record answered, no by
         125  act resubmit        => refused: may be executed"
    ));
    check(&format!(
        "{grave}
         124  answer declined     => in review of its amount, record answered, no by
         125  webhook 2 declined  => ignored: duplicate"
    ));
    check(&format!(
        "{grave}
         124  answer unclear      => in review of its amount, record answered, window ends at 243
         723  asks                => in review of its amount
         723  report not_found    => in review of its amount, record inquired, no by, inquire at 1323"
    ));
    check(&format!(
        "{grave}
         167  timer submission_overdue => in review of its amount, record answer_lost, window ends at 288"
    ));
    check(&format!(
        "{grave}
         130  restart             => in review of its amount, record answer_lost, inquire at 130
         131  act resolve declined => refused: still open
         131  act resolve declined while_open => declined, by operator"
    ));
}
