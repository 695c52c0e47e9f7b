//! No request is put on the wire twice, whatever happens to pooled connections.

use std::collections::BTreeMap;

use super::server::{Act, Server, answer};
use super::support::{REFERENCE, provider, submit};
use crate::transaction::Finding;

const COMPLETED: &str = r#"{"status":"completed"}"#;

fn completed() -> Vec<u8> {
    answer(200, "", COMPLETED)
}

#[tokio::test]
async fn a_pooled_connection_that_is_read_and_closed_loses_its_request_once() {
    let server = Server::start([
        Act::Answer(completed()),
        Act::Close,
        Act::Answer(completed()),
    ])
    .await;
    let provider = provider(REFERENCE, &server.url());
    assert_eq!(
        submit(&provider, 1).await.report.finding,
        Finding::Completed
    );
    let lost = submit(&provider, 2).await;
    assert!(
        matches!(lost.report.finding, Finding::Unclear { .. }),
        "{lost:?}"
    );
    assert!(lost.sent_at.is_some());
    assert_eq!(server.requests().len(), 2);
    assert_eq!(
        server.connections(),
        1,
        "the second request was to be a pooled one's"
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_just_as_the_next_request_comes_never_doubles_it() {
    const ROUNDS: u128 = 300;
    // Every answer invites to keep the connection, and every connection is closed behind it.
    let script = (0..2 * ROUNDS).map(|_| Act::AnswerAndClose(completed()));
    let server = Server::start(script).await;
    let provider = provider(REFERENCE, &server.url());
    let mut results = BTreeMap::new();
    for n in 1..=ROUNDS {
        results.insert(
            format!("{}", uuid::Uuid::from_u128(n)),
            submit(&provider, n).await,
        );
    }
    let requests = server.requests();
    for (id, result) in results {
        let seen = requests.iter().filter(|sent| sent.contains(&id)).count();
        match result.report.finding {
            Finding::Completed => assert_eq!(seen, 1, "{id}"),
            Finding::NotExecuted { .. } => assert_eq!(seen, 0, "{id}"),
            Finding::Unclear { .. } => assert!(seen <= 1, "{id} came {seen} times"),
            other => panic!("{other:?}"),
        }
        if seen > 0 {
            assert!(result.sent_at.is_some(), "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_holds_for_many_at_once_on_several_threads() {
    const AT_ONCE: u128 = 32;
    const ROUNDS: u128 = 20;
    let script = (0..2 * AT_ONCE * ROUNDS).map(|n| match n % 4 {
        0 => Act::Answer(completed()),
        1 => Act::AnswerAndClose(completed()),
        2 => Act::AnswerAndReset(completed()),
        _ => Act::Close,
    });
    let server = Server::start(script).await;
    let provider = provider(REFERENCE, &server.url());
    for round in 0..ROUNDS {
        let calls = (1..=AT_ONCE).map(|n| submit(&provider, round * AT_ONCE + n));
        for (n, result) in (1..).zip(futures_util::future::join_all(calls).await) {
            let id = uuid::Uuid::from_u128(round * AT_ONCE + n).to_string();
            let requests = server.requests();
            let seen = requests.iter().filter(|sent| sent.contains(&id)).count();
            assert!(seen <= 1, "{id} came {seen} times: {result:?}");
            if seen == 1 {
                assert!(result.sent_at.is_some(), "{id}: {result:?}");
                assert!(
                    !matches!(result.report.finding, Finding::NotExecuted { .. }),
                    "{id}: {result:?}"
                );
            }
        }
    }
}
