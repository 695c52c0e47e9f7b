//! The pure core: what a transaction is, and what follows from what happens to it.
//!
//! ```text
//!                  decide(&Transaction, Event, Now, &Policy)
//!   Event ───────────────▶ Decision { records, next, effects }  or  Ignored
//!                             │         │       └─ performed by the shell after the commit
//!                             │         └─ records folded by `apply`, timers set
//!                             └─ committed to the journal first (law 1)
//! ```
//!
//! There is no clock, network, store, randomness or actor in here: the same state, event, time and
//! policy give the same decision (law 9). The laws are those of `docs/architecture.md`.
//!
//! A life: [`State::Accepted`] → [`State::Submitting`] → a final state at once, or through
//! [`State::Pending`] or [`State::Unknown`] when the provider has to be asked, or through
//! [`State::BackingOff`] when an attempt was surely not executed. `docs/states.md` has the whole table.

mod apply;
mod archived;
mod attempts;
mod decide;
mod event;
mod evidence;
mod identity;
pub mod invariants;
mod policy;
mod record;
mod request;
mod state;
mod statement;
mod time;
mod timers;

pub use apply::CorruptHistory;
pub use archived::{PastAttempt, PastNotice, Remains};
pub use attempts::{Attempt, Fate, NeverWentThere};
pub use decide::{Acceptance, Decision, Ignored, Refusal, accept, decide};
pub use event::{Act, Command, DeliveryResult, Effect, Event};
pub use evidence::{
    Conflict, ConflictKind, Finding, Outcome, Report, ReportedAmount, Resolution, Source,
};
pub use identity::{
    AppId, Key, PARTITIONS, PayloadHash, TransactionId, id_from_idempotency_key, notification_id,
};
pub use policy::{
    Inquiries, MAX_ATTEMPTS_EVER, MAX_CONFLICTS, MAX_RECORDED_INQUIRIES, MAX_RECORDED_WEBHOOKS,
    MAX_RESENDS, NotifyPolicy, OnAbsence, Policy, Way,
};
pub use record::{AttemptFate, DeliveryRecord, Fact, RECORD_FORMAT, Record};
pub use request::{Amount, GhostWindow, Intent, Rendered, Request};
pub use state::{
    Delivery, Errand, KnownEvent, Notice, Repetition, ReviewReason, State, Status, Transaction,
    Volatile,
};
pub use statement::{MAX_STATEMENT_BYTES, Statement};
pub use time::{LastingInstant, Mono, Now, Timestamp};
pub use timers::{Timer, Timers};
