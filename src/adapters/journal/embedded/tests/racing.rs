//! A webhook and the transaction that it belongs to, on their way at the same time: neither order
//! loses it.
//!
//! The webhook's receiver keeps it and then looks for the transaction; the transaction appends its
//! reference and then looks for webhooks.

use std::sync::Arc;

use super::super::super::memory::MemoryJournal;
use super::*;

/// What each side does, in its own order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Keep,
    Refer,
    Append,
    Claim,
}

use Act::{Append as Write, Claim, Keep, Refer};

/// All the ways in which the two sides' acts can follow on each other.
const ORDERS: [[Act; 4]; 6] = [
    [Keep, Refer, Write, Claim],
    [Keep, Write, Refer, Claim],
    [Keep, Write, Claim, Refer],
    [Write, Keep, Refer, Claim],
    [Write, Keep, Claim, Refer],
    [Write, Claim, Keep, Refer],
];

/// Does the acts in this order, `between` each and the next, and holds both sides to what they must
/// have seen.
async fn check(journal: &dyn Journal, n: u128, order: [Act; 4], between: impl AsyncFn(usize, Act)) {
    let reference = format!("r-{n}");
    let (mut life, first) = Life::begin("shop", n, "bank");
    journal.append(first).await.expect("written");
    let mut step = Some(life.known_as(&reference));
    let (mut found, mut claimed) = (None, Vec::new());
    for (done, act) in order.into_iter().enumerate() {
        between(done, act).await;
        match act {
            Keep => {
                let webhook = kept("bank", &n.to_string(), &[&reference]);
                journal.keep(webhook).await.expect("kept");
            }
            Refer => found = journal.referred("bank", &reference).await.expect("read"),
            Write => {
                let step = step.take().expect("one append in each order");
                journal.append(step).await.expect("written");
            }
            Claim => claimed = journal.kept_for("bank", &reference).await.expect("read"),
        }
    }
    let place = |act| order.iter().position(|one| *one == act);
    let door_must = place(Write) < place(Refer);
    let transaction_must = place(Keep) < place(Claim);
    assert!(door_must || transaction_must, "{order:?} loses it");
    assert_eq!(found, door_must.then(|| key("shop", n)), "{order:?}");
    let events: Vec<String> = claimed.into_iter().map(|one| one.event_id).collect();
    let event = transaction_must.then(|| n.to_string());
    assert_eq!(events, Vec::from_iter(event), "{order:?}");
}

#[tokio::test]
async fn in_memory_one_side_sees_the_other_in_every_order() {
    let journal = MemoryJournal::new();
    for (n, order) in (0..).zip(ORDERS) {
        check(&journal, n, order, async |_, _| {}).await;
    }
}

/// On disk as well, wherever the archive is brought up to date in between.
#[tokio::test]
async fn on_disk_one_side_sees_the_other_in_every_order() {
    let dir = tempdir();
    let journal = open_paused(dir.path());
    let mut n = 0;
    for order in ORDERS {
        for folds in 0..8_u32 {
            check(&journal, n, order, async |done, act| {
                // What is kept is read from the archive, which a claim waits for.
                let claims = act == Claim;
                if claims || done > 0 && folds & (1 << (done - 1)) != 0 {
                    journal.shared.pause_folds(false);
                    if !claims {
                        folded(&journal).await;
                    }
                } else {
                    journal.shared.pause_folds(true);
                }
            })
            .await;
            n += 1;
        }
    }
}

/// Both sides at once, of many transactions, while commits, folds and trims go on: one of the two sees
/// the other, whoever is quicker, and what was released stays away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_once_nothing_is_lost_and_nothing_stays() {
    const TASKS: u128 = 32;
    const PAIRS: u128 = 100;
    let dir = tempdir();
    let journal = Arc::new(open(dir.path()));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for n in task * PAIRS..(task + 1) * PAIRS {
                    meet(&journal, n).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let query = InboxQuery::default;
    assert_eq!(journal.inbox(query()).await.expect("read").total, 0);
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.inbox(query()).await.expect("read").total, 0);
    for n in 0..TASKS * PAIRS {
        let owner = journal.referred("bank", &format!("r-{n}")).await;
        assert_eq!(owner, Ok(Some(key("shop", n))));
    }
}

/// A webhook and its transaction, each in a task of its own.
async fn meet(journal: &Arc<EmbeddedJournal>, n: u128) {
    let reference = format!("r-{n}");
    let (mut life, first) = Life::begin("shop", n, "bank");
    journal.append(first).await.expect("written");
    let step = life.known_as(&reference);
    let webhook = kept("bank", &n.to_string(), &[&reference]);

    let (door, its_reference) = (Arc::clone(journal), reference.clone());
    let receives = tokio::spawn(async move {
        door.keep(webhook).await.expect("kept");
        door.referred("bank", &its_reference).await.expect("read")
    });
    let transaction = Arc::clone(journal);
    let learns = tokio::spawn(async move {
        transaction.append(step).await.expect("written");
        let kept = transaction.kept_for("bank", &reference).await;
        kept.expect("read")
    });
    let found = receives.await.expect("no panic");
    let claimed = learns.await.expect("no panic");
    assert!(found.is_none() || found == Some(key("shop", n)));
    assert!(
        found.is_some() || claimed.len() == 1,
        "number {n} is lost: {claimed:?}"
    );
    journal
        .release("bank", &n.to_string(), None)
        .await
        .expect("released");
}
