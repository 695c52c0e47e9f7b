//! Webhooks: unsigned, sent once, never retried.

use std::time::Duration;

use actix_web::rt;
use actix_web::web::Data;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::state::{Provider, Taken};
use crate::clock::epoch_ms;
use crate::ledger::{WebhookKind, WebhookSent};
use crate::model::Dice;
use crate::outbound;
use crate::plan::PlannedWebhook;

/// How long the receiver may take to answer, real time.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many webhooks may be on their way at once: half of the usual limit of open files. More wait.
pub(crate) const MAX_IN_FLIGHT: usize = 512;

/// What a forger who has to guess puts in place of the token.
const WRONG_TOKEN: &str = "not-the-token";

pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    outbound::client(TIMEOUT)
}

/// Where webhooks go.
pub(crate) struct Target {
    given: String,
    url: Url,
}

impl Target {
    pub(crate) fn parse(given: String) -> Result<Self, String> {
        let url = Url::parse(&given).map_err(|error| error.to_string())?;
        Ok(Self { given, url })
    }

    /// The address letter for letter as it was given.
    pub(crate) fn as_given(&self) -> &str {
        &self.given
    }
}

/// Sends what was planned, each webhook as a task of its own.
pub(crate) fn schedule(provider: &Data<Provider>, id: &str, target: &Target, taken: &Taken) {
    for webhook in &taken.plan.webhooks {
        let url = match webhook.kind {
            WebhookKind::Forged => guessed(&target.url, provider.seed, id, taken.execution),
            _ => target.url.clone(),
        };
        let at_ms = taken.at_ms.saturating_add(webhook.after_ms);
        rt::spawn(send(
            provider.clone(),
            id.to_owned(),
            url,
            webhook.clone(),
            at_ms,
            taken.index,
        ));
    }
}

async fn send(
    provider: Data<Provider>,
    id: String,
    url: Url,
    webhook: PlannedWebhook,
    at_ms: u64,
    index: usize,
) {
    provider.clock.sleep_until(at_ms).await;
    let _slot = provider.webhook_slots.acquire().await;
    let at_ms = epoch_ms();
    let answer = provider
        .client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(json!({"id": id, "status": webhook.status}).to_string())
        .send()
        .await;
    let answer = match answer {
        Ok(response) => Some(response.status().as_u16()),
        Err(error) => {
            // The address may carry a token, so it stays out of the log.
            tracing::info!(id, error = %error.without_url(), "webhook without an answer");
            None
        }
    };
    let sent = WebhookSent {
        at_ms,
        status: webhook.status,
        kind: webhook.kind,
        answer,
    };
    provider.webhook_sent(index, sent);
}

/// The address as somebody knows it who has never seen the token: half of them leave the last
/// segment out, half put something in its place.
fn guessed(url: &Url, seed: u64, id: &str, execution: u32) -> Url {
    let mut guess = url.clone();
    if let Ok(mut path) = guess.path_segments_mut() {
        path.pop();
        if Dice::new(seed, "forged_path", id, u64::from(execution)).chance(0.5) {
            path.push(WRONG_TOKEN);
        }
    }
    guess.set_query(None);
    guess
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Url, guessed};

    #[test]
    fn a_forger_knows_all_but_the_last_segment() {
        let url = Url::parse("http://127.0.0.1:1/webhooks/ref/secret?key=secret").expect("a URL");
        let guesses: BTreeSet<String> = (0..50)
            .map(|n| guessed(&url, 1, &n.to_string(), 1).to_string())
            .collect();
        let expected = [
            "http://127.0.0.1:1/webhooks/ref",
            "http://127.0.0.1:1/webhooks/ref/not-the-token",
        ];
        assert_eq!(guesses, expected.map(str::to_owned).into());
    }
}
