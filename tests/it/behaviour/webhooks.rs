//! Webhooks as providers send them: early, late, twice, contradictory, forged, or as the only
//! evidence there is (law 5).

use mock_provider::ledger::WebhookSent;
use serde_json::{Value, json};

use teller::actors::messages::{NamedBy, WebhookTaken};
use teller::transaction::{Finding, Report};

use crate::support::{Rig, eventually, new_id};

/// Waits until so many webhooks of it were answered, and hands them out.
async fn wait_for_webhooks(rig: &Rig, id: &str, count: usize) -> Vec<WebhookSent> {
    eventually(&format!("{count} webhooks"), || async {
        let webhooks = rig.posts(id).pop()?.webhooks;
        (webhooks.len() >= count).then_some(webhooks)
    })
    .await
}

fn expect_200(webhooks: &[WebhookSent]) {
    for webhook in webhooks {
        assert_eq!(webhook.answer, Some(200), "{webhooks:?}");
    }
}

async fn inquired(rig: &Rig, id: &str) -> bool {
    let history = rig.client.history(id).await;
    history
        .iter()
        .any(|record| record["type"] == "inquired" && record["to"]["name"] != "unknown")
}

// ---- before the answer -------------------------------------------------------------------------------

#[tokio::test]
async fn a_webhook_can_be_the_only_evidence() {
    let rig = Rig::start().await;
    for status in ["completed", "declined"] {
        let id = new_id();
        let silent: Vec<u16> = vec![500; 100];
        let script = json!({"answer": "hang", "status": status, "webhook": "once", "webhook_after_ms": 50_000, "get": silent});
        rig.client.paid(&id, script).await;
        let view = rig.audit(&id).await;
        assert_eq!(
            (&view["status"], &view["outcome"]["source"]),
            (&json!(status), &json!("webhook"))
        );
        assert!(!inquired(&rig, &id).await);
        expect_200(&wait_for_webhooks(&rig, &id, 1).await);
        assert_eq!(rig.posts(&id).len(), 1);
    }
}

#[tokio::test]
async fn a_webhook_that_overtakes_the_answer_decides_and_the_answer_repeats_it() {
    let rig = Rig::start_with(|setup| setup.tell_by_template(&["0s", "5s", "5s"])).await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"answer_after_ms": 20_000, "webhook": "early", "status": "declined"}),
        )
        .await;
    let view = rig.audit(&id).await;
    assert_eq!(
        (&view["outcome"]["source"], &view["outcome"]["attempt"]),
        (&json!("webhook"), &json!(1))
    );
    eventually("the answer is in and the app told", || async {
        let gates = rig.client.get("/v1/providers").await.json();
        let told = rig.client.inspect(&id).await["notification"]["delivery"] == "acknowledged";
        (gates["data"][0]["submissions_out"] == 0 && told).then_some(())
    })
    .await;
    let after = rig.client.read(&id).await;
    assert_eq!(
        (&after["status"], &after["outcome"]),
        (&view["status"], &view["outcome"])
    );
    assert_eq!(rig.told(&id).len(), 1);
    assert!(rig.client.inspect(&id).await["conflicts"].is_null());
}

// ---- after the outcome -------------------------------------------------------------------------------

#[tokio::test]
async fn late_and_repeated_webhooks_change_nothing() {
    let rig = Rig::start().await;
    let scripts = [
        (json!({"webhook": "late", "webhook_after_ms": 15_000}), 1),
        (
            json!({"webhook": "duplicate", "webhook_after_ms": 10_000}),
            2,
        ),
        (
            json!({"answer": "hang", "webhook": "duplicate", "webhook_after_ms": 5_000}),
            2,
        ),
    ];
    for (script, webhooks) in scripts {
        let id = new_id();
        rig.client.paid(&id, script.clone()).await;
        let view = rig.audit(&id).await;
        expect_200(&wait_for_webhooks(&rig, &id, webhooks).await);
        assert_eq!(rig.client.read(&id).await, view, "{script}");
        assert!(
            rig.client.inspect(&id).await["conflicts"].is_null(),
            "{script}"
        );
    }
}

#[tokio::test]
async fn a_contradiction_is_kept_shown_and_settled_by_a_person_and_the_first_outcome_stands() {
    let rig = Rig::start_with(|setup| setup.tell_by_template(&["0s", "5s", "5s"])).await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"webhook": "contradictory", "webhook_after_ms": 10_000}),
        )
        .await;
    let view = rig.audit(&id).await;
    assert_eq!(view["status"], "completed");
    expect_200(&wait_for_webhooks(&rig, &id, 2).await);
    let after = rig
        .client
        .wait_until(&id, "needs review", |view| view["needs_review"] == true)
        .await;
    assert_eq!(
        (&after["status"], &after["outcome"]),
        (&view["status"], &view["outcome"])
    );
    let conflict = rig.client.inspect(&id).await["conflicts"][0].clone();
    assert_eq!(conflict["kind"], "completed_against_declined", "{conflict}");
    assert_eq!(
        (&conflict["source"], &conflict["claimed"]),
        (&json!("webhook"), &json!("declined"))
    );
    wait_for_review(&rig, &[&id]).await;
    let act = json!({"by": "ann", "why": "their portal says completed", "outcome": "completed"});
    assert_eq!(rig.client.act(&id, "resolve", &act).await.status, 200);
    wait_for_review(&rig, &[]).await;
    let settled = rig.client.read(&id).await;
    assert_eq!(
        (&settled["status"], &settled["needs_review"]),
        (&json!("completed"), &json!(false))
    );
    let told = rig.wait_until_told(&id, 1).await;
    assert!(
        told.iter()
            .all(|told| told.status.as_deref() == Some("accepted")),
        "{told:?}"
    );
}

