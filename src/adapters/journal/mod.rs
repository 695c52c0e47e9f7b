//! Where records become durable.
//!
//! - [`embedded`]: two SQLite files in a directory, for one node. The default.
//! - [`memory`]: for simulations and unit tests.
//! - [`rawfile`]: what a disk can do at best, for comparison in benchmarks.

pub mod embedded;
pub mod memory;
#[doc(hidden)]
pub mod rawfile;

#[cfg(test)]
mod samples;

/// Unmatched webhooks that are kept for one provider, at most. They wait for a person or for the
/// transaction to appear; more than this means that the provider sends what isn't ours.
pub const MAX_UNMATCHED_PER_PROVIDER: u64 = 10_000;

/// Rows in one page of a list, at most: what a person can look through and a request can carry.
pub const MAX_LIST_ROWS: usize = 100;

/// Rows in one page of open transactions, at most: about 1 MiB of names and times.
pub const MAX_OPEN_ROWS: usize = 10_000;
