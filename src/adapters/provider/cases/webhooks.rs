//! Cases of how a webhook is read.

use serde_json::Value;

use super::answers::{amount_told, beside};
use super::compare::Differences;
use super::format::{Case, CaseTransaction, Expect, ExpectEvent};
use super::report::Seen;
use super::sign::{self, Unsigned};
use super::world::{PUBLIC_URL, World, now};
use crate::adapters::provider::profile::WebhookContent;
use crate::adapters::provider::webhook;
use crate::ports::{IncomingWebhook, Subject, WebhookEvent, WebhookReading, WebhookRejected};
use crate::transaction::{Key, Report, ReportedAmount, TransactionId};

/// As `token`: one that teller itself would have made for whom the webhook names.
const VALID: &str = "valid";

/// Reads the webhook of a case and compares.
///
/// # Errors
/// Why the case makes no sense with this profile.
pub(super) fn run(world: &World<'_>, case: &Case, expect: Option<&Expect>) -> Result<Seen, String> {
    let profile = world.profile;
    let rules = profile
        .file
        .webhook
        .as_ref()
        .ok_or("the profile has no [webhook]")?;
    let now = now(case.now);
    let mut unsigned = unsigned(world, case, rules.content);
    let token = match case.token.as_deref() {
        Some(VALID) => Some(valid_token(world, case, &unsigned.body)?),
        stated => stated.map(str::to_owned),
    };
    if let (Some(token), None) = (&token, &case.url) {
        unsigned.url = format!("{}/{token}", unsigned.url);
    }
    if let Some(name) = &case.sign {
        let scheme = profile
            .signature
            .as_ref()
            .ok_or("`sign`: the profile's webhooks are not signed")?;
        sign::sign(scheme, rules, world.secret(name)?, now, &mut unsigned)
            .map_err(|what| format!("`sign`: {what}"))?;
    }
    let headers: Vec<(&str, &[u8])> = unsigned
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let incoming = IncomingWebhook {
        method: &unsigned.method,
        url: &unsigned.url,
        token: token.as_deref(),
        headers: &headers,
        body: unsigned.body.as_bytes(),
    };
    let (read, rows) = match world.reader.read(profile, &incoming, now) {
        Ok((reading, rows)) => (Ok(reading), rows),
        Err(rejected) => (Err(rejected), Vec::new()),
    };
    let mut found = Differences::default();
    compare(&read, expect, &mut found);
    if let Some(expected) = &case.acknowledged {
        let came = read.as_ref().ok().map(|reading| &reading.acknowledgement);
        let status = expected.status.map(|status| status.to_string());
        found.same(
            "acknowledged status",
            status,
            came.map(|came| came.status.to_string()),
        );
        found.same(
            "acknowledged body",
            expected.body.as_ref(),
            came.map(|came| &came.body),
        );
    }
    Ok(Seen {
        evidence: evidence(&read),
        differences: found.told(),
        rows: rows
            .into_iter()
            .flatten()
            .map(|row| ("webhook.outcome", row))
            .collect(),
        form: None,
    })
}

fn unsigned(world: &World<'_>, case: &Case, content: WebhookContent) -> Unsigned {
    let mut headers: Vec<(String, String)> = case
        .headers
        .iter()
        .flatten()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    if headers.iter().all(|(name, _)| name != "content-type") {
        let usual = match content {
            WebhookContent::Json => "application/json",
            WebhookContent::Form => "application/x-www-form-urlencoded",
        };
        headers.push(("content-type".to_owned(), usual.to_owned()));
    }
    Unsigned {
        method: case.method.clone().unwrap_or_else(|| "POST".to_owned()),
        url: case
            .url
            .clone()
            .unwrap_or_else(|| format!("{PUBLIC_URL}/webhooks/{}", world.profile.name())),
        headers,
        body: case.body.clone().unwrap_or_default(),
    }
}

/// The token that the URL of the attempt has which the body names, or else the case's `transaction`.
fn valid_token(world: &World<'_>, case: &Case, body: &str) -> Result<String, String> {
    let file = &world.profile.file;
    let rules = file.webhook.as_ref();
    let named = rules.and_then(|rules| {
        let body = webhook::parse(rules.content, body.as_bytes()).ok()?;
        let item = *webhook::items(rules, &body).ok()?.first()?;
        let text = rules.id.as_ref()?.find(item).and_then(Value::as_str)?;
        webhook::parse_reference(file.reference, text)
    });
    let ordinary = CaseTransaction::default();
    let stated = case.transaction.as_ref();
    let (id, attempt) = match (named, stated) {
        (Some(named), _) => (named.id, named.attempt),
        (None, Some(stated)) => (stated.id, None),
        (None, None) => {
            return Err(
                "`token` = \"valid\": the body names no transaction that a token could be made for; say which in `transaction`"
                    .to_owned(),
            );
        }
    };
    let key = Key {
        app: stated.unwrap_or(&ordinary).app.clone(),
        id,
    };
    let attempt = attempt.or(case.attempt).unwrap_or(1);
    Ok(world.webhook_token(&key, attempt))
}

fn rejected_word(rejected: &WebhookRejected) -> &'static str {
    match rejected {
        WebhookRejected::NotSigned(_) => "not_signed",
        WebhookRejected::Unreadable(_) => "unreadable",
        WebhookRejected::MediaType(_) => "media_type",
        WebhookRejected::Method => "method",
        WebhookRejected::NoneExpected => "none_expected",
    }
}

// ---- in words ----------------------------------------------------------------------------------------

