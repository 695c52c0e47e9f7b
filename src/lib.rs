//! teller: every transaction gets its own teller, an actor that stays with it until its outcome is
//! known.

pub mod adapters;
pub mod clock;
pub mod ports;
pub mod transaction;
