//! The council over Redis: what it grants, to whom, until when.

use std::time::Duration;

use futures_util::future::join_all;
use teller::adapters::council::Confirmation;
use teller::ports::{Council, Lease, Renewal, Tenure};
use teller::transaction::PARTITIONS;
use tokio::time::{Instant, sleep};

use super::{LEASE, PREFIX, card, confirmed, council};
use crate::support::eventually;
use crate::support::redis::{Kind, Server};

const KEY: &str = "teller:{p7}:lease";

fn renewed_7() -> Renewal {
    Renewal {
        renewed: vec![7],
        lost: vec![],
    }
}

fn lost_7() -> Renewal {
    Renewal {
        renewed: vec![],
        lost: vec![7],
    }
}

/// The lease of partition 7 as somebody else reads it.
async fn lease_of_7(council: &impl Council) -> Option<Lease> {
    let assembly = council.announce(&card("reader")).await.expect("answered");
    assembly
        .leases
        .into_iter()
        .find(|lease| lease.partition == 7)
}

async fn claim_7(council: &impl Council, name: &str, lease: Duration) -> Option<Tenure> {
    let claimed = council
        .claim(&card(name), &[7], lease)
        .await
        .expect("answered");
    claimed.first().map(|(_, tenure)| *tenure)
}

#[tokio::test]
async fn of_many_who_claim_at_once_one_gets_each_partition() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let all: Vec<u32> = (0..PARTITIONS).collect();
        // The library is there: whoever has to bring it may have to claim twice.
        let announced = council(&server).announce(&card("first")).await;
        assert!(announced.is_ok());
        let claims = (0..16).map(|n| {
            let (council, all) = (council(&server), all.clone());
            async move {
                council
                    .claim(&card(&format!("n{n}")), &all, LEASE)
                    .await
                    .expect("answered")
            }
        });
        let claimed: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
        let mut partitions: Vec<u32> = claimed.iter().map(|(partition, _)| *partition).collect();
        partitions.sort_unstable();
        assert_eq!(partitions, all, "{kind:?}: each once");
        assert!(claimed.iter().all(|(_, tenure)| tenure.epoch == 1));
    }
}

#[tokio::test]
async fn a_lease_is_over_when_the_server_says_so_and_each_claim_has_a_higher_epoch() {
    let server = Server::redis(&[]);
    let council = council(&server);
    let began = Instant::now();
    let first = claim_7(&*council, "a", LEASE).await.expect("it was free");
    let lease = lease_of_7(&*council).await.expect("claimed");
    assert!(
        lease.left <= LEASE && lease.left > LEASE / 2,
        "{:?}",
        lease.left
    );
    assert_eq!(lease.tenure, first);
    let second = loop {
        if let Some(tenure) = claim_7(&*council, "b", LEASE).await {
            break tenure;
        }
        sleep(Duration::from_millis(50)).await;
    };
    let took = began.elapsed();
    assert!(took >= LEASE - Duration::from_millis(100), "{took:?}");
    assert!(took < LEASE + Duration::from_secs(1), "{took:?}");
    assert_eq!(second.epoch, first.epoch + 1);
    let lost = council.renew(&[(7, first), (7, second)], LEASE).await;
    let both = Renewal {
        renewed: vec![7],
        lost: vec![7],
    };
    assert_eq!(lost, Ok(both), "the first claim's renewal alone");
    assert_eq!(
        lease_of_7(&*council).await.map(|lease| lease.tenure),
        Some(second)
    );
}

#[tokio::test]
async fn what_is_given_up_is_free_at_once_and_stays_so_for_its_old_owner() {
    let server = Server::redis(&[]);
    let council = council(&server);
    let first = claim_7(&*council, "a", LEASE).await.expect("it was free");
    assert_eq!(claim_7(&*council, "b", LEASE).await, None);
    let other = Tenure {
        epoch: first.epoch + 1,
        ..first
    };
    council.give_up(&[(7, other)]).await.expect("answered");
    assert_eq!(
        claim_7(&*council, "b", LEASE).await,
        None,
        "that was not its tenure"
    );
    council.give_up(&[(7, first)]).await.expect("answered");
    assert_eq!(council.renew(&[(7, first)], LEASE).await, Ok(lost_7()));
    let lease = lease_of_7(&*council).await.expect("it is kept");
    assert_eq!((lease.node, lease.left), (None, Duration::ZERO));
    let second = claim_7(&*council, "b", LEASE).await.expect("it is free");
    assert_eq!(second.epoch, first.epoch + 1);
}

