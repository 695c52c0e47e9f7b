//! A disk that hangs: between a decision and the first byte lies its commit, as slow as it likes. Nothing
//! is paid twice because of it (law 2), and nothing leaves after `submit_by`.

use std::time::Duration;

use serde_json::json;

use crate::support::{HeldDisk, Process, Rig, SlowTokens, new_id, payment_within, put};

/// A ghost window of 12.5 s; a call is given up after 9.5 s.
const TIME_SCALE: f64 = 10.0;
/// A commit that takes longer than a call may.
const HELD_FOR: Duration = Duration::from_secs(13);
/// What a token takes after the commit: longer than the window's margin, and than what is left of the window
/// when the ghost comes.
const TOKEN_TAKES: Duration = Duration::from_secs(2);

/// A provider whose calls need a token, and whose next attempt follows a second after a refusal.
async fn rig(tokens: &SlowTokens) -> Rig {
    Rig::set_up(|setup| {
        setup.embedded = true;
        setup.time_scale = TIME_SCALE;
        tokens.require(&mut setup.profile, "25s");
        put(&mut setup.profile, "ghost.margin", "5s");
        put(&mut setup.profile, "schedule.backoff", vec!["10s"]);
    })
    .await
}

/// Has an attempt of each kind decided while the disk hangs: the first of a new transaction, and the second
/// of one that was refused. Neither may leave later than `within`.
async fn submit_on_a_disk_that_hangs(
    rig: &Rig,
    disk: &HeldDisk,
    teller: &Process,
    tokens: &SlowTokens,
    within: Duration,
) -> [String; 2] {
    // The last moment of the ghost window, less a second for a busy machine.
    let ghost = json!({"answer": "timeout", "ghost_after_ms": 115_000});
    let (fresh, refused) = (new_id(), new_id());
    let script = json!([{"answer": "refuse_503"}, ghost, {}]);
    teller
        .client
        .promised(&payment_within(&refused, script, within))
        .await;
    teller
        .client
        .wait_until_state(&refused, "backing_off")
        .await;
    tokens.take(TOKEN_TAKES);
    disk.hold();
    let body = payment_within(&fresh, json!([ghost, {}]), within);
    let client = teller.client.clone();
    let posting = tokio::spawn(async move { client.promised(&body).await });
    disk.wait_until_held().await;
    tokio::time::sleep(HELD_FOR).await;
    assert_eq!(rig.posts(&fresh), [], "it is not durable yet");
    assert_eq!(
        rig.posts(&refused).len(),
        1,
        "the second is not durable yet"
    );
    disk.release();
    posting.await.expect("it is promised in the end");
    [fresh, refused]
}

#[tokio::test]
async fn a_payment_whose_commit_hangs_on_the_disk_is_paid_once() {
    let tokens = SlowTokens::start().await;
    let rig = rig(&tokens).await;
    let disk = HeldDisk::new();
    let teller = disk.serve(&rig.config_file()).await;
    let ids =
        submit_on_a_disk_that_hangs(&rig, &disk, &teller, &tokens, Duration::from_hours(1)).await;
    for (id, posts) in ids.iter().zip([1, 2]) {
        let view = rig.audit(id).await;
        assert_eq!(view["outcome"]["source"], "inquiry", "{view}");
        assert_eq!(view["needs_review"], false, "{view}");
        assert_eq!(rig.posts(id).len(), posts);
    }
}

#[tokio::test]
async fn nothing_leaves_after_submit_by_however_long_the_disk_hangs() {
    let tokens = SlowTokens::start().await;
    let rig = rig(&tokens).await;
    let disk = HeldDisk::new();
    let teller = disk.serve(&rig.config_file()).await;
    // Both are decided before, and durable long after.
    let within = Duration::from_secs(5);
    let ids = submit_on_a_disk_that_hangs(&rig, &disk, &teller, &tokens, within).await;
    for (id, posts) in ids.iter().zip([0, 1]) {
        let view = teller.client.wait_until_final(id).await;
        assert_eq!(view["status"], "failed", "{view}");
        assert_eq!(rig.posts(id).len(), posts, "{view}");
        assert_eq!(rig.executions(id), 0);
        let why = view["outcome"]["why"].as_str().unwrap_or_default();
        assert!(why.starts_with("submit_by was reached"), "{view}");
        let history = teller.client.history(id).await;
        let kept_back = "submit_by had passed before its first byte could leave";
        let told = format!("{history:?}").contains(kept_back);
        assert!(told, "{history:#?}");
    }
}
