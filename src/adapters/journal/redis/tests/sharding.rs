//! A Cluster: slots that move, primaries that pause or are replaced.

use futures_util::future::join_all;

use super::*;

fn lease_of(key: &Key) -> String {
    format!("teller:{{p{}}}:lease", key.partition())
}

#[tokio::test]
async fn every_command_goes_to_the_primary_of_its_slot() {
    for kind in Kind::ALL {
        let cluster = Cluster::start(kind);
        let journal = owned_cluster(&cluster).await;
        let lives: Vec<_> = (0..300).map(|n| Life::begin("shop", n, "bank")).collect();
        let firsts = lives.iter().map(|(_, first)| journal.append(first.clone()));
        for answer in join_all(firsts).await {
            answer.expect("written");
        }
        for (n, (mut life, first)) in lives.into_iter().enumerate() {
            let step = life.known_as(&n.to_string());
            journal.append(step.clone()).await.expect("written");
            journal.append(step).await.expect("there");
            let key = &first.key;
            let referred = journal.referred("bank", &n.to_string()).await;
            assert_eq!(referred, Ok(Some(key.clone())), "{kind:?}");
            let loaded = journal.load(key).await;
            assert_eq!(loaded, Ok(Some(life.history)), "{kind:?}");
        }
        let sizes: Vec<i64> = cluster
            .nodes
            .iter()
            .map(|node| node.number(&["DBSIZE"]))
            .collect();
        assert!(
            sizes.iter().all(|size| *size > 300),
            "{kind:?}: all have a part: {sizes:?}"
        );
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = journal.open(None, after, 70).await.expect("readable");
            seen.extend(page.rows.into_iter().map(|(key, _)| key));
            let Some(next) = page.next else { break };
            after = next;
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 300, "{kind:?}");
    }
}

#[tokio::test]
async fn the_fence_stands_at_every_primary() {
    let cluster = Cluster::start(Kind::Redis);
    let journal = owned_cluster(&cluster).await;
    let mut fenced_at = [false; 3];
    for n in 0..12 {
        let (mut life, first) = Life::begin("shop", n, "bank");
        journal.append(first.clone()).await.expect("its owner");
        let holder = cluster.holder(&lease_of(&first.key));
        let claim = Uuid::from_u128(7).to_string();
        cluster.nodes[holder].command(&["HSET", &lease_of(&first.key), "claim", &claim]);
        let late = journal.append(life.unknown()).await;
        assert_eq!(late, Err(AppendError::Fenced));
        let anybody = by_anybody(Life::begin("till", n, "bank").1);
        journal.append(anybody).await.expect("nobody has it");
        fenced_at[holder] = true;
        cluster.nodes.iter().for_each(own_everything);
    }
    assert_eq!(fenced_at, [true; 3], "twelve ids at three primaries");
}

/// A slot moves while its transactions go on: nothing runs on half of its keys, nothing is lost, and
/// what is read is read wherever it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_and_nothing_is_lost() {
    for kind in Kind::ALL {
        let cluster = Cluster::start(kind);
        let journal = owned_cluster(&cluster).await;
        let partition = key("shop", 0).partition();
        let ours = (0_u128..).filter(|n| key("shop", *n).partition() == partition);
        let mut lives = Vec::new();
        for n in ours.take(20) {
            let (life, first) = Life::begin("shop", n, "bank");
            journal.append(first).await.expect("written");
            lives.push(life);
        }
        let tag = format!("teller:{{p{partition}}}:lease");
        let to = (cluster.holder(&tag) + 1) % 3;
        let (begun, half_way) = tokio::sync::oneshot::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let mover = tokio::task::spawn_blocking(move || {
            let mut begun = Some(begun);
            cluster.migrate(&tag, to, |moved| {
                if moved == 8 {
                    // Some of its keys are here, and some are there.
                    if let Some(begun) = begun.take() {
                        begun.send(()).expect("the test waits");
                    }
                    may_go_on.recv().expect("the test says so");
                }
            });
            cluster
        });
        half_way.await.expect("it has begun");
        let steps: Vec<Append> = lives.iter_mut().map(Life::unknown).collect();
        for (life, step) in lives.iter().zip(&steps) {
            let refused = journal.append(step.clone()).await;
            assert!(
                matches!(refused, Err(AppendError::Unavailable(_))),
                "{kind:?}: {refused:?}"
            );
            let read = version(&journal, &life.transaction.key).await;
            assert_eq!(read + 1, life.history.len(), "{kind:?}: read where it is");
        }
        let rows = journal.open(Some(partition), 0, 100).await;
        assert_eq!(rows.map(|page| page.rows.len()), Ok(20), "{kind:?}");
        assert_eq!(journal.health(), JournalHealth::Serving, "{kind:?}");
        go_on.send(()).expect("the mover waits");
        let cluster = mover.await.expect("moved");
        for (life, step) in lives.iter().zip(steps) {
            settled(&journal, step).await.expect("written");
            let loaded = journal.load(&life.transaction.key).await;
            assert_eq!(loaded, Ok(Some(life.history.clone())), "{kind:?}");
        }
        let holder = cluster.holder(&format!("teller:{{p{partition}}}:lease"));
        assert_eq!(holder, to, "{kind:?}");
    }
}

