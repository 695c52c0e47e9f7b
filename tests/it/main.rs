//! The one integration binary: a module for each thing that is tested.

mod core;
mod simulation;
mod tidy;
mod audit;
mod kill;
