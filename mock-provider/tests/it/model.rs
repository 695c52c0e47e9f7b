//! The model's odds, its means and its determinism.

use mock_provider::model::{
    ANSWER_MAX_MS, ANSWER_MIN_MS, Draw, GHOST_MIN_MS, GHOST_WINDOW_MS, Ghost, Status, TIMEOUT_MS,
    WEBHOOK_MAX_MS, WEBHOOK_MIN_MS, draw, floor_ms,
};

const DRAWS: u32 = 100_000;

/// Counts and sums over many draws.
#[derive(Default)]
struct Tally {
    answered: u32,
    answer_ms: u64,
    webhooks: u32,
    webhook_ms: u64,
    ghosts: u32,
    ghost_ms: u64,
    lost: u32,
    completed: u32,
}

fn tally() -> Tally {
    let mut tally = Tally::default();
    for n in 0..DRAWS {
        match draw(1, &n.to_string(), 1) {
            Draw::Answered {
                after_ms,
                status,
                webhook_after_ms,
            } => {
                assert!((ANSWER_MIN_MS..ANSWER_MAX_MS).contains(&after_ms));
                tally.answered += 1;
                tally.answer_ms += after_ms;
                tally.completed += u32::from(status == Status::Completed);
                assert!(status.is_final());
                if let Some(webhook_ms) = webhook_after_ms {
                    assert!((WEBHOOK_MIN_MS..WEBHOOK_MAX_MS).contains(&webhook_ms));
                    assert!(webhook_ms > after_ms, "a webhook comes after the answer");
                    tally.webhooks += 1;
                    tally.webhook_ms += webhook_ms;
                }
            }
            Draw::TimedOut { after_ms, ghost } => {
                assert_eq!(after_ms, TIMEOUT_MS);
                match ghost {
                    Some(Ghost { after_ms, status }) => {
                        assert!((GHOST_MIN_MS..GHOST_WINDOW_MS).contains(&after_ms));
                        tally.ghosts += 1;
                        tally.ghost_ms += after_ms;
                        tally.completed += u32::from(status == Status::Completed);
                        assert!(status.is_final());
                    }
                    None => tally.lost += 1,
                }
            }
        }
    }
    tally
}

/// `part` of `whole` is `expected` within `tolerance`.
#[track_caller]
fn share(part: u32, whole: u32, expected: f64, tolerance: f64) {
    let share = f64::from(part) / f64::from(whole);
    assert!(
        (share - expected).abs() < tolerance,
        "{share:.4} is not {expected:.4}"
    );
}

#[track_caller]
fn mean(sum_ms: u64, count: u32, expected_ms: f64, tolerance_ms: f64) {
    let mean_ms = sum_ms as f64 / f64::from(count);
    assert!(
        (mean_ms - expected_ms).abs() < tolerance_ms,
        "{mean_ms:.0} ms is not {expected_ms:.0} ms"
    );
}

#[test]
fn the_odds_are_those_of_the_reference() {
    let tally = tally();
    share(tally.answered, DRAWS, 0.9, 0.005);
    share(tally.ghosts, tally.ghosts + tally.lost, 0.5, 0.02);
    share(tally.webhooks, tally.answered, 0.8, 0.006);
    share(
        tally.completed,
        tally.answered + tally.ghosts,
        2.0 / 3.0,
        0.007,
    );
}

#[test]
fn the_times_are_uniform() {
    let tally = tally();
    mean(tally.answer_ms, tally.answered, 5_100.0, 50.0);
    mean(tally.webhook_ms, tally.webhooks, 20_000.0, 100.0);
    mean(tally.ghost_ms, tally.ghosts, 75_000.0, 1_500.0);
}

#[test]
fn an_oracle_needs_fifteen_seconds() {
    let sum_ms = (0..DRAWS).map(|n| floor_ms(1, &n.to_string())).sum();
    mean(sum_ms, DRAWS, 15_090.0, 200.0);
}

#[test]
fn the_floor_adds_a_window_per_lost_post() {
    for n in 0..10_000 {
        let id = n.to_string();
        let mut expected_ms = 0;
        let mut execution = 1;
        while draw(2, &id, execution).exists_after_ms().is_none() {
            expected_ms += GHOST_WINDOW_MS;
            execution += 1;
        }
        expected_ms += draw(2, &id, execution)
            .exists_after_ms()
            .expect("the loop ended at one that exists");
        assert_eq!(floor_ms(2, &id), expected_ms);
    }
}

#[test]
fn draws_repeat_and_depend_on_seed_id_and_number() {
    let all = |seed, execution| {
        (0..1_000)
            .map(|n| draw(seed, &n.to_string(), execution))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(1, 1), all(1, 1));
    assert_ne!(all(1, 1), all(2, 1));
    assert_ne!(all(1, 1), all(1, 2));
    assert_ne!(draw(1, "a", 1), draw(1, "b", 1));
}

/// A change here would turn every recorded seed into another story.
#[test]
fn the_first_draws_of_seed_0_stay_what_they_are() {
    let answered = |after_ms, webhook_after_ms| Draw::Answered {
        after_ms,
        status: Status::Completed,
        webhook_after_ms,
    };
    assert_eq!(draw(0, "a", 1), answered(2_257, Some(13_250)));
    assert_eq!(draw(0, "b", 1), answered(7_991, None));
    assert_eq!(draw(0, "c", 1), answered(1_562, None));
}
