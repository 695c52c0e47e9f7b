//! Law 2: once the provider has shown that it has an attempt, neither "not found" nor a failure of our own
//! call proves anything about it, in whatever order the news come.

use super::super::fixture::{policy, resending, s};
use super::super::life::Life;
use super::{begin, check, play};

#[test]
fn pending_heard_while_the_call_is_out_is_not_forgotten() {
    for answer in ["unclear", "not_executed", "not_found"] {
        check(&format!(
            "1     webhook 1 pending   => pending 1, record webhook
             30    answer {answer}     => pending 1, record answered, no ask to submit
             200   asks                => pending 1
             200   report not_found    => pending 1, no ask to submit
             3601  timer review        => in review
             4300  asks                => in review
             4300  report not_found    => in review, no by"
        ));
    }
}

#[test]
fn pending_heard_in_review_is_not_forgotten() {
    for news in ["webhook 1 pending", "report pending", "answer pending"] {
        check(&format!(
            "30    answer unclear      => unknown 1
             3630  timer review        => in review
             4230  asks                => in review
             4231  {news}              => in review
             4240  report unclear      => in review
             9000  hint                => in review
             9000  asks                => in review
             9000  report not_found    => in review, no by"
        ));
    }
}

#[test]
fn once_the_provider_has_given_an_id_of_its_own_not_found_proves_nothing() {
    check(
        "30    answer unclear ref p1  => unknown 1, ref p1
         121   asks                   => unknown 1
         121   report not_found       => unknown 1, no ask to submit
         3630  timer review           => in review
         4230  asks                   => in review
         4230  report not_found       => in review, no by",
    );
    check(
        "10    webhook 1 unclear ref p1 => submitting 1, ref p1
         30    answer not_executed      => unknown 1, record answered, no ask to submit",
    );
}

#[test]
fn pending_revives_an_attempt_that_counted_as_not_executed_and_stops_the_next_one() {
    check(
        "3     answer not_executed  => backing off 1, submit at 4.121
         4     webhook 1 pending    => pending 1, no submit at, no expire at
         5     permit               => ignored: stale",
    );
    check(
        "30    answer unclear       => unknown 1
         121   asks                 => unknown 1
         121   report not_found     => backing off 1, ask to submit
         122   webhook pending      => pending 1, leave gate
         123   permit               => ignored: stale
         124   webhook 1 completed  => completed",
    );
}

#[test]
fn pending_of_an_earlier_attempt_asks_a_person_and_forbids_every_further_attempt() {
    let both = "30    answer unclear       => unknown 1
         121   asks                 => unknown 1
         121   report not_found     => backing off 1
         121   permit               => submitting 2
         122   webhook 1 pending    => in review of an earlier attempt, submission_overdue at 166\n";
    check(&format!(
        "{both} 123 answer not_executed  => in review of an earlier attempt, record answered, no by
                124 act resubmit         => refused: may be executed
                125 act resolve failed   => refused: still open
                126 webhook 1 declined   => declined, by webhook"
    ));
    check(&format!(
        "{both} 123 answer completed     => completed, conflict may_be_executed_twice
                124 webhook 1 completed  => completed, conflict executed_twice"
    ));
    check(&format!(
        "{both} 123 webhook 2 declined   => in review of an earlier attempt, record webhook, no by
                124 webhook 1 completed  => completed, by webhook"
    ));
    check(&format!(
        "{both} 151 answer unclear       => in review of an earlier attempt
                751 asks                 => in review of an earlier attempt
                751 report not_found     => in review of an earlier attempt, no by"
    ));
}

#[test]
fn pending_after_it_was_given_up_is_shown_to_a_person() {
    check(
        "3     answer not_executed  => backing off 1
         3700  timer expire         => failed, by teller
         3701  webhook 1 pending    => failed, conflict pending_after_end, disputed
         3702  webhook 1 pending    => ignored: late
         3703  webhook 1 completed  => completed, conflict failed_but_executed",
    );
}

#[test]
fn a_refusal_of_the_first_sending_says_nothing_about_its_repetition() {
    let out = "45    timer submission_overdue => unknown 1, record answer_lost
         60    asks                => unknown 1, resend 1\n";
    play(
        begin(resending(policy(), s(3_600))),
        &format!(
            "{out} 61  answer not_executed => unknown 1, record answered, no submit at
                   62  resent completed    => completed, by answer"
        ),
    );
    play(
        begin(resending(policy(), s(3_600))),
        &format!(
            "{out} 62  resent unclear      => unknown 1
                   63  answer not_executed => unknown 1, no submit at"
        ),
    );
}

#[test]
fn in_a_review_for_an_earlier_attempt_the_provider_is_asked_about_that_one() {
    check(
        "30    answer unclear       => unknown 1
         121   asks                 => unknown 1
         121   report not_found     => backing off 1
         121   permit               => submitting 2
         122   webhook 1 pending    => in review of an earlier attempt
         123   answer declined      => in review of an earlier attempt, record answered
         723   asks                 => in review of an earlier attempt, inquire 1
         724   report 1 pending     => in review of an earlier attempt, inquire at 4324
         4324  asks                 => in review of an earlier attempt, inquire 1
         4325  report 1 completed   => completed, by inquiry",
    );
    // While the last one may be executed too, it is asked about first.
    check(
        "30    answer unclear       => unknown 1
         121   asks                 => unknown 1
         121   report not_found     => backing off 1
         121   permit               => submitting 2
         122   webhook 1 pending    => in review of an earlier attempt
         123   answer unclear       => in review of an earlier attempt
         723   asks                 => in review of an earlier attempt, inquire 2
         724   report 2 not_found   => in review of an earlier attempt, inquire at 1324
         1324  asks                 => in review of an earlier attempt, inquire 1",
    );
}

#[test]
fn pending_of_an_earlier_attempt_after_the_end_is_shown_to_a_person() {
    let ended = |outcome| {
        format!(
            "3     answer not_executed   => backing off 1
             4.121 timer submit          => backing off 1
             5     permit                => submitting 2
             6     answer {outcome}      => {outcome}
             7     webhook 2 pending     => ignored: late
             8     webhook 1 pending     => {outcome}, conflict pending_after_end, disputed
             9     webhook 1 pending     => ignored: late"
        )
    };
    check(&ended("declined"));
    check(&ended("completed"));
}

#[test]
fn an_id_of_the_providers_own_revives_an_attempt_as_pending_does() {
    check(
        "3     answer not_executed         => backing off 1
         4     webhook 1 unclear ref p1    => pending 1, ref p1, no submit at
         5     permit                      => ignored: stale",
    );
    // What the refusal itself named is not alive by being named again.
    check(
        "3     answer not_executed ref p1  => backing off 1, ref p1
         4     webhook 1 unclear ref p1    => backing off 1, record webhook",
    );
}

#[test]
fn an_id_that_could_be_an_earlier_attempts_shows_all_the_same_that_something_is_there() {
    let mut life = Life::begin(1, policy(), true, true);
    life = play(
        life,
        "30    answer unclear            => unknown 1
         121   asks                      => unknown 1
         121   report not_found          => backing off 1
         121   permit                    => submitting 2
         122   webhook unclear ref p     => submitting 2, no ref
         123   answer not_executed       => unknown 2, record answered, no ask to submit",
    );
    let attempt = life.transaction.attempt().expect("the second");
    assert!(attempt.is_acknowledged() && attempt.provider_reference.is_none());
}
