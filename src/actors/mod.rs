//! The shell around the pure core.
//!
//! ```text
//!   Router ── key ──▶ Registry (a shard per web worker's thread)
//!                        │  activates, passivates, rebuilds
//!                        ▼
//!                     TransactionActor:  event ─▶ decide ─▶ commit ─▶ perform
//!                        │                                             │
//!                        ◀───────────── permits ────────────── Gate ◀──┘
//! ```
//!
//! One actor per live transaction, always on the thread of its shard, so that nothing is locked. An
//! actor handles one event at a time: while its record becomes durable, everything else that arrives
//! waits in its own queue, and no other actor waits with it.

mod calls_out;
pub mod gate;
pub mod house;
mod intake;
pub mod messages;
mod policies;
pub mod registry;
pub mod router;
pub mod status;
mod tenancy;
mod transaction;

pub use calls_out::CallsOut;
pub use house::{Bounds, Ground, House};
pub use tenancy::Landlord;