#[tokio::test]
async fn a_node_may_claim_anew_what_it_has_claimed_itself() {
    let server = Server::redis(&[]);
    let (council, me) = (council(&server), card("a"));
    let first = council.claim(&me, &[7], LEASE).await.expect("answered")[0].1;
    let second = council.claim(&me, &[7], LEASE).await.expect("answered")[0].1;
    assert_eq!(second.epoch, first.epoch + 1);
    assert_eq!(council.renew(&[(7, first)], LEASE).await, Ok(lost_7()));
}

#[tokio::test]
async fn a_claim_that_a_promoted_replica_forgot_is_refused_there() {
    let server = Server::redis(&[]);
    let replica = server.replica(&[]);
    let (old, new) = (council(&server), council(&replica));
    let given_up = claim_7(&*old, "a", LEASE).await.expect("it was free");
    old.give_up(&[(7, given_up)]).await.expect("answered");
    eventually("the replica has all of it", || async {
        (replica.text(&["HGET", KEY, "until"]) == "0").then_some(())
    })
    .await;
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    let forgotten = claim_7(&*old, "b", LEASE).await.expect("it was free");
    let present = claim_7(&*new, "c", LEASE).await.expect("it was free there");
    assert_eq!(
        forgotten.epoch, present.epoch,
        "the epoch alone would let both pass"
    );
    assert_eq!(new.renew(&[(7, forgotten)], LEASE).await, Ok(lost_7()));
    assert_eq!(new.renew(&[(7, present)], LEASE).await, Ok(renewed_7()));
}

#[tokio::test]
async fn a_claim_and_a_renewal_count_only_once_the_replicas_have_them() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let replica = server.replica(&[]);
        let confirmation = Confirmation {
            replicas: 1,
            within: Duration::from_millis(300),
            on_disk: kind == Kind::Valkey,
        };
        let (council, me) = (confirmed(&server, confirmation), card("a"));
        replica.pause();
        let refused = council
            .claim(&me, &[7], LEASE)
            .await
            .expect_err("unconfirmed");
        assert!(refused.0.contains("0 of 1 replicas"), "{kind:?}: {refused}");
        replica.resume();
        let claimed = eventually("a confirmed claim", || async {
            council.claim(&me, &[7], LEASE).await.ok()
        })
        .await;
        assert_eq!(claimed.len(), 1);
        assert!(claimed[0].1.epoch > 1, "the unconfirmed one was one, too");
        let renewal = eventually("a confirmed renewal", || async {
            council.renew(&claimed, LEASE).await.ok()
        })
        .await;
        assert_eq!(renewal, renewed_7());
        replica.pause();
        let refused = council
            .renew(&claimed, LEASE)
            .await
            .expect_err("unconfirmed");
        assert!(refused.0.contains("0 of 1 replicas"), "{kind:?}: {refused}");
    }
}

