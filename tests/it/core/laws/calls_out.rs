//! Laws 2 and 3: a call that was given up is still out until it is home. Its request may still leave.

use teller::transaction::{Effect, Mono, Timer};

use super::super::fixture::{policy, resending, s};
use super::super::life::Life;
use super::super::words::event;
use super::{begin, check, play};

#[test]
fn while_our_own_call_is_out_not_found_proves_nothing() {
    check(
        "45    timer submission_overdue => unknown 1, window ends at 166
         166   asks                     => unknown 1
         166   report not_found         => unknown 1, no ask to submit
         200   asks                     => unknown 1
         200   report not_found         => unknown 1, no ask to submit
         201   act resolve failed       => refused: still open",
    );
}

#[test]
fn a_call_that_comes_home_late_moves_the_window_to_when_it_really_left() {
    let mut life = play(
        begin(policy()),
        "45    timer submission_overdue => unknown 1, window ends at 166
         166   asks                     => unknown 1
         166   report not_found         => unknown 1",
    );
    // Its first byte left only now, a long time after the decision.
    life.sent_ms[0] = 170_000;
    play(
        life,
        "171   answer unclear           => unknown 1, record answered, window ends at 291
         190   hint                     => unknown 1
         190   asks                     => unknown 1
         190   report not_found         => unknown 1, no ask to submit
         291   asks                     => unknown 1
         291   report not_found         => backing off 1, ask to submit",
    );
}

#[test]
fn a_call_that_never_left_frees_the_next_attempt_at_once() {
    check(
        "45    timer submission_overdue      => unknown 1
         100   answer not_executed unsent    => backing off 1, record answered, no window",
    );
}

#[test]
fn a_call_that_is_given_up_in_review_is_still_out() {
    let both = "30    answer unclear       => unknown 1
         121   asks                 => unknown 1
         121   report not_found     => backing off 1
         121   permit               => submitting 2
         122   webhook 1 pending    => in review of an earlier attempt
         123   webhook 1 declined   => in review of an earlier attempt
         166   timer submission_overdue => in review of an earlier attempt, record answer_lost\n";
    check(&format!(
        "{both} 800 asks              => in review of an earlier attempt
                800 report not_found  => in review of an earlier attempt, no by
                801 answer unclear    => in review of an earlier attempt, record answered
                900 hint              => in review of an earlier attempt
                900 asks              => in review of an earlier attempt
                900 report not_found  => failed, by teller"
    ));
}

#[test]
fn the_time_that_a_call_may_take_counts_from_the_end_of_its_commit() {
    let life = begin(policy());
    let permitted = Life::begin(1, policy(), false, false);
    let decided = permitted.consider(permitted.permit()).expect("permitted");
    assert!(decided.effects.contains(&Effect::Submit { attempt: 1 }));
    let due = decided.next.volatile.timers.due(Timer::SubmissionOverdue);
    assert_eq!(due, Some(Mono::from_millis(45_000)));
    let durable = Mono::from_millis(80_000);
    let decided = decided.made_durable(durable, &life.policy);
    let due = decided.next.volatile.timers.due(Timer::SubmissionOverdue);
    assert_eq!(due, Some(Mono::from_millis(125_000)));
}

#[test]
fn a_repetition_that_is_given_up_is_still_out() {
    let mut life = play(
        begin(resending(policy(), s(3_600))),
        "30   answer unclear         => unknown 1
         45   asks                   => unknown 1, resend 1
         90   timer inquiry_overdue  => unknown 1
         91   act inquire            => refused: no inquiry",
    );
    assert!(life.transaction.volatile.own_request_is_out());
    // It left late, and may be a ghost from then on.
    life.asked_ms = 200_000;
    life.world_ms = 201_000;
    let home = life.happen(event(&life, "resent unclear"));
    assert!(home.is_ok());
    let ends = life.transaction.volatile.window_ends.expect("a window");
    assert_eq!(life.world(ends), 321_000);
    assert!(!life.transaction.volatile.own_request_is_out());
}
