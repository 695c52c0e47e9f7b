//! A restart in every state: what was in flight is unknown, windows start anew, the first inquiry is
//! at once, and nothing is sent that was not committed before.

use super::super::fixture::{policy, resending, s, silent};
use super::super::life::Life;
use super::{check, check_with, play};

#[test]
fn a_restart_while_accepted_asks_the_gate_again() {
    play(
        Life::begin(1, policy(), false, false),
        "5     restart       => accepted, ask to submit, expire at 3600, no submit
         6     permit        => submitting 1, submit 1",
    );
    play(
        Life::begin(1, policy(), false, false),
        "4000  restart       => accepted, expire at 4000
         4000  timer expire  => failed, by teller",
    );
}

#[test]
fn a_restart_while_the_request_is_out_makes_it_unknown_and_asks_at_once() {
    check(
        "5     restart           => unknown 1, record answer_lost, inquire at 5, window ends at 126, review at 3605, no submit
         5     asks              => unknown 1, inquire 1
         5     report not_found  => unknown 1, inquire at 25.166
         125.9 hint              => unknown 1
         125.9 asks              => unknown 1
         126   report not_found  => unknown 1, inquire at 126
         126   asks              => unknown 1
         126   report not_found  => backing off 1, ask to submit",
    );
}

#[test]
fn a_restart_in_doubt_starts_the_whole_window_anew() {
    check(
        "30    answer unclear    => unknown 1, window ends at 121
         120   restart           => unknown 1, inquire at 120, window ends at 241, review at 3630, no record
         121   asks              => unknown 1
         121   report not_found  => unknown 1, no ask to submit
         241   asks              => unknown 1
         241   report not_found  => backing off 1, ask to submit",
    );
}

#[test]
fn a_restart_while_pending_asks_at_once() {
    check(
        "5     answer pending    => pending 1
         50    restart           => pending 1, inquire at 50, review at 3605
         50    asks              => pending 1
         50    report completed  => completed, by inquiry",
    );
}

#[test]
fn a_restart_while_backing_off_waits_and_keeps_its_deadline() {
    check(
        "5     answer not_executed => backing off 1
         6     restart             => backing off 1, expire at 3600, no ask, no record
         10    timer submit        => backing off 1, ask to submit
         10    permit              => submitting 2",
    );
}

#[test]
fn a_restart_in_review_stays_in_review_and_asks_at_once() {
    check(
        "30    answer unclear    => unknown 1
         3630  timer review      => in review
         4000  restart           => in review, inquire at 4000, window ends at 4121, no review at, no record
         4000  asks              => in review
         4000  report not_found  => in review
         4200  hint              => in review
         4200  asks              => in review
         4200  report not_found  => failed, by teller",
    );
}

#[test]
fn a_restart_before_the_app_was_told_tells_it() {
    check(
        "2     answer completed  => completed, notify at 2
         3     restart           => completed, notify at 3, no record
         3     timer notify      => completed, notify
         4     told badly        => completed, telling failed
         5     restart           => completed, notify at 10
         10    timer notify      => completed, notify
         11    told ok           => completed, closed
         12    restart           => completed, closed, no notify",
    );
}

#[test]
fn a_notification_that_the_profile_no_longer_sends_is_given_up_after_a_restart_and_not_forgotten() {
    let mut life = play(
        Life::begin(1, policy(), false, true),
        "2     answer completed  => completed, notify at 2
         2     timer notify      => completed, notify
         3     told badly        => completed, telling failed",
    );
    let mut shorter = life.clone();
    shorter
        .policy
        .notify
        .as_mut()
        .expect("set")
        .schedule
        .truncate(1);
    play(
        shorter,
        "9     restart           => completed, telling given up, closed, no notify",
    );
    life.policy.notify = None;
    play(
        life,
        "9     restart           => completed, telling given up, closed, no notify",
    );
}

#[test]
fn a_stop_writes_down_what_is_out_and_still_takes_an_answer_that_comes_in_time() {
    check(
        "5     stopping          => unknown 1, record answer_lost, window ends at 126
         5     stopping          => ignored: uninformative
         6     answer completed  => completed, by answer",
    );
    check(
        "5     stopping            => unknown 1
         6     answer not_executed => backing off 1, no inquire, no window",
    );
}

#[test]
fn answers_of_the_former_life_are_still_evidence() {
    check(
        "5     restart           => unknown 1
         6     webhook 1 declined => declined, by webhook",
    );
}

#[test]
fn a_wall_clock_that_was_set_back_never_expires_early() {
    let mut life = play(
        Life::begin(1, policy(), false, false),
        "3599 timer expire => ignored: stale",
    );
    // An hour of the monotonic clock has passed, and by the wall clock it is still before the deadline.
    life.world_ms = 3_600_000;
    let mut now = life.now();
    now.wall = teller::transaction::Timestamp::from_millis(super::super::fixture::BEGINNING);
    let decision = teller::transaction::decide(
        &life.transaction,
        teller::transaction::Event::TimerFired(teller::transaction::Timer::Expire),
        now,
        &life.policy,
    )
    .expect("it is due");
    assert!(!decision.next.state.is_final());
    let due = decision
        .next
        .volatile
        .timers
        .due(teller::transaction::Timer::Expire);
    assert_eq!(due.map(|due| due.as_millis()), Some(7_200_000));
}

