//! A provider that isn't there: everything waits, nothing is given up, and it all ends when the
//! provider is back.

use mock_provider::faults::Faults;
use serde_json::{Value, json};

use crate::support::{Rig, eventually, new_id};

async fn gate(rig: &Rig) -> Value {
    rig.client.get("/v1/providers").await.json()["data"][0].clone()
}

async fn wait_for_the_breaker(rig: &Rig) {
    eventually("the breaker opens", || async {
        let gate = gate(rig).await;
        gate["breaker_opened_total"]
            .as_u64()
            .filter(|opened| *opened > 0)
    })
    .await;
}

#[tokio::test]
async fn refused_connections_are_waited_out() {
    const WAITING: usize = 15;
    let mut rig = Rig::start().await;
    rig.stop_mock().await;
    let mut ids = Vec::new();
    for _ in 0..WAITING {
        let id = new_id();
        assert_eq!(rig.client.pay(&id, json!({})).await.status, 202);
        ids.push(id);
    }
    wait_for_the_breaker(&rig).await;
    for id in &ids {
        assert_eq!(rig.client.read(id).await["status"], "pending");
    }
    rig.start_mock().await;
    for id in &ids {
        let view = rig.audit(id).await;
        assert_eq!(view["status"], "completed", "{view}");
        assert_eq!(rig.posts(id).len(), 1);
    }
    eventually("the breaker closes", || async {
        (gate(&rig).await["breaker"] == "closed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_outage_outlives_a_restart_of_teller() {
    let mut rig = Rig::start().await;
    rig.stop_mock().await;
    let ids: Vec<String> = (0..5).map(|_| new_id()).collect();
    for id in &ids {
        assert_eq!(rig.client.pay(id, json!({})).await.status, 202);
    }
    rig.restart_teller().await;
    for id in &ids {
        assert_eq!(rig.client.read(id).await["status"], "pending");
    }
    rig.start_mock().await;
    for id in &ids {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

/// The provider takes connections and drops them: what was sent may have been executed, so it is
/// asked about, and submitted again only after its window.
#[tokio::test]
async fn dropped_connections_are_doubts_and_end_after_the_window() {
    let rig = Rig::start().await;
    let down = Faults {
        down: true,
        ..Faults::default()
    };
    rig.mock().set_faults(down).expect("legal");
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    rig.client.wait_until_state(&id, "unknown").await;
    assert_eq!(rig.executions(&id), 0);
    rig.mock().set_faults(Faults::default()).expect("legal");
    let view = rig.audit(&id).await;
    assert_eq!(view["attempts"], 2, "{view}");
    assert_eq!(
        rig.posts(&id).len(),
        1,
        "the first never reached the provider's hands"
    );
}

#[tokio::test]
async fn doubts_survive_an_outage_of_the_status_api() {
    let rig = Rig::start().await;
    let ids: Vec<String> = (0..12).map(|_| new_id()).collect();
    for id in &ids {
        rig.client
            .paid(
                id,
                json!({"answer": "timeout", "answer_after_ms": 2_000, "ghost_after_ms": 5_000}),
            )
            .await;
    }
    for id in &ids {
        eventually("posted", || async { rig.posts(id).pop() }).await;
    }
    rig.mock()
        .set_faults(Faults {
            down: true,
            ..Faults::default()
        })
        .expect("legal");
    // The 504s are failures in a row already; a few inquiries have to fail as well.
    eventually("inquiries fail", || async {
        let failed = gate(&rig).await["failed_in_a_row"].clone();
        failed
            .as_u64()
            .filter(|failed| *failed > ids.len() as u64 + 2)
    })
    .await;
    rig.mock().set_faults(Faults::default()).expect("legal");
    for id in &ids {
        let view = rig.audit(id).await;
        assert_eq!(view["outcome"]["source"], "inquiry");
        assert_eq!(rig.posts(id).len(), 1);
    }
}
