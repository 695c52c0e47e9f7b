//! Letters for owners, and both orders of a webhook and the transaction that it belongs to.

use super::super::shared::MAX_LETTERS;
use super::*;
use crate::ports::Kept;
use crate::transaction::{Amount, Finding, Report, ReportedAmount};
use futures_util::future::join_all;

fn letter(event_id: &str) -> Letter {
    let Kept {
        provider,
        report,
        received_at,
        body,
        ..
    } = kept("bank", event_id, &[]);
    Letter {
        provider,
        event_id: event_id.to_owned(),
        subject: Subject::Theirs {
            reference: "r".to_owned(),
        },
        report,
        received_at,
        body,
    }
}

#[tokio::test]
async fn letters_wait_for_the_owner_in_their_order_once_each() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let (_, first) = Life::begin("shop", 1, "bank");
        let (key, partition) = (first.key.clone(), first.key.partition());
        let nowhere = journal.post(&key, letter("a")).await;
        assert_eq!(nowhere, Ok(Posted::Nowhere), "{kind:?}");
        assert_eq!(journal.letters(partition, 10).await, Ok(Vec::new()));
        journal.append(by_anybody(first)).await.expect("written");
        for event in ["b", "a", "b", "c"] {
            let posted = journal.post(&key, letter(event)).await;
            assert_eq!(posted, Ok(Posted::Waiting), "{kind:?}");
        }
        let waiting = journal.letters(partition, 10).await.expect("readable");
        let expected = ["b", "a", "c"].map(|event| (key.clone(), letter(event)));
        assert_eq!(waiting, expected, "{kind:?}: as they were posted");
        let two = journal.letters(partition, 2).await.expect("readable");
        assert_eq!(two, expected[..2], "{kind:?}");
        for _ in 0..2 {
            assert_eq!(journal.discard(&key, &letter("b")).await, Ok(()));
        }
        let waiting = journal.letters(partition, 10).await.expect("readable");
        assert_eq!(waiting, expected[1..], "{kind:?}");
    }
}

/// Law 5: the second one of an event that says something else is no repetition of the first.
#[tokio::test]
async fn letters_of_one_event_that_contradict_each_other_are_all_delivered() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let (_, first) = Life::begin("shop", 1, "bank");
        let (key, partition) = (first.key.clone(), first.key.partition());
        journal.append(first).await.expect("written");
        let completed = |value| {
            let currency = "EUR".to_owned();
            let amount = Some(ReportedAmount::Read(Amount { value, currency }));
            let report = Report {
                amount,
                ..Report::bare(Finding::Completed)
            };
            Letter {
                report,
                ..letter("a")
            }
        };
        let all = [letter("a"), completed(1000), completed(600)];
        for one in all.iter().chain(&all) {
            let posted = journal.post(&key, one.clone()).await;
            assert_eq!(posted, Ok(Posted::Waiting), "{kind:?}");
        }
        let waiting = async || {
            let letters = journal.letters(partition, 9).await.expect("readable");
            letters.into_iter().map(|(_, one)| one).collect::<Vec<_>>()
        };
        assert_eq!(waiting().await, all, "{kind:?}");
        assert_eq!(journal.discard(&key, &all[1]).await, Ok(()), "{kind:?}");
        let rest = [all[0].clone(), all[2].clone()];
        assert_eq!(waiting().await, rest, "{kind:?}: only the one delivered");
    }
}

#[tokio::test]
async fn a_partition_takes_so_many_letters_and_no_more() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let (_, first) = Life::begin("shop", 1, "bank");
    let key = first.key.clone();
    journal.append(first).await.expect("written");
    let posts = (0..MAX_LETTERS).map(|n| journal.post(&key, letter(&n.to_string())));
    let posted = join_all(posts.collect::<Vec<_>>()).await;
    assert!(posted.into_iter().all(|one| one == Ok(Posted::Waiting)));
    let refused = journal.post(&key, letter("more")).await;
    assert!(matches!(refused, Err(AppendError::Full(_))), "{refused:?}");
    assert_eq!(journal.discard(&key, &letter("7")).await, Ok(()));
    let posted = journal.post(&key, letter("more")).await;
    assert_eq!(posted, Ok(Posted::Waiting));
}

/// Over two nodes at once: one of the two sides sees the other, whoever is quicker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_and_its_transaction_never_miss_each_other() {
    let server = Server::redis(&[]);
    let (door, owner) = (owned(&server).await, connected(at(&server)).await);
    for n in 0..200 {
        let reference = format!("r-{n}");
        let (mut life, first) = Life::begin("shop", n, "bank");
        owner.append(first).await.expect("written");
        let step = life.known_as(&reference);
        let receives = async {
            let webhook = kept("bank", &n.to_string(), &[&reference]);
            door.keep(webhook).await.expect("kept");
            door.referred("bank", &reference).await.expect("readable")
        };
        let learns = async {
            owner.append(step).await.expect("written");
            owner.kept_for("bank", &reference).await.expect("readable")
        };
        let (found, claimed) = tokio::join!(receives, learns);
        assert!(found.is_none() || found == Some(key("shop", n)));
        assert!(found.is_some() || claimed.len() == 1, "number {n} is lost");
    }
}
