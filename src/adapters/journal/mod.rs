//! Where records become durable.
//!
//! - [`embedded`]: two SQLite files in a directory, for one node. The default.
//! - [`redis`]: a Redis or Valkey server that several nodes share.
//! - [`memory`]: for simulations and unit tests.
//! - [`rawfile`]: what a disk can do at best, for comparison in benchmarks.

pub mod embedded;
pub mod memory;
#[doc(hidden)]
pub mod rawfile;
pub mod redis;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod samples;
#[cfg(test)]
#[path = "../../../tests/it/support/redis.rs"]
mod servers;

use crate::ports::{AppendError, Expect, Kept};
use crate::transaction::Record;

/// Webhooks that are kept for one provider, at most. They wait for a person or for the transaction to
/// learn its reference; more than this means that the provider sends what isn't ours.
pub const MAX_KEPT_PER_PROVIDER: u64 = 10_000;

/// Kept webhooks that one question for a reference answers, at most: more than a transaction has.
pub const MAX_KEPT_FOR: usize = 64;

/// Bytes of a reference by which something can be found, at most, because references are held in
/// memory. A longer one, or an empty one, finds nothing.
pub const MAX_REFERENCE_BYTES: usize = 256;

/// References by which one kept webhook can be claimed, at most. Further ones are shown to people only.
pub const MAX_REFERENCES_PER_WEBHOOK: usize = 16;

/// Bytes of a kept webhook's event id, at most, because ids are held in memory.
pub const MAX_EVENT_ID_BYTES: usize = 512;

/// Notes, at most. They are all held in memory: at most 40 MB.
pub const MAX_NOTES: usize = 10_000;

/// Bytes of one note, name and value together, at most: it is a small fact.
pub const MAX_NOTE_BYTES: usize = 4096;

/// Rows in one page of a list, at most: what a person can look through and a request can carry.
pub const MAX_LIST_ROWS: usize = 100;

/// Rows in one page of open transactions, at most: about 1 MiB of names and times.
pub const MAX_OPEN_ROWS: usize = 10_000;

/// Whether something can be found by this reference.
fn finds(reference: &str) -> bool {
    (1..=MAX_REFERENCE_BYTES).contains(&reference.len())
}

/// The references by which a kept webhook can be claimed.
fn claimed_by(references: &[String]) -> impl Iterator<Item = &str> {
    let found = references
        .iter()
        .map(String::as_str)
        .filter(|one| finds(one));
    found.take(MAX_REFERENCES_PER_WEBHOOK)
}

/// Whether the records are the ones that come next. The core numbers them; a step that is numbered
/// otherwise was decided on another version than its actor says.
fn follows(expect: Expect, records: &[Record]) -> Result<(), AppendError> {
    let before = match expect {
        Expect::Absent => 0,
        Expect::Version(version) => version,
    };
    let numbered = (before + 1..).zip(records);
    if records.is_empty() || numbered.into_iter().any(|(n, record)| record.version != n) {
        return Err(AppendError::VersionConflict);
    }
    Ok(())
}

/// Refuses a webhook that is too much to keep.
fn keepable(kept: &Kept) -> Result<(), AppendError> {
    let bytes = kept.event_id.len();
    if bytes > MAX_EVENT_ID_BYTES {
        return Err(AppendError::Full(format!(
            "an event id has {bytes} bytes, {MAX_EVENT_ID_BYTES} at most"
        )));
    }
    Ok(())
}

/// The refusal of a webhook for whose provider there is no room.
fn no_room_for(provider: &str) -> AppendError {
    AppendError::Full(format!(
        "{MAX_KEPT_PER_PROVIDER} webhooks of {provider:?} are kept already; dismiss some, or let them expire"
    ))
}

/// Refuses a note that is too long.
fn notable(name: &str, value: Option<&str>) -> Result<(), AppendError> {
    let bytes = name.len() + value.map_or(0, str::len);
    if bytes > MAX_NOTE_BYTES {
        return Err(AppendError::Full(format!(
            "a note has {bytes} bytes with its name, {MAX_NOTE_BYTES} at most"
        )));
    }
    Ok(())
}

/// The refusal of one note too many.
fn too_many_notes() -> AppendError {
    AppendError::Full(format!("{MAX_NOTES} notes are there already"))
}
