//! Servers that are killed: what was confirmed is there afterwards.

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
