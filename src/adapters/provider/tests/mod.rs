//! The adapter from outside: profiles, renderings, webhooks, and what real sockets do to a call.

mod auth;
mod cases;
mod cautions;
mod events;
mod explained;
mod others;
mod profiles;
mod reference;
mod rendering;
mod resending;
pub(crate) mod server;
pub(crate) mod support;
mod transport;
mod webhooks;
mod withheld;
