//! What carries permits from a gate to the transactions that queued for them, and word to those who
//! wait in vain.

use std::sync::Arc;
use std::time::Duration;

use super::{Gate, Grant};
use crate::actors::messages::Call;
use crate::actors::router::Router;

/// How long the pump waits after a shard could not take a permit.
const SHARD_BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Routes permits until the future is dropped. One per gate; runs on any thread.
pub async fn pump(gate: Arc<Gate>, router: Router) {
    loop {
        let mut busy = false;
        for grant in gate.grants() {
            if busy {
                grant.put_back();
            } else if let Err(grant) = deliver(&router, grant) {
                grant.put_back();
                busy = true;
            }
        }
        busy = busy || !tell_of_shutting(&gate, &router);
        if busy {
            tokio::time::sleep(SHARD_BUSY_PAUSE).await;
            continue;
        }
        match gate.next_at() {
            Some(due) if due <= gate.clock.mono() => tokio::task::yield_now().await,
            Some(due) => {
                tokio::select! {
                    () = tokio::time::sleep_until(gate.clock.instant(due)) => {}
                    () = gate.changed.notified() => {}
                }
            }
            None => gate.changed.notified().await,
        }
    }
}

/// Tells some of those who wait at a gate that has shut; says whether the shards could take it.
fn tell_of_shutting(gate: &Gate, router: &Router) -> bool {
    gate.reroutes().into_iter().all(|(ticket, key)| {
        let told = router.tell(key, Call::Reroute).is_ok();
        if told {
            gate.rerouted(ticket);
        }
        told
    })
}

fn deliver(router: &Router, grant: Grant) -> Result<(), Box<Grant>> {
    let key = grant.key.clone();
    router
        .tell(key, Call::Granted(Box::new(grant)))
        .map_err(|call| match call {
            Call::Granted(grant) => grant,
            _ => unreachable!("the router hands back the call that it was given"),
        })
}
