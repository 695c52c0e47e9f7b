//! Reading webhooks. One that the provider has signed, or that came to a URL only it was told, is
//! evidence; any other is a hint that something may have happened to a transaction.
//!
//! Order of work: method and form, then the signature over the raw bytes, then what it says. A batch
//! is taken whole or not at all.

mod event;

use std::fmt::Display;

use serde_json::{Map, Value};

use super::auth::Credentials;
use super::profile::{Profile, Trust, Webhook, WebhookContent};
use super::secret::Secret;
use super::signature::{SignatureScheme, Signed, VerifyingKeys};
use super::token;
use crate::ports::{
    Acknowledgement, IncomingWebhook, WebhookEvent, WebhookReading, WebhookRejected,
};
use crate::transaction::Timestamp;

pub(super) use event::{parse_reference, reference};

/// Events of one webhook, at most; the largest senders put a few dozen into one.
const EVENTS_MAX: usize = 500;

/// How one provider's webhooks are checked.
#[derive(Debug)]
pub(super) struct Reader {
    /// What signatures are checked with; `None` where nothing is signed.
    signing: Option<Signing>,
    token_secrets: Vec<Secret>,
}

/// What a row of the table said of each event, for whoever checks a profile.
pub(super) type Rows = Vec<Option<usize>>;

impl Reader {
    /// Reads the keys that the profile's signature needs.
    pub(super) fn new(
        profile: &Profile,
        credentials: &Credentials,
        token_secrets: Vec<Secret>,
    ) -> Result<Self, String> {
        let scheme = profile.scheme.as_ref().zip(profile.file.webhook.as_ref());
        let signing = scheme
            .map(|(scheme, webhook)| Signing::new(scheme, webhook, credentials))
            .transpose()?;
        Ok(Self {
            signing,
            token_secrets,
        })
    }

    /// Reads one webhook.
    pub(super) fn read(
        &self,
        profile: &Profile,
        incoming: &IncomingWebhook<'_>,
        now: Timestamp,
    ) -> Result<(WebhookReading, Rows), WebhookRejected> {
        let webhook = profile
            .file
            .webhook
            .as_ref()
            .ok_or(WebhookRejected::NoneExpected)?;
        check_form(webhook, incoming)?;
        let seal = Seal {
            signing: self.signing.as_ref(),
            signed: Signed {
                headers: incoming.headers,
                method: incoming.method,
                url: incoming.url,
                body: incoming.body,
                now,
            },
        };
        seal.check_whole()?;
        let body = parse(webhook.content, incoming.body)?;
        let mut events = Vec::new();
        let mut rows = Vec::new();
        for item in items(webhook, &body)? {
            seal.check_item(item)?;
            let reading = event::Reading {
                profile,
                webhook,
                token_secrets: &self.token_secrets,
                incoming,
            };
            let (event, row): (Option<WebhookEvent>, _) = reading.read(item)?;
            events.extend(event);
            rows.push(row);
        }
        let acknowledge = &webhook.acknowledge;
        let reading = WebhookReading {
            events,
            acknowledgement: Acknowledgement {
                status: acknowledge.status.0,
                content_type: acknowledge.content_type.clone(),
                body: acknowledge.body.clone(),
            },
        };
        Ok((reading, rows))
    }
}

/// A scheme and the keys that it is checked with.
#[derive(Debug)]
struct Signing {
    scheme: SignatureScheme,
    keys: VerifyingKeys,
}

impl Signing {
    fn new(
        scheme: &SignatureScheme,
        webhook: &Webhook,
        credentials: &Credentials,
    ) -> Result<Self, String> {
        let mut keys = Vec::new();
        for name in webhook.secret.iter() {
            for secret in credentials.secrets(name) {
                let of = |what: String| format!("the secret {name:?}: {what}");
                let text = std::str::from_utf8(secret.expose())
                    .map_err(|_| of("it is no text".to_owned()))?;
                keys.push(scheme.key(text).map_err(of)?);
            }
        }
        Ok(Self {
            scheme: scheme.clone(),
            keys: VerifyingKeys::new(keys)?,
        })
    }
}

/// The check of a signature, over the whole or over each item.
struct Seal<'a> {
    signing: Option<&'a Signing>,
    signed: Signed<'a>,
}

