//! What must hold in every world: the laws, held against what the provider really did.

use teller::transaction::{Fate, State, invariants};

use super::provider::may_move;
use super::setup::Setup;
use super::world::{Sending, Shown, World, now};

/// Checks one world.
///
/// # Errors
/// The law that is broken, in words.
pub(super) fn check(world: &World, setup: &Setup) -> Result<(), String> {
    let transaction = &world.transaction;
    // While a decision is on its way to the disk nothing else is handled: what it leads to has to hold.
    let commit = world.commit.as_ref();
    invariants::check(commit.map_or(transaction, |commit| &commit.decision.next))?;
    let executed = |record: &&Option<Shown>| **record == Some(Shown::Completed);
    let executions = world.records.iter().filter(executed).count();
    if executions > 1 {
        return Err("law 2: executed twice".to_owned());
    }
    match transaction.state {
        State::Failed if executions > 0 && !transaction.conflict_open => {
            Err("law 3: failed, but executed".to_owned())
        }
        State::Failed if may_move(world, setup) && !transaction.conflict_open => {
            Err("law 3: failed, but something may still be executed".to_owned())
        }
        State::Completed if executions == 0 => Err("law 3: completed, but not executed".to_owned()),
        State::Declined if executions > 0 && !transaction.conflict_open => {
            Err("law 5: declined, but executed, and nobody knows".to_owned())
        }
        State::BackingOff { .. } | State::Accepted if may_move(world, setup) => Err(
            "law 2: the next attempt is about to start while something may be executed".to_owned(),
        ),
        State::Accepted
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::BackingOff { .. }
        | State::InReview { .. }
        | State::Completed
        | State::Declined
        | State::Failed => absent_is_absent(world).and_then(|()| in_time(world)),
    }
}

/// No first byte leaves after `submit_by`, but for the repetition of what the provider has.
fn in_time(world: &World) -> Result<(), String> {
    let submit_by = world.transaction.request.submit_by;
    let late = |sending: &Sending| {
        let left = sending.left_s.map(|left_s| now(0, left_s).wall);
        let pending = world.told[sending.attempt as usize - 1];
        left.is_some_and(|left| left >= submit_by) && !(sending.repetition && pending)
    };
    if world.sendings.iter().any(late) {
        return Err("a request left after submit_by".to_owned());
    }
    Ok(())
}

/// Law 3: what counts as absent is not there, and the provider never said that it was.
fn absent_is_absent(world: &World) -> Result<(), String> {
    let attempts = world.transaction.attempts.iter();
    let wrong = attempts
        .zip(&world.told)
        .any(|(attempt, told)| attempt.fate == Fate::Absent && *told);
    if wrong {
        return Err("law 3: the provider had said that it has what counts as absent".to_owned());
    }
    Ok(())
}
