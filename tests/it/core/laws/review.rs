//! Law 4: what is open has a next moment; what can't be found out in time is shown to a person, is
//! asked about on and on, and still ends by evidence.

use std::time::Duration;

use super::{check, check_with};

#[test]
fn doubt_is_shown_to_a_person_after_its_deadline_and_late_evidence_ends_it() {
    check(
        "30     answer unclear    => unknown 1, review at 3630
         3629   timer review      => ignored: stale
         3630   timer review      => in review, record review_opened, inquire at 4230
         4230   asks              => in review
         4230   report unclear    => in review, inquire at 7830
         7830   asks              => in review
         7830   report unclear    => in review, inquire at 29430
         29430  asks              => in review
         29430  report unclear    => in review, inquire at 115830
         115830 asks              => in review
         115830 report unclear    => in review, inquire at 202230
         150000 webhook completed => completed, by webhook, tells, no inquire",
    );
}

#[test]
fn every_kind_of_evidence_ends_a_review() {
    for evidence in [
        "answer declined",
        "webhook declined",
        "report declined",
        "act resolve declined",
    ] {
        check(&format!(
            "30    answer unclear => unknown 1
             3630  timer review   => in review
             9000  {evidence}     => declined, tells"
        ));
    }
    check(
        "30    answer unclear      => unknown 1
         3630  timer review        => in review
         9000  answer not_executed => failed, by answer",
    );
}

#[test]
fn a_refusal_that_comes_after_the_provider_had_it_is_no_proof() {
    check(
        "30    answer unclear      => unknown 1
         60    asks                => unknown 1
         60    report pending      => pending 1
         61    answer not_executed => ignored: uninformative
         3660  timer review        => in review
         9000  answer not_executed => ignored: uninformative",
    );
}

#[test]
fn time_that_our_own_budget_held_moves_the_deadline() {
    check(
        "30    answer unclear              => unknown 1, review at 3630
         46    timer inquire               => unknown 1, ask to inquire
         646   inquiry permit waited 600   => unknown 1, inquire 1
         646   report unclear              => unknown 1
         3630  timer review                => unknown 1, review at 4230
         4230  timer review                => in review",
    );
}

#[test]
fn while_the_budget_still_holds_the_inquiry_no_review_is_opened() {
    check(
        "30    answer unclear              => unknown 1
         46    timer inquire               => unknown 1, ask to inquire
         3630  timer review                => unknown 1, review at 3690
         3690  timer review                => unknown 1, review at 3750
         3700  inquiry permit waited 3654  => unknown 1, inquire 1
         3700  report unclear              => unknown 1
         3750  timer review                => unknown 1, review at 7404
         7404  timer review                => in review",
    );
}

#[test]
fn a_call_that_never_comes_back_is_noticed() {
    check(
        "45    timer submission_overdue    => unknown 1, record answer_lost
         65.166  asks                      => unknown 1, inquire 1, inquiry_overdue at 110.166
         110.166 timer inquiry_overdue     => unknown 1, inquire at 125.666, no inquiry_overdue",
    );
}

#[test]
fn a_late_report_about_an_earlier_attempt_does_not_end_the_present_inquiry() {
    check(
        "30      answer unclear              => unknown 1
         121     asks                        => unknown 1, inquire 1
         166     timer inquiry_overdue       => unknown 1, inquire at 166
         166     asks                        => unknown 1, inquire 1
         182     report 1 not_found          => backing off 1
         182     permit                      => submitting 2
         212     answer unclear              => unknown 2
         227.167 asks                        => unknown 2, inquire 2, inquiry_overdue at 272.167
         228     report 1 declined sent 121  => unknown 2, inquiry_overdue at 272.167
         229     report 2 completed          => completed, by inquiry",
    );
}

#[test]
fn a_hint_only_brings_the_inquiry_forward() {
    check(
        "1     hint              => ignored: uninformative
         30    answer unclear    => unknown 1, inquire at 45.166
         31    hint              => unknown 1, inquire at 31, no record, window ends at 121
         31    asks              => unknown 1
         31    hint              => ignored: duplicate
         31    report not_found  => unknown 1, inquire at 45.166, no by
         3630  timer review      => in review
         3640  hint              => in review, inquire at 3640
         3640  asks              => in review
         3640  report completed  => completed
         3641  hint              => ignored: late",
    );
}

#[test]
fn the_app_is_told_of_a_review_where_the_profile_says_so_and_then_of_the_outcome() {
    check_with(
        |policy| policy.notify.as_mut().expect("set").tells_review = true,
        "30    answer unclear    => unknown 1
         3630  timer review      => in review, tells, notify at 3630
         3630  timer notify      => in review, notify
         3631  told ok           => in review, telling acknowledged
         4230  asks              => in review
         4230  report declined   => declined, tells, notify at 4230
         4230  timer notify      => declined, notify
         4231  told ok           => declined, telling acknowledged, closed",
    );
}

#[test]
fn inconclusive_reports_stop_filling_the_history_and_never_stop_the_asking() {
    let mut script = String::from("5 answer pending => pending 1\n");
    for n in 0..250 {
        let at = 100 + n * 60;
        // At the deadline's turn the review opens; from then on the ladder is slower.
        let (begun, expected) = if at < 3_605 {
            ("asks", "pending 1")
        } else {
            ("hint", "in review")
        };
        if n == 59 {
            script += &format!("{at} timer review => in review\n");
        }
        if begun == "hint" {
            script += &format!("{at} hint => in review\n");
        }
        script += &format!("{at} asks => {expected}\n");
        let noted = if n < 200 {
            "record inquired"
        } else {
            "no record"
        };
        script += &format!("{at} report pending => {expected}, {noted}\n");
    }
    check_with(
        |policy| policy.review_after = Duration::from_secs(3_600),
        &script,
    );
}
