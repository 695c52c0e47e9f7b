//! What nodes of an earlier release have written, and still write while nodes are replaced one by one.

use super::super::super::samples::wall;
use super::*;
use crate::ports::{InboxQuery, Kept};
use crate::transaction::{Finding, Report};

/// A kept webhook and a letter as they stood in the store, named by their event ids alone.
const KEPT: &str = r#"{"v":1,"provider":"bank","event_id":"a","references":["r"],"received_at":"2023-11-14T22:13:25.000Z","attempt":2,"report":{"finding":"declined","word":"DECLINED"},"body":"{}"}"#;
const LETTER: &str = r#"{"v":1,"key":{"app":"shop","id":"00000000-0000-0000-0000-000000000001"},"provider":"bank","event_id":"a","subject":{"theirs":{"reference":"r"}},"report":{"finding":"declined"},"received_at":"2023-11-14T22:13:25.000Z","body":"{}"}"#;

/// Keeps the old webhook under its old name.
fn keep_as_before(server: &Server) {
    let name = "bank\0a";
    for command in [
        vec!["HSET", "teller:{inbox}:kept", name, KEPT],
        vec!["ZADD", "teller:{inbox}:order", "1", name],
        vec!["ZADD", "teller:{inbox}:of:bank", "1", name],
        vec!["ZADD", "teller:{inbox}:received", "1700000005000", name],
        vec!["ZADD", "teller:{inbox}:for:bank\0r", "1", name],
        vec!["SET", "teller:{inbox}:at", "1"],
    ] {
        server.command(&command);
    }
}

async fn findings(journal: &RedisJournal) -> Vec<&'static str> {
    let kept = journal.kept_for("bank", "r").await.expect("readable");
    let findings = kept.iter().map(|one| one.report.finding.as_str());
    findings.collect()
}

fn contradiction() -> Kept {
    Kept {
        report: Report::bare(Finding::Completed),
        ..kept("bank", "a", &["r"])
    }
}

#[tokio::test]
async fn a_webhook_under_its_old_name_is_found_contradicted_released_and_expired() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        keep_as_before(&server);
        assert_eq!(findings(&journal).await, ["declined"], "{kind:?}");
        journal.keep(contradiction()).await.expect("kept");
        assert_eq!(findings(&journal).await, ["declined", "completed"]);

        // Each statement is released by itself, whatever name it has.
        let completed = contradiction().statement();
        let released = journal.release("bank", "a", Some(&completed)).await;
        assert_eq!(released, Ok(()), "{kind:?}");
        assert_eq!(findings(&journal).await, ["declined"], "{kind:?}");
        let declined = kept("bank", "a", &[]).statement();
        let released = journal.release("bank", "a", Some(&declined)).await;
        assert_eq!(released, Ok(()), "{kind:?}");
        assert!(findings(&journal).await.is_empty(), "{kind:?}");

        // A dismissal of the event takes both.
        keep_as_before(&server);
        journal.keep(contradiction()).await.expect("kept");
        assert_eq!(journal.release("bank", "a", None).await, Ok(()));
        let page = journal.inbox(InboxQuery::default()).await;
        assert_eq!(page.expect("readable").total, 0, "{kind:?}");

        keep_as_before(&server);
        journal.keep(contradiction()).await.expect("kept");
        assert_eq!(journal.expire_kept(wall(1_000)).await, Ok(2), "{kind:?}");
        assert!(findings(&journal).await.is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_letter_under_its_old_name_is_delivered_and_discarded_alone() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let (_, first) = Life::begin("shop", 1, "bank");
    let (key, partition) = (first.key.clone(), first.key.partition());
    journal.append(first).await.expect("written");
    let mail = format!("teller:{{p{partition}}}:mail");
    let (name, order) = (format!("{key}\0bank\0a"), format!("{mail}:order"));
    server.command(&["HSET", &mail, &name, LETTER]);
    server.command(&["ZADD", &order, "1", &name]);
    server.command(&["SET", &format!("{mail}:at"), "1"]);
    let letters = journal.letters(partition, 9).await.expect("readable");
    let (_, old) = letters.into_iter().next().expect("one");
    let other = Letter {
        report: Report::bare(Finding::Completed),
        ..old.clone()
    };
    let posted = journal.post(&key, other.clone()).await;
    assert_eq!(posted, Ok(Posted::Waiting));
    let waiting = async || {
        let letters = journal.letters(partition, 9).await.expect("readable");
        letters.into_iter().map(|(_, one)| one).collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, [old.clone(), other.clone()]);
    assert_eq!(journal.discard(&key, &other).await, Ok(()));
    assert_eq!(waiting().await, std::slice::from_ref(&old));
    assert_eq!(journal.discard(&key, &old).await, Ok(()));
    assert!(waiting().await.is_empty());
}

