//! Providers as profiles describe them.
//!
//! ```text
//!   profile.toml ──▶ Profile ──▶ HttpProvider ─── intent ───▶ forms: templates → the request, byte for byte
//!                    (parsed       │
//!                     once)        ├─ submit ──▶ client, sent ──▶ whole answer ──▶ interpret: outcome table ─▶ Report
//!                                  │                └─ failure ───▶ transport: the one table ───────────────▶ Report
//!                                  ├─ inquire ──▶ the same, without the right to conclude from a failure
//!                                  └─ read_webhook ─▶ webhook, token ───▶ evidence, or a hint
//! ```
//!
//! What holds here: a request is put on the wire once, or not at all; whether it was is known by its
//! body having been asked for; what no row of a table fits is *unclear* (law 3), and so is an answer
//! that names another payment than the one that was asked about; nothing from outside is believed
//! before its token is checked, and nothing read is larger than its bound (law 8).

mod asked;
mod auth;
mod cases;
mod cautions;
mod client;
mod duration;
mod explain;
mod filters;
mod forms;
mod http;
mod interpret;
mod keys;
mod mixed_up;
mod money;
mod money_filters;
mod numbers;
mod outcome;
mod problem;
mod profile;
mod retry_after;
mod secret;
mod sent;
mod signature;
mod template;
mod token;
mod told;
mod transport;
mod webhook;

#[cfg(test)]
pub(crate) mod tests;

pub use cases::{
    AnswerOf, CaseReport, CaseResult, Coverage, Verdict, read_answer, run as run_cases,
};
pub use duration::Written;
pub use http::{HttpProvider, Settings};
pub use problem::ProfileProblem;
pub(crate) use problem::nearest;
pub use profile::Profile;
pub use secret::Secret;

pub(crate) use client::{ClientSettings, client, client_builder};
pub(crate) use duration::TimeScale;
pub(crate) use outcome::OneOrMany;
pub(crate) use retry_after::read as read_retry_after;
pub(crate) use template::{Escape, Template, Templates};
pub(crate) use transport::causes;
