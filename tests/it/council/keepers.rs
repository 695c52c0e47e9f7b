//! Keepers of several nodes come to an agreement, and keep it when nodes come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use teller::ports::{Owner, Ownership};

use super::LEASE;
use super::node::{Ledger, Node, Told, all_held_once, locked, settled, took};
use crate::support::redis::Server;

/// Nobody waits longer while a partition moves.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// What nodes agree on within a few ticks.
const SOON: Duration = Duration::from_secs(10);

async fn check_pauses(ledger: &Ledger, since: Instant, expected: std::ops::RangeInclusive<usize>) {
    let mut pauses = None;
    took(SOON, "all that went was gained by somebody", || {
        pauses = ledger.pauses(since);
        pauses.is_some()
    })
    .await;
    let pauses = pauses.unwrap_or_default();
    assert!(expected.contains(&pauses.len()), "{} moved", pauses.len());
    let longest = pauses.values().max();
    assert!(
        longest <= Some(&PAUSE_MAX),
        "the longest pause: {longest:?}"
    );
}

#[tokio::test]
async fn nodes_share_all_partitions_and_move_few_when_one_joins_and_one_leaves() {
    let (server, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let start = |name: &str| Node::start(name, &server, &ledger);
    let [a, b, c] = ["a", "b", "c"].map(start);
    took(SOON, "three nodes share all", || settled(&[&a, &b, &c])).await;
    for node in [&a, &b, &c] {
        let count = node.held().len();
        assert!((60..=110).contains(&count), "{}: {count}", node.card.name);
    }
    took(SOON, "each knows where everything is", || {
        let known = |node: &Node| {
            (0..256).all(|partition| match node.table.owner(partition) {
                Owner::Here => node.table.tenure(partition).is_some(),
                Owner::Elsewhere { node: other, url } => {
                    other != node.card.name && url == format!("http://{other}.test")
                }
                Owner::Nobody => false,
            })
        };
        [&a, &b, &c].into_iter().all(known)
    })
    .await;
    took(SOON, "each has a third of the limits", || {
        ["a", "b", "c"]
            .iter()
            .all(|node| (ledger.share(node) - 1.0 / 3.0).abs() < 1e-9)
    })
    .await;

    let joined = Instant::now();
    let d = start("d");
    took(SOON, "the fourth has its part", || {
        settled(&[&a, &b, &c, &d])
    })
    .await;
    check_pauses(&ledger, joined, 40..=90).await;
    let moved = ledger.of("d", Told::Gained, joined);
    let others = ["a", "b", "c"].map(|node| ledger.of(node, Told::Gained, joined).len());
    assert_eq!(others, [0; 3], "nothing moved between the others");
    assert_eq!(moved.len(), d.held().len());

    let left = Instant::now();
    a.handle.clone().leave(Duration::from_secs(5)).await;
    assert_eq!(a.held(), []);
    took(SOON, "the others have its part", || {
        all_held_once(&[&b, &c, &d])
    })
    .await;
    check_pauses(&ledger, left, 40..=90).await;
    assert!(left.elapsed() < LEASE, "nobody waited for a lease");
    took(SOON, "the share is the others'", || {
        (ledger.share("b") - 1.0 / 3.0).abs() < 1e-9
    })
    .await;
    assert!(
        ledger.most_shared() < 1.0 + 1e-9,
        "{}",
        ledger.most_shared()
    );

    took(SOON, "all is known", || settled(&[&b, &c, &d])).await;
    let seen = b.handle.snapshot();
    let names: Vec<&str> = seen
        .nodes
        .iter()
        .map(|node| node.card.name.as_str())
        .collect();
    assert_eq!((names, seen.node.name.as_str()), (vec!["b", "c", "d"], "b"));
    let owned: usize = seen.nodes.iter().map(|node| node.partitions.len()).sum();
    assert_eq!((owned, seen.unowned, seen.trouble), (256, 0, None));
    let offset = locked(&b.offset_ms).expect("it was told");
    assert!(
        offset.abs() < 1000,
        "the same machine's clock: {offset} ms off"
    );
}

#[tokio::test]
async fn a_killed_nodes_partitions_are_taken_over_within_a_lease_and_two_seconds() {
    let (server, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let start = |name: &str| Node::start(name, &server, &ledger);
    let (a, b, mut c) = (start("a"), start("b"), start("c"));
    took(SOON, "three nodes share all", || settled(&[&a, &b, &c])).await;
    // Just after a renewal, which is the worst moment.
    tokio::time::sleep(LEASE / 3).await;
    c.kill();
    let limit = LEASE + Duration::from_secs(2);
    let killed = Instant::now();
    took(limit, "the two share all", || all_held_once(&[&a, &b])).await;
    took(SOON, "each was gained once", || {
        let gained = ["a", "b"].map(|node| ledger.of(node, Told::Gained, killed).len());
        gained.iter().sum::<usize>() == c.held().len()
    })
    .await;
    assert!(
        ledger.of("a", Told::HandOver, killed).is_empty(),
        "and nothing else moved"
    );
    took(SOON, "so are its limits", || {
        (ledger.share("a") - 0.5).abs() < 1e-9
    })
    .await;
    assert!(
        ledger.most_shared() < 1.0 + 1e-9,
        "{}",
        ledger.most_shared()
    );
}

#[tokio::test]
async fn what_has_a_call_out_is_served_on_and_moves_when_it_has_come_back_or_patience_ends() {
    let (server, ledger) = (Server::redis(&[]), Arc::new(Ledger::default()));
    let a = Node::slow("a", &server, &ledger, Duration::from_secs(60));
    took(SOON, "one node has all", || all_held_once(&[&a])).await;
    (0..256).for_each(|partition| ledger.set_calls_out(partition, 1));
    let joined = Instant::now();
    let b = Node::start("b", &server, &ledger);
    took(SOON, "the other is seen", || {
        a.handle.snapshot().handing_over > 0
    })
    .await;
    let waiting = a.handle.snapshot().handing_over;
    assert_eq!(
        (a.held().len(), a.may_act()),
        (256, Some(true)),
        "still serving"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ledger.of("a", Told::HandOver, joined).is_empty());
    (0..256).for_each(|partition| ledger.set_calls_out(partition, 0));
    took(SOON, "all has moved that had to", || {
        all_held_once(&[&a, &b]) && b.held().len() == waiting
    })
    .await;
    // Actors that don't go within 1.5 s are dropped, so that nobody waits longer.
    check_pauses(&ledger, joined, waiting..=waiting).await;
    assert_eq!(ledger.of("a", Told::Lost, joined).len(), waiting);

    (0..256).for_each(|partition| ledger.set_calls_out(partition, 1));
    let joined = Instant::now();
    let c = Node::start("c", &server, &ledger);
    took(SOON, "the third is seen", || {
        b.handle.snapshot().handing_over > 0
    })
    .await;
    assert_eq!(c.held(), []);
    took(Duration::from_secs(12), "patience has ended", || {
        all_held_once(&[&a, &b, &c]) && c.held().len() > 50
    })
    .await;
    assert!(
        joined.elapsed() > Duration::from_secs(5),
        "they were waited for"
    );
    check_pauses(&ledger, joined, 50..=130).await;
}