#[tokio::test]
async fn of_two_contradictory_webhooks_the_first_decides() {
    let rig = Rig::start().await;
    let id = new_id();
    let script = json!({"answer": "hang", "status": "declined", "webhook": "contradictory", "webhook_after_ms": 2_000});
    rig.client.paid(&id, script).await;
    let view = rig.audit(&id).await;
    assert_eq!(view["outcome"]["source"], "webhook");
    expect_200(&wait_for_webhooks(&rig, &id, 2).await);
    wait_for_review(&rig, &[&id]).await;
    assert_eq!(rig.client.read(&id).await["status"], "declined");
}

async fn wait_for_review(rig: &Rig, expected: &[&str]) {
    eventually("the review list", || async {
        let list = rig.client.get("/v1/review").await.json();
        let lines = list["data"].as_array().expect("a list").iter();
        let ids: Vec<String> = lines
            .filter_map(|line| Some(line["id"].as_str()?.to_owned()))
            .collect();
        (ids == expected).then_some(())
    })
    .await;
}

// ---- from somebody else ------------------------------------------------------------------------------

#[tokio::test]
async fn a_forged_webhook_is_answered_and_not_believed() {
    let rig = Rig::start().await;
    let mut ids = Vec::new();
    // Half of the forgers leave the token out, half invent one.
    for n in 0..10 {
        let id = new_id();
        let status = if n % 2 == 0 { "completed" } else { "declined" };
        let script = json!({
            "answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 60_000,
            "status": status, "webhook": "forged", "webhook_after_ms": 5_000,
        });
        rig.client.paid(&id, script).await;
        ids.push(id);
    }
    for id in &ids {
        expect_200(&wait_for_webhooks(&rig, id, 1).await);
        let view = rig.audit(id).await;
        assert_eq!(view["outcome"]["source"], "inquiry");
        let history: Vec<Value> = rig.client.history(id).await;
        assert!(
            history.iter().all(|record| record["type"] != "webhook"),
            "{history:?}"
        );
    }
}

#[tokio::test]
async fn executed_under_another_id_of_the_providers_opens_a_review_of_the_transaction_it_names() {
    let rig = Rig::start().await;
    let id = new_id();
    let script = json!({"answer": "error_500", "answer_after_ms": 1, "executed": false});
    rig.client.paid(&id, script).await;
    let tell = async |named_by, event: &str, reference: &str, finding| {
        let report = Report {
            provider_reference: Some(reference.to_owned()),
            ..Report::bare(finding)
        };
        let router = &rig.teller().house.router;
        let (key, event) = (Rig::key(&id), Some(event.to_owned()));
        let taken = router.webhook(key, "reference", (named_by, Some(1)), event, report);
        taken.await.expect("answered")
    };
    let (ours, alone) = (NamedBy::OurReference, NamedBy::OurReferenceAlone);
    let pending = tell(ours, "e1", "p1", Finding::Pending).await;
    assert_eq!(pending, WebhookTaken::Yes);
    // Another id of the provider's is another payment, unless the provider vouches for our reference in it.
    for (named_by, finding) in [
        (ours, Finding::Completed),
        (NamedBy::ProviderReference, Finding::Completed),
        (alone, Finding::Declined),
        (alone, Finding::Pending),
    ] {
        let taken = tell(named_by, "e2", "p2", finding).await;
        assert_eq!(taken, WebhookTaken::Unknown, "{named_by:?}");
    }
    assert_eq!(rig.client.read(&id).await["status"], "pending");
    let executed = tell(alone, "e3", "p2", Finding::Completed).await;
    assert_eq!(executed, WebhookTaken::Yes);
    assert_eq!(rig.client.read(&id).await["status"], "in_review");
    eventually("the review shows it", || async {
        let review = rig.client.get("/v1/review").await;
        review.text.contains(&id).then_some(())
    })
    .await;
    // What is found by the provider's id alone has to be known to the transaction itself.
    let known = tell(NamedBy::ProviderReference, "e4", "p1", Finding::Completed).await;
    assert_eq!(known, WebhookTaken::Yes);
    assert_eq!(rig.client.read(&id).await["status"], "completed");
}
