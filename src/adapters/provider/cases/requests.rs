//! Cases of what teller sends.

use std::sync::Arc;

use futures_util::FutureExt;

use super::compare::Differences;
use super::format::{AnswerOf, Case, CaseTransaction, ExpectOne};
use super::report::Seen;
use super::world::{World, now};
use crate::adapters::provider::asked;
use crate::adapters::provider::auth::{Credentials, Ready};
use crate::adapters::provider::forms::{AttemptNames, Subject};
use crate::adapters::provider::webhook;
use crate::clock::Clock;
use crate::transaction::{Key, Rendered, Request, Timestamp};

/// Stands in expected text for the URL that the attempt's webhooks are sent to.
const WEBHOOK_URL: &str = "<webhook_url>";

/// A request as it is sent.
struct Sent {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    webhook_url: String,
}

/// Renders the request of a case and compares it.
///
/// # Errors
/// Why the case makes no sense with this profile.
pub(super) fn run(
    world: &World<'_>,
    case: &Case,
    which: AnswerOf,
    expect: Option<&ExpectOne>,
) -> Result<Seen, String> {
    check_way(world, case, which)?;
    let form = Some(which.table());
    let sent = match sent(world, case, which) {
        Ok(sent) => sent,
        Err(why) => {
            let said = format!("it can't be sent: {why}");
            return Ok(Seen {
                differences: expect.map(|_| said.clone()).into_iter().collect(),
                evidence: vec![said],
                form,
                ..Seen::default()
            });
        }
    };
    let mut evidence = vec![format!("{} {}", sent.method, sent.url)];
    let headers = sent.headers.iter();
    evidence.extend(headers.map(|(name, value)| format!("{name}: {value}")));
    if !sent.body.is_empty() {
        evidence.push(sent.body.clone());
    }
    Ok(Seen {
        evidence,
        differences: expect.map_or_else(Vec::new, |expect| differences(expect, &sent)),
        rows: Vec::new(),
        form,
    })
}

/// What teller has of the attempt of a case by the time an answer comes.
#[derive(Default)]
pub(super) struct Submitted {
    pub(super) reference: String,
    /// Empty if nothing of it comes back in answers.
    pub(super) body: String,
}

/// The attempt that the answer of a case is compared with.
///
/// # Errors
/// Why the submission of the transaction that the case states can't be made.
pub(super) fn submitted(world: &World<'_>, case: &Case) -> Result<Submitted, String> {
    let ordinary = CaseTransaction::default();
    let transaction = case.transaction.as_ref().unwrap_or(&ordinary);
    let file = &world.profile.file;
    let reference = webhook::reference(file.reference, transaction.id, case.attempt.unwrap_or(1));
    if file.echoed_places().next().is_none() {
        return Ok(Submitted {
            reference,
            ..Submitted::default()
        });
    }
    let credentials = world.credentials(None)?;
    let body = match written(world, case, AnswerOf::Submit, &credentials) {
        Ok(written) => written.rendered.body,
        // The ordinary transaction has no amount and no payload: then nothing of it is compared.
        Err(_) if case.transaction.is_none() => String::new(),
        Err(why) => {
            return Err(format!(
                "the submission that the answer is compared with can't be made: {why}"
            ));
        }
    };
    Ok(Submitted { reference, body })
}

fn check_way(world: &World<'_>, case: &Case, which: AnswerOf) -> Result<(), String> {
    let file = &world.profile.file;
    let knows = case.provider_reference.is_some();
    let asks = match which {
        AnswerOf::Submit => return Ok(()),
        AnswerOf::Inquiry => &file.inquiry,
        AnswerOf::Lost => file
            .lost
            .as_ref()
            .ok_or("the profile has no [lost]: say request = \"inquiry\"")?,
    };
    let table = which.table();
    if !asks.asks() {
        return Err(format!(
            "[{table}] of the profile is no request: its method is {:?}",
            asks.method.as_str()
        ));
    }
    if which == AnswerOf::Lost && knows {
        return Err("request = \"lost\" is for when `provider_reference` is not known".to_owned());
    }
    if which == AnswerOf::Inquiry && file.lost.is_some() && !knows {
        return Err(
            "`provider_reference` is missing: without it the profile asks as [lost] says"
                .to_owned(),
        );
    }
    Ok(())
}

