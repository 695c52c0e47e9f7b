//! The client: phones on a poor network. It sends at a steady rate, sends some requests twice, and
//! repeats what was not answered until it is.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::audit::{Promise, TAG_FIELD};

/// Every so manieth request is sent twice at once …
const DOUBLE_TAP_EVERY: usize = 5;
/// … and every so manieth once more a moment later.
const ECHO_EVERY: usize = 7;
const ECHO_AFTER: Duration = Duration::from_millis(700);
/// A phone tries again after this long without an answer.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Tries for one request, at most: a minute without teller ends the demo as failed.
const TRIES_MAX: usize = 300;

/// What the client counts while it sends.
#[derive(Default)]
pub struct Progress {
    /// Requests begun.
    pub sent: AtomicUsize,
    /// Requests that teller has promised.
    pub answered: AtomicUsize,
}

/// Sends one transaction for each of `numbers` at `per_second` and returns those that
/// teller promised.
///
/// # Errors
/// When teller refuses a good request, or does not answer for a minute.
pub async fn send_all(
    client: reqwest::Client,
    teller_url: String,
    numbers: Range<usize>,
    per_second: f64,
    progress: Arc<Progress>,
) -> anyhow::Result<Vec<Promise>> {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    let mut requests = JoinSet::new();
    for number in numbers {
        ticks.tick().await;
        progress.sent.fetch_add(1, Ordering::Relaxed);
        let (client, url, progress) = (
            client.clone(),
            format!("{teller_url}/transaction"),
            Arc::clone(&progress),
        );
        requests.spawn(async move {
            let promise = send(&client, &url, number).await?;
            progress.answered.fetch_add(1, Ordering::Relaxed);
            anyhow::Ok(promise)
        });
    }
    let mut promises = Vec::new();
    while let Some(promise) = requests.join_next().await {
        promises.push(promise.context("a client task ended early")??);
    }
    Ok(promises)
}

async fn send(client: &reqwest::Client, url: &str, number: usize) -> anyhow::Result<Promise> {
    let (id, tag) = (Uuid::new_v4().to_string(), format!("payment-{number}"));
    let body = json!({ "id": id, "payload": { TAG_FIELD: tag } });
    if number.is_multiple_of(DOUBLE_TAP_EVERY) {
        let (first, second) = tokio::join!(
            until_answered(client, url, &body),
            until_answered(client, url, &body)
        );
        first.and(second)?;
    } else {
        until_answered(client, url, &body).await?;
    }
    if number.is_multiple_of(ECHO_EVERY) {
        tokio::time::sleep(ECHO_AFTER).await;
        until_answered(client, url, &body).await?;
    }
    Ok(Promise { id, tag })
}

async fn until_answered(
    client: &reqwest::Client,
    url: &str,
    body: &serde_json::Value,
) -> anyhow::Result<()> {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        match client.post(url).json(body).send().await {
            Ok(answer) if matches!(answer.status(), StatusCode::OK | StatusCode::ACCEPTED) => {
                return Ok(());
            }
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
                last = "503".to_owned()
            }
            Ok(answer) => anyhow::bail!("teller answered {} to a good request", answer.status()),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    anyhow::bail!("no answer after {TRIES_MAX} tries; the last was {last}")
}
