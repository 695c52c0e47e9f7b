//! Servers that are killed: what was confirmed is there afterwards.

use super::super::super::servers::{MASTER_NAME, SentinelSet};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_all_that_was_confirmed_when_it_is_back() {
    for kind in Kind::ALL {
        let mut server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let seen = journal.link().primary();
        let mut confirmed = Vec::new();
        for round in 0..3_u128 {
            let appends = (0..400).map(|n| Life::begin("shop", round * 1000 + n, "bank").1);
            let promises: Vec<_> = appends
                .map(|append| {
                    let key = append.key.clone();
                    let promise = journal.append(append);
                    tokio::spawn(async move { (key, promise.await) })
                })
                .collect();
            server.kill();
            for promise in promises {
                let (key, answer) = promise.await.expect("no panic");
                match answer {
                    Ok(_) => confirmed.push(key),
                    Err(AppendError::Unconfirmed(_) | AppendError::Unavailable(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            stands(&journal).await;
            server.restart();
            serves(&journal).await;
            // One that is confirmed for sure, between the kills.
            let (_, append) = Life::begin("shop", round * 1000 + 999, "bank");
            confirmed.push(append.key.clone());
            settled(&journal, append).await.expect("written");
        }
        for key in &confirmed {
            assert!(version(&journal, key).await > 0, "{kind:?}: {key} is lost");
        }
        let now = journal.link().primary();
        assert!(now.generation >= seen.generation + 3, "{kind:?}: {now:?}");
        assert_ne!(now.text, seen.text);
    }
}

#[tokio::test]
async fn a_server_that_isnt_there_is_said_so() {
    let mut server = Server::redis(&[]);
    let options = at(&server);
    server.kill();
    let error = RedisJournal::connect(options).await.expect_err("nobody");
    let said = error.to_string();
    assert!(said.contains("refuses connections"), "{said}");
    assert!(said.contains(&server.address()), "{said}");
}

/// The worst that a change of primary can do: another server answers, which has nothing.
#[tokio::test]
async fn what_was_confirmed_lately_is_written_again() {
    for kind in Kind::ALL {
        let mut server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let mut lives = Vec::new();
        for n in 0..20 {
            let (mut life, first) = Life::begin("shop", n, "bank");
            journal.append(by_anybody(first)).await.expect("confirmed");
            let step = life.known_as(&n.to_string());
            journal.append(step).await.expect("confirmed");
            lives.push(life);
        }
        let (_, newcomer) = Life::begin("shop", 99, "bank");
        let newcomers = vec![newcomer.key.clone()];
        let partition = newcomer.key.partition();
        journal
            .append(by_anybody(newcomer))
            .await
            .expect("confirmed");
        let webhooks = [kept("bank", "a", &["r"]), kept("bank", "b", &["r"])];
        for webhook in &webhooks {
            journal.keep(webhook.clone()).await.expect("confirmed");
        }
        journal.release("bank", "a", None).await.expect("confirmed");
        server.restart_empty();
        // Once the change is noticed.
        eventually("another server", async || journal.link().generation() > 1).await;
        serves(&journal).await;
        for (n, life) in lives.iter_mut().enumerate() {
            let key = &life.transaction.key;
            let loaded = journal.load(key).await;
            assert_eq!(loaded, Ok(Some(life.history.clone())), "{kind:?}");
            let referred = journal.referred("bank", &n.to_string()).await;
            assert_eq!(referred, Ok(Some(key.clone())), "{kind:?}");
        }
        let found = journal.newcomers(partition, 9).await;
        assert_eq!(found, Ok(newcomers), "{kind:?}: for its owner");
        let waiting = journal.kept_for("bank", "r").await;
        assert_eq!(waiting, Ok(webhooks[1..].to_vec()), "{kind:?}");
        // The leases are not the journal's to restore: the owner has to claim again.
        let next = lives[0].completed();
        let fenced = journal.append(next.clone()).await;
        assert_eq!(fenced, Err(AppendError::Fenced), "{kind:?}");
        own_everything(&server);
        journal.append(next).await.expect("claimed again");
    }
}

/// The primary is cut off while it writes, and a replica takes its place: with one replica's word asked
/// for, nothing that was confirmed is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_takes_over_has_all_that_was_confirmed() {
    let set = SentinelSet::start(Kind::Redis);
    let first = set.primary();
    let sentinels = set.sentinels.iter().map(|one| Address {
        host: "127.0.0.1".to_owned(),
        port: one.port(),
    });
    let place = Place::Sentinels {
        sentinels: sentinels.collect(),
        master: MASTER_NAME.to_owned(),
    };
    own_everything(&set.servers[first]);
    let journal = connected(Options {
        replicas: 1,
        confirm_within: Duration::from_millis(500),
        ..at_place(place)
    })
    .await;
    serves(&journal).await;
    let writers: Vec<_> = (0..4_u128)
        .map(|task| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut confirmed = Vec::new();
                // Until a while after the fail-over.
                let mut left = 50;
                for n in task * 1_000_000.. {
                    let (_, append) = Life::begin("shop", n, "bank");
                    let key = append.key.clone();
                    match journal.append(by_anybody(append)).await {
                        Ok(_) => confirmed.push(key),
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                    left -= i32::from(journal.link().generation() > 1);
                    if left == 0 {
                        break;
                    }
                }
                confirmed
            })
        })
        .collect();
    // Some hundred transactions before the primary falls silent, however slow the machine is.
    let keys = || set.servers[first].number(&["DBSIZE"]);
    let end = Instant::now() + DEADLINE;
    while keys() < 1_800 {
        assert!(Instant::now() < end, "hardly anything is written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    set.servers[first].pause();
    set.wait_for_another_than(first);
    set.servers[first].resume();
    let mut confirmed = Vec::new();
    for writer in writers {
        confirmed.extend(writer.await.expect("no panic"));
    }
    // The old primary comes back as the replica whose word is asked for.
    serves(&journal).await;
    assert!(confirmed.len() > 100, "{}", confirmed.len());
    for key in &confirmed {
        assert!(version(&journal, key).await > 0, "{key} is lost");
    }
}
