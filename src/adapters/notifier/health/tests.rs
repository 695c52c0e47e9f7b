//! An endpoint's course, told moment by moment.

use super::*;

const OVERLOADED: Answer = Answer::Overloaded { retry_after: None };
/// 2026-11-02T12:00:00Z.
const BEGINNING_MS: i64 = 1_793_620_800_000;

fn at_ms(ms: u64) -> Now {
    Now {
        lasting: None,
        wall: Timestamp::from_millis(BEGINNING_MS) + Duration::from_millis(ms),
        mono: Mono::from_millis(ms),
    }
}

fn at(s: u64) -> Now {
    at_ms(s * 1_000)
}

fn endpoint() -> Health {
    let scale = TimeScale::new(1.0).expect("in range");
    Health::new(Patience::new(Duration::from_hours(5 * 24), scale))
}

fn held(s: u64) -> Admission {
    Admission::Held(Duration::from_secs(s))
}

#[test]
fn while_slowed_one_delivery_goes_at_a_time_and_the_pause_grows() {
    let mut endpoint = endpoint();
    assert_eq!(endpoint.admit(at(0), 0.0), Admission::Among);
    endpoint.came_back(false, OVERLOADED, at(0));
    let mut now_s = 0;
    for pause_s in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(endpoint.admit(at(now_s), 0.0), held(pause_s));
        assert_eq!(endpoint.admit(at(now_s), 1.0), held(2 * pause_s), "spread");
        now_s += pause_s;
        assert_eq!(endpoint.admit(at(now_s), 0.0), Admission::Alone);
        assert_eq!(endpoint.admit(at(now_s), 0.0), held(pause_s), "one is out");
        // Whatever else goes wrong keeps it slow.
        let answer = if pause_s == 4 {
            Answer::Failed
        } else {
            OVERLOADED
        };
        endpoint.came_back(true, answer, at(now_s));
    }
    now_s += 60;
    assert_eq!(endpoint.admit(at(now_s), 0.0), Admission::Alone);
    endpoint.came_back(true, Answer::Acknowledged, at(now_s));
    assert_eq!(endpoint.admit(at(now_s), 0.0), Admission::Among);
    assert_eq!(endpoint.state(at(now_s)), EndpointState::Ok);
    endpoint.came_back(false, OVERLOADED, at(now_s));
    assert_eq!(
        endpoint.admit(at(now_s), 0.0),
        held(1),
        "from the beginning"
    );
}

#[test]
fn what_was_out_when_it_slowed_down_does_not_grow_the_pause() {
    let mut endpoint = endpoint();
    for _ in 0..64 {
        assert_eq!(endpoint.admit(at(0), 0.0), Admission::Among);
    }
    for _ in 0..64 {
        endpoint.came_back(false, OVERLOADED, at(0));
    }
    assert_eq!(endpoint.admit(at(0), 0.0), held(1));
    // Nor does it free the turn of the one that is out.
    assert_eq!(endpoint.admit(at(1), 0.0), Admission::Alone);
    endpoint.came_back(false, OVERLOADED, at(1));
    assert_eq!(endpoint.admit(at(2), 0.0), held(1));
    endpoint.gave_up_its_turn();
    assert_eq!(endpoint.admit(at(2), 0.0), Admission::Alone);
}

#[test]
fn other_failures_do_not_slow_it_down() {
    let mut endpoint = endpoint();
    for n in 0..100 {
        assert_eq!(endpoint.admit(at(n), 0.0), Admission::Among);
        endpoint.came_back(false, Answer::Failed, at(n));
    }
    assert_eq!((endpoint.failures, endpoint.deliveries), (100, 100));
}

#[test]
fn retry_after_holds_for_the_endpoint_up_to_an_hour() {
    for (asked_s, held_s) in [(0, 1), (30, 30), (3_600, 3_600), (86_400, 3_600)] {
        let mut endpoint = endpoint();
        let retry_after = Some(Duration::from_secs(asked_s));
        endpoint.came_back(false, Answer::Overloaded { retry_after }, at(0));
        assert_eq!(endpoint.admit(at(0), 0.0), held(held_s));
        // A shorter wish that comes later doesn't shorten it.
        endpoint.came_back(false, OVERLOADED, at(0));
        assert_eq!(endpoint.admit(at(0), 0.0), held(held_s));
        let until = at(held_s).wall;
        assert_eq!(endpoint.state(at(0)), EndpointState::Slowed { until });
    }
}

#[test]
fn gone_disables_at_once_and_enabling_begins_anew() {
    let mut endpoint = endpoint();
    endpoint.came_back(false, Answer::Gone, at(7));
    let disabled = DisabledSince {
        since: at(7).wall,
        why: "it answered HTTP 410".to_owned(),
    };
    assert_eq!(
        endpoint.admit(at(1_000_000), 0.0),
        Admission::Disabled(disabled.clone())
    );
    // Neither what was still out nor a second reason changes that.
    endpoint.came_back(false, Answer::Acknowledged, at(8));
    endpoint.disable(at(9), "another reason");
    assert_eq!(endpoint.state(at(9)), EndpointState::Disabled(disabled));
    endpoint.enable();
    assert_eq!(endpoint.admit(at(10), 0.0), Admission::Among);
    assert_eq!((endpoint.failures, endpoint.failing_since), (0, None));
}

