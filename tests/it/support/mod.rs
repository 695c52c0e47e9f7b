//! What the behaviours need: a real teller between a real provider and a real app, and verbs to
//! talk to them.
//!
//! ```text
//!   Client ──▶ Teller (in this process)  or  Process (the program itself)
//!                 │           ▲
//!                 ▼           │ webhooks
//!              mock provider ─┘      reference app ◀── notifications
//! ```
//!
//! Tests wait for conditions, each with [`DEADLINE`]: it bounds a failing test and is never a
//! measurement.

mod client;
mod held_disk;
mod preload;
mod process;
mod raw;
pub(crate) mod redis;
mod rig;
mod slow_tokens;
mod teller;

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::teller::api::keys::Role;
use ::teller::config::NewKey;
use ::teller::transaction::AppId;
use toml::{Table, Value};
use uuid::Uuid;

pub(crate) use client::{Answer, Client, is_final, payment, payment_within};
pub(crate) use held_disk::HeldDisk;
pub(crate) use preload::{Preload, other_boot};
pub(crate) use process::{Process, run, run_with};
pub(crate) use raw::Raw;
pub(crate) use rig::{Rig, Setup, reserve_port};
pub(crate) use slow_tokens::SlowTokens;
pub(crate) use teller::Teller;

/// After so long a condition counts as never met.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// The pause between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Looks until there is something, or panics with `what` never happened.
pub(crate) async fn eventually<T, F>(what: &str, look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(DEADLINE, what, look).await
}

/// The same with a deadline of its own.
pub(crate) async fn within<T, F>(deadline: Duration, what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// An id that no other test uses.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// The present as the provider's ledger writes it, in ms since 1970.
pub(crate) fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("after 1970").as_millis();
    u64::try_from(since).expect("before the year 500 million")
}

/// A new key of an app.
pub(crate) fn app_key(app: &str) -> NewKey {
    let app = AppId::parse(app).expect("a legal name");
    NewKey::draw(&Role::App(app)).expect("random bytes")
}

/// A new key of an operator.
pub(crate) fn operator_key() -> NewKey {
    NewKey::draw(&Role::Operator).expect("random bytes")
}

/// Sets `dotted.path` of a TOML table, and makes the tables on the way.
pub(crate) fn put(table: &mut Table, path: &str, value: impl Into<Value>) {
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let parents = parents.split('.').filter(|part| !part.is_empty());
    let parent = parents.fold(table, |table, part| {
        table
            .entry(part)
            .or_insert_with(|| Table::new().into())
            .as_table_mut()
            .expect("the path leads through tables")
    });
    parent.insert(name.to_owned(), value.into());
}
