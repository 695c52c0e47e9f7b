//! Which events a charge is told by, and what goes wrong with them. Pure.

use super::charge::{Decline, State};
use super::faults::Faults;
use super::plan::Step;
use super::script::ScriptedEvents;
use crate::ledger::WebhookKind;
use crate::model::Dice;

/// How late a late event is: long after every patience has ended.
const LATE_MS: u64 = 600_000;
/// How long after an event its second delivery, or the next of a reversed order, follows.
const GAP_MS: u64 = 1_000;

/// An event to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedEvent {
    /// Which change of the charge it tells, counted from 0.
    pub(crate) nth: usize,
    pub(crate) after_ms: u64,
    pub(crate) state: State,
    pub(crate) kind: WebhookKind,
}

/// One event per change. The beginning is none unless something is decided by it already: then
/// nothing else would tell. What was declined at the door has been told there.
pub(crate) fn changes(steps: &[Step], decline: Option<Decline>) -> Vec<PlannedEvent> {
    let told = |(nth, step): (usize, &Step)| {
        (nth > 0 || (step.state.is_decided() && decline.is_none())).then_some(PlannedEvent {
            nth,
            after_ms: step.after_ms,
            state: step.state,
            kind: WebhookKind::Genuine,
        })
    };
    steps.iter().enumerate().filter_map(told).collect()
}

/// Reverses the order: the last one first, at its time, the others after it.
fn disorder(events: &mut [PlannedEvent]) {
    let Some(last_ms) = events.iter().map(|event| event.after_ms).max() else {
        return;
    };
    for (place, event) in (0_u64..).zip(events.iter_mut().rev()) {
        event.after_ms = last_ms.saturating_add(place * GAP_MS);
    }
}

/// Loses, delays and doubles each event as the faults say, and adds a forgery.
pub(crate) fn disturbed(
    seed: u64,
    key: &str,
    execution: u32,
    faults: &Faults,
    mut events: Vec<PlannedEvent>,
) -> Vec<PlannedEvent> {
    let p = faults.webhook_disorder;
    if p > 0.0 && Dice::new(seed, "webhook_disorder", key, u64::from(execution)).chance(p) {
        disorder(&mut events);
    }
    let hit = |fault, event: &PlannedEvent, p: f64| {
        let name = format!("{key}#{}", event.nth);
        p > 0.0 && Dice::new(seed, fault, &name, u64::from(execution)).chance(p)
    };
    let mut sent = Vec::with_capacity(events.len());
    for mut event in events {
        if hit("webhook_forged", &event, faults.webhook_forged) {
            sent.push(forged(&event));
        }
        if hit("webhook_lost", &event, faults.webhook_lost) {
            continue;
        }
        if hit("webhook_late", &event, faults.webhook_late) {
            event.after_ms = event.after_ms.saturating_add(LATE_MS);
        }
        if hit("webhook_duplicate", &event, faults.webhook_duplicate) {
            sent.push(second(&event));
        }
        sent.push(event);
    }
    sent
}

/// The events as a script wants them delivered.
pub(crate) fn as_scripted(
    wanted: ScriptedEvents,
    mut events: Vec<PlannedEvent>,
) -> Vec<PlannedEvent> {
    match wanted {
        ScriptedEvents::Usual | ScriptedEvents::Early => events,
        ScriptedEvents::None => Vec::new(),
        ScriptedEvents::Duplicate => {
            let seconds: Vec<_> = events.iter().map(second).collect();
            events.extend(seconds);
            events
        }
        ScriptedEvents::Late => {
            for event in &mut events {
                event.after_ms = event.after_ms.saturating_add(LATE_MS);
            }
            events
        }
        ScriptedEvents::Disorder => {
            disorder(&mut events);
            events
        }
        ScriptedEvents::Forged => events.iter().map(forged).collect(),
    }
}

fn second(event: &PlannedEvent) -> PlannedEvent {
    PlannedEvent {
        after_ms: event.after_ms.saturating_add(GAP_MS),
        kind: WebhookKind::Duplicate,
        ..event.clone()
    }
}

fn forged(event: &PlannedEvent) -> PlannedEvent {
    PlannedEvent {
        state: event.state.opposite(),
        kind: WebhookKind::Forged,
        ..event.clone()
    }
}
