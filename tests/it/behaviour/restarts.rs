//! What goes on over a restart, and what starts again in full: ghost windows (law 2) and the time after which a
//! person is asked (law 4). The program is killed, on the machine that it ran on before.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use teller::transaction::Timestamp;

use crate::support::{Process, Rig, epoch_ms, eventually, new_id, other_boot, put};

const TIME_SCALE: f64 = 20.0;
/// The ghost window with its margin: 140 s at this scale.
const WINDOW: Duration = Duration::from_secs(7);
/// The ghost window as the provider states it. The margin is for the request's way.
const STATED_WINDOW: Duration = Duration::from_secs(6);
/// No restart is further from the last one than this, and a busy machine.
const LIFE: Duration = Duration::from_millis(1_750);
/// More lives than that, and what is waited for never comes.
const LIVES_MAX: u32 = 12;

async fn rig() -> Rig {
    Rig::set_up(|setup| {
        // Over a shared store the windows go by its clock: see the tests of several nodes.
        setup.embedded = true;
        setup.time_scale = TIME_SCALE;
        // A call that is to be out at a kill does not come home before it.
        put(&mut setup.profile, "submit.time_out", "120s");
    })
    .await
}

async fn serve(rig: &Rig) -> Process {
    Process::serve(&rig.config_file()).await.expect("it starts")
}

fn ms(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).expect("short")
}

/// When the provider got each of the two attempts, in ms since 1970.
fn arrivals(rig: &Rig, id: &str) -> [u64; 2] {
    let posts = rig.posts(id);
    let [first, second] = posts.as_slice() else {
        panic!("two attempts: {posts:#?}");
    };
    [first.received_at_ms, second.received_at_ms]
}

/// When the first record of this type was made.
fn made_at(history: &[Value], kind: &str) -> Option<Timestamp> {
    let record = history.iter().find(|record| record["type"] == kind)?;
    record["at"].as_str()?.parse().ok()
}

#[tokio::test]
async fn a_ghost_window_goes_on_over_a_kill_once_the_answer_is_durable() {
    let rig = rig().await;
    let teller = serve(&rig).await;
    let id = new_id();
    let lost = json!({"answer": "timeout", "answer_after_ms": 1_000, "executed": false});
    teller.client.paid(&id, json!([lost, {}])).await;
    teller.client.wait_until_state(&id, "unknown").await;
    // The third of six gaps has passed, and with it half of the window.
    eventually("three inquiries", || async {
        (rig.mock().stats().inquiries.not_found >= 3).then_some(())
    })
    .await;
    teller.crash().await;
    let restarted_ms = epoch_ms();
    let _teller = serve(&rig).await;
    rig.audit(&id).await;
    let [first, second] = arrivals(&rig, &id);
    assert!(second >= first + ms(STATED_WINDOW), "{first}, {second}");
    assert!(
        second < restarted_ms + ms(WINDOW),
        "the window started again: sent {first}, restarted {restarted_ms}, sent again {second}"
    );
}

#[tokio::test]
async fn absence_is_proven_although_restarts_are_more_frequent_than_the_window() {
    let rig = rig().await;
    let mut teller = serve(&rig).await;
    let id = new_id();
    let lost = json!({"answer": "timeout", "answer_after_ms": 1_000, "executed": false});
    teller.client.paid(&id, json!([lost, {}])).await;
    teller.client.wait_until_state(&id, "unknown").await;
    let mut lives = 1;
    while rig.posts(&id).len() < 2 {
        let born = Instant::now();
        tokio::time::sleep(LIFE).await;
        teller.crash().await;
        teller = serve(&rig).await;
        lives += 1;
        assert!(born.elapsed() < WINDOW, "no life is as long as a window");
        assert!(lives <= LIVES_MAX, "absence is never proven");
    }
    rig.audit(&id).await;
    let [first, second] = arrivals(&rig, &id);
    assert!(second >= first + ms(STATED_WINDOW), "{first}, {second}");
    assert!(second < first + 2 * ms(WINDOW), "{first}, {second}");
    assert!(lives > 3, "the window was over in {lives} lives");
}

