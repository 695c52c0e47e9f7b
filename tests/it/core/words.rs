//! The words of scripts and of the table: events in, consequences out.

use std::time::Duration;

use teller::transaction::{
    Act, Command, Decision, DeliveryResult, Effect, Event, Finding, Ignored, Outcome, Refusal,
    Report, ReportedAmount, ReviewReason, State, Timer,
};

use super::fixture::{amount, report};
use super::life::Life;

/// The event that `words` name, as it would reach `life` now; see [`super::laws`] for the list.
pub(crate) fn event(life: &Life, words: &str) -> Event {
    let words: Vec<&str> = words.split_whitespace().collect();
    let at_or = |name: &str, otherwise: u64| after(&words, name).map_or(otherwise, millis);
    let attempt = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
    let last = life.transaction.attempt_no();
    match words.as_slice() {
        ["permit"] => life.permit(),
        ["permit", "at", provider] => life.permit_at(Some(provider)),
        ["unrenderable"] => Event::SubmissionUnrenderable {
            why: "it has no amount".to_owned(),
        },
        ["answer", rest @ ..] => {
            let attempt = attempt(1).unwrap_or(last);
            let sent_ms = life.sent_ms.get(attempt as usize - 1).copied();
            let unsent = rest.contains(&"unsent");
            Event::SubmissionAnswered {
                attempt,
                sent_at: sent_ms.filter(|_| !unsent).map(|sent| life.mono(sent)),
                report: read(rest),
            }
        }
        ["inquiry", "permit", ..] => Event::InquiryPermitted {
            waited: Duration::from_millis(at_or("waited", 0)),
        },
        ["report", rest @ ..] => Event::InquiryAnswered {
            attempt: attempt(1).unwrap_or(last),
            sent_at: life.mono(at_or("sent", life.asked_ms)),
            report: read(rest),
        },
        ["resent", rest @ ..] => Event::ResendAnswered {
            attempt: attempt(1).unwrap_or(last),
            sent_at: (!rest.contains(&"unsent")).then(|| life.mono(life.asked_ms)),
            report: read(rest),
        },
        ["webhook", rest @ ..] => Event::WebhookArrived {
            provider: after(rest, "from")
                .unwrap_or(life.transaction.provider())
                .to_owned(),
            attempt: attempt(1),
            event_id: after(rest, "event").map(str::to_owned),
            report: read(rest),
        },
        ["hint"] => Event::HintArrived,
        ["timer", name] => Event::TimerFired(timer(name)),
        ["told", rest @ ..] => Event::NotificationAnswered {
            version: after(&words, "version")
                .and_then(|word| word.parse().ok())
                .or(life
                    .transaction
                    .notice
                    .as_ref()
                    .map(|notice| notice.version))
                .unwrap_or(1),
            result: delivery(rest, after(&words, "retry").map(millis)),
        },
        ["recovered"] => Event::Recovered,
        ["stopping"] => Event::Stopping,
        ["act", command, rest @ ..] => Event::Acted(Act {
            by: "ada".to_owned(),
            why: "it was asked for".to_owned(),
            seen: after(&words, "seen").and_then(|word| word.parse().ok()),
            command: self::command(command, rest),
        }),
        _ => panic!("no such event: {words:?}"),
    }
}

fn after<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

/// Seconds with a fraction, in milliseconds.
pub(crate) fn millis(seconds: &str) -> u64 {
    let seconds: f64 = seconds
        .parse()
        .unwrap_or_else(|_| panic!("{seconds:?} is not a number of seconds"));
    (seconds * 1_000.0).round() as u64
}

fn read(words: &[&str]) -> Report {
    let word = words
        .iter()
        .find(|word| super::fixture::finding(word).is_some());
    let mut report = report(word.unwrap_or_else(|| panic!("no finding in {words:?}")));
    let asked = after(words, "retry").map(|wait| Duration::from_millis(millis(wait)));
    if let Finding::NotExecuted { retry_after, .. } = &mut report.finding {
        *retry_after = asked;
    }
    report.provider_reference = after(words, "ref").map(str::to_owned);
    report.amount = after(words, "paying").map(paying);
    report
}

/// `1000` in euros, `1000USD`, or what is no amount.
fn paying(text: &str) -> ReportedAmount {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_uppercase());
    let currency = if digits == text {
        "EUR"
    } else {
        &text[digits.len()..]
    };
    match digits.parse() {
        Ok(value) => ReportedAmount::Read(amount(value, currency)),
        Err(_) => ReportedAmount::Unreadable {
            text: text.to_owned(),
        },
    }
}

pub(crate) fn timer(name: &str) -> Timer {
    let found = Timer::ALL.into_iter().find(|timer| timer.as_str() == name);
    found.unwrap_or_else(|| panic!("no such timer: {name:?}"))
}

fn delivery(words: &[&str], retry_ms: Option<u64>) -> DeliveryResult {
    match words.first() {
        Some(&"ok") => DeliveryResult::Acknowledged {
            status: Some(204),
            took: Some(Duration::from_millis(40)),
        },
        Some(&"gone") => DeliveryResult::Gone { took: None },
        Some(&"disabled") => DeliveryResult::Disabled {
            why: "the app's endpoint is disabled".to_owned(),
        },
        Some(&"held") => DeliveryResult::HeldBack {
            wait: Duration::from_millis(retry_ms.expect("told held retry SECONDS")),
        },
        Some(&"badly") => DeliveryResult::Failed {
            why: "503".to_owned(),
            retry_after: retry_ms.map(Duration::from_millis),
            status: Some(503),
            took: None,
        },
        _ => panic!("told ok, badly, gone, disabled or held; got {words:?}"),
    }
}

