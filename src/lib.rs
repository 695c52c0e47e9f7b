//! teller: every transaction gets its own teller, an actor that stays with it until its outcome is
//! known.
//!
//! The rooms, and who may use whom, are described in `docs/architecture.md`; `tests/it/tidy.rs` holds
//! the house to it.

/// Requests, records and rows are allocated on one thread and freed on another all the time, which the
/// system's allocator answers with contention: a sixth of the CPU of an acceptance, measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod actors;
pub mod adapters;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod ports;
pub mod telemetry;
pub mod transaction;
