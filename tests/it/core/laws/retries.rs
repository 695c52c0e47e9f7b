//! Law 2 from the other side: attempts that were surely not executed are repeated, spread and bounded,
//! and never after `submit_by`.

use std::time::Duration;

use teller::transaction::{Effect, Event, MAX_ATTEMPTS_EVER, State, Timer};

use super::super::fixture::policy;
use super::super::life::Life;
use super::super::words::event;
use super::{begin, check, check_with, play};

/// Lets attempts be refused until `count` of them were, and says how long each wait was.
fn waits(n: u128, count: usize) -> Vec<Duration> {
    let mut life = Life::begin(n, policy(), false, true);
    let mut waits = Vec::new();
    while waits.len() < count {
        life.happen(event(&life, "answer not_executed"))
            .expect("the answer is awaited");
        let due = life.transaction.volatile.timers.due(Timer::Submit);
        let due = due.expect("the next attempt is armed");
        waits.push(due.since(life.now().mono));
        life.world_ms = life.world(due);
        life.happen(Event::TimerFired(Timer::Submit)).expect("due");
        life.happen(life.permit()).expect("queued");
    }
    waits
}

#[test]
fn refusals_climb_the_ladder_with_jitter_and_stay_on_its_last_step() {
    let ladder = [1, 2, 5, 10, 30, 60, 60, 60];
    let mut shares = Vec::new();
    for n in 1..=200 {
        for (wait, step) in waits(n, ladder.len()).into_iter().zip(ladder) {
            shares.push(wait.as_secs_f64() / f64::from(step));
        }
    }
    assert!(
        shares.iter().all(|share| (0.799..=1.201).contains(share)),
        "outside of 80 to 120 %"
    );
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!((0.98..1.02).contains(&mean), "mean {mean}");
    assert_ne!(
        waits(1, 3),
        waits(2, 3),
        "two transactions, the same jitter"
    );
    assert_eq!(waits(1, 3), waits(1, 3), "law 9");
}

#[test]
fn a_doubt_in_between_starts_the_ladder_anew() {
    let mut life = begin(policy());
    for _ in 0..4 {
        life.happen(event(&life, "answer not_executed"))
            .expect("out");
        life.world_ms = life.world(
            life.transaction
                .volatile
                .timers
                .due(Timer::Submit)
                .expect("armed"),
        );
        life.happen(event(&life, "timer submit")).expect("due");
        life.happen(life.permit()).expect("queued");
    }
    life.happen(event(&life, "answer unclear")).expect("out");
    life.world_ms += 121_000;
    life.happen(event(&life, "timer inquire")).expect("due");
    life.happen(event(&life, "inquiry permit")).expect("queued");
    life.happen(event(&life, "report not_found"))
        .expect("after the window");
    life.happen(life.permit()).expect("queued");
    life.happen(event(&life, "answer not_executed"))
        .expect("out");
    let due = life
        .transaction
        .volatile
        .timers
        .due(Timer::Submit)
        .expect("armed");
    assert!(due.since(life.now().mono) <= Duration::from_millis(1_200));
}

#[test]
fn retry_after_makes_the_wait_longer_never_shorter_and_at_most_an_hour() {
    check(
        "1    answer not_executed retry 300  => backing off 1, submit at 301, expire at 3600
         300  timer submit                   => ignored: stale",
    );
    // The ladder's own step is longer than what was asked for.
    check_with(
        |policy| policy.backoff_ladder = vec![Duration::from_secs(1_000)],
        "1    answer not_executed retry 2    => backing off 1, no submit at 3",
    );
    check("1  answer not_executed retry 86400 => backing off 1, submit at 3601");
}

#[test]
fn nothing_is_sent_after_submit_by() {
    // It waits for the gate until then.
    play(
        Life::begin(1, policy(), false, false),
        "3599.9 timer expire => ignored: stale
         3600   timer expire => failed, by teller, leave gate, tells
         3601   permit       => ignored: stale",
    );
    // The permit comes too late.
    play(
        Life::begin(1, policy(), false, false),
        "3600   permit       => failed, by teller, record expired, no submit",
    );
    // It backs off over it.
    check(
        "3599   answer not_executed   => backing off 1, expire at 3600
         3600   timer expire          => failed, by teller, no submit at",
    );
    // The refusal itself comes after it.
    check("3600  answer not_executed  => failed, by teller, no submit");
    // So does the proof of absence.
    check(
        "30     answer unclear        => unknown 1
         3600   asks                  => unknown 1
         3600   report not_found      => failed, by teller, no ask to submit",
    );
}

#[test]
fn an_acceptance_whose_submit_by_has_passed_is_kept_and_fails_without_an_attempt() {
    let mut late = policy();
    late.submit_within = Duration::ZERO;
    let life = Life::begin(1, late, false, true);
    assert_eq!(
        life.transaction.state,
        State::Accepted,
        "no attempt, permit or not"
    );
    assert!(life.transaction.attempts.is_empty());
    play(
        life,
        "0  timer expire  => failed, by teller, leave gate, tells, notify at 0",
    );
}

#[test]
fn what_is_out_is_not_touched_by_submit_by() {
    check(
        "10    answer unclear  => unknown 1, no expire
         3600  timer expire    => ignored: stale
         3600  asks            => unknown 1
         3601  report completed => completed, by inquiry",
    );
}

#[test]
fn what_can_not_be_rendered_fails_with_the_reason_and_was_never_out() {
    play(
        Life::begin(1, policy(), false, false),
        "0  unrenderable => failed, by teller, record unrenderable, no submit
         0  unrenderable => ignored: stale",
    );
    // A permit that nobody waits for any more changes nothing.
    check(
        "1  answer not_executed => backing off 1
         1  unrenderable        => ignored: stale",
    );
}

#[test]
fn attempts_are_bounded_for_ever() {
    let mut endless = policy();
    endless.submit_within = Duration::from_secs(10_000_000);
    let mut life = begin(endless);
    while !life.transaction.state.is_final() {
        let decision = life
            .happen(event(&life, "answer not_executed"))
            .expect("out");
        assert!(!decision.effects.contains(&Effect::Notify));
        if let Some(due) = life.transaction.volatile.timers.due(Timer::Submit) {
            life.world_ms = life.world(due);
            life.happen(event(&life, "timer submit")).expect("due");
            life.happen(life.permit()).expect("queued");
        }
    }
    assert_eq!(life.transaction.state, State::Failed);
    assert_eq!(life.transaction.attempt_no(), MAX_ATTEMPTS_EVER);
}
