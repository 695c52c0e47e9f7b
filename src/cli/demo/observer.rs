//! Watching the demo from outside, over the same doors that operators and apps use.

use std::collections::BTreeMap;

use mock_provider::app::Notification;
use mock_provider::ledger::Ledger;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::audit::{Claim, Promise};
use crate::transaction::Timestamp;

/// How many transactions have which status.
pub type Counts = BTreeMap<String, usize>;

#[derive(Deserialize)]
struct Seen {
    status: String,
    accepted_at: Timestamp,
    final_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Seen>,
    next_cursor: Option<String>,
}

/// Counts all transactions by status; `None` while teller does not answer.
pub async fn counts(client: &reqwest::Client, teller_url: &str) -> Option<Counts> {
    let mut counts = Counts::new();
    let mut cursor = None::<String>;
    loop {
        let mut url = format!("{teller_url}/v1/transactions?limit=100");
        if let Some(cursor) = &cursor {
            url.push_str(&format!("&cursor={cursor}"));
        }
        let page: Page = get(client, &url).await.ok()?;
        for seen in page.data {
            *counts.entry(seen.status).or_default() += 1;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Some(counts);
        }
    }
}

/// What teller says of each promised transaction. One that it does not know is left out.
///
/// # Errors
/// When the question is not answered.
pub async fn claims(
    client: &reqwest::Client,
    teller_url: &str,
    promises: &[Promise],
) -> anyhow::Result<BTreeMap<String, Claim>> {
    let mut claims = BTreeMap::new();
    for promise in promises {
        let url = format!("{teller_url}/v1/transactions/{}", promise.id);
        let answer = client.get(&url).send().await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            continue;
        }
        let seen: Seen = answer.error_for_status()?.json().await?;
        let took_ms = seen
            .final_at
            .map(|at| u64::try_from(at.since(seen.accepted_at).as_millis()).unwrap_or(u64::MAX));
        claims.insert(
            promise.id.clone(),
            Claim {
                status: seen.status,
                took_ms,
            },
        );
    }
    Ok(claims)
}

/// The provider's ledger.
///
/// # Errors
/// When the question is not answered.
pub async fn ledger(client: &reqwest::Client, provider_url: &str) -> anyhow::Result<Ledger> {
    get(client, &format!("{provider_url}/ledger")).await
}

/// What the app was told.
///
/// # Errors
/// When the question is not answered.
pub async fn notifications(
    client: &reqwest::Client,
    app_url: &str,
) -> anyhow::Result<Vec<Notification>> {
    get(client, &format!("{app_url}/notifications")).await
}

async fn get<T: DeserializeOwned>(client: &reqwest::Client, url: &str) -> anyhow::Result<T> {
    Ok(client
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?)
}
