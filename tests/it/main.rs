//! The one integration binary: a module for each thing that is tested.

mod audit;
mod behaviour;
mod core;
mod docs;
mod kill;
mod servers;
mod simulation;
mod support;
mod tidy;
