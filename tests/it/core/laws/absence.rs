//! Laws 2 and 3: what proves that an attempt was never executed, and what does not.

use std::time::Duration;

use super::{check, check_with};
use teller::transaction::OnAbsence;

#[test]
fn not_found_proves_nothing_before_the_windows_end_and_everything_at_it() {
    check(
        "30      answer unclear   => unknown 1, window ends at 121, inquire at 45.166
         45.166  asks             => unknown 1, inquire 1
         45.266  report not_found => unknown 1, inquire at 60.333, record inquired
         60.333  asks             => unknown 1
         60.433  report not_found => unknown 1, inquire at 75.5
         75.5    asks             => unknown 1
         75.6    report not_found => unknown 1, inquire at 90.666
         90.666  asks             => unknown 1
         90.766  report not_found => unknown 1, inquire at 105.833
         105.833 asks             => unknown 1
         105.933 report not_found => unknown 1, inquire at 121
         121     asks             => unknown 1
         121.1   report not_found => backing off 1, ask to submit, no submit at
         121.1   permit           => submitting 2, submit 2",
    );
}

#[test]
fn an_inquiry_sent_before_the_end_and_answered_after_it_proves_nothing() {
    check(
        "30      answer unclear             => unknown 1
         118     hint                       => unknown 1, inquire at 118
         118     asks                       => unknown 1
         140     report not_found sent 120.999 => unknown 1, inquire at 140, no ask to submit
         140     asks                       => unknown 1
         141     report not_found sent 140  => backing off 1, ask to submit",
    );
}

#[test]
fn the_window_runs_from_the_sending_not_from_the_answer() {
    check("34.9  answer unclear => unknown 1, window ends at 121");
    // Where nobody knows when the first byte left, a whole window runs from now.
    check("34.9  answer unclear unsent => unknown 1, window ends at 155.9");
    check("45    timer submission_overdue => unknown 1, record answer_lost, window ends at 166");
}

#[test]
fn a_provider_that_declares_no_window_is_never_taken_at_its_not_found() {
    check_with(
        |policy| policy.ghost_window = None,
        "30      answer unclear    => unknown 1, inquire at 35, no window
         35      asks              => unknown 1
         35.1    report not_found  => unknown 1, inquire at 40.1
         2000    asks              => unknown 1
         2000    report not_found  => unknown 1, no ask to submit
         3630    timer review      => in review, record review_opened
         4230    asks              => in review
         4230    report not_found  => in review
         99000   asks              => in review
         99000   report not_found  => in review, no by",
    );
}

#[test]
fn what_the_provider_once_had_is_not_proven_absent_by_not_found() {
    check(
        "5       answer pending    => pending 1, inquire at 10, window ends at 121
         200     asks              => pending 1
         200     report not_found  => pending 1, no ask to submit
         3605    timer review      => in review
         4300    asks              => in review
         4300    report not_found  => in review, no by",
    );
}

#[test]
fn unreadable_refused_and_unclear_reports_leave_unknown_what_was_unknown() {
    check(
        "30      answer unclear       => unknown 1
         121     asks                 => unknown 1
         121     report unclear       => unknown 1, inquire at 136
         136     asks                 => unknown 1
         136     report not_executed  => unknown 1, inquire at 166
         166     asks                 => unknown 1
         166     report not_found     => backing off 1, ask to submit",
    );
}

#[test]
fn a_not_found_in_the_answer_itself_is_unknown() {
    check("2  answer not_found => unknown 1, window ends at 121");
}

#[test]
fn after_a_proven_absence_the_profile_decides() {
    check_with(
        |policy| policy.on_absence = OnAbsence::Fail,
        "30   answer unclear    => unknown 1
         121  asks              => unknown 1
         121  report not_found  => failed, by teller, tells, notify at 121",
    );
    check_with(
        |policy| policy.max_attempts = 2,
        "30   answer unclear    => unknown 1
         121  asks              => unknown 1
         121  report not_found  => backing off 1, ask to submit
         121  permit            => submitting 2
         151  answer unclear    => unknown 2, window ends at 242
         242  asks              => unknown 2
         242  report not_found  => failed, by teller",
    );
}

#[test]
fn a_review_that_was_opened_ends_as_failed_once_absence_is_proven_never_with_a_new_attempt() {
    check_with(
        |policy| policy.review_after = Duration::from_secs(60),
        "30   answer unclear    => unknown 1
         90   timer review      => in review
         690  asks              => in review
         690  report not_found  => failed, by teller, no ask to submit",
    );
}

#[test]
fn no_attempt_starts_while_an_earlier_one_may_execute() {
    check(
        "1    permit            => ignored: stale
         30   answer unclear    => unknown 1
         31   permit            => ignored: stale
         31   act resubmit      => refused: may be executed
         3630 timer review      => in review
         3631 permit            => ignored: stale
         3631 act resubmit      => refused: may be executed",
    );
}

#[test]
fn a_pending_report_ends_the_doubt_about_arrival_and_goes_on_asking() {
    check(
        "30      answer unclear   => unknown 1
         45.166  asks             => unknown 1
         45.166  report pending   => pending 1, inquire at 50.166, review at 3645.166
         50.166  asks             => pending 1
         50.166  report pending   => pending 1, inquire at 55.166
         55.166  asks             => pending 1
         55.166  report completed => completed, by inquiry, no inquire, no review",
    );
}
