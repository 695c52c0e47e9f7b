//! What is done by the clock, for nobody in particular.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::House;
use crate::adapters::journal::redis::RedisJournal;
use crate::ports::{AppendError, Ownership};
use crate::transaction::{PARTITIONS, Timestamp};

/// How often the inbox is looked through.
const INBOX_EVERY: Duration = Duration::from_mins(10);
/// How often a node looks for what it finished long ago.
const RETIRE_EVERY: Duration = Duration::from_mins(1);
/// The pause where a round has left something: the store has to serve payments besides.
const RETIRE_AGAIN: Duration = Duration::from_millis(250);

/// Lets webhooks go that nobody has claimed for `kept_for`, until the future is dropped. Senders repeat
/// for 30 days at the longest, so what nobody knows by then nobody will.
pub(super) async fn expire_inbox(house: Arc<House>, kept_for: Duration) {
    loop {
        tokio::time::sleep(INBOX_EVERY.min(kept_for)).await;
        let now = house.clock.now().wall.as_millis();
        let age = i64::try_from(kept_for.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.saturating_sub(age));
        match house.journal.expire_kept(before).await {
            Ok(0) => {}
            Ok(expired) => {
                tracing::warn!(expired, "webhooks that nobody had claimed left the inbox");
            }
            Err(error) => tracing::warn!(%error, "the inbox could not be looked through"),
        }
    }
}

/// Moves what this node's partitions finished long ago to the archive, one partition after the other,
/// until the future is dropped.
pub(super) async fn retire(journal: Arc<RedisJournal>, ownership: impl Ownership) {
    let mut pause = RETIRE_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        pause = RETIRE_EVERY;
        let mut archived = 0;
        for partition in 0..PARTITIONS {
            let Some(tenure) = ownership.tenure(partition) else {
                continue;
            };
            match journal.retire(partition, tenure).await {
                Ok(retired) => {
                    archived += retired.moved;
                    if retired.more {
                        pause = RETIRE_AGAIN;
                    }
                }
                // It went while this was on its way; whoever has it now goes on.
                Err(AppendError::Fenced) => {}
                Err(error) => {
                    tracing::warn!(partition, %error, "finished transactions can't be archived now; tried again soon");
                    pause = RETIRE_EVERY;
                    break;
                }
            }
        }
        if archived > 0 {
            tracing::info!(archived, "what was finished long ago went to the archive");
        }
    }
}