#[tokio::test]
async fn what_was_in_flight_at_a_kill_gets_a_whole_ghost_window_after_the_restart() {
    let rig = rig().await;
    let teller = serve(&rig).await;
    let id = new_id();
    let lost = json!({"answer": "hang", "executed": false});
    teller.client.paid(&id, json!([lost, {}])).await;
    eventually("posted", || async { rig.posts(&id).pop() }).await;
    teller.crash().await;
    // Half of the window passes while nobody is there.
    tokio::time::sleep(WINDOW / 2).await;
    let restarted_ms = epoch_ms();
    let _teller = serve(&rig).await;
    rig.audit(&id).await;
    let [first, second] = arrivals(&rig, &id);
    assert!(
        second >= restarted_ms + ms(WINDOW),
        "the window went on: sent {first}, restarted {restarted_ms}, sent again {second}"
    );
    assert!(
        second < restarted_ms + 2 * ms(WINDOW),
        "{restarted_ms}, {second}"
    );
}

#[tokio::test]
async fn after_a_reboot_a_ghost_window_starts_again_in_full() {
    let rig = rig().await;
    let teller = serve(&rig).await;
    let id = new_id();
    let lost = json!({"answer": "timeout", "answer_after_ms": 1_000, "executed": false});
    teller.client.paid(&id, json!([lost, {}])).await;
    teller.client.wait_until_state(&id, "unknown").await;
    eventually("an inquiry", || async {
        (rig.mock().stats().inquiries.not_found >= 1).then_some(())
    })
    .await;
    teller.crash().await;
    let restarted_ms = epoch_ms();
    let boot = other_boot();
    let library = boot.library().display().to_string();
    let variables = [("LD_PRELOAD", &*library)];
    let rebooted = Process::serve_with(&rig.config_file(), &[], &variables).await;
    let _teller = rebooted.expect("it starts");
    rig.audit(&id).await;
    let [first, second] = arrivals(&rig, &id);
    assert!(
        second >= restarted_ms + ms(WINDOW),
        "the window went on: sent {first}, restarted {restarted_ms}, sent again {second}"
    );
}

#[tokio::test]
async fn review_comes_although_restarts_are_more_frequent_than_review_after() {
    const REVIEW_AFTER: Duration = Duration::from_secs(4);
    let rig = Rig::set_up(|setup| {
        setup.embedded = true;
        setup.time_scale = TIME_SCALE;
        put(&mut setup.profile, "schedule.review_after", "80s");
        let ghost = setup.profile["ghost"].as_table_mut().expect("a table");
        // Without one, absence is never proven, and only a person can end the doubt.
        ghost.remove("window");
        ghost.remove("margin");
    })
    .await;
    let mut teller = serve(&rig).await;
    let id = new_id();
    let lost = json!({"answer": "timeout", "answer_after_ms": 1_000, "executed": false});
    teller.client.paid(&id, lost).await;
    teller.client.wait_until_state(&id, "unknown").await;
    let mut lives = 1;
    while teller.client.read(&id).await["status"] != "in_review" {
        let born = Instant::now();
        tokio::time::sleep(LIFE).await;
        teller.crash().await;
        teller = serve(&rig).await;
        lives += 1;
        assert!(
            born.elapsed() < REVIEW_AFTER,
            "no life is as long as the time until review"
        );
        assert!(lives <= LIVES_MAX, "nobody is ever asked");
    }
    assert!(lives > 2, "a person was asked in life {lives}");
    let history = teller.client.history(&id).await;
    let (doubt, review) = (
        made_at(&history, "answered"),
        made_at(&history, "review_opened"),
    );
    let waited = review.zip(doubt).map(|(review, doubt)| review.since(doubt));
    let waited = waited.unwrap_or_else(|| panic!("both are there: {history:#?}"));
    // Twice that at most, because each restart may first ask the provider; and one life.
    let latest = 2 * REVIEW_AFTER + 2 * LIFE;
    assert!(
        waited >= REVIEW_AFTER && waited < latest,
        "{waited:?}: {history:#?}"
    );
    assert_eq!(rig.posts(&id).len(), 1, "doubt is no reason to pay again");
}
