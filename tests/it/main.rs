//! The one integration binary: a module for each thing that is tested.

mod audit;
mod behaviour;
mod cluster;
mod core;
mod council;
mod docs;
mod kill;
mod model;
mod neighbours;
mod servers;
mod simulation;
mod support;
mod tidy;
