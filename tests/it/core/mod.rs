//! The pure core: the whole table of events and states, scripts for the laws, and properties of
//! random histories.

mod cell;
pub(crate) mod fixture;
mod laws;
mod life;
mod properties;
mod snapshot;
mod table;
mod words;
