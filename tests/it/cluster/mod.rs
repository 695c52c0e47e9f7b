//! Several nodes over one store: the program itself as processes, a real store, a real provider, a
//! real app, and a load balancer between them and the nodes.
//!
//! ```text
//!   customers ──▶ Balancer ──▶ node 0, node 1, node 2 ──▶ Redis or Valkey
//!   webhooks  ──▶    │              │  ▲
//!                    ▼              ▼  │ each other
//!              whoever is ready   provider, app
//! ```
//!
//! Leases and pauses are as long as in the field, unless a test is about them; only the provider's time is
//! compressed, and its ghost window stays longer than any pause that a test makes beside.

mod balancer;
mod encrypted;
mod faults;
mod intake;
mod ownership;
mod retention;
mod shards;
mod slow_store;
mod stage;
mod storm;
mod windows;
