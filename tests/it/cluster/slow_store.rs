//! The store takes no command for seconds while payments are being submitted. Between a decision and the
//! first byte lies its commit, as slow as the store likes: nothing is paid twice because of it (law 2), and
//! nothing leaves after `submit_by`.

use std::time::Duration;

use serde_json::json;

use super::stage::{Plan, Stage};
use crate::support::redis::Server;
use crate::support::{SlowTokens, epoch_ms, new_id, payment_within, put};

/// What a token takes after the commit: longer than the window's margin, and than what is left of the window
/// when the ghost comes.
const TOKEN_TAKES: Duration = Duration::from_secs(2);
/// The right to act is over in the middle of the pause, and is not.
const LEASES: [&str; 2] = ["6s", "30s"];

/// One node, whose calls need a token. A ghost window lasts 12.5 s; a call is given up after 9.5 s.
async fn stage(store: &Server, tokens: &SlowTokens, lease: &str) -> Stage {
    let mut plan = Plan {
        nodes: 1,
        ..Plan::default()
    };
    tokens.require(&mut plan.profile, "25s");
    put(&mut plan.profile, "ghost.margin", "5s");
    put(&mut plan.profile, "schedule.backoff", vec!["10s"]);
    put(&mut plan.cluster, "lease", lease);
    Stage::set(&store.url(), plan).await
}

/// What became of two payments of which an attempt was decided while the store took no command: the first
/// of a new transaction, and the second of one that was refused.
struct Submitted {
    fresh: String,
    refused: String,
    /// When the store took commands again, at the earliest.
    paused_until_ms: u64,
}

async fn submit_while_the_store_is_paused(
    stage: &Stage,
    store: &Server,
    tokens: &SlowTokens,
    pause: Duration,
    within: Duration,
) -> Submitted {
    // The last moment of the ghost window, less a second for a busy machine.
    let ghost = json!({"answer": "timeout", "ghost_after_ms": 115_000});
    let (fresh, refused) = (new_id(), new_id());
    let client = stage.client(0);
    let script = json!([{"answer": "refuse_503"}, ghost, {}]);
    client
        .promised(&payment_within(&refused, script, within))
        .await;
    client.wait_until_state(&refused, "backing_off").await;
    tokens.take(TOKEN_TAKES);
    let pause_ms = u64::try_from(pause.as_millis()).expect("short");
    let paused_until_ms = epoch_ms() + pause_ms;
    store.command(&["CLIENT", "PAUSE", &pause_ms.to_string(), "ALL"]);
    client
        .promised(&payment_within(&fresh, json!([ghost, {}]), within))
        .await;
    Submitted {
        fresh,
        refused,
        paused_until_ms,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_commit_waits_for_the_store_is_paid_once() {
    let paid_once = async |lease: &'static str| {
        let store = Server::redis(&[]);
        let tokens = SlowTokens::start().await;
        let stage = stage(&store, &tokens, lease).await;
        let pause = Duration::from_secs(13);
        let hour = Duration::from_hours(1);
        let submitted =
            submit_while_the_store_is_paused(&stage, &store, &tokens, pause, hour).await;
        for (id, refusals) in [(&submitted.fresh, 0), (&submitted.refused, 1)] {
            let view = stage.client(0).wait_until_final(id).await;
            let posts = stage.posts(id);
            assert_eq!(view["status"], "completed", "lease {lease}: {view}");
            assert_eq!(view["needs_review"], false, "lease {lease}: {view}");
            assert_eq!(posts.len(), refusals + 1, "lease {lease}: {posts:#?}");
            assert!(posts[refusals].executed, "lease {lease}: {posts:#?}");
            let left_ms = posts[refusals].received_at_ms;
            assert!(
                left_ms >= submitted.paused_until_ms,
                "lease {lease}: {posts:#?}"
            );
        }
    };
    futures_util::future::join_all(LEASES.map(paid_once)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_after_submit_by_however_long_the_store_is_paused() {
    let kept_back = async |lease: &'static str| {
        let store = Server::redis(&[]);
        let tokens = SlowTokens::start().await;
        let stage = stage(&store, &tokens, lease).await;
        let (pause, within) = (Duration::from_secs(9), Duration::from_secs(3));
        let submitted =
            submit_while_the_store_is_paused(&stage, &store, &tokens, pause, within).await;
        for (id, refusals) in [(&submitted.fresh, 0), (&submitted.refused, 1)] {
            let view = stage.client(0).wait_until_final(id).await;
            let history = stage.client(0).history(id).await;
            assert_eq!(view["status"], "failed", "lease {lease}: {view}");
            let why = view["outcome"]["why"].as_str().unwrap_or_default();
            assert!(
                why.starts_with("submit_by was reached"),
                "lease {lease}: {view} {history:#?}"
            );
            let posts = stage.posts(id);
            assert_eq!(posts.len(), refusals, "lease {lease}: {posts:#?}");
            assert!(posts.iter().all(|post| !post.executed), "{posts:#?}");
        }
    };
    futures_util::future::join_all(LEASES.map(kept_back)).await;
}
