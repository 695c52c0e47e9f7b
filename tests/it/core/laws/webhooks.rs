//! Webhooks that prove something, and those that only tell that something happened.

use teller::transaction::{Event, Fact, MAX_RECORDED_WEBHOOKS, Record};

use super::super::fixture::{policy, report};
use super::{begin, check, play};

#[test]
fn the_same_event_changes_nothing_the_second_time() {
    check(
        "30  answer unclear            => unknown 1
         31  webhook not_found event a => unknown 1, record webhook, no inquire at 31
         32  webhook not_found event a => ignored: duplicate
         33  webhook not_found event a from other => unknown 1, record webhook
         34  webhook not_found event b => unknown 1, record webhook
         35  restart                   => unknown 1
         36  webhook not_found event b => ignored: duplicate
         37  webhook completed event c => completed, by webhook
         38  webhook completed event c => ignored: duplicate",
    );
}

#[test]
fn what_decides_nothing_is_kept_for_operators_in_every_state_that_is_open() {
    play(
        super::super::life::Life::begin(1, policy(), false, false),
        "1   webhook pending event a   => accepted, record webhook",
    );
    check(
        "2    webhook 1 unclear event b => submitting 1, record webhook, no inquire at
         3    answer not_executed       => backing off 1
         4    webhook unclear event c   => backing off 1, record webhook",
    );
    check(
        "5    answer pending            => pending 1, inquire at 10
         6    webhook pending event a   => pending 1, record webhook, inquire at 10
         3605 timer review              => in review, inquire at 4205
         3606 webhook pending event b   => in review, record webhook, inquire at 4205",
    );
}

#[test]
fn a_word_that_nobody_listed_is_asked_about_at_once() {
    check(
        "5    answer pending           => pending 1, inquire at 10
         6    webhook unclear event a  => pending 1, record webhook, inquire at 6
         6    asks                     => pending 1
         7    webhook unclear event b  => pending 1, record webhook, no inquire at
         3605 timer review             => pending 1, review at 3665
         3606 report pending           => pending 1, review at 3606
         3606 timer review             => in review, inquire at 4206
         3607 webhook 1 unclear        => in review, record webhook, inquire at 3607",
    );
}

#[test]
fn what_speaks_of_another_attempt_or_of_the_past_is_not_kept() {
    check(
        "2   answer not_executed       => backing off 1
         4   timer submit              => backing off 1
         4   permit                    => submitting 2
         4   webhook 1 unclear event a => ignored: stale
         5   webhook 3 unclear event b => ignored: stale
         6   answer completed          => completed
         7   webhook unclear event c   => ignored: late
         8   webhook completed event d => ignored: duplicate",
    );
}

#[test]
fn a_flood_of_webhooks_is_kept_up_to_a_bound_and_the_one_that_decides_is_always_taken() {
    let mut life = begin(policy());
    life = play(life, "5 answer unclear => unknown 1");
    let unclear = |n: usize| Event::WebhookArrived {
        provider: "reference".to_owned(),
        attempt: None,
        event_id: Some(format!("event {n}")),
        report: report("unclear"),
    };
    let kept = (0..MAX_RECORDED_WEBHOOKS + 50)
        .filter(|&n| life.happen(unclear(n)).is_ok())
        .count();
    assert_eq!(kept, MAX_RECORDED_WEBHOOKS);
    play(
        life,
        "5 webhook unclear event late  => ignored: uninformative
         6 webhook pending event there => pending 1, record webhook
         7 webhook completed event end => completed, by webhook",
    );
}

#[test]
fn a_record_of_an_older_release_without_an_event_id_is_read() {
    let written = r#"{"v":1,"version":3,"at":"2026-11-02T12:00:09.000Z","to":{"name":"completed"},
        "type":"webhook","attempt":1,"report":{"finding":"completed"}}"#;
    let record: Record = serde_json::from_str(written).expect("an older record");
    assert!(matches!(record.fact, Fact::Webhook { event_id: None, .. }));
}
