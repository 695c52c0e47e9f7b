//! Nodes that stand still, and a store that goes away.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use teller::adapters::council::{Confirmation, Connect, RedisCouncil, connect_to};
use teller::ports::Ownership;

use super::node::{Ledger, Node, Told, all_held_once, settled, took};
use super::{LEASE, PREFIX, UNREPLICATED};
use crate::support::redis::Server;

const SOON: Duration = Duration::from_secs(10);
/// What the store does not answer is noticed within.
const NOTICED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_node_that_stood_still_past_its_lease_is_refused_drops_all_and_rejoins() {
    let (server, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let (a, b) = (
        Node::start("a", &server, &ledger),
        Node::start("b", &server, &ledger),
    );
    took(SOON, "two nodes share all", || settled(&[&a, &b])).await;
    let before = a.held();
    let stood = Instant::now();
    a.stand_still(LEASE + Duration::from_secs(4));
    took(LEASE / 2 + NOTICED, "effects stop at half a lease", || {
        a.may_act() == Some(false)
    })
    .await;
    took(
        LEASE + Duration::from_secs(2),
        "the other has taken over",
        || b.held().len() == 256,
    )
    .await;
    assert_eq!(
        a.held(),
        before,
        "it knows nothing of that yet, and may do nothing"
    );
    assert_eq!((a.may_act(), ledger.share("a")), (Some(false), 0.0));
    assert!(ledger.of("a", Told::Lost, stood).is_empty());
    took(SOON, "it wakes up and drops what it had", || {
        ledger.of("a", Told::Lost, stood).len() == before.len()
    })
    .await;
    assert_eq!(a.table.fenced_total(), before.len() as u64);
    took(SOON, "it has its part again", || {
        all_held_once(&[&a, &b]) && a.held().len() == before.len()
    })
    .await;
    let newer = a
        .held()
        .iter()
        .zip(&before)
        .all(|(now, then)| now.1.epoch > then.1.epoch + 1);
    assert!(newer, "by claims that followed the other's");
    assert!(
        ledger.most_shared() < 1.0 + 1e-9,
        "{}",
        ledger.most_shared()
    );
}

#[tokio::test]
async fn a_refusal_of_the_journal_ends_a_tenure_and_the_partition_is_claimed_anew() {
    let (server, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let a = Node::start("a", &server, &ledger);
    took(SOON, "it has all", || all_held_once(&[&a])).await;
    let (since, (partition, tenure)) = (Instant::now(), a.held()[9]);
    a.table.fenced(partition, tenure);
    assert_eq!(a.table.tenure(partition), None);
    took(SOON, "it was claimed anew", || {
        a.table.tenure(partition).is_some()
    })
    .await;
    assert_eq!(ledger.of("a", Told::Lost, since), [partition]);
    took(SOON, "its actors are told, after that", || {
        ledger.of("a", Told::Gained, since) == [partition]
    })
    .await;
    assert!(a.table.tenure(partition).map(|now| now.epoch) > Some(tenure.epoch));
}

/// The server is away for ten seconds: killed, or only silent.
async fn the_store_is_away(killed: bool) {
    let (mut server, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let (a, b) = (
        Node::start("a", &server, &ledger),
        Node::start("b", &server, &ledger),
    );
    took(SOON, "two nodes share all", || settled(&[&a, &b])).await;
    let (had, away) = (a.held(), Instant::now());
    if killed {
        server.kill();
    } else {
        server.pause();
    }
    took(LEASE / 2 + NOTICED, "effects stop at half a lease", || {
        a.may_act() == Some(false) && b.may_act() == Some(false)
    })
    .await;
    let (partition, tenure) = had[0];
    let waiting = tokio::spawn(a.table.when_allowed(partition, tenure));
    tokio::time::sleep(Duration::from_secs(10).saturating_sub(away.elapsed())).await;
    assert!(a.handle.snapshot().trouble.is_some(), "it is said");
    assert_eq!((ledger.share("a"), ledger.share("b")), (0.0, 0.0));
    let back = Instant::now();
    if killed {
        server.restart();
    } else {
        server.resume();
    }
    took(SOON, "everything is owned and goes on", || {
        all_held_once(&[&a, &b]) && a.may_act() == Some(true) && b.may_act() == Some(true)
    })
    .await;
    assert_eq!(a.held().len(), had.len(), "by whom it was before");
    let said = tokio::time::timeout(SOON, waiting).await.expect("told");
    if killed {
        assert_eq!(
            said.ok(),
            Some(false),
            "another process: all was claimed anew"
        );
        assert_eq!(ledger.of("a", Told::Lost, back).len(), had.len());
    } else {
        assert_eq!(
            said.ok(),
            Some(true),
            "the same process: the leases were renewed"
        );
        assert!(ledger.of("a", Told::Lost, back).is_empty());
    }
    took(SOON, "nobody complains", || {
        let seen = a.handle.snapshot();
        seen.trouble.is_none() && seen.primary_changes_total == u64::from(killed)
    })
    .await;
    assert!(
        ledger.most_shared() < 1.0 + 1e-9,
        "{}",
        ledger.most_shared()
    );
}

#[tokio::test]
async fn nodes_survive_a_store_that_is_silent_for_ten_seconds() {
    the_store_is_away(false).await;
}

#[tokio::test]
async fn nodes_survive_a_store_that_is_killed_and_comes_back_after_ten_seconds() {
    the_store_is_away(true).await;
}

#[tokio::test]
async fn a_node_that_stays_with_a_replaced_primary_stops_and_goes_on_with_the_new_one() {
    let (old, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let (new, other) = (old.replica(&[]), old.replica(&[]));
    // What Sentinels say the primary is, as this node hears it.
    let primary = Arc::new(Mutex::new(old.url()));
    let heard = Arc::clone(&primary);
    let connect: Connect = Arc::new(move || {
        let url = heard.lock().expect("whole").clone();
        let client = redis::Client::open(url).expect("a URL");
        connect_to(client, Duration::from_secs(1))()
    });
    let confirmation = Confirmation {
        replicas: 1,
        ..UNREPLICATED
    };
    let council = Arc::new(RedisCouncil::new(connect, PREFIX, confirmation));
    let a = Node::over("a", council, &ledger, Duration::from_millis(20));
    took(SOON, "it has all", || all_held_once(&[&a])).await;
    let before = a.held();

    let replaced = Instant::now();
    new.command(&["REPLICAOF", "NO", "ONE"]);
    other.command(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
    took(LEASE / 2 + NOTICED, "effects stop at half a lease", || {
        a.may_act() == Some(false)
    })
    .await;
    took(NOTICED, "it is said", || {
        let trouble = a.handle.snapshot().trouble;
        trouble.is_some_and(|trouble| trouble.contains("0 of 1 replicas"))
    })
    .await;
    assert_eq!(a.held(), before, "the old primary still calls it the owner");

    *primary.lock().expect("whole") = new.url();
    took(SOON, "it goes on with the new one", || {
        all_held_once(&[&a]) && a.may_act() == Some(true)
    })
    .await;
    assert_eq!(ledger.of("a", Told::Lost, replaced).len(), before.len());
    took(SOON, "it is shown", || {
        a.handle.snapshot().primary_changes_total == 1
    })
    .await;
    let newer = a
        .held()
        .iter()
        .zip(&before)
        .all(|(now, then)| now.1 != then.1);
    assert!(newer, "all was claimed anew");
}
