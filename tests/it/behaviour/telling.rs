//! The app is told, once it is known and until it has heard it, and the payment is never repeated
//! for that (law 6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mock_provider::app::{FailMode, Form, Notification};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Rig, Setup, eventually, new_id, put};

/// A key of 32 bytes, as Standard Webhooks writes it.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Told at once, and then again and again.
const OFTEN: [&str; 6] = ["0s", "2s", "2s", "2s", "2s", "2s"];
/// Slower than other behaviours, so that a busy machine is not taken for an app that doesn't answer.
const TIME_SCALE: f64 = 10.0;

/// The app is told in its own words.
fn in_words(setup: &mut Setup) {
    setup.time_scale = TIME_SCALE;
    setup.tell_by_template(&OFTEN);
}

async fn wait_for_delivery(rig: &Rig, id: &str, delivery: &str) -> Value {
    eventually(&format!("delivery {delivery}"), || async {
        let notification = rig.client.inspect(id).await["notification"].clone();
        (notification["delivery"] == delivery).then_some(notification)
    })
    .await
}

fn webhook_id(told: &Notification) -> &str {
    &told.headers["webhook-id"]
}

fn body(told: &Notification) -> Value {
    serde_json::from_str(&told.body).expect("JSON")
}

// ---- what it is told ---------------------------------------------------------------------------------

#[tokio::test]
async fn the_app_is_told_in_its_own_words_and_in_both_shapes() {
    let rig = Rig::start_with(in_words).await;
    let past = "2020-01-01T00:00:00Z";
    let cases = [
        (
            json!({"payload": {"script": {"status": "completed"}}}),
            "completed",
            "accepted",
        ),
        (
            json!({"payload": {"script": {"status": "declined"}}}),
            "declined",
            "declined",
        ),
        (json!({"submit_by": past}), "failed", "given_up"),
    ];
    for (mut request, status, word) in cases {
        let id = new_id();
        request["id"] = json!(id);
        rig.client.post("/v1/transactions", &request).await;
        let told = rig.wait_until_told(&id, 1).await.remove(0);
        assert_eq!(
            (told.form, told.answered),
            (Form::Callback, Some(200)),
            "{told:?}"
        );
        let expected = json!({"id": id, "status": {"id": id, "status": word}});
        assert_eq!(body(&told), expected);
        wait_for_delivery(&rig, &id, "acknowledged").await;
        assert_eq!(rig.client.read(&id).await["status"], status);
        assert_eq!(rig.told(&id).len(), 1);
    }
    assert_eq!(
        rig.mock().ledger().executions.len(),
        2,
        "an expired one is never submitted"
    );
}

#[tokio::test]
async fn standard_webhooks_are_signed_over_id_time_and_body() {
    let rig = Rig::start_with(sign).await;
    let id = new_id();
    let amount = json!({"value": 1_250, "currency": "EUR"});
    let request = json!({"id": id, "amount": amount, "payload": {"script": {}}});
    rig.client.post("/v1/transactions", &request).await;
    let told = rig.wait_until_told(&id, 1).await.remove(0);
    assert_eq!((told.form, told.answered), (Form::Standard, Some(200)));
    let key = STANDARD.decode(&SECRET["whsec_".len()..]).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    let timestamp = &told.headers["webhook-timestamp"];
    mac.update(format!("{}.{timestamp}.{}", webhook_id(&told), told.body).as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(told.headers["webhook-signature"], signature);
    let sent_s: u64 = timestamp.parse().expect("seconds");
    assert!(told.at_ms.abs_diff(sent_s * 1_000) < 300_000, "{timestamp}");
    let body = body(&told);
    assert_eq!(body["type"], "transaction.completed");
    assert_eq!(
        (&body["data"]["id"], &body["data"]["status"]),
        (&json!(id), &json!("completed"))
    );
    assert_eq!(body["data"]["amount"], amount);
}

/// The app is told in signed Standard Webhooks.
fn sign(setup: &mut Setup) {
    setup.time_scale = TIME_SCALE;
    // Beside the configuration of every test; the file belongs to the whole run.
    static FILE: std::sync::OnceLock<tempfile::TempPath> = std::sync::OnceLock::new();
    let file = FILE.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), SECRET).expect("writable");
        file.into_temp_path()
    });
    setup.tell_signed(&file.display().to_string(), &OFTEN);
}

// ---- until it has heard it ---------------------------------------------------------------------------

#[tokio::test]
async fn an_app_that_fails_is_told_the_same_again_and_nothing_is_paid_again() {
    for mode in [
        FailMode::Status500,
        FailMode::Status429,
        FailMode::Close,
        FailMode::Hang,
    ] {
        let rig = Rig::start_with(sign).await;
        rig.app().fail(3, mode);
        let id = new_id();
        rig.client.paid(&id, json!({"status": "declined"})).await;
        let notification = wait_for_delivery(&rig, &id, "acknowledged").await;
        assert_eq!(notification["failures"], 3, "{mode:?}: {notification}");
        let told = rig.told(&id);
        assert_eq!(told.len(), 4, "{mode:?}: {told:?}");
        for again in &told[1..] {
            assert_eq!(webhook_id(again), webhook_id(&told[0]), "{mode:?}");
            assert_eq!(again.body, told[0].body, "{mode:?}");
        }
        assert_eq!(rig.posts(&id).len(), 1, "{mode:?}");
        rig.audit(&id).await;
    }
}

