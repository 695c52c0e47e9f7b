//! The whole house in virtual time: real actors, a provider that is the reference model, apps that
//! ask twice and listen badly, crashes, panics, and no waiting.
//!
//! One seed is one world ([`world::World`]): the same seed gives the same draws, arrivals and faults.
//! A world consists of lives; a life is one process, from its start to its end or its crash. What is
//! outside of the process (the provider's books, the app's, the disk) stays.

mod audit;
mod bar;
mod breaker;
mod budget;
mod claims;
mod crashes;
mod disk;
mod held;
mod household;
mod overload;
mod panics;
mod passivation;
mod policies;
pub(crate) mod seed;
mod slow;
mod stand_in;
mod storm;
mod tenures;
mod together;
mod virtual_provider;
mod ways;
mod world;
