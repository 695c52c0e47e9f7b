//! From the body of a POST to an [`Acceptance`]: checked once, here, into types that can't be wrong.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Doors, Problem, idempotency};
use crate::transaction::{
    Acceptance, Amount, AppId, Key, Request, Timestamp, TransactionId, id_from_idempotency_key,
};

/// The fields of a request. An unknown one is refused: a misspelt `submit_by` must not be overlooked.
const FIELDS: [&str; 5] = ["id", "provider", "amount", "submit_by", "payload"];
/// Levels of nesting in a payload, at most: parsers further down the line have smaller stacks.
const DEPTH_MAX: usize = 32;

/// Reads a request.
pub(super) fn read(
    doors: &Doors,
    app: &AppId,
    body: &[u8],
    idempotency_key: Option<&str>,
    traceparent: Option<String>,
) -> Result<Acceptance, Problem> {
    let mut value: Value = serde_json::from_slice(body).map_err(Problem::malformed_json)?;
    let payload_hash = idempotency::payload_hash(&mut value)?;
    let Value::Object(mut fields) = value else {
        return Err(Problem::invalid_field(
            "",
            "the body has to be a JSON object",
        ));
    };
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(unknown_field(unknown));
    }
    let id = identity(app, &mut fields, idempotency_key)?;
    let named = provider(doors, &mut fields)?;
    let amount = amount(&mut fields)?;
    let payload = payload(&mut fields)?;
    let provider = named.unwrap_or_else(|| {
        let routed = doors.routes.provider(app, amount.as_ref(), &payload);
        let default = doors.house.providers.default_name();
        routed.unwrap_or(default).to_owned()
    });
    let now = doors.house.clock.now().wall;
    let policy = doors
        .house
        .providers
        .get(&provider)
        .map(|provider| provider.policy().submit_within);
    let submit_by = submit_by(&mut fields)?.unwrap_or_else(|| now + policy.unwrap_or_default());
    let request = Request {
        provider,
        amount,
        submit_by,
        payload,
        traceparent,
    };
    Ok(Acceptance {
        key: Key {
            app: app.clone(),
            id,
        },
        request: Arc::new(request),
        payload_hash,
    })
}

fn unknown_field(name: &str) -> Problem {
    let nearest = FIELDS
        .iter()
        .min_by_key(|field| strsim::damerau_levenshtein(field, name));
    let near = nearest.filter(|field| strsim::damerau_levenshtein(field, name) <= 3);
    let hint = near.map_or_else(
        || "; what the provider needs belongs into \"payload\"".to_owned(),
        |field| format!("; did you mean {field:?}?"),
    );
    Problem::invalid_field(
        format!("/{name}"),
        format!("{name:?} is not a field of a transaction{hint}"),
    )
}

fn identity(
    app: &AppId,
    fields: &mut Map<String, Value>,
    key: Option<&str>,
) -> Result<TransactionId, Problem> {
    match (fields.remove("id"), key) {
        (None, None) => Err(Problem::no_identity()),
        (None, Some(key)) => Ok(id_from_idempotency_key(app, key)),
        (Some(Value::String(text)), _) => id(&text, "/id"),
        (Some(other), _) => Err(Problem::invalid_field(
            "/id",
            format!(
                "\"id\" has to be a string with a UUID; it is {}",
                kind(&other)
            ),
        )),
    }
}

/// Parses an id from a body or a path.
pub(super) fn id(text: &str, pointer: &str) -> Result<TransactionId, Problem> {
    match Uuid::try_parse(text) {
        Ok(uuid) if !uuid.is_nil() => Ok(TransactionId(uuid)),
        Ok(_) => Err(Problem::invalid_field(
            pointer,
            "the nil UUID names nothing; use a random one",
        )),
        Err(error) => Err(Problem::invalid_field(
            pointer,
            format!("an id has to be a UUID (RFC 9562): {error}"),
        )),
    }
}

