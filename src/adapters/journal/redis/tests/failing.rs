//! Servers that are full, replicas, paused, or that have lost their Functions.

use super::*;

#[tokio::test]
async fn lost_functions_are_loaded_again() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        for n in 0..5 {
            server.command(&["FUNCTION", "FLUSH"]);
            server.command(&["SCRIPT", "FLUSH"]);
            let (mut life, first) = Life::begin("shop", n, "bank");
            journal.append(first).await.expect("written");
            server.command(&["FUNCTION", "FLUSH"]);
            let step = life.known_as(&n.to_string());
            let key = step.key.clone();
            journal.append(step).await.expect("written");
            let referred = journal.referred("bank", &n.to_string()).await;
            assert_eq!(referred, Ok(Some(key)), "{kind:?}");
        }
        assert_eq!(journal.health(), JournalHealth::Serving, "{kind:?}");
    }
}

#[tokio::test]
async fn a_full_server_takes_nothing_loses_nothing_and_goes_on() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let key = first.key.clone();
        journal.append(first).await.expect("written");
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let step = life.unknown();
        let refused = journal.append(step.clone()).await;
        assert!(
            matches!(&refused, Err(AppendError::Unavailable(why)) if why.contains("maxmemory")),
            "{kind:?}: {refused:?}"
        );
        assert!(stands(&journal).await.contains("maxmemory"), "{kind:?}");
        assert_eq!(version(&journal, &key).await, 2, "{kind:?}: it reads on");
        server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        serves(&journal).await;
        journal.append(step).await.expect("written");
        assert_eq!(version(&journal, &key).await, life.history.len());
    }
}

#[tokio::test]
async fn a_server_that_becomes_a_replica_takes_nothing() {
    let (server, other) = (Server::redis(&[]), Server::redis(&[]));
    let journal = owned(&server).await;
    let (_, first) = Life::begin("shop", 1, "bank");
    journal.append(first.clone()).await.expect("written");
    let port = other.port().to_string();
    server.command(&["REPLICAOF", "127.0.0.1", &port]);
    let refused = journal.append(first.clone()).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(stands(&journal).await.contains("replica"));
    assert!(journal.load(&first.key).await.is_err());
    server.command(&["REPLICAOF", "NO", "ONE"]);
    serves(&journal).await;
}

#[tokio::test]
async fn a_paused_server_is_waited_for_no_longer_than_said() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let (mut life, first) = Life::begin("shop", 1, "bank");
    journal.append(first).await.expect("written");
    server.pause();
    let step = life.unknown();
    let began = Instant::now();
    let answer = journal.append(step.clone()).await;
    assert!(
        matches!(answer, Err(AppendError::Unconfirmed(_))),
        "it may be written: {answer:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(15));
    stands(&journal).await;
    let began = Instant::now();
    let refused = journal.append(step.clone()).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(3), "refused at once");
    server.resume();
    settled(&journal, step).await.expect("written once");
    serves(&journal).await;
    assert_eq!(
        version(&journal, &life.transaction.key).await,
        life.history.len()
    );
}

#[tokio::test]
async fn what_no_replica_has_is_not_confirmed() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let replica = server.replica(&[]);
        own_everything(&server);
        let journal = connected(Options {
            replicas: 1,
            confirm_within: Duration::from_millis(300),
            ..at(&server)
        })
        .await;
        let (mut life, first) = Life::begin("shop", 1, "bank");
        // A replica that has just been filled confirms nothing until its own file is written.
        settled(&journal, first).await.expect("confirmed");
        serves(&journal).await;
        replica.pause();
        let step = life.unknown();
        let answer = journal.append(step.clone()).await;
        assert!(
            matches!(&answer, Err(AppendError::Unconfirmed(why)) if why.contains("0 of 1")),
            "{kind:?}: {answer:?}"
        );
        assert!(stands(&journal).await.contains("0 of 1"), "{kind:?}");
        replica.resume();
        settled(&journal, step.clone()).await.expect("confirmed");
        serves(&journal).await;
        let name = format!("teller:{{p{}}}:r:{}", step.key.partition(), step.key);
        let length = life.history.len() as i64;
        assert_eq!(replica.number(&["LLEN", &name]), length, "{kind:?}");
    }
}