#[tokio::test]
async fn an_app_that_is_down_over_a_restart_is_told_when_it_is_back() {
    let mut rig = Rig::start_with(|setup| {
        setup.time_scale = TIME_SCALE;
        setup.tell_by_template(&["1s"; 50]);
    })
    .await;
    rig.stop_app().await;
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    let view = rig.audit(&id).await;
    eventually("a delivery failed", || async {
        let failures = rig.client.inspect(&id).await["notification"]["failures"].clone();
        failures.as_u64().filter(|failures| *failures > 0)
    })
    .await;
    rig.restart_teller().await;
    rig.start_app().await;
    let told = rig.wait_until_told(&id, 1).await;
    assert_eq!(told[0].status.as_deref(), Some("accepted"));
    wait_for_delivery(&rig, &id, "acknowledged").await;
    let after = rig.client.read(&id).await;
    assert_eq!(
        (&after["status"], &after["outcome"]),
        (&view["status"], &view["outcome"])
    );
    assert_eq!(rig.posts(&id).len(), 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_not_told_again_after_a_restart() {
    let mut rig = Rig::start_with(in_words).await;
    let ids: Vec<String> = (0..5).map(|_| new_id()).collect();
    for id in &ids {
        rig.client.paid(id, json!({})).await;
        wait_for_delivery(&rig, id, "acknowledged").await;
    }
    rig.restart_teller().await;
    // Something new goes the whole way, so whatever was due at the start has gone out before it.
    let last = new_id();
    rig.client.paid(&last, json!({})).await;
    wait_for_delivery(&rig, &last, "acknowledged").await;
    for id in &ids {
        assert_eq!(rig.told(id).len(), 1);
    }
}

// ---- or wants no more --------------------------------------------------------------------------------

#[tokio::test]
async fn an_app_that_answers_410_is_given_up_visibly() {
    let rig = Rig::start_with(in_words).await;
    rig.app().fail(1, FailMode::Status410);
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    wait_for_delivery(&rig, &id, "given_up").await;
    let history = rig.client.history(&id).await;
    let last = history.last().expect("records");
    assert_eq!(
        (&last["type"], &last["delivery"]),
        (&json!("notified"), &json!("given_up"))
    );
    assert!(
        last["why"].as_str().unwrap_or_default().contains("410"),
        "{last}"
    );
    assert_eq!(rig.told(&id).len(), 1);
    rig.audit(&id).await;
}

#[tokio::test]
async fn a_schedule_that_is_used_up_is_given_up_visibly() {
    let rig = Rig::start_with(|setup| {
        setup.time_scale = TIME_SCALE;
        setup.tell_by_template(&["0s", "1s", "1s"]);
    })
    .await;
    rig.app().fail(100, FailMode::Status500);
    let id = new_id();
    rig.client.paid(&id, json!({})).await;
    wait_for_delivery(&rig, &id, "given_up").await;
    assert_eq!(rig.told(&id).len(), 3);
    rig.audit(&id).await;
}

// ---- and is corrected --------------------------------------------------------------------------------

#[tokio::test]
async fn a_failure_that_was_executed_after_all_is_told_again_under_a_higher_version() {
    let rig = Rig::start_with(|setup| {
        sign(setup);
        // A provider that says less than the truth about how long its ghosts may take.
        put(&mut setup.profile, "ghost.window", "5s");
        put(&mut setup.profile, "ghost.margin", "0s");
        put(&mut setup.profile, "ghost.on_absence", "fail");
    })
    .await;
    let id = new_id();
    let script = json!({
        "answer": "timeout", "answer_after_ms": 500, "ghost_after_ms": 20_000,
        "webhook": "once", "webhook_after_ms": 22_000,
    });
    rig.client.paid(&id, script).await;
    let told = rig.wait_until_told(&id, 2).await;
    let (failed, corrected) = (body(&told[0]), body(&told[1]));
    assert_eq!(
        (&failed["type"], &corrected["type"]),
        (
            &json!("transaction.failed"),
            &json!("transaction.completed")
        )
    );
    assert!(
        corrected["data"]["version"].as_u64() > failed["data"]["version"].as_u64(),
        "{told:?}"
    );
    assert_ne!(webhook_id(&told[0]), webhook_id(&told[1]));
    wait_for_delivery(&rig, &id, "acknowledged").await;
    let status = rig.client.inspect(&id).await;
    assert_eq!(
        (&status["status"], &status["conflicts"][0]["kind"]),
        (&json!("completed"), &json!("failed_but_executed"))
    );
    assert_eq!(rig.posts(&id).len(), 1);
}

// ---- once more ---------------------------------------------------------------------------------------

#[tokio::test]
async fn an_app_that_lost_what_it_was_told_can_have_it_told_again_under_the_same_id() {
    let rig = Rig::start_with(sign).await;
    let id = new_id();
    rig.client.paid(&id, json!({"status": "completed"})).await;
    rig.wait_until_told(&id, 1).await;
    wait_for_delivery(&rig, &id, "acknowledged").await;
    let answer = rig.client.act(&id, "redeliver", &json!({})).await;
    assert_eq!(answer.json()["status"], "completed");
    let told = rig.wait_until_told(&id, 2).await;
    assert_eq!(webhook_id(&told[0]), webhook_id(&told[1]));
    assert_eq!(told[0].body, told[1].body);
    wait_for_delivery(&rig, &id, "acknowledged").await;
    assert_eq!(rig.posts(&id).len(), 1, "the payment is not touched");
}

#[tokio::test]
async fn what_was_never_told_can_not_be_told_again() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, json!({"status": "completed"})).await;
    let answer = rig.client.act(&id, "redeliver", &json!({})).await;
    answer.expect_problem(409, "nothing_to_tell");
}