#[tokio::test]
async fn nodes_are_seen_until_they_leave_or_are_silent_for_an_hour() {
    let server = Server::redis(&[]);
    let council = council(&server);
    let (a, b) = (card("a"), card("b"));
    let nodes = format!("{PREFIX}:{{meta}}:nodes");
    let text = serde_json::to_string(&card("old")).expect("JSON");
    let now = council
        .announce(&a)
        .await
        .expect("answered")
        .now
        .as_millis();
    for (id, at) in [("old", now - 3_601_000), ("ahead", now + 86_400_000)] {
        let entry = format!("{at} {text}");
        server.command(&["HSET", &nodes, id, &entry]);
    }
    council.announce(&b).await.expect("answered");
    let seen = council.announce(&a).await.expect("answered").nodes;
    let ago = |id: &str| {
        let mut seen = seen.iter();
        seen.find(|(card, _)| card.id == id).map(|(_, ago)| *ago)
    };
    assert_eq!(seen.len(), 3, "the old one is forgotten: {seen:?}");
    assert!(ago(&a.id) < Some(Duration::from_secs(1)) && ago(&b.id) < Some(Duration::from_secs(1)));
    assert!(
        seen.iter().any(|(card, _)| *card == b),
        "as it showed itself"
    );
    // Of the one from a clock that was a day ahead the silence is counted from now on.
    let ahead = server.text(&["HGET", &nodes, "ahead"]);
    let ahead: i64 = ahead
        .split(' ')
        .next()
        .expect("a time")
        .parse()
        .expect("a number");
    assert!(ahead < now + 60_000, "{ahead} against {now}");
    council.leave(&b.id).await.expect("answered");
    assert!(server.text(&["HGET", &nodes, &b.id]).is_empty());
}

#[tokio::test]
async fn another_primary_is_told_from_the_same_one_with_a_new_replica() {
    let mut server = Server::redis(&[]);
    let me = card("a");
    let first = council(&server)
        .announce(&me)
        .await
        .expect("answered")
        .primary;
    let replica = server.replica(&[]);
    let same = council(&server)
        .announce(&me)
        .await
        .expect("answered")
        .primary;
    assert_eq!(first, same, "a replica came, and nothing was forgotten");
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    let promoted = council(&replica)
        .announce(&me)
        .await
        .expect("answered")
        .primary;
    assert_ne!(promoted, first);
    let (port, host) = (replica.port().to_string(), "127.0.0.1");
    server.command(&["REPLICAOF", host, &port]);
    let refused = council(&server)
        .announce(&me)
        .await
        .expect_err("a replica takes no claims");
    assert!(
        refused.0.contains("read only replica") || refused.0.contains("READONLY"),
        "{refused}"
    );
    server.command(&["REPLICAOF", "NO", "ONE"]);
    let again = council(&server)
        .announce(&me)
        .await
        .expect("answered")
        .primary;
    assert_ne!(
        again, first,
        "the same process, and it has followed another meanwhile"
    );
    server.restart();
    let restarted = council(&server)
        .announce(&me)
        .await
        .expect("answered")
        .primary;
    assert_ne!(restarted, again);
}

#[tokio::test]
async fn flushed_functions_a_lost_connection_and_a_lack_of_memory_are_survived() {
    let server = Server::redis(&[]);
    let council = council(&server);
    let tenure = claim_7(&*council, "a", LEASE).await.expect("it was free");
    server.command(&["FUNCTION", "FLUSH"]);
    assert_eq!(council.renew(&[(7, tenure)], LEASE).await, Ok(renewed_7()));
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    let renewal = loop {
        if let Ok(renewal) = council.renew(&[(7, tenure)], LEASE).await {
            break renewal;
        }
    };
    assert_eq!(renewal, renewed_7());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(
        server.try_command(&["SET", "a", "1"]).is_err(),
        "it has no memory left"
    );
    assert_eq!(council.renew(&[(7, tenure)], LEASE).await, Ok(renewed_7()));
}

#[tokio::test]
async fn an_end_that_a_clock_ahead_has_left_behind_is_brought_near() {
    let server = Server::redis(&[]);
    let council = council(&server);
    claim_7(&*council, "a", LEASE).await.expect("it was free");
    let time: Vec<String> = redis::from_redis_value(server.command(&["TIME"])).expect("a time");
    let now: u64 = time[0].parse().expect("seconds");
    let tomorrow = ((now + 86_400) * 1000).to_string();
    server.command(&["HSET", KEY, "until", &tomorrow]);
    assert_eq!(
        claim_7(&*council, "b", LEASE).await,
        None,
        "somebody may live there"
    );
    let left = lease_of_7(&*council).await.expect("claimed").left;
    assert!(left <= Duration::from_secs(60), "{left:?}");
}
