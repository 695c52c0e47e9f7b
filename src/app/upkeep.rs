//! What is done by the clock, for nobody in particular.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::House;
use crate::transaction::Timestamp;

/// How often the inbox is looked through.
const INBOX_EVERY: Duration = Duration::from_mins(10);

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
