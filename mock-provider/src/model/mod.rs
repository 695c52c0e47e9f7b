//! The provider as a pure model: no clock, no network, no randomness that isn't derived from a seed.
//!
//! [`draw`] says what the nth POST of an id does; [`ReferenceProvider`] says what the provider's
//! record shows at a moment. The HTTP server plays it in real time, a simulation in virtual time.

mod dice;
mod draw;
mod reference;
mod status;

pub(crate) use dice::Dice;
pub use draw::{
    ANSWER_MAX_MS, ANSWER_MIN_MS, COMPLETED_ODDS, Draw, GHOST_MIN_MS, GHOST_ODDS, GHOST_WINDOW_MS,
    Ghost, Odds, TIMEOUT_MS, TIMEOUT_ODDS, WEBHOOK_MAX_MS, WEBHOOK_MIN_MS, WEBHOOK_ODDS, draw,
    floor_ms,
};
pub use reference::ReferenceProvider;
pub use status::Status;
