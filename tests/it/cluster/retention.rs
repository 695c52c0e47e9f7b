//! What the doors say of a transaction whose history went to the archive, whichever node is asked.

use std::time::Duration;

use serde_json::{Value, json};
use teller::adapters::journal::redis::{Address, Archive, Options, Place, RedisJournal, Retention};
use teller::ports::Tenure;
use teller::transaction::{AppId, Key, TransactionId};
use uuid::Uuid;

use super::stage::{Plan, Stage};
use crate::support::eventually;
use crate::support::redis::{Kind, Server};

/// An actor that nobody asks leaves memory after five seconds. Until then it has its whole history, and
/// whoever looks more often keeps it.
const LINGER: Duration = Duration::from_secs(6);

async fn post(stage: &Stage, node: usize, body: &Value) -> (u16, bool, Value) {
    let url = format!("{}/v1/transactions", stage.node_url(node));
    let answer = stage.http().post(url).json(body).send().await;
    let answer = answer.expect("an answer");
    let replayed = answer.headers().contains_key("idempotent-replayed");
    let code = answer.status().as_u16();
    (code, replayed, answer.json().await.expect("JSON"))
}

async fn get(stage: &Stage, node: usize, path: &str) -> Option<Value> {
    let url = format!("{}/v1/transactions/{path}", stage.node_url(node));
    let answer = stage.http().get(url).send().await.ok()?;
    answer.status().is_success().then_some(())?;
    answer.json().await.ok()
}

/// As the owner's upkeep does, only at once: a retention is a minute at least.
async fn retire(store: &Server, key: &Key) -> usize {
    let place = Place::Server(Address {
        host: "127.0.0.1".to_owned(),
        port: store.port(),
    });
    let options = Options {
        retention: Some(Retention {
            finished_kept_for: Duration::ZERO,
            archive: Archive::Stream,
        }),
        ..Options::new(place)
    };
    let journal = RedisJournal::connect(options).await.expect("it runs");
    let lease = format!("teller:{{p{}}}:lease", key.partition());
    let part = |name: &str| store.text(&["HGET", &lease, name]);
    let tenure = Tenure {
        epoch: part("epoch").parse().expect("a number"),
        claim: part("claim").parse().expect("a UUID"),
    };
    let retired = journal.retire(key.partition(), tenure).await;
    retired.expect("it is the owner's").moved
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_transaction_still_answers_for_itself() {
    for kind in Kind::ALL {
        let store = Server::start(kind, &[]);
        let plan = Plan {
            nodes: 2,
            time_scale: 50.0,
            ..Plan::default()
        };
        let stage = &Stage::set(&store.url(), plan).await;
        let id = Uuid::new_v4();
        let key = &Key {
            app: AppId::parse("shop").expect("a legal name"),
            id: TransactionId(id),
        };
        let body = json!({ "id": id, "payload": { "note": "a table for two" } });
        let (code, _, _) = post(stage, 0, &body).await;
        assert!([200, 202].contains(&code), "{code}");
        let store = &store;
        eventually("it is finished, told and archived", || async move {
            let moved = retire(store, key).await;
            (moved == 1).then_some(())
        })
        .await;
        let id = &id.to_string();
        for node in 0..2 {
            let view = eventually("the actor has left", || async move {
                tokio::time::sleep(LINGER).await;
                let view = get(stage, node, id).await?;
                view.get("archived_at").is_some().then_some(view)
            })
            .await;
            assert!(crate::support::is_final(&view), "{view}");
            assert!(view["outcome"]["outcome"].is_string(), "{view}");
            let (code, replayed, again) = post(stage, node, &body).await;
            assert_eq!((code, replayed), (200, true), "{kind:?}, node {node}");
            assert_eq!(again["version"], view["version"]);
            let other = json!({ "id": id, "payload": { "note": "for three" } });
            let (code, _, problem) = post(stage, node, &other).await;
            assert_eq!(code, 422, "{kind:?}, node {node}: {problem}");
            let events = get(stage, node, &format!("{id}/events")).await;
            let events = events.expect("what is left")["data"].take();
            assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
            assert_eq!(events[0]["type"], "archived", "{events}");
            assert_eq!(events[0]["version"], view["version"], "{events}");
            assert!(!events.to_string().contains("a table for two"));
        }
    }
}
