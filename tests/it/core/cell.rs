//! One cell of the table: what follows from one event in one state, in few words.

use std::time::Duration;

use teller::transaction::{Decision, DeliveryRecord, Event, Fact, Ignored, Timer};

use super::life::Life;
use super::words::{effect, event, ignored, state};

/// What `words` would bring about in `life`.
pub(crate) fn cell(life: &Life, words: &str) -> String {
    let mut life = life.clone();
    life.asked_ms = life.world_ms;
    let event = event(&life, words);
    if let Event::TimerFired(timer) = event {
        make_due(&mut life, timer);
    }
    match life.consider(event) {
        Ok(decision) => followed(&life, &decision),
        Err(
            why @ (Ignored::Refused(_)
            | Ignored::Duplicate
            | Ignored::Late
            | Ignored::Stale
            | Ignored::Uninformative),
        ) => format!("*{}*", ignored(&why)),
    }
}

/// Goes to the moment for which `timer` is armed, or arms it for now.
fn make_due(life: &mut Life, timer: Timer) {
    match life.transaction.volatile.timers.due(timer) {
        Some(due) => life.world_ms = life.world_ms.max(life.world(due)),
        None => {
            let now = life.now().mono;
            life.transaction.volatile.timers.arm(timer, now);
        }
    }
}

fn followed(life: &Life, decision: &Decision) -> String {
    let (before, next) = (&life.transaction, &decision.next);
    let mut said = Vec::new();
    said.push(if before.state == next.state {
        "stays".to_owned()
    } else {
        format!("→ **{}**", state(next.state))
    });
    said.extend(records(decision));
    said.extend(decision.effects.iter().map(|one| effect(*one)));
    said.extend(timers(life, decision));
    if said.len() == 1 && before.volatile.submission != next.volatile.submission {
        said.push("call home".to_owned());
    }
    said.join("; ")
}

fn records(decision: &Decision) -> Vec<String> {
    let mut said = Vec::new();
    for record in &decision.records {
        match &record.fact {
            Fact::Notified { delivery, .. } => said.push(
                match delivery {
                    DeliveryRecord::Acknowledged => "app knows",
                    DeliveryRecord::Failed { .. } => "telling failed",
                    DeliveryRecord::GivenUp { .. } => "telling given up",
                }
                .to_owned(),
            ),
            Fact::Accepted { .. }
            | Fact::AttemptStarted { .. }
            | Fact::Answered { .. }
            | Fact::Resent { .. }
            | Fact::AnswerLost { .. }
            | Fact::Inquired { .. }
            | Fact::Webhook { .. }
            | Fact::ReviewOpened { .. }
            | Fact::Expired
            | Fact::Unrenderable { .. }
            | Fact::Acted { .. }
            | Fact::Archived { .. } => said.push("recorded".to_owned()),
        }
        if let Some(conflict) = &record.conflict {
            said.push(format!("**conflict {}**", conflict.kind.as_str()));
        }
        if record.tell {
            said.push("tell app".to_owned());
        }
    }
    said
}

/// The timers and the window that were moved.
fn timers(life: &Life, decision: &Decision) -> Vec<String> {
    let (before, next) = (&life.transaction.volatile, &decision.next.volatile);
    let now = life.now().mono;
    let mut said: Vec<String> = next
        .timers
        .armed()
        .filter(|&(timer, due)| before.timers.due(timer) != Some(due))
        .map(|(timer, due)| {
            format!(
                "{} {}",
                timer.as_str().replace('_', " "),
                wait(due.since(now))
            )
        })
        .collect();
    if next.window_ends != before.window_ends
        && let Some(ends) = next.window_ends
    {
        said.push(format!("window ends {}", wait(ends.since(now))));
    }
    said
}

fn wait(wait: Duration) -> String {
    if wait.is_zero() {
        return "at once".to_owned();
    }
    let seconds = (wait.as_secs_f64() * 100.0).round() / 100.0;
    format!("in {seconds} s")
}