#[test]
fn lasting_failure_disables_and_a_success_begins_anew() {
    const DAY_S: u64 = 86_400;
    let failing = |times: u64, last_s: u64| {
        let mut endpoint = endpoint();
        for n in 0..times {
            endpoint.came_back(false, Answer::Failed, at(last_s * n / (times - 1)));
        }
        endpoint
    };
    let why = |endpoint: &Health| endpoint.disabled().map(|disabled| disabled.why.clone());
    assert_eq!(
        why(&failing(20, 5 * DAY_S - 1)),
        None,
        "not for long enough"
    );
    assert_eq!(why(&failing(19, 9 * DAY_S)), None, "not often enough");
    let expected = "20 deliveries in a row have failed since 2026-11-02T12:00:00.000Z";
    assert_eq!(why(&failing(20, 5 * DAY_S)).as_deref(), Some(expected));
    let mut endpoint = failing(19, 4 * DAY_S);
    endpoint.came_back(false, Answer::Acknowledged, at(4 * DAY_S));
    endpoint.came_back(false, Answer::Failed, at(9 * DAY_S));
    assert_eq!(why(&endpoint), None);
    assert_eq!(endpoint.failing_since, Some(at(9 * DAY_S).wall));
}

#[test]
fn only_lasting_trouble_is_written_down() {
    let mut endpoint = endpoint();
    assert_eq!(endpoint.to_remember(at(0)), None);
    endpoint.came_back(false, Answer::Failed, at(0));
    assert_eq!(endpoint.to_remember(at(3_599)), None, "a flutter");
    let trouble = endpoint
        .to_remember(at(3_600))
        .expect("lasting")
        .expect("trouble");
    assert_eq!(trouble.failing_since, Some(at(0).wall));
    endpoint.remembered(Some(trouble.clone()));
    endpoint.came_back(false, Answer::Failed, at(3_700));
    assert_eq!(endpoint.to_remember(at(3_700)), None, "a count alone");
    let mut heir = self::endpoint();
    heir.recalled(trouble);
    assert_eq!((heir.failures, heir.failing_since), (1, Some(at(0).wall)));
    assert_eq!(heir.to_remember(at(3_700)), None);
    heir.came_back(false, Answer::Acknowledged, at(3_701));
    assert_eq!(heir.to_remember(at(3_701)), Some(None), "all is well again");
    endpoint.disable(at(3_800), "an operator's reason");
    let trouble = endpoint
        .to_remember(at(3_800))
        .expect("new")
        .expect("trouble");
    assert_eq!(trouble.disabled.as_ref(), endpoint.disabled());
    endpoint.disable(at(3_900), &"x".repeat(10_000));
    let mut long = self::endpoint();
    long.disable(at(0), &"x".repeat(10_000));
    assert_eq!(
        long.disabled().map(|disabled| disabled.why.len()),
        Some(500)
    );
}

#[test]
fn a_switch_thrown_elsewhere_is_followed_unless_something_of_ours_is_to_be_written() {
    let disabled = |why: &str| {
        Some(EndpointTrouble {
            failing_since: None,
            failures: 0,
            disabled: Some(DisabledSince {
                since: at(1).wall,
                why: why.to_owned(),
            }),
        })
    };
    let mut endpoint = endpoint();
    endpoint.follow(None);
    assert_eq!(endpoint.disabled(), None);
    endpoint.follow(disabled("it moves house"));
    let why = endpoint.disabled().map(|since| since.why.clone());
    assert_eq!(why.as_deref(), Some("it moves house"));
    assert_eq!(endpoint.to_remember(at(2)), None, "nothing to write back");
    // Enabled here, and not written down yet: what is read again is older.
    endpoint.enable();
    endpoint.follow(disabled("it moves house"));
    assert_eq!(endpoint.disabled(), None);
    endpoint.remembered(None);
    // Disabled here, and not written down yet.
    endpoint.disable(at(3), "ours");
    endpoint.follow(None);
    endpoint.follow(disabled("theirs"));
    let why = endpoint.disabled().map(|since| since.why.clone());
    assert_eq!(why.as_deref(), Some("ours"));
    let written = endpoint.to_remember(at(3)).expect("to be written");
    endpoint.remembered(written);
    // Enabled elsewhere.
    endpoint.follow(None);
    assert_eq!(endpoint.state(at(4)), EndpointState::Ok);
    assert_eq!(endpoint.to_remember(at(4)), None, "nothing to write back");
}

#[test]
fn another_nodes_failing_is_not_ours() {
    let mut endpoint = endpoint();
    endpoint.follow(Some(EndpointTrouble {
        failing_since: Some(at(0).wall),
        failures: 30,
        disabled: None,
    }));
    assert_eq!(endpoint.failures, 0);
    assert_eq!(endpoint.to_remember(at(1)), None, "nor is it written over");
}