fn command(name: &str, rest: &[&str]) -> Command {
    match (name, rest.first()) {
        ("cancel", _) => Command::Cancel,
        ("inquire", _) => Command::Inquire,
        ("resubmit", _) => Command::Resubmit,
        ("redeliver", _) => Command::Redeliver,
        ("resolve", Some(outcome)) => Command::Resolve {
            outcome: match *outcome {
                "completed" => Outcome::Completed,
                "declined" => Outcome::Declined,
                "failed" => Outcome::Failed,
                other => panic!("no such outcome: {other:?}"),
            },
            while_open: rest.contains(&"while_open"),
        },
        _ => panic!("no such command: {name:?} {rest:?}"),
    }
}

// ---- consequences ------------------------------------------------------------------------------------

/// A state in words: `unknown 1`.
pub(crate) fn state(state: State) -> String {
    let name = state.name().replace('_', " ");
    match state {
        State::Submitting { attempt }
        | State::Pending { attempt }
        | State::Unknown { attempt }
        | State::BackingOff { attempt } => format!("{name} {attempt}"),
        State::InReview {
            why: ReviewReason::AmountMismatch,
        } => format!("{name} of its amount"),
        State::InReview {
            why: ReviewReason::OtherReference,
        } => format!("{name} of its reference"),
        State::InReview {
            why: ReviewReason::EarlierAttempt,
        } => format!("{name} of an earlier attempt"),
        State::Accepted
        | State::InReview {
            why: ReviewReason::Deadline,
        }
        | State::Completed
        | State::Declined
        | State::Failed => name,
    }
}

/// Why nothing follows, in words.
pub(crate) fn ignored(why: &Ignored) -> String {
    let word = match why {
        Ignored::Duplicate => "duplicate",
        Ignored::Late => "late",
        Ignored::Stale => "stale",
        Ignored::Uninformative => "uninformative",
        Ignored::Refused(refusal) => return format!("refused: {}", refused(*refusal)),
    };
    format!("ignored: {word}")
}

fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::VersionMismatch { .. } => "version mismatch",
        Refusal::MayBeExecuted { .. } => "may be executed",
        Refusal::AlreadyFinal { .. } => "already final",
        Refusal::NeverSent => "never sent",
        Refusal::NoInquiry => "no inquiry",
        Refusal::AlreadyQueued => "already queued",
        Refusal::NothingToTell => "nothing to tell",
        Refusal::BeingTold => "being told",
        Refusal::StillOpen { .. } => "still open",
    }
}

/// An effect in words.
pub(crate) fn effect(effect: Effect) -> String {
    match effect {
        Effect::AskToSubmit => "ask to submit".to_owned(),
        Effect::Submit { attempt } => format!("submit {attempt}"),
        Effect::AskToInquire => "ask to inquire".to_owned(),
        Effect::Inquire { attempt } => format!("inquire {attempt}"),
        Effect::Resend { attempt } => format!("resend {attempt}"),
        Effect::Notify => "notify".to_owned(),
        Effect::LeaveGate => "leave gate".to_owned(),
        Effect::ClaimInbox => "claim inbox".to_owned(),
    }
}

/// Everything that `decided` brought about, one phrase each; the first is the state or the reason why
/// nothing happened. `life` has become what was decided.
pub(crate) fn consequences(life: &Life, decided: &Result<Decision, Ignored>) -> Vec<String> {
    let decision = match decided {
        Ok(decision) => decision,
        Err(why) => return vec![ignored(why)],
    };
    let next = &life.transaction;
    let mut said = vec![state(next.state)];
    said.extend(decision.effects.iter().map(|one| effect(*one)));
    for record in &decision.records {
        said.push(format!("record {}", record.fact.name()));
        if let teller::transaction::Fact::Notified { delivery, .. } = &record.fact {
            let word = match delivery {
                teller::transaction::DeliveryRecord::Acknowledged => "acknowledged",
                teller::transaction::DeliveryRecord::Failed { .. } => "failed",
                teller::transaction::DeliveryRecord::GivenUp { .. } => "given up",
            };
            said.push(format!("telling {word}"));
        }
        if let Some(conflict) = &record.conflict {
            said.push(format!("conflict {}", conflict.kind.as_str()));
        }
        if let Some(resolution) = &record.resolution {
            said.push(format!("by {}", resolution.source.as_str()));
        }
        if record.tell {
            said.push("tells".to_owned());
        }
    }
    if next.conflict_open {
        said.push("disputed".to_owned());
    }
    if !next.is_open() {
        said.push("closed".to_owned());
    }
    said.extend(
        next.provider_references()
            .into_iter()
            .map(|(_, known)| format!("ref {known}")),
    );
    let seconds = |at| life.world(at) as f64 / 1_000.0;
    for (timer, due) in next.volatile.timers.armed() {
        said.push(format!("{} at {}", timer.as_str(), seconds(due)));
    }
    if let Some(ends) = next.volatile.window_ends {
        said.push(format!("window ends at {}", seconds(ends)));
    }
    said
}
