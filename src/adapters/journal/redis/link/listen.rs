//! Hearing that something has come for a partition's owner, through the store's Pub/Sub.
//!
//! A message that is lost costs half a second: owners look by themselves, too.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::Link;
use super::connect::Connector;
use super::trouble::of_connection;
use crate::adapters::journal::redis::keys::Keys;

/// The pause before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

impl Link {
    /// Calls `ring` with each partition for which something has come, until the future is dropped.
    pub async fn listen(&self, ring: impl Fn(u32)) {
        for turn in 0_usize.. {
            // What is published anywhere in a Cluster is heard everywhere in it.
            let trunks = self.trunks();
            let trunk = trunks.get(turn % trunks.len().max(1)).map(Arc::clone);
            drop(trunks);
            if let Some(trunk) = trunk
                && let Err(why) = hear(trunk.connector(), &self.keys, &ring).await
            {
                tracing::debug!(%why, "the store's calls are not heard now");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Listens over one connection until it breaks.
async fn hear(connector: &Connector, keys: &Keys, ring: &impl Fn(u32)) -> Result<(), String> {
    let mut calls = connector.listener().await?;
    let subscribed = calls.subscribe(keys.bell()).await;
    subscribed.map_err(|error| of_connection(&error))?;
    let mut messages = calls.on_message();
    while let Some(message) = messages.next().await {
        let partition = message.get_payload::<String>();
        if let Some(partition) = partition.ok().and_then(|text| text.parse().ok()) {
            ring(partition);
        }
    }
    Ok(())
}
