//! The provider's side of a signature: makes what the signature module checks, from the same
//! `[webhook.signature]` and by code of its own, so that a mistake in one of them shows.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::adapters::provider::filters::{hex, percent, unhex};
use crate::adapters::provider::profile::Webhook;
use crate::transaction::Timestamp;

/// A webhook that is about to be signed.
pub(super) struct Unsigned {
    pub(super) method: String,
    pub(super) url: String,
    /// Names in small letters.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Unsigned {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The header's value, which is set to `value` if the case doesn't give it.
    fn header_or(&mut self, name: &str, value: String) -> String {
        if let Some(given) = self.header(name) {
            return given.to_owned();
        }
        self.headers
            .push((name.to_ascii_lowercase(), value.clone()));
        value
    }

    fn set(&mut self, name: &str, value: String) {
        self.headers
            .retain(|(one, _)| !one.eq_ignore_ascii_case(name));
        self.headers.push((name.to_ascii_lowercase(), value));
    }
}

/// What of `[webhook.signature]` signing needs. The profile has been checked, so that nothing is
/// refused here but what can't be signed.
#[derive(Deserialize)]
struct Scheme {
    kind: String,
    algorithm: Option<String>,
    encoding: Option<String>,
    key_encoding: Option<String>,
    header: Option<String>,
    headers: Option<String>,
    query: Option<String>,
    at: Option<String>,
    prefix: Option<String>,
    signed: Option<String>,
    escape: Option<String>,
    timestamp_header: Option<String>,
}

/// Signs `webhook` as the provider would, at `now`.
///
/// # Errors
/// Why it can't be signed here.
pub(super) fn sign(
    scheme: &toml::Value,
    rules: &Webhook,
    secret: &str,
    now: Timestamp,
    webhook: &mut Unsigned,
) -> Result<(), String> {
    let scheme: Scheme = scheme
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())?;
    let seconds = now.as_secs().to_string();
    match scheme.kind.as_str() {
        "stripe" => {
            let header = scheme.header.as_deref().unwrap_or("stripe-signature");
            let message = [seconds.as_bytes(), b".", webhook.body.as_bytes()].concat();
            let tag = hex(&mac("sha256", secret.as_bytes(), &message)?);
            webhook.set(header, format!("t={seconds},v1={tag}"));
            Ok(())
        }
        "standard_webhooks" => standard_webhooks(&scheme, secret, seconds, webhook),
        "hmac" => scheme.hmac(rules, secret, seconds, webhook),
        "shared_token" => {
            match (&scheme.header, &scheme.query) {
                (Some(header), _) => webhook.set(header, secret.to_owned()),
                (None, Some(query)) => {
                    let joint = if webhook.url.contains('?') { '&' } else { '?' };
                    webhook
                        .url
                        .push_str(&format!("{joint}{query}={}", percent(secret)));
                }
                (None, None) => return Err("the scheme says no place".to_owned()),
            }
            Ok(())
        }
        other => Err(format!(
            "kind = \"{other}\" can't be signed here; record a signature and give its headers"
        )),
    }
}

fn standard_webhooks(
    scheme: &Scheme,
    secret: &str,
    seconds: String,
    webhook: &mut Unsigned,
) -> Result<(), String> {
    let prefix = match scheme.headers.as_deref() {
        Some("svix") => "svix",
        _ => "webhook",
    };
    let key = secret
        .strip_prefix("whsec_")
        .and_then(unpadded)
        .ok_or("only version 1 can be signed here, whose secret is whsec_ and base64")?;
    let id = webhook.header_or(&format!("{prefix}-id"), "msg_1".to_owned());
    let time = webhook.header_or(&format!("{prefix}-timestamp"), seconds);
    let message = format!("{id}.{time}.{}", webhook.body);
    let tag = STANDARD.encode(mac("sha256", &key, message.as_bytes())?);
    webhook.set(&format!("{prefix}-signature"), format!("v1,{tag}"));
    Ok(())
}

impl Scheme {
    fn hmac(
        &self,
        rules: &Webhook,
        secret: &str,
        seconds: String,
        webhook: &mut Unsigned,
    ) -> Result<(), String> {
        if let Some(header) = &self.timestamp_header {
            webhook.header_or(header, seconds);
        }
        let key = match self.key_encoding.as_deref() {
            Some("hex") => unhex(secret).ok_or("the secret is not hexadecimal")?,
            Some("base64") => unpadded(secret).ok_or("the secret is not base64")?,
            _ => secret.as_bytes().to_vec(),
        };
        match (&self.header, &self.at) {
            (Some(header), _) => {
                let item = first_item(rules, &webhook.body);
                let tag = self.tag(&key, webhook, item.as_ref())?;
                webhook.set(header, tag);
            }
            (None, Some(at)) => {
                let mut body: Value = serde_json::from_str(&webhook.body)
                    .map_err(|_| "the body is no JSON, so that no item can be signed")?;
                for place in item_places(rules, &body) {
                    let item = body.pointer(&place).cloned();
                    let tag = self.tag(&key, webhook, item.as_ref())?;
                    put(&mut body, &format!("{place}{at}"), tag)?;
                }
                webhook.body = body.to_string();
            }
            (None, None) => return Err("the scheme says no place".to_owned()),
        }
        Ok(())
    }

