//! Ways of asking: by inquiry, by sending the same request again, or not at all.

use std::time::Duration;

use teller::transaction::{Event, MAX_RESENDS, Policy, Timer, Way, invariants};

use super::super::fixture::{policy, resending, s, silent};
use super::{begin, play};

#[track_caller]
fn check(script: &str) {
    play(begin(resending(policy(), s(3_600))), script);
}

#[test]
fn what_is_in_doubt_is_sent_again_as_a_record_first_and_its_answer_concludes() {
    check(
        "30   answer unclear     => unknown 1, inquire at 45, window ends at 121
         45   timer inquire      => unknown 1, ask to inquire
         45   inquiry permit     => unknown 1, resend 1, record resent, inquiry_overdue at 90, window ends at 166
         46   resent completed   => completed, by answer, record answered, tells, no inquiry_overdue",
    );
    check(
        "30   answer unclear     => unknown 1
         45   asks               => unknown 1, resend 1
         46   resent declined    => declined, by answer",
    );
}

#[test]
fn its_own_failure_says_nothing_about_the_first_sending() {
    check(
        "30   answer unclear            => unknown 1
         45   asks                      => unknown 1, resend 1
         45   resent not_executed unsent => unknown 1, record answered, inquire at 75, no ask to submit
         75   asks                      => unknown 1, resend 1, window ends at 196
         75   resent not_found          => unknown 1, inquire at 135, no ask to submit
         200  timer inquire             => unknown 1
         200  inquiry permit            => unknown 1, resend 1, window ends at 321
         230  resent unclear            => unknown 1, inquire at 350, window ends at 321",
    );
}

#[test]
fn the_provider_may_say_that_it_has_it_and_give_its_reference_which_is_asked_for_then() {
    check(
        "30   answer unclear             => unknown 1
         45   asks                       => unknown 1, resend 1
         46   resent pending ref p1      => pending 1, claim inbox, ref p1, inquire at 51, window ends at 166
         51   asks                       => pending 1, inquire 1, no resend
         51   report completed           => completed, by inquiry",
    );
    check(
        "5    answer pending             => pending 1
         10   asks                       => pending 1, resend 1
         10   resent pending             => pending 1, record answered, inquire at 15
         3605 timer review               => in review, inquire at 4205",
    );
}

#[test]
fn a_resend_may_itself_be_a_ghost_and_what_the_provider_has_named_is_never_absent() {
    check(
        "30   answer unclear        => unknown 1, window ends at 121
         100  timer inquire         => unknown 1
         100  inquiry permit        => unknown 1, resend 1, window ends at 221
         101  webhook unclear ref p1 => unknown 1, ref p1
         146  timer inquiry_overdue => unknown 1
         170  asks                  => unknown 1, inquire 1
         170  report not_found      => unknown 1, no ask to submit
         221  asks                  => unknown 1, inquire 1
         221  report not_found      => unknown 1, no ask to submit
         222  resent unclear        => unknown 1, record answered",
    );
}

#[test]
fn past_the_providers_promise_nothing_is_sent_again_and_a_person_is_asked() {
    let at = |safe_for| begin(resending(policy(), s(safe_for)));
    play(
        at(45),
        "30     answer unclear => unknown 1
         45     timer inquire  => unknown 1, no ask to inquire, inquire at 75
         46     act inquire    => refused: no inquiry
         3630   timer review   => in review, inquire at 4230
         4230   timer inquire  => in review, no ask to inquire, inquire at 7830
         9999   webhook completed => completed",
    );
    play(
        at(60),
        "30     answer unclear => unknown 1
         45     timer inquire  => unknown 1, ask to inquire
         59.999 hint           => ignored: duplicate
         60     inquiry permit => unknown 1, no resend, inquire at 90",
    );
    play(
        at(61),
        "30     answer unclear => unknown 1
         45     timer inquire  => unknown 1, ask to inquire
         60.999 inquiry permit => unknown 1, resend 1",
    );
}

#[test]
fn a_wall_clock_that_was_set_back_can_not_tell_and_nothing_is_sent_again() {
    let life = play(
        begin(resending(policy(), s(3_600))),
        "30 answer unclear => unknown 1",
    );
    let started = life.transaction.attempts[0].started_at;
    assert!(life.transaction.may_resend(started));
    assert!(
        life.transaction
            .may_resend(started + Duration::from_millis(3_599_999))
    );
    assert!(!life.transaction.may_resend(started + s(3_600)));
    let before = teller::transaction::Timestamp::from_millis(started.as_millis() - 1);
    assert!(!life.transaction.may_resend(before));
}

#[test]
fn never_after_an_outcome_nor_once_a_person_has_acted() {
    check(
        "30   answer unclear     => unknown 1
         45   timer inquire      => unknown 1, ask to inquire
         46   webhook completed  => completed, leave gate
         47   inquiry permit     => ignored: stale",
    );
    check(
        "2    answer not_executed         => backing off 1
         2    act resubmit                => backing off 1, ask to submit
         3    permit                      => submitting 2
         33   answer unclear              => unknown 2
         48   timer inquire               => unknown 2, no ask to inquire
         49   act inquire                 => refused: no inquiry",
    );
    check(
        "30   answer unclear              => unknown 1
         31   webhook completed paying 999 => in review of its amount
         700  timer inquire               => in review of its amount, no ask to inquire",
    );
}

