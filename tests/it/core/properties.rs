//! Random histories: events in any order, true or false, with time, restarts, archives and people in between.
//!
//! A history is a list of moves, drawn by proptest and shrunk when it breaks a law; the failing list is
//! printed. After every step [`Life`] checks the invariants, that the fold of all records is the live
//! transaction, that the same inputs decide the same, and at restarts that records survive JSON.

use proptest::prelude::*;
use teller::transaction::{
    Attempt, Effect, Fate, Inquiries, NotifyPolicy, OnAbsence, Policy, Repetition, State, Timer,
    Transaction, Way,
};

use super::fixture::{policy, resending, s, silent};
use super::life::Life;
use super::words::event;

/// One move: what happens, how long before, and a number that varies it.
type Move = (u8, u32, u8);

const FINDINGS: [&str; 6] = [
    "completed",
    "declined",
    "pending",
    "not_found",
    "not_executed",
    "unclear",
];
/// Waits in seconds between moves: nothing, moments, and around the ends of windows and deadlines.
const WAITS_MS: [u64; 8] = [0, 1, 900, 15_000, 60_000, 121_000, 600_000, 3_600_000];

/// The policies that histories run under.
fn policies(n: u8) -> Policy {
    let mut policy = policy();
    match n % 8 {
        0 => {}
        1 => policy.ghost_window = None,
        2 => policy.on_absence = OnAbsence::Fail,
        3 => policy.max_attempts = 2,
        4 => policy = resending(policy, s(600)),
        5 => policy = silent(policy),
        6 => policy.inquiry.without_reference = Way::Never,
        _ => {
            policy.notify = Some(NotifyPolicy {
                schedule: vec![s(0), s(5)],
                jitter: 0.2,
                tells_review: true,
            });
        }
    }
    if n % 7 == 6 {
        policy.notify = None;
    }
    policy
}

/// Lets one move happen to `life`. Impossible ones (an answer before any attempt) do nothing.
fn make(life: &mut Life, (kind, wait, n): Move) {
    life.world_ms += WAITS_MS[wait as usize % WAITS_MS.len()];
    let finding = FINDINGS[n as usize % FINDINGS.len()];
    let attempts = life.transaction.attempt_no();
    let attempt = if n < 200 || attempts == 0 {
        attempts
    } else {
        1 + u32::from(n) % attempts
    };
    let words = match kind % 20 {
        0 | 1 if n.is_multiple_of(4) => "permit at other".to_owned(),
        0 | 1 => "permit".to_owned(),
        2 | 3 if attempts > 0 => format!("answer {attempt} {finding}"),
        4 => "inquiry permit waited 3".to_owned(),
        5 | 6 if attempts > 0 => format!("report {attempt} {finding}"),
        7 if attempts > 0 => format!("webhook {attempt} {finding}"),
        8 if n % 3 == 0 => format!("webhook {finding} event {}", n % 16),
        8 => format!("webhook {finding}"),
        9 => "hint".to_owned(),
        10 => {
            let results = [
                "told ok",
                "told badly",
                "told gone",
                "told disabled",
                "told ok version 2",
            ];
            results[n as usize % 5].to_owned()
        }
        11 => "act cancel".to_owned(),
        12 => ["act inquire", "act resubmit", "act redeliver"][n as usize % 3].to_owned(),
        13 => {
            let outcome = ["completed", "declined", "failed"][n as usize % 3];
            let consent = if n % 2 == 0 { "while_open" } else { "" };
            format!("act resolve {outcome} {consent}")
        }
        14 => {
            if n % 2 == 0 || !life.archive() {
                let _ = if n % 4 == 0 {
                    life.reboot()
                } else {
                    life.restart()
                };
            }
            return;
        }
        15 => "stopping".to_owned(),
        17 if attempts > 0 => format!("resent {attempt} {finding}"),
        16 if n % 8 == 0 => "unrenderable".to_owned(),
        _ => return fire_one(life, n),
    };
    let reference = if wait.is_multiple_of(5) && (2..=8).contains(&(kind % 20)) {
        format!("ref r{}", n % 3)
    } else {
        String::new()
    };
    let paying = match wait % 11 {
        1 if (2..=8).contains(&(kind % 20)) => {
            ["paying 999", "paying 1000", "paying much"][n as usize % 3]
        }
        _ => "",
    };
    let _ = life.happen(event(life, &format!("{words} {reference} {paying}")));
}

/// Fires one of the armed timers, whichever `n` picks, not before it is due.
fn fire_one(life: &mut Life, n: u8) {
    let armed: Vec<_> = life.transaction.volatile.timers.armed().collect();
    let Some(&(timer, due)) = armed.get(n as usize % armed.len().max(1)) else {
        return;
    };
    life.world_ms = life.world_ms.max(life.world(due));
    let _ = life.happen(teller::transaction::Event::TimerFired(timer));
}

/// What the provider really did with an attempt, and says when it is asked honestly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Truth {
    Completed,
    Declined,
    NeverCame,
}

impl Truth {
    fn of(seed: u8, attempt: u32) -> Self {
        match (u32::from(seed) + attempt * 7) % 4 {
            0 => Self::Completed,
            1 => Self::Declined,
            _ => Self::NeverCame,
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::NeverCame => "not_found",
        }
    }
}