/// The provider that the request itself names.
fn provider(doors: &Doors, fields: &mut Map<String, Value>) -> Result<Option<String>, Problem> {
    let providers = &doors.house.providers;
    match fields.remove("provider") {
        None => Ok(None),
        Some(Value::String(name)) if providers.get(&name).is_some() => Ok(Some(name)),
        Some(Value::String(name)) => {
            let known: Vec<&str> = providers.iter().map(|provider| provider.name()).collect();
            let detail = format!(
                "no provider {name:?} is configured; there is {}",
                known.join(", ")
            );
            Err(Problem::invalid_field("/provider", detail))
        }
        Some(other) => Err(Problem::invalid_field(
            "/provider",
            format!("\"provider\" has to be a string; it is {}", kind(&other)),
        )),
    }
}

fn amount(fields: &mut Map<String, Value>) -> Result<Option<Amount>, Problem> {
    let Some(amount) = fields.remove("amount") else {
        return Ok(None);
    };
    let Value::Object(mut parts) = amount else {
        let detail = format!(
            "\"amount\" has to be {{\"value\", \"currency\"}}; it is {}",
            kind(&amount)
        );
        return Err(Problem::invalid_field("/amount", detail));
    };
    let value = match parts.remove("value") {
        Some(Value::Number(number)) => number.as_i64().filter(|value| *value >= 0).ok_or_else(|| {
            let detail = format!("an amount is a whole number of minor units (cents), not negative; it is {number}");
            Problem::invalid_field("/amount/value", detail)
        })?,
        other => {
            let found = other.as_ref().map_or("missing", kind);
            let detail = format!("an amount's value is a number of minor units (cents); it is {found}");
            return Err(Problem::invalid_field("/amount/value", detail));
        }
    };
    let currency = match parts.remove("currency") {
        Some(Value::String(code))
            if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) =>
        {
            code
        }
        other => {
            let found = other
                .as_ref()
                .map_or_else(|| "missing".to_owned(), Value::to_string);
            let detail =
                format!("a currency is an ISO 4217 code of three capital letters; it is {found}");
            return Err(Problem::invalid_field("/amount/currency", detail));
        }
    };
    match parts.keys().next() {
        None => Ok(Some(Amount { value, currency })),
        Some(extra) => Err(Problem::invalid_field(
            format!("/amount/{extra}"),
            format!("an amount has \"value\" and \"currency\" only; {extra:?} is neither"),
        )),
    }
}

fn submit_by(fields: &mut Map<String, Value>) -> Result<Option<Timestamp>, Problem> {
    const EXPECTED: &str =
        "\"submit_by\" has to be an RFC 3339 time such as \"2026-01-31T12:00:00Z\"";
    match fields.remove("submit_by") {
        None => Ok(None),
        Some(Value::String(text)) => match text.parse() {
            Ok(at) => Ok(Some(at)),
            Err(error) => Err(Problem::invalid_field(
                "/submit_by",
                format!("{EXPECTED}: {error}"),
            )),
        },
        Some(other) => Err(Problem::invalid_field(
            "/submit_by",
            format!("{EXPECTED}; it is {}", kind(&other)),
        )),
    }
}

fn payload(fields: &mut Map<String, Value>) -> Result<Value, Problem> {
    let payload = fields.remove("payload").unwrap_or(Value::Null);
    match &payload {
        Value::Null | Value::Object(_) if depth(&payload) <= DEPTH_MAX => Ok(payload),
        Value::Object(_) => {
            let detail = format!("the payload is nested more than {DEPTH_MAX} levels deep");
            Err(Problem::invalid_field("/payload", detail))
        }
        other => Err(Problem::invalid_field(
            "/payload",
            format!("\"payload\" has to be an object; it is {}", kind(other)),
        )),
    }
}

/// Levels of nesting. The parser itself stops at 128, so this recursion is bounded.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What a JSON value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
