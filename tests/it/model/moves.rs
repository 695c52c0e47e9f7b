//! Everything that can happen next in a world.

use std::time::Duration;

use teller::transaction::{Act, Command, Errand, Event, Finding, Mono, Report, Timer};

use super::history::Move;
use super::setup::{GHOST_S, Setup};
use super::world::{Sending, Shown, World, forgets_time, intent, refused, report, unclear};

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
fn deliver(next: &mut Next, step: Move, delivery: Delivery, setup: &Setup) {
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
struct Delivery {
    /// The world that it comes from.
    world: World,
    /// Whether that world is another one for having sent it.
    changed: bool,
    event: Event,
    /// The attempt that the provider acknowledges by it.
    tells_of: Option<u32>,
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

/// A request leaves, and arrives.
fn on_the_way(world: &World, setup: &Setup, index: usize, next: &mut Next) {
    let sending = world.sendings[index];
    if !sending.alive {
        return;
    }
    let changed = |change: &dyn Fn(&mut World)| {
        let mut changed = world.clone();
        change(&mut changed);
        Ok(changed)
    };
    let Some(left_s) = sending.left_s else {
        if may_leave(world, setup, sending) {
            let left = changed(&|world| world.sendings[index].left_s = Some(world.now_s));
            next.push((Move::Left { sending: index }, left));
        }
        return;
    };
    if world.now_s > left_s + GHOST_S {
        return;
    }
    let record = sending.attempt as usize - 1;
    if world.records[record].is_some() {
        // A repetition of what is there already moves nothing.
        if sending.repetition {
            let found = "there";
            let arrived = changed(&|world| world.sendings[index].alive = false);
            next.push((
                Move::Arrived {
                    sending: index,
                    found,
                },
                arrived,
            ));
        }
        return;
    }
    for shown in Shown::ALL {
        let found = shown.word();
        let arrived = changed(&|world| {
            world.sendings[index].alive = false;
            world.records[record] = Some(shown);
        });
        next.push((
            Move::Arrived {
                sending: index,
                found,
            },
            arrived,
        ));
    }
}

/// Whether the first byte may leave: what the request asks at the last moment.
fn may_leave(world: &World, setup: &Setup, sending: Sending) -> bool {
    let attempt = world.transaction.numbered(sending.attempt);
    let resend_is_over = sending.repetition
        && attempt
            .and_then(teller::transaction::Attempt::resend_safe_until)
            .is_none_or(|until| world.now().wall >= until);
    let pending = sending.repetition && attempt.is_some_and(|one| one.pending_since.is_some());
    if resend_is_over || (world.submit_by_has_passed() && !pending) {
        return false;
    }
    match sending.orphaned_s {
        Some(ended_s) => {
            let pause = setup.policy.max_pause;
            setup.former_owner_sends && Duration::from_secs(world.now_s - ended_s) < pause
        }
        None => setup.late_sending || world.now_s <= sending.since_s + 1,
    }
}

fn records_settle(world: &World, next: &mut Next) {
    for (index, record) in world.records.iter().enumerate() {
        if *record != Some(Shown::Pending) {
            continue;
        }
        for shown in [Shown::Completed, Shown::Declined] {
            let mut settled = world.clone();
            settled.records[index] = Some(shown);
            let (attempt, found) = (index as u32 + 1, shown.word());
            next.push((Move::Decided { attempt, found }, Ok(settled)));
        }
    }
}

/// Our own calls come home: with what the record shows, with nothing, or with a refusal. A refusal means
/// that the request never arrives, except that a hop on the way may refuse what the provider has long
/// acknowledged.
fn answers(world: &World, setup: &Setup, next: &mut Next) {
    for (index, sending) in world.sendings.iter().enumerate() {
        if !sending.awaited {
            continue;
        }
        let record = sending.attempt as usize - 1;
        let shown = world.records[record];
        let mut home = world.clone();
        home.sendings[index].awaited = false;
        if sending.left_s.is_none() {
            home.sendings[index].alive = false;
            come_home(next, setup, home, index, refused());
            continue;
        }
        come_home(next, setup, home.clone(), index, unclear());
        if shown.is_some() {
            let says = report(sending.attempt, shown, setup);
            come_home(next, setup, home.clone(), index, says);
        }
        if world.told[record] || (shown.is_none() && sending.alive) {
            home.sendings[index].alive = false;
            come_home(next, setup, home, index, refused());
        }
    }
}

fn come_home(next: &mut Next, setup: &Setup, world: World, index: usize, report: Report) {
    let sending = world.sendings[index];
    let sent_at = sending.left_s.map(|left| Mono::from_millis(left * 1_000));
    let step = match sending.left_s {
        None => Move::Withheld { sending: index },
        Some(_) => Move::Answered {
            sending: index,
            finding: report.finding.as_str(),
        },
    };
    let attempt = sending.attempt;
    let tells_of = acknowledges(&report).then_some(attempt);
    let event = if sending.repetition {
        Event::ResendAnswered {
            attempt,
            sent_at,
            report,
        }
    } else {
        Event::SubmissionAnswered {
            attempt,
            sent_at,
            report,
        }
    };
    let delivery = Delivery {
        world,
        changed: true,
        event,
        tells_of,
    };
    deliver(next, step, delivery, setup);
}

/// Whether the provider shows by this report that it has the attempt.
fn acknowledges(report: &Report) -> bool {
    match report.finding {
        Finding::Completed | Finding::Declined | Finding::Pending => true,
        Finding::NotFound | Finding::NotExecuted { .. } | Finding::Unclear { .. } => {
            report.provider_reference.is_some()
        }
    }
}

/// The answer to an inquiry shows the record as it was at some moment since it was sent. Of what the
/// provider has acknowledged a copy of the record that lags may know nothing.
fn status_reports(world: &World, setup: &Setup, next: &mut Next) {
    let Some(asked) = world.asked else { return };
    let record = asked.attempt as usize - 1;
    let mut shows = vec![asked.shown, world.records[record]];
    if world.told[record] {
        shows.push(None);
    }
    shows.dedup();
    let says = shows
        .into_iter()
        .map(|shown| report(asked.attempt, shown, setup));
    for report in says.chain([unclear()]) {
        let mut back = world.clone();
        back.asked = None;
        let step = Move::Reported {
            attempt: asked.attempt,
            finding: report.finding.as_str(),
        };
        let delivery = Delivery {
            world: back,
            changed: true,
            tells_of: acknowledges(&report).then_some(asked.attempt),
            event: Event::InquiryAnswered {
                attempt: asked.attempt,
                sent_at: Mono::from_millis(asked.at_s * 1_000),
                report,
            },
        };
        deliver(next, step, delivery, setup);
    }
}

/// A webhook says what the record shows, or, late, that it was pending before.
fn webhooks(world: &World, setup: &Setup, next: &mut Next) {
    if world.webhooks == setup.webhooks {
        return;
    }
    for (index, record) in world.records.iter().enumerate() {
        let Some(shown) = *record else { continue };
        let attempt = index as u32 + 1;
        let mut says = vec![report(attempt, Some(shown), setup)];
        if shown != Shown::Pending {
            says.push(report(attempt, Some(Shown::Pending), setup));
        }
        if setup.provider_ids {
            // A word that no profile lists, which names the provider's id all the same.
            let provider_reference = Some(format!("p-{attempt}"));
            says.push(Report {
                provider_reference,
                ..unclear()
            });
        }
        for report in says {
            let finding = report.finding.as_str();
            let mut sent = world.clone();
            sent.webhooks += 1;
            let named = (!setup.one_reference).then_some(attempt);
            let delivery = Delivery {
                world: sent,
                changed: true,
                tells_of: Some(attempt),
                event: Event::WebhookArrived {
                    provider: world.transaction.provider_of(attempt).to_owned(),
                    attempt: named,
                    event_id: Some(format!("{attempt}-{finding}")),
                    report,
                },
            };
            deliver(next, Move::Webhook { attempt, finding }, delivery, setup);
        }
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

/// What the provider may still do, without anything that teller does.
pub(super) fn may_move(world: &World, setup: &Setup) -> bool {
    let on_the_way = |sending: &Sending| {
        let there = world.records[sending.attempt as usize - 1].is_some();
        let leaves = sending.left_s.is_some() || may_leave(world, setup, *sending);
        sending.alive && leaves && !there
    };
    world.sendings.iter().any(on_the_way) || world.records.contains(&Some(Shown::Pending))
}
