//! teller: every transaction gets its own teller, an actor that stays with it until its outcome is
//! known.
//!
//! The rooms, and who may use whom, are described in `docs/architecture.md`; `tests/it/tidy.rs` holds
//! the house to it.

pub mod actors;
pub mod adapters;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod ports;
pub mod telemetry;
pub mod transaction;
