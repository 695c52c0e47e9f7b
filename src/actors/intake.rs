//! Acceptance on any node. The owner takes a request in together with its first attempt; any other node
//! makes it durable for the owner: its own record, due at once, without an attempt (laws 1 and 7).

use std::time::Duration;

use super::house::House;
use super::messages::{Accepted, MOVING};
use super::router::Unanswered;
use super::transaction::replay;
use crate::ports::{Append, AppendError, Expect, Summary};
use crate::transaction::{Acceptance, Transaction, accept};

/// The pause before an acceptance that the journal has not confirmed is repeated. Whoever waits for the
/// answer sets the time limit.
const UNCONFIRMED_PAUSE: Duration = Duration::from_millis(100);

impl House {
    /// Accepts a request durably, whoever owns it, or finds the transaction that it made before.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, Unanswered> {
        if self.shared.is_none() {
            return self.router.accept(acceptance).await;
        }
        // What this node is about to hand over is better taken in for whoever comes next.
        if !self.is_draining() && self.ownership.tenure(acceptance.key.partition()).is_some() {
            match self.router.accept(acceptance.clone()).await {
                // The partition went while the request was on its way.
                Ok(Accepted::Elsewhere) | Err(Unanswered::Interrupted) => {}
                answer => return answer,
            }
        }
        Ok(self.accept_for_the_owner(acceptance).await)
    }

    async fn accept_for_the_owner(&self, acceptance: Acceptance) -> Accepted {
        let name = &acceptance.request.provider;
        let Some(policy) = self.policy(name, &acceptance.key.app) else {
            return Accepted::Unavailable(format!("the provider {name:?} is not configured"));
        };
        let now = self.clock.now();
        let decision = accept(&acceptance, None, now, policy);
        self.check_step(None, &decision);
        let append = Append {
            key: acceptance.key.clone(),
            expect: Expect::Absent,
            tenure: None,
            records: decision.records,
            summary: Summary::of(&decision.next, now),
        };
        loop {
            match self.journal.append(append.clone()).await {
                Ok(_) => return Accepted::New(Box::new(decision.next)),
                Err(AppendError::Exists) => return self.replay_from_journal(&acceptance).await,
                Err(AppendError::Unconfirmed(_)) => tokio::time::sleep(UNCONFIRMED_PAUSE).await,
                Err(AppendError::Unavailable(why)) => return Accepted::Unavailable(why),
                Err(error @ AppendError::Full(_)) => {
                    return Accepted::Unavailable(error.to_string());
                }
                // Neither is said of what expects absence and has no tenure.
                Err(AppendError::Fenced | AppendError::VersionConflict) => {
                    return Accepted::Unavailable(MOVING.to_owned());
                }
            }
        }
    }

    async fn replay_from_journal(&self, acceptance: &Acceptance) -> Accepted {
        let key = &acceptance.key;
        match self.journal.load(key).await {
            Ok(Some(records)) => match Transaction::fold(key, &records) {
                Ok(transaction) => replay(&transaction, acceptance),
                Err(corrupt) => Accepted::Unavailable(corrupt.to_string()),
            },
            Ok(None) => Accepted::Unavailable("its history could not be found".to_owned()),
            Err(error) => Accepted::Unavailable(error.to_string()),
        }
    }
}
