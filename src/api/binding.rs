//! One idempotency key, one transaction, also where an id came with it (law 7).
//!
//! A key alone names the transaction whose id is derived from it. A key that comes with another id is
//! bound to that id, durably and before the acceptance, so that later the key alone finds the same
//! transaction; and a key that has named one never comes to name another.

use super::{Doors, Problem};
use crate::ports::{AppendError, Binding};
use crate::transaction::{Key, TransactionId, id_from_idempotency_key};

/// The id that a request with this key means, given the `named` one: its own, or the derived one.
pub(super) async fn resolve(
    doors: &Doors,
    named: &Key,
    idempotency_key: &str,
) -> Result<TransactionId, Problem> {
    let derived = Key {
        app: named.app.clone(),
        id: id_from_idempotency_key(&named.app, idempotency_key),
    };
    if derived == *named {
        return Ok(bound_to(doors, &derived).await?.unwrap_or(named.id));
    }
    let binding = Binding {
        derived: derived.clone(),
        to: named.id,
        at: doors.house.clock.now().wall,
    };
    match confirmed(doors, doors.house.journal.bind(binding)).await? {
        Ok(()) => Ok(named.id),
        Err(AppendError::Exists) => match bound_to(doors, &derived).await? {
            Some(bound) if bound == named.id => Ok(named.id),
            Some(other) => Err(Problem::key_of_another(other)),
            None => Err(Problem::key_of_another(derived.id)),
        },
        Err(error) => Err(Problem::unavailable(error.to_string())),
    }
}

async fn bound_to(doors: &Doors, derived: &Key) -> Result<Option<TransactionId>, Problem> {
    let bound = confirmed(doors, doors.house.journal.bound_to(derived)).await?;
    bound.map_err(|error| Problem::unavailable(error.to_string()))
}

async fn confirmed<T>(doors: &Doors, answer: impl Future<Output = T>) -> Result<T, Problem> {
    let answer = tokio::time::timeout(doors.bounds.commit_deadline, answer).await;
    answer.map_err(|_| Problem::unconfirmed())
}
