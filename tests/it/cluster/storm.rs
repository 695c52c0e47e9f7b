//! The kill storm: three nodes, five thousand transactions with every fault of the reference provider,
//! and every second for a minute a random node is killed or stopped, and comes back. Nothing may be
//! lost, executed twice, wrong or untold.

use std::time::{Duration, Instant};

use super::stage::{Plan, Stage};
use crate::support::redis::Server;

const TRANSACTIONS: usize = 5_000;
/// All of them come in while the storm goes on.
const PER_SECOND: f64 = 85.0;
const STORM: Duration = Duration::from_secs(60);
/// A node that was killed is started again after this long.
const DOWN_FOR: Duration = Duration::from_millis(700);
/// A stopped node goes on after 1 s to this long: beyond its lease (6 s), and within `max_pause` (10 s).
const STOPPED_FOR_MAX_MS: u64 = 8_500;
/// Everything has to be final and told within this long afterwards: a lease, the pause, three ghost
/// windows at compressed time, and a machine that does other things.
const SETTLE_WITHIN: Duration = Duration::from_secs(240);

/// What happens to a node, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Runs,
    DeadUntil(Instant),
    StoppedUntil(Instant),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_wrong_or_untold_in_a_storm_of_kills_and_stops() {
    let store = Server::redis(&[]);
    let mut stage = Stage::set(&store.url(), Plan::default()).await;
    let sending = stage.send(0..TRANSACTIONS, PER_SECOND);
    let mut fates = [Fate::Runs; 3];
    let (mut kills, mut stops) = (0, 0);
    let began = Instant::now();
    let mut next_blow = began;
    while began.elapsed() < STORM {
        for (node, fate) in fates.iter_mut().enumerate() {
            match *fate {
                Fate::DeadUntil(end) if end <= Instant::now() => {
                    stage.start_node(node).await;
                    *fate = Fate::Runs;
                }
                Fate::StoppedUntil(end) if end <= Instant::now() => {
                    stage.resume_node(node).await;
                    *fate = Fate::Runs;
                }
                Fate::Runs | Fate::DeadUntil(_) | Fate::StoppedUntil(_) => {}
            }
        }
        if next_blow <= Instant::now() {
            next_blow += Duration::from_secs(1);
            let dice = uuid::Uuid::new_v4().as_u128();
            let node = (dice % 3) as usize;
            let stop = (dice >> 8).is_multiple_of(2);
            match fates[node] {
                Fate::Runs if stop => {
                    stage.pause_node(node).await;
                    let for_ms = 1_000 + (dice >> 16) as u64 % (STOPPED_FOR_MAX_MS - 1_000);
                    fates[node] =
                        Fate::StoppedUntil(Instant::now() + Duration::from_millis(for_ms));
                    stops += 1;
                }
                Fate::Runs | Fate::StoppedUntil(_) => {
                    stage.kill_node(node).await;
                    fates[node] = Fate::DeadUntil(Instant::now() + DOWN_FOR);
                    kills += 1;
                }
                Fate::DeadUntil(_) => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (node, fate) in fates.into_iter().enumerate() {
        match fate {
            Fate::Runs => {}
            Fate::DeadUntil(_) => stage.start_node(node).await,
            Fate::StoppedUntil(_) => stage.resume_node(node).await,
        }
    }
    let promises = sending
        .await
        .expect("the customers do not panic")
        .expect("every good request is promised in the end");
    assert_eq!(promises.len(), TRANSACTIONS);
    assert!(
        kills >= 15 && stops >= 10,
        "{kills} kills, {stops} stops: not much of a storm"
    );
    let verdict = stage.settle(&promises, SETTLE_WITHIN).await;
    println!("{kills} kills, {stops} stops: {verdict:#?}");
}
