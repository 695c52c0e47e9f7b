//! The provider, honest, and the network, which is not: what becomes of our requests, and what is said of it.

use std::time::Duration;

use teller::transaction::{Event, Finding, Mono, Report};

use super::history::Move;
use super::moves::{Delivery, Next, deliver};
use super::setup::{GHOST_S, Setup};
use super::world::{Sending, Shown, World, refused, report, unclear};

/// A request leaves, and arrives.
pub(super) fn on_the_way(world: &World, setup: &Setup, index: usize, next: &mut Next) {
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

pub(super) fn records_settle(world: &World, next: &mut Next) {
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
pub(super) fn answers(world: &World, setup: &Setup, next: &mut Next) {
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
pub(super) fn status_reports(world: &World, setup: &Setup, next: &mut Next) {
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
pub(super) fn webhooks(world: &World, setup: &Setup, next: &mut Next) {
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

/// What the provider may still do, without anything that teller does.
pub(super) fn may_move(world: &World, setup: &Setup) -> bool {
    let on_the_way = |sending: &Sending| {
        let there = world.records[sending.attempt as usize - 1].is_some();
        let leaves = sending.left_s.is_some() || may_leave(world, setup, *sending);
        sending.alive && leaves && !there
    };
    world.sendings.iter().any(on_the_way) || world.records.contains(&Some(Shown::Pending))
}