/// Timers fire in order, the gate grants, the provider answers as it is, people resolve what is shown
/// to them, the app acknowledges. Says after how many steps nothing remained to be done.
fn go_on(life: &mut Life, seed: u8) -> Option<usize> {
    const STEPS_MAX: usize = 500;
    for step in 0..STEPS_MAX {
        if !life.transaction.is_open() {
            return Some(step);
        }
        let truth = |life: &Life| Truth::of(seed, life.transaction.attempt_no());
        // A call that was given up comes back in the end.
        let volatile = life.transaction.volatile;
        let given_up = volatile.timers.due(Timer::SubmissionOverdue).is_none();
        if volatile.submission == teller::transaction::Errand::Out && given_up {
            let _ = life.happen(event(life, "answer unclear"));
            continue;
        }
        if volatile.repetition == Repetition::GivenUp {
            let _ = life.happen(event(life, "resent unclear"));
            continue;
        }
        let queued = teller::transaction::Errand::Queued;
        if life.transaction.volatile.submission == queued {
            // Whatever was touched stays where it is.
            let to = life
                .transaction
                .attempt()
                .and_then(|last| last.intent.provider.clone());
            let _ = life.happen(life.permit_at(to.as_deref()));
            if let State::Submitting { .. } = life.transaction.state {
                life.world_ms += 2_000;
                let words = match truth(life) {
                    Truth::Completed => "answer completed",
                    Truth::Declined => "answer declined",
                    Truth::NeverCame => "answer unclear",
                };
                let _ = life.happen(event(life, words));
            }
            continue;
        }
        if life.transaction.volatile.inquiry == queued {
            let permitted = life.happen(event(life, "inquiry permit"));
            let sent_again = permitted.is_ok_and(|decision| {
                let resend = |effect: &Effect| matches!(effect, Effect::Resend { .. });
                decision.effects.iter().any(resend)
            });
            let words = match (sent_again, truth(life)) {
                (true, Truth::NeverCame) => "resent unclear".to_owned(),
                (true, truth) => format!("resent {}", truth.says()),
                (false, truth) => format!("report {}", truth.says()),
            };
            let _ = life.happen(event(life, &words));
            continue;
        }
        let (timer, due) = life.transaction.volatile.timers.next()?;
        life.world_ms = life.world_ms.max(life.world(due));
        let told = life
            .happen(teller::transaction::Event::TimerFired(timer))
            .is_ok_and(|decision| decision.effects.contains(&Effect::Notify));
        if told {
            let _ = life.happen(event(life, "told ok"));
        }
        // Nothing can prove that it never came where the provider once said that it had it, or
        // declares no window: a person finds out.
        let in_review = matches!(life.transaction.state, State::InReview { .. });
        let acknowledged = life
            .transaction
            .attempt()
            .is_some_and(Attempt::is_acknowledged);
        let provable = life.transaction.last_fate() == Some(Fate::Unknown)
            && !acknowledged
            && life.transaction.volatile.window_ends.is_some();
        let disputed = life.transaction.execution_is_disputed();
        let unprovable = in_review && truth(life) == Truth::NeverCame && !provable;
        let unasked = in_review && life.policy.inquiry != Inquiries::ALWAYS;
        if (unprovable || disputed || unasked) && timer == Timer::Inquire {
            let outcome = match truth(life) {
                Truth::Completed => "completed",
                Truth::Declined => "declined",
                Truth::NeverCame => "failed",
            };
            let words = format!("act resolve {outcome} while_open");
            let _ = life.happen(event(life, &words));
        }
    }
    None
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(any::<Move>(), 0..60)
}

fn lived(profile: u8, moves: &[Move]) -> Life {
    let mut life = Life::begin(
        1,
        policies(profile),
        profile.is_multiple_of(2),
        !profile.is_multiple_of(3),
    );
    for one in moves {
        make(&mut life, *one);
    }
    life
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        // The failing history is printed; a file beside the sources is not wanted.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn no_history_breaks_a_law(profile: u8, moves in moves()) {
        lived(profile, &moves);
    }

    #[test]
    fn whatever_happened_it_ends_and_the_app_is_told(profile: u8, seed: u8, moves in moves()) {
        let mut life = lived(profile, &moves);
        let before = life.transaction.clone();
        let steps = go_on(&mut life, seed);
        prop_assert!(steps.is_some(), "not at its end; before it went on: {before:#?}\nnow: {:#?}", life.transaction);
        prop_assert!(life.transaction.state.is_final());
    }

    #[test]
    fn money_moves_at_most_once_where_the_provider_is_honest(profile: u8, seed: u8) {
        let mut life = Life::begin(1, policies(profile), false, false);
        let ended = go_on(&mut life, seed);
        prop_assert!(ended.is_some());
        prop_assert!(executed(&life.transaction, seed) <= 1);
        let paid = executed(&life.transaction, seed) == 1;
        prop_assert_eq!(paid, life.transaction.state == State::Completed);
    }
}

fn executed(transaction: &Transaction, seed: u8) -> usize {
    (1..=transaction.attempt_no())
        .filter(|attempt| Truth::of(seed, *attempt) == Truth::Completed)
        .count()
}