#[tokio::test]
async fn while_one_primary_is_paused_the_others_go_on() {
    let cluster = Cluster::start(Kind::Redis);
    let journal = owned_cluster(&cluster).await;
    let lives: Vec<_> = (0..60).map(|n| Life::begin("shop", n, "bank")).collect();
    let holders: Vec<usize> = lives
        .iter()
        .map(|(_, first)| cluster.holder(&lease_of(&first.key)))
        .collect();
    cluster.nodes[1].pause();
    let asleep: Vec<_> = lives
        .iter()
        .zip(&holders)
        .filter(|(_, holder)| **holder == 1)
        .map(|((_, first), _)| tokio::spawn(journal.append(first.clone())))
        .collect();
    let began = Instant::now();
    for ((_, first), holder) in lives.iter().zip(&holders) {
        if *holder != 1 {
            journal.append(first.clone()).await.expect("written");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "without waiting");
    assert_eq!(journal.health(), JournalHealth::Serving);
    eventually("trouble with one", async || !journal.link().is_whole()).await;
    cluster.nodes[1].resume();
    for one in asleep {
        // Whatever it was told: it may be written, or be refused.
        let _ = one.await.expect("no panic");
    }
    for (_, first) in &lives {
        settled(&journal, first.clone())
            .await
            .expect("written once");
        assert!(version(&journal, &first.key).await > 0);
    }
    eventually("all serve", async || journal.link().is_whole()).await;
}

/// A replica takes the place of a primary that is dead, and has nothing of its last writes: they were
/// confirmed without it. This process remembers them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_a_primarys_place_is_given_what_it_lacks() {
    let mut cluster = Cluster::start(Kind::Redis);
    let replica = cluster.replica_of(1);
    let journal = owned_cluster(&cluster).await;
    eventually("a replica with the leases", async || {
        replica.number(&["DBSIZE"]) >= cluster.nodes[1].number(&["DBSIZE"])
    })
    .await;
    replica.pause();
    let mut lives = Vec::new();
    for n in 0..60 {
        let (mut life, first) = Life::begin("shop", n, "bank");
        journal.append(first).await.expect("confirmed");
        let step = life.known_as(&n.to_string());
        journal.append(step).await.expect("confirmed");
        lives.push(life);
    }
    let generation = journal.link().generation();
    cluster.nodes[1].kill();
    replica.resume();
    eventually("a replica that takes over", async || {
        let _ = replica.try_command(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        journal.link().generation() > generation && journal.link().is_whole()
    })
    .await;
    for (n, life) in lives.iter_mut().enumerate() {
        let key = life.transaction.key.clone();
        settled(&journal, life.completed()).await.expect("goes on");
        let loaded = journal.load(&key).await;
        assert_eq!(loaded, Ok(Some(life.history.clone())), "number {n}");
        let referred = journal.referred("bank", &n.to_string()).await;
        assert_eq!(referred, Ok(Some(key)), "number {n}");
    }
    assert_eq!(cluster.nodes.len(), 3);
}

#[tokio::test]
async fn a_place_that_is_something_else_is_said_so() {
    let cluster = Cluster::start(Kind::Redis);
    let error = RedisJournal::connect(at(&cluster.nodes[0])).await;
    let said = error.expect_err("a node of a Cluster").to_string();
    assert!(said.contains("[redis] cluster ="), "{said}");
    let server = Server::redis(&[]);
    let place = Place::Cluster {
        seeds: vec![Address {
            host: "127.0.0.1".to_owned(),
            port: server.port(),
        }],
    };
    let error = RedisJournal::connect(at_place(place)).await;
    let said = error.expect_err("it stands alone").to_string();
    assert!(said.contains("cluster support disabled"), "{said}");
}