    /// The signature as it is written.
    fn tag(&self, key: &[u8], webhook: &Unsigned, item: Option<&Value>) -> Result<String, String> {
        let message = self.message(webhook, item)?;
        let algorithm = self.algorithm.as_deref().unwrap_or_default();
        let tag = mac(algorithm, key, message.as_bytes())?;
        let written = match self.encoding.as_deref() {
            Some("base64") => STANDARD.encode(tag),
            _ => hex(&tag),
        };
        Ok(format!("{}{written}", self.prefix.as_deref().unwrap_or("")))
    }

    /// `signed` with its placeholders filled in.
    fn message(&self, webhook: &Unsigned, item: Option<&Value>) -> Result<String, String> {
        let mut message = String::new();
        let mut rest = self.signed.as_deref().unwrap_or("{body}");
        while let Some(at) = rest.find(['{', '}']) {
            message.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                message.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = rest
                .split_once('}')
                .ok_or("`signed` has a brace too many")?;
            message.push_str(&self.value(name, webhook, item)?);
            rest = after;
        }
        message.push_str(rest);
        Ok(message)
    }

    fn value(
        &self,
        name: &str,
        webhook: &Unsigned,
        item: Option<&Value>,
    ) -> Result<String, String> {
        if let Some(header) = name.strip_prefix("header:") {
            let value = webhook.header(header);
            return value
                .map(str::to_owned)
                .ok_or_else(|| format!("the header {header} is signed; give it in `headers`"));
        }
        if let Some(at) = name.strip_prefix("at:") {
            let text = match item.and_then(|item| item.pointer(at)) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            return Ok(match self.escape.as_deref() {
                Some("backslash") => text.replace('\\', "\\\\").replace(':', "\\:"),
                _ => text,
            });
        }
        let after_host = || {
            let after = webhook.url.find("://").map_or(0, |at| at + 3);
            let path = webhook.url[after..]
                .find('/')
                .map_or("/", |at| &webhook.url[after + at..]);
            path.split(['?', '#']).next().unwrap_or_default().to_owned()
        };
        match name {
            "body" => Ok(webhook.body.clone()),
            "url" => Ok(webhook.url.clone()),
            "path" => Ok(after_host()),
            "method" => Ok(webhook.method.clone()),
            other => Err(format!("{{{other}}} in `signed` can't be filled in here")),
        }
    }
}

/// Where the items of the body stand; the body itself where there is no batch.
fn item_places(rules: &Webhook, body: &Value) -> Vec<String> {
    let Some(items) = &rules.items else {
        return vec![String::new()];
    };
    let within = rules
        .item
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let count = items
        .find(body)
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    (0..count)
        .map(|at| format!("{items}/{at}{within}"))
        .collect()
}

fn first_item(rules: &Webhook, body: &str) -> Option<Value> {
    let body: Value = serde_json::from_str(body).ok()?;
    let first = item_places(rules, &body).into_iter().next()?;
    body.pointer(&first).cloned()
}

/// Puts `text` at a place, and makes the objects on the way to it.
fn put(body: &mut Value, place: &str, text: String) -> Result<(), String> {
    let mut here = body;
    for step in place.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        here = match here {
            Value::Array(list) => name
                .parse::<usize>()
                .ok()
                .and_then(|at| list.get_mut(at))
                .ok_or_else(|| format!("there is nothing at {place}"))?,
            Value::Object(fields) => fields
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new())),
            _ => return Err(format!("the signature can't be put at {place}")),
        };
    }
    *here = Value::String(text);
    Ok(())
}

fn unpadded(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn mac(algorithm: &str, key: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
    match algorithm {
        "sha1" => Ok(tag::<Hmac<Sha1>>(key, message)),
        "sha256" => Ok(tag::<Hmac<Sha256>>(key, message)),
        "sha512" => Ok(tag::<Hmac<Sha512>>(key, message)),
        other => Err(format!("there is no HMAC over {other:?}")),
    }
}

fn tag<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
