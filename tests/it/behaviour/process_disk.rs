//! A disk that is full: what can't be made durable is not acknowledged, the program says so and
//! ends, and what was acknowledged is there when it starts again (law 1).

use serde_json::json;

use crate::support::{Client, Process, Rig, new_id, put};

/// Exit code of `EX_IOERR`.
const JOURNAL_FAILED: i32 = 74;
/// How large files can grow, in blocks of 512 bytes: 2 MiB, some hundred transactions of this size.
const BLOCKS: u32 = 4_096;
/// Bytes that make a transaction large.
const FILLER: usize = 6_000;
/// More transactions than find room.
const ENOUGH: usize = 5_000;

#[tokio::test]
async fn a_full_disk_stops_teller_before_it_acknowledges_what_it_can_not_keep() {
    let rig = Rig::set_up(|setup| {
        setup.embedded = true;
        put(&mut setup.config, "drain_timeout", "5s");
    })
    .await;
    let config = rig.config_file();
    let teller = Process::serve_on_full_disk(&config, BLOCKS)
        .await
        .expect("there is room to start");
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..ENOUGH {
        let id = new_id();
        let body = json!({"id": id, "payload": {"script": {"answer_after_ms": 500}, "filler": "x".repeat(FILLER)}});
        let request = teller
            .client
            .request(reqwest::Method::POST, "/v1/transactions");
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        match Client::try_send(request).await {
            Some(answer) if answer.status < 300 => accepted.push((id, body)),
            Some(answer) => {
                assert_eq!(answer.status, 503, "{answer:?}");
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                refused.push((id, body));
            }
            // It is gone, and whether this one is durable is not known.
            None => {
                refused.push((id, body));
                break;
            }
        }
    }
    let ended = teller.wait().await;
    assert_eq!(ended.code, Some(JOURNAL_FAILED), "{ended:?}");
    assert!(ended.said.contains("the journal failed"), "{}", ended.said);
    assert!(ended.said.contains("start teller again"), "{}", ended.said);
    assert!(
        accepted.len() > 10,
        "{} accepted, {} refused",
        accepted.len(),
        refused.len()
    );
    let teller = Process::serve(&config).await.expect("there is room again");
    for (id, body) in &accepted {
        let view = rig.audit(id).await;
        assert_eq!(view["status"], "completed");
        let replay = teller.client.post("/v1/transactions", body).await;
        assert_eq!(
            (replay.status, replay.is_replay()),
            (200, true),
            "{replay:?}"
        );
    }
    // What was not acknowledged can be sent again: it is paid once, whether it was durable or not.
    for (id, body) in &refused {
        let again = teller.client.post("/v1/transactions", body).await;
        assert!(again.status < 300, "{again:?}");
        rig.audit(id).await;
    }
    let ids: std::collections::BTreeSet<_> = rig
        .mock()
        .ledger()
        .executions
        .into_iter()
        .map(|entry| entry.id)
        .collect();
    for id in &ids {
        assert_eq!(rig.executions(id), 1, "{id}");
    }
}