#[test]
fn within_one_boot_the_window_goes_on_over_a_restart_once_its_sending_is_known() {
    check(
        "30    answer unclear        => unknown 1, window ends at 121
         60    restart within boot   => unknown 1, inquire at 60, window ends at 121, no record
         61    asks                  => unknown 1
         61    report not_found      => unknown 1, no ask to submit
         90    restart within boot   => unknown 1, window ends at 121
         121   asks                  => unknown 1
         121   report not_found      => backing off 1, ask to submit",
    );
    check(
        "30    answer unclear        => unknown 1
         200   restart within boot   => unknown 1, inquire at 200, window ends at 200
         200   asks                  => unknown 1
         200   report not_found      => backing off 1, ask to submit",
    );
}

#[test]
fn what_was_in_flight_starts_a_whole_window_within_one_boot_too() {
    check(
        "5     restart within boot     => unknown 1, record answer_lost, window ends at 126
         6     restart within boot     => unknown 1, window ends at 127",
    );
    check(
        "5     stopping                => unknown 1
         6     restart within boot     => unknown 1, window ends at 127",
    );
    check(
        "45    timer submission_overdue => unknown 1
         50    restart within boot     => unknown 1, window ends at 171",
    );
    // A repetition that is out: nobody can say when it left.
    play(
        Life::begin(1, resending(policy(), s(3_600)), false, true),
        "30    answer unclear          => unknown 1
         40    restart within boot     => unknown 1, window ends at 121
         40    asks                    => unknown 1, resend 1
         50    restart within boot     => unknown 1, window ends at 171
         50    asks                    => unknown 1, resend 1
         51    resent unclear          => unknown 1
         60    restart within boot     => unknown 1, window ends at 171",
    );
}

#[test]
fn another_boot_starts_a_whole_window() {
    check(
        "30    answer unclear        => unknown 1, window ends at 121
         60    restart               => unknown 1, window ends at 181
         70    restart within boot   => unknown 1, window ends at 191",
    );
}

#[test]
fn a_review_comes_in_time_however_often_teller_restarts() {
    let mut life = play(
        Life::begin(1, policy(), false, true),
        "30    answer unclear        => unknown 1, review at 3630",
    );
    for _ in 0..5 {
        life.world_ms += 700_000;
        life = play(
            life.clone(),
            &format!(
                "{} restart => unknown 1, review at 3630",
                life.world_ms / 1_000
            ),
        );
    }
    play(
        life,
        "3600  asks                  => unknown 1
         3600  report not_found      => unknown 1
         3630  timer review          => in review",
    );
}

#[test]
fn after_a_long_absence_of_our_own_the_provider_is_asked_before_a_person_is() {
    check(
        "30    answer unclear        => unknown 1
         5000  restart               => unknown 1, inquire at 5000, review at 5000
         5000  timer inquire         => unknown 1, ask to inquire
         5000  timer review          => unknown 1, review at 5060
         5001  inquiry permit        => unknown 1, inquire 1
         5002  report unclear        => unknown 1, review at 5002
         5002  timer review          => in review",
    );
    // However long it was, and if what was asked proves more, no person is needed.
    check(
        "30    answer unclear        => unknown 1
         90000 restart within boot   => unknown 1, inquire at 90000, review at 90000
         90000 asks                  => unknown 1
         90000 timer review          => unknown 1, review at 90060
         90002 report completed      => completed, by inquiry",
    );
    // One that stood still is asked first, too: inquiry and review are due together.
    check_with(
        |policy| policy.submit_within = s(100_000),
        "30    answer unclear        => unknown 1, review at 3630
         50000 asks                  => unknown 1
         50000 timer review          => unknown 1, review at 50060
         50001 report not_found      => backing off 1, ask to submit, no review",
    );
    // A provider that can't be asked is waited for no longer than a minute.
    play(
        Life::begin(1, silent(policy()), false, true),
        "30    answer unclear        => unknown 1
         5000  restart               => unknown 1, inquire at 5000, review at 5000
         5000  timer inquire         => unknown 1, inquire at 5015
         5000  timer review          => in review",
    );
}

#[test]
fn what_the_provider_says_is_pending_has_a_deadline_of_its_own() {
    check_with(
        |policy| policy.pending_review_after = s(1_000_000),
        "30    answer unclear        => unknown 1, review at 3630
         100   webhook 1 pending     => pending 1, review at 1000100
         5000  restart               => pending 1, review at 1000100
         5001  report unclear        => pending 1",
    );
}