#[test]
fn an_operators_inquiry_asks_for_exactly_this_and_does_not_count_as_an_act() {
    check(
        "30   answer unclear     => unknown 1
         31   act inquire        => unknown 1, inquire at 31
         31   asks               => unknown 1, resend 1
         32   resent unclear     => unknown 1
         62   asks               => unknown 1, resend 1",
    );
}

#[test]
fn after_a_crash_what_is_in_doubt_is_sent_again_at_once() {
    check(
        "1    restart            => unknown 1, inquire at 1, window ends at 122
         1    asks               => unknown 1, resend 1
         2    restart            => unknown 1, inquire at 2, window ends at 123
         2    asks               => unknown 1, resend 1
         3    resent completed   => completed, by answer",
    );
}

#[test]
fn a_repetition_that_is_given_up_is_followed_by_another_once_it_has_come_back() {
    check(
        "30   answer unclear         => unknown 1
         45   asks                   => unknown 1, resend 1
         90   timer inquiry_overdue  => unknown 1, inquire at 120
         120  timer inquire          => unknown 1, no ask to inquire, inquire at 180
         150  resent unclear         => unknown 1, record answered, inquire at 270
         270  asks                   => unknown 1, resend 1
         271  resent completed       => completed",
    );
}

#[test]
fn while_the_repetition_may_be_what_is_executed_it_is_not_sent_after_submit_by() {
    let mut policy = resending(policy(), s(10_000));
    policy.submit_within = s(100);
    play(
        begin(policy.clone()),
        "30   answer unclear     => unknown 1, inquire at 45
         45   asks               => unknown 1, resend 1
         46   resent unclear     => unknown 1, inquire at 76
         76   asks               => unknown 1, resend 1
         77   resent unclear     => unknown 1, inquire at 137
         137  timer inquire      => unknown 1, no ask to inquire",
    );
    // What the provider has can't be executed anew.
    play(
        begin(policy),
        "5    answer pending     => pending 1
         10   asks               => pending 1, resend 1
         10   resent pending     => pending 1, inquire at 15
         130  asks               => pending 1, resend 1",
    );
}

#[test]
fn it_is_sent_again_up_to_a_bound_and_no_more() {
    let mut policy = resending(policy(), s(1_000_000));
    policy.review_after = s(1_000_000);
    policy.submit_within = s(1_000_000);
    let mut life = play(begin(policy), "30 answer unclear => unknown 1");
    for _ in 0..2 * MAX_RESENDS {
        let due = life.transaction.volatile.timers.due(Timer::Inquire);
        life.world_ms = life.world(due.expect("law 4"));
        life.happen(Event::TimerFired(Timer::Inquire))
            .expect("it is due");
        let _ = life.happen(super::event(&life, "inquiry permit"));
        let _ = life.happen(super::event(&life, "resent unclear"));
    }
    assert_eq!(life.transaction.resends, MAX_RESENDS);
}

#[test]
fn a_provider_that_can_not_be_asked_is_waited_for_until_a_person_is() {
    play(
        begin(silent(policy())),
        "30    answer unclear      => unknown 1, inquire at 45, review at 3630
         45    timer inquire       => unknown 1, no ask to inquire, inquire at 75
         46    hint                => ignored: uninformative
         47    webhook unclear event a => unknown 1, record webhook, inquire at 75
         48    act inquire         => refused: no inquiry
         50    restart             => unknown 1, inquire at 50
         50    timer inquire       => unknown 1, inquire at 65
         3650  timer review        => in review, inquire at 4250
         4250  timer inquire       => in review, no ask to inquire, inquire at 7850
         9999  webhook declined    => declined, by webhook",
    );
}

#[test]
fn a_reference_that_is_learned_opens_the_way_of_asking() {
    let mut policy = policy();
    policy.inquiry.without_reference = Way::Never;
    play(
        begin(policy),
        "30    answer unclear             => unknown 1
         45    timer inquire              => unknown 1, no ask to inquire
         46    webhook unclear ref p1     => unknown 1, inquire at 46
         46    asks                       => unknown 1, inquire 1
         47    report completed           => completed, by inquiry",
    );
}

#[test]
fn a_policy_that_sends_again_says_how_long_that_is_safe() {
    let resends = |way, safe_for| {
        let mut policy: Policy = policy();
        policy.inquiry.with_reference = way;
        policy.resend_safe_for = safe_for;
        invariants::check_policy(&policy)
    };
    assert!(resends(Way::Resend, None).is_err());
    assert_eq!(resends(Way::Resend, Some(s(1))), Ok(()));
    assert_eq!(resends(Way::Never, None), Ok(()));
}
