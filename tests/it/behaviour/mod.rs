//! What teller does, seen from outside: by apps, providers and operators. One file per group, each
//! in the order of a transaction's life.

mod acorn;
mod apps;
mod cancel;
mod check_config;
mod doors;
mod doors_bounds;
mod idempotency;
mod keys;
mod keys_program;
mod mixed_up;
mod operators;
mod panics;
mod passivation;
mod process;
mod process_disk;
mod profiles_program;
mod provider;
mod provider_outage;
mod providers;
mod reading;
mod restarts;
mod routing;
mod slow_disk;
mod streams;
mod supervision;
mod telling;
mod together;
mod webhooks;
mod webhooks_hostile;
mod webhooks_proof;
