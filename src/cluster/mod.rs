//! A node among several: who else lives, which partitions are ours, what share of each provider's
//! limits.
//!
//! ```text
//!                        announce, claim, renew, give up
//!   Council (store) ◀────────────────────────────────────── Keeper ── gained, lost, hand over ──▶ Tenants
//!                                                             │  └─── share of the limits ──────▶ Gates
//!                                                             ▼
//!                             actors, doors ── may I? ──▶   Table
//! ```
//!
//! - [`Table`] answers what the actors and the doors ask at every step, from memory.
//! - [`Keeper`] is one task for each node: it keeps the leases alive, claims what should be ours and
//!   hands over what should be another's.
//!
//! Nothing here trusts a wall clock. The store judges every expiry by its own time; a node counts its
//! part of a lease on its own boot clock, from before it asked.

mod boottime;
mod departures;
mod keeper;
mod leasing;
mod leaving;
mod plan;
mod rendezvous;
mod shares;
mod snapshot;
mod table;
mod time;

pub use boottime::Boottime;
pub use keeper::{Handle, Keeper, Parts};
pub use shares::Gates;
pub use snapshot::{NodeView, Snapshot};
pub use table::Table;

use std::time::Duration;

/// The length of a lease, if not said otherwise.
pub const LEASE: Duration = Duration::from_secs(6);
/// The shortest: three renewals, each with a second for a slow store.
pub const LEASE_MIN: Duration = Duration::from_secs(3);
/// The longest: nobody acts for a dead node's transactions before.
pub const LEASE_MAX: Duration = Duration::from_secs(60);
/// How long a process may stand still between its look at the clock and a request's first byte, if not
/// said otherwise.
pub const MAX_PAUSE: Duration = Duration::from_secs(10);
