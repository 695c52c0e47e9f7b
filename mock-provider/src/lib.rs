//! The reference provider of teller: slow, forgetful, not idempotent, and honest about it afterwards.
//!
//! ```text
//!   model    pure: what the nth POST of an id does, and what the record says at a moment
//!     │
//!   plan     model + faults + script = what one POST will do, decided before anything is awaited
//!     │
//!   server   HTTP: plays the plan with real timers, sends webhooks, keeps the ledger
//!   acorn    another provider, made up of what the reference provider is not, over the same parts
//!   app      the reference app: asks teller for transactions, is told the outcome
//!   cli      all of them as a program
//! ```
//!
//! Two invariants hold everywhere. What a POST does is a function of (seed, id, how many POSTs that
//! id has had), never of arrival order or of a clock, so that a run can be repeated. And what has
//! been decided happens: a client that hangs up cancels neither the execution nor the webhook.

pub mod acorn;
pub mod app;
pub mod cli;
pub mod faults;
pub mod ledger;
pub mod model;
pub mod server;

mod bounded;
mod clock;
mod host;
mod inquiry;
mod limit;
mod outbound;
mod plan;
mod script;
mod torn;
