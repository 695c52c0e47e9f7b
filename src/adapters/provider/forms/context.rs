//! What templates can print.

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::Subject;
use super::seal::placeholder;
use crate::adapters::provider::template::Template;
use crate::transaction::{Amount, Timestamp};

/// The settings of a provider, by name.
pub(in super::super) type Settings = BTreeMap<String, String>;

/// An attempt, as templates see it.
#[derive(Clone, Copy)]
pub(in super::super) struct AttemptNames<'a> {
    pub(in super::super) number: Option<u32>,
    pub(in super::super) reference: &'a str,
    pub(in super::super) provider_reference: Option<&'a str>,
    pub(in super::super) webhook_url: Option<&'a str>,
}

/// For requests.
#[derive(Serialize)]
struct RequestContext<'a> {
    transaction: TransactionContext<'a>,
    attempt: AttemptContext<'a>,
    payload: &'a serde_json::Value,
    setting: &'a Settings,
    sealed: BTreeMap<&'a str, String>,
    now: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

#[derive(Serialize)]
struct TransactionContext<'a> {
    id: String,
    app: &'a str,
    amount: Option<&'a Amount>,
}

#[derive(Serialize)]
struct AttemptContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_reference: Option<&'a str>,
}

/// What a request's templates print. `body` is there for its headers.
pub(super) fn request_context(
    subject: Subject<'_>,
    sealed: &[(String, Template)],
    body: Option<&str>,
) -> Value {
    let nothing = serde_json::Value::Object(serde_json::Map::new());
    let Subject {
        key,
        request,
        attempt,
        settings,
        now,
    } = subject;
    Value::from(Serde(RequestContext {
        transaction: TransactionContext {
            id: key.id.to_string(),
            app: key.app.as_str(),
            amount: request.amount.as_ref(),
        },
        attempt: AttemptContext {
            number: attempt.number,
            reference: attempt.reference,
            provider_reference: attempt.provider_reference,
        },
        payload: if request.payload.is_null() {
            &nothing
        } else {
            &request.payload
        },
        setting: settings,
        sealed: sealed
            .iter()
            .map(|(name, _)| (name.as_str(), placeholder(name)))
            .collect(),
        now: now.as_millis(),
        webhook_url: attempt.webhook_url,
        body,
    }))
}

/// For sealed values: what is known as the request is sent.
#[derive(Serialize)]
struct SealedContext<'a> {
    setting: &'a Settings,
    secret: &'a BTreeMap<&'a str, String>,
    now: i64,
}

/// What sealed values print, and the keys of `[auth]` that no request is needed for.
pub(in super::super) fn sealed_context(
    settings: &Settings,
    secrets: &BTreeMap<&str, String>,
    now: Timestamp,
) -> Value {
    Value::from(Serde(SealedContext {
        setting: settings,
        secret: secrets,
        now: now.as_millis(),
    }))
}

/// For the headers of `[auth]`: the request as it is sent, too.
#[derive(Serialize)]
struct AuthContext<'a> {
    setting: &'a Settings,
    secret: &'a BTreeMap<&'a str, String>,
    now: i64,
    method: &'a str,
    url: &'a str,
    path: &'a str,
    body: &'a str,
}

/// What the headers of `[auth]` print. `path` has the query with it.
pub(in super::super) fn auth_context(
    settings: &Settings,
    secrets: &BTreeMap<&str, String>,
    now: Timestamp,
    request: &crate::transaction::Rendered,
) -> Value {
    let url = request.url.as_str();
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let path = url[after_scheme..]
        .find('/')
        .map_or("/", |at| &url[after_scheme + at..]);
    Value::from(Serde(AuthContext {
        setting: settings,
        secret: secrets,
        now: now.as_millis(),
        method: &request.method,
        url,
        path,
        body: &request.body,
    }))
}

/// For a webhook's event id.
#[derive(Serialize)]
struct EventContext<'a> {
    event: &'a serde_json::Value,
    headers: BTreeMap<&'a str, String>,
}

/// What a webhook's event id prints. Of a doubled header the first counts.
pub(in super::super) fn event_context(
    event: &serde_json::Value,
    headers: &[(&str, &[u8])],
) -> Value {
    let mut first = BTreeMap::new();
    for (name, value) in headers {
        first
            .entry(*name)
            .or_insert_with(|| String::from_utf8_lossy(value).into_owned());
    }
    Value::from(Serde(EventContext {
        event,
        headers: first,
    }))
}