/// A request as it is written down, before credentials and sealed values are put in.
struct Written {
    rendered: Rendered,
    webhook_url: String,
    knows: bool,
}

fn written(
    world: &World<'_>,
    case: &Case,
    which: AnswerOf,
    credentials: &Credentials,
) -> Result<Written, String> {
    let ordinary = CaseTransaction::default();
    let transaction = case.transaction.as_ref().unwrap_or(&ordinary);
    let key = Key {
        app: transaction.app.clone(),
        id: transaction.id,
    };
    let request = Request {
        provider: world.profile.name().to_owned(),
        amount: transaction.amount.as_ref().map(|amount| amount.amount()),
        submit_by: Timestamp::from_millis(0),
        payload: transaction.payload.clone(),
        traceparent: None,
    };
    let attempt = case.attempt.unwrap_or(1);
    let (profile, file) = (world.profile, &world.profile.file);
    let reference = webhook::reference(file.reference, key.id, attempt);
    let webhook_url = world.webhook_url(&key, attempt);
    let submits = which == AnswerOf::Submit;
    let subject = Subject {
        key: &key,
        request: &request,
        attempt: AttemptNames {
            number: submits.then_some(attempt),
            reference: &reference,
            provider_reference: case.provider_reference.as_deref().filter(|_| !submits),
            webhook_url: submits.then_some(webhook_url.as_str()),
        },
        settings: credentials.settings(),
        now: now(case.now),
    };
    let knows = subject.attempt.provider_reference.is_some();
    let rendered = if submits {
        let rendered = profile.forms.submission(file, &world.base_url, subject)?;
        asked::check_echoed(file, &rendered)?;
        rendered
    } else {
        let rules = file.inquiry_for(knows);
        profile.forms.inquiry(rules, &world.base_url, subject)?
    };
    Ok(Written {
        rendered,
        webhook_url,
        knows,
    })
}

fn sent(world: &World<'_>, case: &Case, which: AnswerOf) -> Result<Sent, String> {
    let clock = Clock::standing(now(case.now));
    let credentials = Arc::new(world.credentials(case.token.as_deref())?);
    let written = written(world, case, which, &credentials)?;
    let submits = which == AnswerOf::Submit;
    let kind = world.profile.forms.body_kind(submits, written.knows);
    let ready: Ready = credentials
        .prepare(world.profile, &written.rendered, kind, clock)
        .now_or_never()
        .ok_or("a token would have to be fetched; give it in `token`")??;
    let mut headers = ready.request.headers;
    headers.extend(ready.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    }));
    Ok(Sent {
        method: ready.request.method,
        url: ready.request.url,
        headers,
        body: ready.request.body,
        webhook_url: written.webhook_url,
    })
}

fn differences(expect: &ExpectOne, sent: &Sent) -> Vec<String> {
    let mut found = Differences::default();
    let filled = |text: &String| text.replace(WEBHOOK_URL, &sent.webhook_url);
    found.same("method", expect.method.as_ref(), Some(&sent.method));
    found.same("url", expect.url.as_ref().map(filled), Some(&sent.url));
    for (name, value) in expect.headers.iter().flatten() {
        let came = sent
            .headers
            .iter()
            .find(|(one, _)| one.eq_ignore_ascii_case(name));
        let came = came.map(|(_, value)| value);
        found.same(&format!("header {name}"), Some(filled(value)), came);
    }
    if let Some(body) = &expect.body {
        found.body(&filled(body), &sent.body);
    }
    found.told()
}
