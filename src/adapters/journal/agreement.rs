//! What the journals agree on: kept webhooks, references and notes mean the same to the real journals
//! and to the one in memory, which simulations rely on.

mod filing;

use std::time::Duration;

use super::embedded::{EmbeddedJournal, Options};
use super::memory::MemoryJournal;
use super::redis::{owned, owned_cluster};
use super::samples::{kept, wall};
use super::servers::{Cluster, Kind, Server};
use super::{MAX_KEPT_FOR, MAX_KEPT_PER_PROVIDER, MAX_NOTE_BYTES, MAX_NOTES};
use crate::ports::{AppendError, InboxQuery, Journal, Kept};
use crate::transaction::Statement;
use crate::transaction::{Amount, Finding, Report, ReportedAmount};

/// What a journal lives in; dropped after it.
enum Alive {
    Memory,
    Directory(#[expect(dead_code, reason = "held until the test is over")] tempfile::TempDir),
    Server(#[expect(dead_code, reason = "held until the test is over")] Server),
    Cluster(#[expect(dead_code, reason = "held until the test is over")] Cluster),
}

/// One of each, with what it says when a test fails, and what it lives in.
async fn journals() -> Vec<(&'static str, Box<dyn Journal>, Alive)> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let embedded = EmbeddedJournal::open(Options::new(dir.path())).expect("a journal that opens");
    let mut journals: Vec<(&'static str, Box<dyn Journal>, Alive)> = vec![
        ("memory", Box::new(MemoryJournal::new()), Alive::Memory),
        ("embedded", Box::new(embedded), Alive::Directory(dir)),
    ];
    for (name, kind) in [("redis", Kind::Redis), ("valkey", Kind::Valkey)] {
        let server = Server::start(kind, &[]);
        let over_it = Box::new(owned(&server).await);
        journals.push((name, over_it, Alive::Server(server)));
    }
    let cluster = Cluster::start(Kind::Redis);
    let over_it = Box::new(owned_cluster(&cluster).await);
    journals.push(("cluster", over_it, Alive::Cluster(cluster)));
    journals
}

async fn keep(journal: &dyn Journal, webhook: Kept) {
    assert_eq!(journal.keep(webhook).await, Ok(()));
}

/// The event ids of what is kept for a reference, in the order of the answer.
async fn kept_for(journal: &dyn Journal, provider: &str, reference: &str) -> Vec<String> {
    let kept = journal.kept_for(provider, reference).await;
    let kept = kept.expect("readable").into_iter();
    kept.map(|one| one.event_id).collect()
}

/// The event ids of everything that is kept, newest first.
async fn all(journal: &dyn Journal) -> Vec<String> {
    let query = InboxQuery {
        limit: 100,
        ..InboxQuery::default()
    };
    let page = journal.inbox(query).await.expect("readable");
    assert_eq!(page.total, page.rows.len() as u64);
    page.rows.into_iter().map(|one| one.event_id).collect()
}

#[tokio::test]
async fn a_webhook_is_kept_once_until_it_is_released() {
    for (name, journal, _alive) in journals().await {
        let first = kept("bank", "a", &["r"]);
        let again = Kept {
            body: "the same event, sent again".to_owned(),
            ..first.clone()
        };
        keep(&*journal, first.clone()).await;
        keep(&*journal, kept("bank", "b", &[])).await;
        keep(&*journal, again.clone()).await;
        keep(&*journal, kept("other", "a", &[])).await;
        assert_eq!(all(&*journal).await, ["a", "b", "a"], "{name}");
        let found = journal.kept_for("bank", "r").await;
        assert_eq!(found, Ok(vec![first]), "{name}: as it was given");

        for _ in 0..2 {
            assert_eq!(journal.release("bank", "a", None).await, Ok(()), "{name}");
        }
        assert_eq!(journal.release("nobody", "a", None).await, Ok(()), "{name}");
        assert_eq!(all(&*journal).await, ["a", "b"], "{name}: other's and b");
        assert!(kept_for(&*journal, "bank", "r").await.is_empty(), "{name}");

        keep(&*journal, again.clone()).await;
        let found = journal.kept_for("bank", "r").await;
        assert_eq!(found, Ok(vec![again]), "{name}: sent again after that");
    }
}

/// Of a webhook, an event id and a finding with an amount.
fn stating(event_id: &str, finding: Finding, euros: Option<i64>) -> Kept {
    let amount = euros.map(|value| {
        let currency = "EUR".to_owned();
        ReportedAmount::Read(Amount { value, currency })
    });
    let report = Report {
        amount,
        ..Report::bare(finding)
    };
    Kept {
        report,
        ..kept("bank", event_id, &["r"])
    }
}

/// Law 5: providers do say two things under one id, and the second one must not pass for a repetition.
#[tokio::test]
async fn the_same_event_with_another_finding_or_amount_is_kept_beside_the_first() {
    let statements = [
        stating("a", Finding::Declined, None),
        stating("a", Finding::Completed, None),
        stating("a", Finding::Completed, Some(1000)),
        stating("a", Finding::Completed, Some(600)),
    ];
    // Neither its event id nor its provider is the one that is released.
    let others = [
        stating("ab", Finding::Completed, None),
        Kept {
            provider: "banking".to_owned(),
            ..stating("a", Finding::Completed, None)
        },
    ];
    for (name, journal, _alive) in journals().await {
        for webhook in statements.iter().chain(&others).chain(&statements) {
            keep(&*journal, webhook.clone()).await;
        }
        let waiting = async || journal.kept_for("bank", "r").await.expect("readable");
        let expected = [&statements[..], &others[..1]].concat();
        assert_eq!(waiting().await, expected, "{name}: each once, as it came");

        let declined = statements[0].statement();
        for _ in 0..2 {
            let released = journal.release("bank", "a", Some(&declined)).await;
            assert_eq!(released, Ok(()), "{name}");
            assert_eq!(waiting().await, expected[1..], "{name}: only the one named");
        }
        let unsaid = Statement::from_text("completed 999 EUR");
        let released = journal.release("bank", "a", Some(&unsaid)).await;
        assert_eq!(released, Ok(()), "{name}");
        assert_eq!(waiting().await, expected[1..], "{name}: nobody stated that");

        assert_eq!(journal.release("bank", "a", None).await, Ok(()), "{name}");
        assert_eq!(waiting().await, others[..1], "{name}: all of the event");
        assert_eq!(all(&*journal).await, ["a", "ab"], "{name}: the others stay");

        keep(&*journal, statements[0].clone()).await;
        keep(&*journal, statements[2].clone()).await;
        assert_eq!(journal.expire_kept(wall(1_000)).await, Ok(4), "{name}");
        assert!(
            waiting().await.is_empty(),
            "{name}: they expire like any other"
        );
    }
}

#[tokio::test]
async fn what_is_kept_is_found_by_each_of_its_references_oldest_first() {
    for (name, journal, _alive) in journals().await {
        keep(&*journal, kept("bank", "b", &["r", "s"])).await;
        keep(&*journal, kept("bank", "a", &["r"])).await;
        keep(&*journal, kept("other", "c", &["r"])).await;
        keep(&*journal, kept("bank", "d", &[])).await;
        assert_eq!(kept_for(&*journal, "bank", "r").await, ["b", "a"], "{name}");
        assert_eq!(kept_for(&*journal, "bank", "s").await, ["b"], "{name}");
        assert_eq!(kept_for(&*journal, "other", "r").await, ["c"], "{name}");
        for (provider, reference) in [("other", "s"), ("bank", "t"), ("nobody", "r"), ("bank", "")]
        {
            let found = kept_for(&*journal, provider, reference).await;
            assert!(found.is_empty(), "{name}: {provider} {reference}");
        }
        assert_eq!(journal.release("bank", "b", None).await, Ok(()));
        assert_eq!(kept_for(&*journal, "bank", "r").await, ["a"], "{name}");
        assert!(kept_for(&*journal, "bank", "s").await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn one_answer_is_bounded_and_the_next_one_goes_on() {
    for (name, journal, _alive) in journals().await {
        let events: Vec<String> = (0..=MAX_KEPT_FOR).map(|n| format!("{n:03}")).collect();
        for event in &events {
            keep(&*journal, kept("bank", event, &["r"])).await;
        }
        let found = kept_for(&*journal, "bank", "r").await;
        assert_eq!(found, events[..MAX_KEPT_FOR], "{name}");
        for event in found {
            assert_eq!(journal.release("bank", &event, None).await, Ok(()));
        }
        let rest = kept_for(&*journal, "bank", "r").await;
        assert_eq!(rest, events[MAX_KEPT_FOR..], "{name}");
    }
}

#[tokio::test]
async fn what_came_before_a_moment_expires() {
    for (name, journal, _alive) in journals().await {
        for (event, second) in [("a", 10), ("b", 20), ("c", 30)] {
            let webhook = Kept {
                received_at: wall(second),
                ..kept("bank", event, &["r"])
            };
            keep(&*journal, webhook.clone()).await;
            let provider = "other".to_owned();
            keep(
                &*journal,
                Kept {
                    provider,
                    ..webhook
                },
            )
            .await;
        }
        assert_eq!(journal.expire_kept(wall(10)).await, Ok(0), "{name}");
        let just_after = wall(20) + Duration::from_millis(1);
        assert_eq!(journal.expire_kept(just_after).await, Ok(4), "{name}");
        assert_eq!(journal.expire_kept(just_after).await, Ok(0), "{name}");
        assert_eq!(all(&*journal).await, ["c", "c"], "{name}");
        assert_eq!(kept_for(&*journal, "bank", "r").await, ["c"], "{name}");
        // What was received long ago and is kept only now waits for the next time.
        let late = Kept {
            received_at: wall(1),
            ..kept("bank", "a", &["r"])
        };
        keep(&*journal, late).await;
        assert_eq!(kept_for(&*journal, "bank", "r").await, ["c", "a"], "{name}");
        assert_eq!(journal.expire_kept(wall(9)).await, Ok(1), "{name}");
        assert_eq!(kept_for(&*journal, "bank", "r").await, ["c"], "{name}");
    }
}

#[tokio::test]
async fn a_provider_has_so_much_room_and_no_more() {
    for (name, journal, _alive) in journals().await {
        let webhook = |n: u64| {
            let received_at = wall(if n < 100 { 1 } else { 2 });
            let webhook = kept("bank", &n.to_string(), &[]);
            Kept {
                received_at,
                ..webhook
            }
        };
        let promises = (0..MAX_KEPT_PER_PROVIDER).map(|n| journal.keep(webhook(n)));
        for promise in promises.collect::<Vec<_>>() {
            assert_eq!(promise.await, Ok(()), "{name}");
        }
        let next = MAX_KEPT_PER_PROVIDER;
        let refused = journal.keep(webhook(next)).await;
        assert!(
            matches!(&refused, Err(AppendError::Full(why)) if why.contains("bank")),
            "{name}: {refused:?}"
        );
        keep(&*journal, webhook(7)).await;
        keep(&*journal, kept("other", "0", &[])).await;

        assert_eq!(journal.release("bank", "7", None).await, Ok(()));
        keep(&*journal, webhook(next)).await;
        assert!(journal.keep(webhook(7)).await.is_err(), "{name}");
        assert_eq!(journal.expire_kept(wall(2)).await, Ok(99), "{name}");
        for n in 0..99 {
            keep(&*journal, webhook(n)).await;
        }
        assert!(journal.keep(webhook(100_000)).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn the_inbox_is_paged_newest_first() {
    for (name, journal, _alive) in journals().await {
        for n in 1..=7 {
            let provider = if n % 3 == 0 { "other" } else { "bank" };
            keep(&*journal, kept(provider, &n.to_string(), &[])).await;
        }
        for (provider, expected) in [
            (None, vec!["7", "6", "5", "4", "3", "2", "1"]),
            (Some("bank"), vec!["7", "5", "4", "2", "1"]),
            (Some("other"), vec!["6", "3"]),
            (Some("nobody"), vec![]),
        ] {
            for limit in [0, 1, 2, 5, 7, usize::MAX] {
                let (mut seen, mut cursor) = (Vec::new(), None);
                loop {
                    let query = InboxQuery {
                        provider: provider.map(str::to_owned),
                        cursor,
                        limit,
                    };
                    let page = journal.inbox(query).await.expect("readable");
                    assert!(page.rows.len() <= limit.max(1), "{name}");
                    assert_eq!(page.total, expected.len() as u64, "{name}");
                    seen.extend(page.rows.into_iter().map(|one| one.event_id));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                    assert!(seen.len() < expected.len(), "{name}: an empty last page");
                }
                assert_eq!(seen, expected, "{name}, {provider:?}, {limit} a page");
            }
        }
        for n in 8..=108 {
            keep(&*journal, kept("bank", &n.to_string(), &[])).await;
        }
        let query = InboxQuery {
            limit: usize::MAX,
            ..InboxQuery::default()
        };
        let page = journal.inbox(query).await.expect("readable");
        assert_eq!((page.rows.len(), page.total), (100, 108), "{name}");
    }
}

#[tokio::test]
async fn of_notes_the_last_one_wins_and_none_forgets() {
    for (name, journal, _alive) in journals().await {
        let note = |name: &str, value: Option<&str>| journal.note(name, value.map(str::to_owned));
        let noted = async |prefix: &str| journal.noted(prefix).await.expect("readable");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(note("app/shop", Some("off")).await, Ok(()), "{name}");
        assert_eq!(note("app/shop", Some("off since noon")).await, Ok(()));
        assert_eq!(note("app/bar", Some("")).await, Ok(()));
        assert_eq!(note("apple", Some("fruit")).await, Ok(()));
        let apps = [pair("app/bar", ""), pair("app/shop", "off since noon")];
        assert_eq!(noted("app/").await, apps, "{name}");
        assert_eq!(noted("").await.len(), 3, "{name}");
        assert!(noted("b").await.is_empty(), "{name}");
        for _ in 0..2 {
            assert_eq!(note("app/shop", None).await, Ok(()), "{name}");
        }
        assert_eq!(noted("app/").await, [pair("app/bar", "")], "{name}");

        let value = "v".repeat(MAX_NOTE_BYTES);
        let long = note("n", Some(&value)).await;
        assert!(
            matches!(long, Err(AppendError::Full(_))),
            "{name}: {long:?}"
        );
        assert_eq!(note("n", Some(&value[1..])).await, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn there_is_a_last_note() {
    for (name, journal, _alive) in journals().await {
        let note = |n: usize| journal.note(&n.to_string(), Some(String::new()));
        for promise in (0..MAX_NOTES).map(note).collect::<Vec<_>>() {
            assert_eq!(promise.await, Ok(()), "{name}");
        }
        let refused = note(MAX_NOTES).await;
        assert!(
            matches!(refused, Err(AppendError::Full(_))),
            "{name}: {refused:?}"
        );
        assert_eq!(note(5).await, Ok(()), "{name}: what is there may change");
        assert_eq!(journal.note("5", None).await, Ok(()), "{name}");
        assert_eq!(note(MAX_NOTES).await, Ok(()), "{name}");
        let all = journal.noted("").await.expect("readable");
        assert_eq!(all.len(), MAX_NOTES, "{name}");
    }
}
