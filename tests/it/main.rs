//! The one integration binary: a module for each thing that is tested.

mod behaviour;
mod core;
mod support;
mod tidy;