/// A start without any of them would leave attempts that nobody can ask about.
#[tokio::test]
async fn every_provider_at_which_an_open_transaction_made_an_attempt_is_known_whoever_wrote_it() {
    let server = Server::redis(&[]);
    let journal = owned(&server).await;
    let (mut life, first) = Life::begin("shop", 1, "bank");
    let key = first.key.clone();
    journal.append(first).await.expect("written");
    journal.append(life.refused_as("7")).await.expect("written");
    let providers = async || journal.open_providers().await.expect("readable");
    assert_eq!(providers().await, ["bank"]);
    journal
        .append(life.stands_in("other"))
        .await
        .expect("written");
    assert_eq!(providers().await, ["bank", "other"]);

    // A release before wrote the present provider only.
    let snapshots = format!("teller:{{p{}}}:s", key.partition());
    let forget = "local s = redis.call('HGET', KEYS[1], ARGV[1]) \
                  local old, n = string.gsub(s, ',\"providers\":%[[^%]]*%]', '') \
                  redis.call('HSET', KEYS[1], ARGV[1], old) return n";
    let name = key.to_string();
    let forgotten = server.number(&["EVAL", forget, "1", &snapshots, &name]);
    assert_eq!(forgotten, 1);
    assert_eq!(providers().await, ["bank", "other"]);

    let mut last = life.second_known_as("8");
    last.summary.open = false;
    journal.append(last).await.expect("written");
    assert!(providers().await.is_empty());
    let shown = journal.list(ListQuery::default()).await.expect("readable");
    assert_eq!(shown.rows[0].provider, "other");
}

/// A node of an earlier release filed the first attempt's reference under the stand-in.
#[tokio::test]
async fn a_reference_that_was_filed_under_another_provider_is_taken_back_with_the_next_step() {
    for kind in Kind::ALL {
        let server = Server::start(kind, &[]);
        let journal = owned(&server).await;
        let (mut life, first) = Life::begin("shop", 1, "bank");
        let key = first.key.clone();
        journal.append(first).await.expect("written");
        journal.append(life.refused_as("7")).await.expect("written");
        journal
            .append(life.stands_in("other"))
            .await
            .expect("written");
        let (mut next, first) = Life::begin("shop", 2, "other");
        journal.append(first).await.expect("written");
        let (base, field) = super::super::Keys::new("teller").reference("other", "7");
        server.command(&["HSET", &format!("{base}ref"), &field, &key.to_string()]);
        let owner = async |provider| journal.referred(provider, "7").await.expect("readable");
        assert_eq!(owner("other").await, Some(key.clone()), "{kind:?}");

        // Another node has the partition by now, which does not know what was said before.
        let journal = connected(at(&server)).await;
        journal
            .append(life.second_known_as("8"))
            .await
            .expect("written");
        let owner = async |provider| journal.referred(provider, "7").await.expect("readable");
        assert_eq!(owner("other").await, None, "{kind:?}");
        assert_eq!(owner("bank").await, Some(key.clone()), "{kind:?}");
        journal.append(next.known_as("7")).await.expect("written");
        journal.append(life.completed()).await.expect("written");
        let true_owner = Some(next.transaction.key.clone());
        assert_eq!(
            owner("other").await,
            true_owner,
            "{kind:?}: and stays there"
        );
    }
}
