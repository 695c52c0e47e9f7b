//! Steps: what follows on what, repetitions, races, lists.

use futures_util::future::join_all;

use super::super::super::samples::wall;
use super::*;
use crate::ports::Binding;
use crate::transaction::Status;

/// Whether a list shows the transaction of this number.
type Shows = fn(usize) -> bool;

#[tokio::test]
async fn steps_follow_on_each_other_and_are_found_again() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let key = first.key.clone();
        let second = life.unknown();
        let early = journal.append(second.clone()).await;
        assert_eq!(early, Err(AppendError::VersionConflict), "{kind:?}");
        let one = journal.append(first.clone()).await.expect("written");
        let two = journal.append(second.clone()).await.expect("written");
        assert!(two.sequence > one.sequence, "{kind:?}");
        // Nobody knows whether the answer was lost: the very same again is a success.
        for repeated in [&first, &second] {
            journal.append(repeated.clone()).await.expect("there");
        }
        let mut other = first.clone();
        other.records[0].at = wall(77);
        let taken = journal.append(other).await;
        assert_eq!(taken, Err(AppendError::Exists), "{kind:?}");
        let mut other = second;
        other.records[0].at = wall(77);
        let stale = journal.append(other).await;
        assert_eq!(stale, Err(AppendError::VersionConflict), "{kind:?}");
        let last = journal.append(life.completed()).await;
        assert!(last.is_ok_and(|last| last.sequence > two.sequence));
        let loaded = journal.load(&key).await;
        assert_eq!(loaded, Ok(Some(life.history)), "{kind:?}");
    }
}

#[tokio::test]
async fn an_id_stands_for_one_thing_only() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let (_, first) = Life::begin("shop", 1, "bank");
    let (_, second) = Life::begin("shop", 2, "bank");
    let binding = |derived: &Key, at| Binding {
        derived: derived.clone(),
        to: key("shop", 3).id,
        at: wall(at),
    };
    journal.append(first.clone()).await.expect("written");
    let taken = journal.bind(binding(&first.key, 1)).await;
    assert_eq!(taken, Err(AppendError::Exists));
    assert_eq!(journal.bind(binding(&second.key, 1)).await, Ok(()));
    let repeated = journal.bind(binding(&second.key, 1)).await;
    assert_eq!(repeated, Ok(()), "a lost answer");
    let other = journal.bind(binding(&second.key, 2)).await;
    assert_eq!(other, Err(AppendError::Exists));
    let bound = journal.append(second.clone()).await;
    assert_eq!(bound, Err(AppendError::Exists));
    let bound = journal.bound_to(&second.key).await;
    assert_eq!(bound, Ok(Some(key("shop", 3).id)));
    assert_eq!(journal.bound_to(&first.key).await, Ok(None));
}

/// Two nodes are given the same id with two payloads in the same instant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_acceptances_of_one_id_exactly_one_wins() {
    const ROUNDS: u128 = 300;
    let server = Server::redis(&[]);
    let (one, other) = (owned(&server).await, connected(at(&server)).await);
    for n in 0..ROUNDS {
        let (_, first) = Life::begin("shop", n, "bank");
        let mut second = first.clone();
        second.records[0].at = wall(77);
        let (a, b) = tokio::join!(
            tokio::spawn(one.append(by_anybody(first.clone()))),
            tokio::spawn(other.append(by_anybody(second.clone()))),
        );
        let (a, b) = (a.expect("no panic"), b.expect("no panic"));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let winner = if a.is_ok() { first } else { second };
        let loser = if a.is_ok() { b } else { a };
        assert_eq!(loser, Err(AppendError::Exists));
        let loaded = journal_of(&one, &winner.key).await;
        assert_eq!(loaded, winner.records, "number {n}");
    }
}

async fn journal_of(journal: &RedisJournal, key: &Key) -> Vec<crate::transaction::Record> {
    let loaded = journal.load(key).await.expect("readable");
    loaded.expect("it was accepted")
}

#[tokio::test]
async fn lists_are_newest_first_over_all_partitions_and_pages_join() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let mut newest_first = Vec::new();
    for n in 0..300 {
        let (mut life, first) = Life::begin(if n % 3 == 0 { "till" } else { "shop" }, n, "bank");
        newest_first.insert(0, first.key.clone());
        journal.append(first).await.expect("written");
        if n % 10 == 0 {
            journal.append(life.completed()).await.expect("written");
        }
        if n % 50 == 1 {
            journal.append(life.in_review()).await.expect("written");
        }
    }
    let queries: [(ListQuery, Shows); 5] = [
        (ListQuery::default(), |_| true),
        (
            ListQuery {
                app: Some("till".to_owned()),
                ..ListQuery::default()
            },
            |n| n % 3 == 0,
        ),
        (
            ListQuery {
                status: Some(Status::Completed),
                ..ListQuery::default()
            },
            |n| n % 10 == 0,
        ),
        (
            ListQuery {
                needs_review: true,
                ..ListQuery::default()
            },
            |n| n % 50 == 1,
        ),
        (
            ListQuery {
                provider: Some("other".to_owned()),
                ..ListQuery::default()
            },
            |_| false,
        ),
    ];
    for (query, shown) in queries {
        let expected: Vec<Key> = newest_first
            .iter()
            .zip((0..300).rev())
            .filter(|(_, n)| shown(*n))
            .map(|(key, _)| key.clone())
            .collect();
        for limit in [7, 100] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let query = ListQuery {
                    cursor,
                    limit,
                    ..query.clone()
                };
                let page = journal.list(query).await.expect("readable");
                assert!(page.rows.len() <= limit);
                seen.extend(page.rows.into_iter().map(|row| row.key));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
                assert!(seen.len() < expected.len(), "an empty last page");
            }
            assert!(seen == expected, "{query:?}, {limit} a page");
        }
    }

    let mut open = Vec::new();
    let mut after = 0;
    loop {
        let page = journal.open(None, after, 40).await.expect("readable");
        assert!(page.rows.iter().all(|(_, due)| due.is_some()));
        open.extend(page.rows.into_iter().map(|(key, _)| key));
        let Some(next) = page.next else { break };
        after = next;
    }
    open.reverse();
    let is_open = |(_, n): &(&Key, u128)| n % 10 != 0;
    let expected = newest_first.iter().zip((0..300).rev()).filter(is_open);
    let expected: Vec<Key> = expected.map(|(key, _)| key.clone()).collect();
    assert!(open == expected, "what is open, oldest first");
    let partition = open[0].partition();
    let page = journal.open(Some(partition), 0, 1000).await;
    let rows = page.expect("readable").rows;
    assert!(rows.iter().all(|(key, _)| key.partition() == partition));
    let of_it = expected.iter().filter(|key| key.partition() == partition);
    assert_eq!(rows.len(), of_it.count());
}

/// Many actors at once, over several connections: every one is answered with what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_share_pipelines_and_get_their_own_answers() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let lives: Vec<(Life, Append)> = (0..2000).map(|n| Life::begin("shop", n, "bank")).collect();
    let before = server.number(&["DBSIZE"]);
    let promises = lives.iter().map(|(_, first)| journal.append(first.clone()));
    let answers = join_all(promises).await;
    let mut positions: Vec<u64> = answers
        .into_iter()
        .map(|answer| answer.expect("written").sequence)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 2000, "positions are unique");
    assert!(server.number(&["DBSIZE"]) >= before + 2000);
}