fn evidence(read: &Result<WebhookReading, WebhookRejected>) -> Vec<String> {
    let reading = match read {
        Ok(reading) => reading,
        Err(rejected) => {
            return vec![format!(
                "rejected ({}): {rejected}",
                rejected_word(rejected)
            )];
        }
    };
    let mut lines = Vec::new();
    if reading.events.is_empty() {
        lines.push("no event: acknowledged and ignored".to_owned());
    }
    for event in &reading.events {
        match event {
            WebhookEvent::Evidence {
                subject,
                event_id,
                report,
            } => {
                let finding = report.finding.as_str();
                lines.push(format!("{finding}, about {}", subject_told(subject)));
                lines.push(format!("event id {event_id:?}"));
                lines.extend(beside(report));
            }
            WebhookEvent::Hint { subject } => lines.push(format!(
                "a hint, believed by nobody, about {}",
                subject_told(subject)
            )),
        }
    }
    let acknowledgement = &reading.acknowledgement;
    lines.push(match acknowledgement.body.as_str() {
        "" => format!("acknowledged with {}", acknowledgement.status),
        body => format!("acknowledged with {} {body:?}", acknowledgement.status),
    });
    lines
}

fn subject_told(subject: &Subject) -> String {
    match subject {
        Subject::Attempt { key, attempt } => format!(
            "attempt {attempt} of {} of app {}, as its token says",
            key.id, key.app
        ),
        Subject::Ours {
            id,
            attempt: Some(attempt),
            ..
        } => format!("attempt {attempt} of {id}"),
        Subject::Ours {
            id, attempt: None, ..
        } => format!("{id}"),
        Subject::Theirs { reference } => format!("whatever the provider calls {reference:?}"),
    }
}

// ---- compared ----------------------------------------------------------------------------------------

fn compare(
    read: &Result<WebhookReading, WebhookRejected>,
    expect: Option<&Expect>,
    found: &mut Differences,
) {
    match (expect, read) {
        (None, _) => {}
        (Some(Expect::One(expected)), Err(came)) => found.same(
            "rejected",
            expected.rejected.map(|rejected| rejected.as_str()),
            Some(rejected_word(came)),
        ),
        (Some(Expect::One(expected)), Ok(_)) => found.same(
            "rejected",
            expected.rejected.map(|rejected| rejected.as_str()),
            None::<&str>,
        ),
        (Some(Expect::Events(_)), Err(came)) => {
            found.add(format!("expected events, came: {came}"));
        }
        (Some(Expect::Events(expected)), Ok(reading)) => {
            let came = &reading.events;
            if expected.len() != came.len() {
                found.differ("events", expected.len(), came.len());
            }
            for (at, (expected, came)) in expected.iter().zip(came).enumerate() {
                compare_event(at + 1, expected, came, found);
            }
        }
    }
}

fn compare_event(
    number: usize,
    expected: &ExpectEvent,
    came: &WebhookEvent,
    found: &mut Differences,
) {
    let name = |what: &str| format!("event {number}, {what}");
    let came = Came::of(came);
    let mut same = |what: &str, expected: Option<String>, came: Option<String>| {
        found.same(&name(what), expected, came);
    };
    same(
        "trusted",
        expected.trusted.map(|trusted| trusted.to_string()),
        Some(came.report.is_some().to_string()),
    );
    let report = came.report;
    same(
        "finding",
        expected.finding.map(|finding| finding.as_str().to_owned()),
        report.map(|report| report.finding.as_str().to_owned()),
    );
    same(
        "id",
        expected.id.map(|id| id.to_string()),
        came.id.map(|id| id.to_string()),
    );
    same(
        "attempt",
        expected.attempt.map(|attempt| attempt.to_string()),
        came.attempt.map(|attempt| attempt.to_string()),
    );
    same(
        "vouched",
        expected.vouched.map(|vouched| vouched.to_string()),
        came.vouched.map(|vouched| vouched.to_string()),
    );
    same(
        "provider_reference",
        expected.provider_reference.clone(),
        came.theirs.map(str::to_owned),
    );
    same(
        "event_id",
        expected.event_id.clone(),
        came.event_id.map(str::to_owned),
    );
    same(
        "word",
        expected.word.clone(),
        report.and_then(|report| report.word.clone()),
    );
    let amount = report.and_then(|report| report.amount.as_ref());
    same(
        "amount",
        expected
            .amount
            .as_ref()
            .map(|amount| amount_told(&ReportedAmount::Read(amount.amount()))),
        amount.map(amount_told),
    );
}

/// An event, flat.
struct Came<'a> {
    id: Option<TransactionId>,
    attempt: Option<u32>,
    /// Only our own reference has one: whether the signature covers it.
    vouched: Option<bool>,
    theirs: Option<&'a str>,
    event_id: Option<&'a str>,
    /// Only what is believed has one.
    report: Option<&'a Report>,
}

impl<'a> Came<'a> {
    fn of(event: &'a WebhookEvent) -> Self {
        let (subject, event_id, report) = match event {
            WebhookEvent::Evidence {
                subject,
                event_id,
                report,
            } => (subject, Some(event_id.as_str()), Some(report)),
            WebhookEvent::Hint { subject } => (subject, None, None),
        };
        let (id, attempt, vouched, named) = match subject {
            Subject::Attempt { key, attempt } => (Some(key.id), Some(*attempt), None, None),
            Subject::Ours {
                id,
                attempt,
                vouched,
            } => (Some(*id), *attempt, Some(*vouched), None),
            Subject::Theirs { reference } => (None, None, None, Some(reference.as_str())),
        };
        let reported = report.and_then(|report| report.provider_reference.as_deref());
        Self {
            id,
            attempt,
            vouched,
            theirs: named.or(reported),
            event_id,
            report,
        }
    }
}
