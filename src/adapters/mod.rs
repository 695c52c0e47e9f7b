//! The world outside of the actors, behind the traits of [`crate::ports`].

pub mod council;
pub mod journal;
pub mod notifier;
pub mod provider;
