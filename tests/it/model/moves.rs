//! Everything that can happen next in a world.

use std::time::Duration;

use teller::transaction::{Act, Command, Errand, Event, Mono, Timer};

use super::history::Move;
use super::provider::{answers, on_the_way, records_settle, status_reports, webhooks};
use super::setup::{GHOST_S, Setup};
use super::world::{World, forgets_time, intent};

/// What can follow: each with its move, or with the law that it breaks.
pub(super) type Next = Vec<(Move, Result<World, String>)>;

pub(super) fn all(world: &World, setup: &Setup) -> Next {
    let mut next = Next::new();
    for index in 0..world.sendings.len() {
        on_the_way(world, setup, index, &mut next);
    }
    records_settle(world, &mut next);
    restarts(world, setup, &mut next);
    if let Some(commit) = &world.commit {
        let mut committed = world.clone();
        committed.commit = None;
        committed.become_decided(commit.decision.clone(), setup);
        committed.is_told(commit.tells_of);
        next.push((Move::Committed, Ok(committed)));
    } else {
        timers(world, setup, &mut next);
        permits(world, setup, &mut next);
        answers(world, setup, &mut next);
        status_reports(world, setup, &mut next);
        webhooks(world, setup, &mut next);
        people(world, setup, &mut next);
    }
    time(world, setup, &mut next);
    next
}

/// Delivers `event` to the actor of `world`. What changes nothing leads nowhere new, unless `world` itself
/// has changed by it, or the provider has told of an attempt by it.
pub(super) fn deliver(next: &mut Next, step: Move, delivery: Delivery, setup: &Setup) {
    let Delivery {
        mut world,
        changed,
        event,
        tells_of,
    } = delivery;
    match world.handle(event, tells_of, setup) {
        Ok(Some(handled)) => next.push((step, Ok(handled))),
        Ok(None) if changed => {
            world.is_told(tells_of);
            next.push((step, Ok(world)));
        }
        Ok(None) => {}
        Err(law) => next.push((step, Err(law))),
    }
}

/// An event on its way to the actor.
pub(super) struct Delivery {
    /// The world that it comes from.
    pub(super) world: World,
    /// Whether that world is another one for having sent it.
    pub(super) changed: bool,
    pub(super) event: Event,
    /// The attempt that the provider acknowledges by it.
    pub(super) tells_of: Option<u32>,
}

impl Delivery {
    /// Of an event that comes from inside of teller.
    fn own(world: &World, event: Event) -> Self {
        Self {
            world: world.clone(),
            changed: false,
            event,
            tells_of: None,
        }
    }
}

fn timers(world: &World, setup: &Setup, next: &mut Next) {
    let now = world.now().mono;
    for (timer, due) in world.transaction.volatile.timers.armed() {
        if due > now {
            continue;
        }
        let mut disarmed = world.clone();
        let step = Move::Timer(timer.as_str());
        match world.handle(Event::TimerFired(timer), None, setup) {
            Ok(Some(handled)) => next.push((step, Ok(handled))),
            Err(law) => next.push((step, Err(law))),
            // As the actor does, so that it does not ring for ever.
            Ok(None) => {
                disarmed.transaction.volatile.timers.disarm(timer);
                next.push((step, Ok(disarmed)));
            }
        }
    }
}

fn permits(world: &World, setup: &Setup, next: &mut Next) {
    let transaction = &world.transaction;
    let number = transaction.attempt_no() + 1;
    if transaction.volatile.submission == Errand::Queued && number <= setup.attempts {
        for stand_in in [false, true] {
            if stand_in && !setup.stand_in {
                continue;
            }
            let event = Event::SubmissionPermitted {
                intent: Box::new(intent(number, stand_in, setup)),
            };
            let step = Move::Permitted { stand_in };
            deliver(next, step, Delivery::own(world, event), setup);
        }
    }
    if transaction.volatile.inquiry == Errand::Queued {
        let event = Event::InquiryPermitted {
            waited: Duration::ZERO,
        };
        let delivery = Delivery::own(world, event);
        deliver(next, Move::InquiryPermitted, delivery, setup);
    }
}

fn people(world: &World, setup: &Setup, next: &mut Next) {
    if world.acts == setup.acts {
        return;
    }
    for command in [Command::Cancel, Command::Resubmit, Command::Inquire] {
        let mut acted = world.clone();
        acted.acts += 1;
        let event = Event::Acted(Act {
            by: String::new(),
            why: String::new(),
            seen: None,
            command,
        });
        let delivery = Delivery::own(&acted, event);
        deliver(next, Move::Act(command.as_str()), delivery, setup);
    }
}

/// The process ends, or another node becomes the owner. What was decided and not durable is, or isn't.
fn restarts(world: &World, setup: &Setup, next: &mut Next) {
    if world.restarts == setup.restarts {
        return;
    }
    if world.commit.is_none() {
        let mut stopping = world.clone();
        stopping.restarts += 1;
        let delivery = Delivery::own(&stopping, Event::Stopping);
        deliver(next, Move::Stopping, delivery, setup);
    }
    for reboot in [false, true] {
        for commit_kept in [false, true] {
            if commit_kept && world.commit.is_none() {
                continue;
            }
            let mut other = world.clone();
            other.restarts += 1;
            other.boot += u8::from(reboot);
            if let Some(commit) = other.commit.take()
                && commit_kept
            {
                other
                    .records
                    .resize(commit.decision.next.attempts.len(), None);
                other
                    .told
                    .resize(commit.decision.next.attempts.len(), false);
                other.transaction = commit.decision.next;
                other.is_told(commit.tells_of);
            }
            other.asked = None;
            let now_s = other.now_s;
            for sending in &mut other.sendings {
                sending.awaited = false;
                sending.orphaned_s.get_or_insert(now_s);
                if sending.left_s.is_none() && !setup.former_owner_sends {
                    sending.alive = false;
                }
            }
            forgets_time(&mut other.transaction);
            let step = Move::Restarted {
                reboot,
                commit_kept,
            };
            if other.transaction.is_open() {
                let delivery = Delivery {
                    changed: true,
                    ..Delivery::own(&other, Event::Recovered)
                };
                deliver(next, step, delivery, setup);
            } else {
                next.push((step, Ok(other)));
            }
        }
    }
}

/// A second passes. Timers ring at most a second late while the actor is free.
fn time(world: &World, setup: &Setup, next: &mut Next) {
    if world.now_s == setup.horizon_s {
        return;
    }
    let late = |(_, due): (Timer, Mono)| due + Duration::from_secs(1) <= world.now().mono;
    if world.commit.is_none() && world.transaction.volatile.timers.armed().any(late) {
        return;
    }
    let mut later = world.clone();
    later.now_s += 1;
    let (now_s, pause_s) = (later.now_s, setup.policy.max_pause.as_secs());
    for sending in &mut later.sendings {
        let gone = match (sending.left_s, sending.orphaned_s) {
            (Some(left_s), _) => now_s > left_s + GHOST_S,
            (None, Some(ended_s)) => now_s >= ended_s + pause_s,
            (None, None) => false,
        };
        sending.alive &= !gone;
    }
    next.push((Move::Time, Ok(later)));
}