impl Seal<'_> {
    fn check_whole(&self) -> Result<(), WebhookRejected> {
        match self.signing {
            Some(signing) if !signing.scheme.is_per_item() => self.verify(signing, None),
            Some(_) | None => Ok(()),
        }
    }

    fn check_item(&self, item: &Value) -> Result<(), WebhookRejected> {
        match self.signing {
            Some(signing) if signing.scheme.is_per_item() => self.verify(signing, Some(item)),
            Some(_) | None => Ok(()),
        }
    }

    fn verify(&self, signing: &Signing, item: Option<&Value>) -> Result<(), WebhookRejected> {
        signing
            .scheme
            .verify(&signing.keys, &self.signed, item)
            .map(|_| ())
            .map_err(|fault| {
                tracing::debug!(fault = fault.word(), "a signature doesn't hold");
                WebhookRejected::NotSigned(fault.to_string())
            })
    }
}

fn check_form(webhook: &Webhook, incoming: &IncomingWebhook<'_>) -> Result<(), WebhookRejected> {
    let mut methods = webhook
        .method
        .iter()
        .map(|method| method.as_str())
        .peekable();
    if methods.peek().is_some() && !methods.any(|method| method == incoming.method) {
        return Err(WebhookRejected::Method);
    }
    let stated = incoming.header("content-type").unwrap_or_default();
    let stated = String::from_utf8_lossy(stated).to_ascii_lowercase();
    let stated = stated
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let fits = match webhook.content {
        WebhookContent::Json => stated == "application/json" || stated.ends_with("+json"),
        WebhookContent::Form => stated == "application/x-www-form-urlencoded",
    };
    if fits {
        Ok(())
    } else {
        Err(WebhookRejected::MediaType(match webhook.content {
            WebhookContent::Json => "application/json",
            WebhookContent::Form => "application/x-www-form-urlencoded",
        }))
    }
}

/// The body as JSON.
pub(super) fn parse(content: WebhookContent, body: &[u8]) -> Result<Value, WebhookRejected> {
    match content {
        WebhookContent::Json => serde_json::from_slice(body)
            .map_err(|error| unreadable(format!("the webhook's body is no JSON: {error}"))),
        WebhookContent::Form => {
            let mut fields = Map::new();
            for (name, value) in form_urlencoded::parse(body) {
                let value = Value::String(value.into_owned());
                if fields.insert(name.clone().into_owned(), value).is_some() {
                    return Err(unreadable(format!(
                        "the field {:?} stands there twice",
                        &*name
                    )));
                }
            }
            Ok(Value::Object(fields))
        }
    }
}

/// The events of a webhook: the items of its batch, or its whole body.
pub(super) fn items<'a>(
    webhook: &Webhook,
    body: &'a Value,
) -> Result<Vec<&'a Value>, WebhookRejected> {
    let Some(place) = &webhook.items else {
        return Ok(vec![body]);
    };
    let list = place
        .find(body)
        .and_then(Value::as_array)
        .ok_or_else(|| unreadable(format!("the webhook has no list at {place}")))?;
    if list.len() > EVENTS_MAX {
        return Err(unreadable(format!(
            "the webhook has {} items; {EVENTS_MAX} are taken at most",
            list.len()
        )));
    }
    let event = |item: &'a Value| match &webhook.item {
        None => Ok(item),
        Some(within) => within
            .find(item)
            .ok_or_else(|| unreadable(format!("an item of the webhook has nothing at {within}"))),
    };
    list.iter().map(event).collect()
}

fn unreadable(what: impl Display) -> WebhookRejected {
    WebhookRejected::Unreadable(what.to_string())
}

/// Tokens that anybody could make would make everybody's word evidence.
pub(super) fn check_token_secrets(profile: &Profile, secrets: &[Secret]) -> Result<(), String> {
    if needs_token_secret(profile) && secrets.is_empty() {
        return Err("webhooks are trusted by token, so a token secret is needed".to_owned());
    }
    match secrets
        .iter()
        .position(|secret| secret.expose().len() < token::SECRET_MIN_BYTES)
    {
        Some(at) => Err(format!(
            "token secret number {} is shorter than {} bytes",
            at + 1,
            token::SECRET_MIN_BYTES
        )),
        None => Ok(()),
    }
}

/// Whether a profile's webhooks can be believed at all without a secret of our own.
fn needs_token_secret(profile: &Profile) -> bool {
    let webhook = profile.file.webhook.as_ref();
    webhook.is_some_and(|webhook| webhook.trust == Trust::Token)
}
