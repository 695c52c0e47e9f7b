//! The filters that a profile's templates have beside the usual ones: encodings, digests, times,
//! money and forms.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::{Offset, TimeZone};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use uuid::Uuid;

use super::money_filters;

/// The formats that `timestamp` knows, as `strftime` writes them; `unix` and `unix_ms` are numbers.
const TIMESTAMPS: [(&str, &str); 4] = [
    ("rfc3339", "%Y-%m-%dT%H:%M:%S%:z"),
    ("http", "%a, %d %b %Y %H:%M:%S GMT"),
    ("compact", "%Y%m%d%H%M%S"),
    ("date", "%Y-%m-%d"),
];
/// Levels of nesting in a form's keys, at most.
const FORM_DEPTH_MAX: usize = 8;

/// What can be written after a `|`, for messages and for the documentation.
pub(crate) const FILTERS: [&str; 20] = [
    "base64",
    "base64url",
    "decimal",
    "form",
    "hex",
    "hmac_sha1",
    "hmac_sha256",
    "hmac_sha512",
    "major",
    "merge",
    "sha1",
    "sha256",
    "sha512",
    "timestamp",
    "tojson",
    "unbase64",
    "unhex",
    "upper",
    "uuid",
    "whole",
];

/// Teaches them to the engine.
#[rustfmt::skip]
pub(super) fn register(engine: &mut Environment<'_>) {
    engine.add_filter("base64", |value: Value| bytes(&value).map(|bytes| STANDARD.encode(bytes)));
    engine.add_filter("base64url", |value: Value| bytes(&value).map(|bytes| URL_SAFE_NO_PAD.encode(bytes)));
    engine.add_filter("hex", |value: Value| bytes(&value).map(|bytes| hex(&bytes)));
    engine.add_filter("unbase64", |text: String| STANDARD.decode(text).map(Value::from_bytes).map_err(|_| wrong("unbase64: not base64")));
    engine.add_filter("unhex", |text: String| unhex(&text).map(Value::from_bytes).ok_or_else(|| wrong("unhex: not hex")));
    engine.add_filter("sha1", |value: Value| bytes(&value).map(|bytes| Value::from_bytes(Sha1::digest(bytes).to_vec())));
    engine.add_filter("sha256", |value: Value| bytes(&value).map(|bytes| Value::from_bytes(Sha256::digest(bytes).to_vec())));
    engine.add_filter("sha512", |value: Value| bytes(&value).map(|bytes| Value::from_bytes(Sha512::digest(bytes).to_vec())));
    engine.add_filter("hmac_sha1", |value: Value, key: Value| mac::<Hmac<Sha1>>(&value, &key));
    engine.add_filter("hmac_sha256", |value: Value, key: Value| mac::<Hmac<Sha256>>(&value, &key));
    engine.add_filter("hmac_sha512", |value: Value, key: Value| mac::<Hmac<Sha512>>(&value, &key));
    engine.add_filter("timestamp", timestamp);
    engine.add_filter("uuid", uuid);
    engine.add_filter("form", form);
    engine.add_filter("merge", merge);
    money_filters::register(engine);
}

pub(super) fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// What encodings and digests work on: text as UTF-8, or what another filter made.
fn bytes(value: &Value) -> Result<Vec<u8>, Error> {
    if let Some(bytes) = value.as_bytes() {
        return Ok(bytes.to_vec());
    }
    match value.kind() {
        ValueKind::String | ValueKind::Number => Ok(value.to_string().into_bytes()),
        other => Err(wrong(format!("text is needed here, got {other}"))),
    }
}

/// A value as plain text. The engine would print truth values with capitals, as no API writes them.
pub(super) fn plain(value: &Value) -> String {
    match value.kind() {
        ValueKind::Bool => value.is_true().to_string(),
        _ => value.to_string(),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal text stands for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| {
            let pair = text.get(at..at + 2)?;
            pair.bytes()
                .all(|byte| byte.is_ascii_hexdigit())
                .then(|| u8::from_str_radix(pair, 16).ok())?
        })
        .collect()
}

fn mac<M: Mac + KeyInit>(value: &Value, key: &Value) -> Result<Value, Error> {
    let mut mac = <M as KeyInit>::new_from_slice(&bytes(key)?)
        .map_err(|_| wrong("the key has no usable length"))?;
    mac.update(&bytes(value)?);
    Ok(Value::from_bytes(mac.finalize().into_bytes().to_vec()))
}

/// `now | timestamp('compact', '+03:00')`: milliseconds since 1970 in a named format, in UTC unless an
/// offset is given.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn timestamp(millis: i64, format: String, offset: Option<String>) -> Result<Value, Error> {
    let at = jiff::Timestamp::from_millisecond(millis)
        .map_err(|_| wrong("timestamp: out of the calendar's range"))?;
    match format.as_str() {
        "unix" => return Ok(Value::from(at.as_second())),
        "unix_ms" => return Ok(Value::from(millis)),
        _ => {}
    }
    let Some((_, written)) = TIMESTAMPS.iter().find(|(name, _)| *name == format) else {
        let names: Vec<&str> = TIMESTAMPS.iter().map(|(name, _)| *name).collect();
        return Err(wrong(format!(
            "timestamp: no format {format:?}; there are unix, unix_ms, {}",
            names.join(", ")
        )));
    };
    let zone = match offset.as_deref() {
        None => TimeZone::UTC,
        Some(text) => TimeZone::fixed(read_offset(text)?),
    };
    let text = at.to_zoned(zone).strftime(written).to_string();
    Ok(Value::from(match text.strip_suffix("+00:00") {
        Some(utc) => format!("{utc}Z"),
        None => text,
    }))
}

fn read_offset(text: &str) -> Result<Offset, Error> {
    let no = || {
        wrong(format!(
            "timestamp: an offset is written \"+03:00\", got {text:?}"
        ))
    };
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Err(no()),
    };
    let (hours, minutes) = text[1..].split_once(':').ok_or_else(no)?;
    let number = |part: &str, most: i32| {
        (part.len() == 2)
            .then(|| part.parse::<i32>().ok())
            .flatten()
            .filter(|number| (0..=most).contains(number))
            .ok_or_else(no)
    };
    let seconds = sign * (number(hours, 18)? * 3_600 + number(minutes, 59)? * 60);
    Offset::from_seconds(seconds).map_err(|_| no())
}

/// A UUID that depends on nothing but the text: the same at every resending. Version 8 (RFC 9562), or 4
/// for a provider that takes no other.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn uuid(text: String, version: Option<u8>) -> Result<String, Error> {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    match version {
        None | Some(8) => Ok(Uuid::new_v8(half).to_string()),
        Some(4) => Ok(uuid::Builder::from_random_bytes(half)
            .into_uuid()
            .to_string()),
        Some(other) => Err(wrong(format!(
            "uuid: there are versions 4 and 8, got {other}"
        ))),
    }
}

/// The filter `form`: an object as a form body, nested keys in brackets: `a[b]=1&a[c][0]=2`. Fields
/// that are null are left out.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn form(value: Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(wrong(format!("form needs an object, got {}", value.kind())));
    }
    let mut pairs = Vec::new();
    flatten("", &value, 0, &mut pairs)?;
    Ok(Value::from_safe_string(pairs.join("&")))
}

fn flatten(name: &str, value: &Value, depth: usize, pairs: &mut Vec<String>) -> Result<(), Error> {
    if depth > FORM_DEPTH_MAX {
        return Err(wrong(format!(
            "form: nested more than {FORM_DEPTH_MAX} levels deep"
        )));
    }
    let inner = |key: &str| {
        if name.is_empty() {
            percent(key)
        } else {
            format!("{name}[{}]", percent(key))
        }
    };
    match value.kind() {
        ValueKind::Map => {
            for key in value.try_iter()? {
                flatten(
                    &inner(&key.to_string()),
                    &value.get_item(&key)?,
                    depth + 1,
                    pairs,
                )?;
            }
        }
        ValueKind::Seq => {
            for (at, item) in value.try_iter()?.enumerate() {
                flatten(&inner(&at.to_string()), &item, depth + 1, pairs)?;
            }
        }
        ValueKind::None => {}
        ValueKind::Undefined => {
            return Err(Error::new(
                ErrorKind::UndefinedError,
                format!("form: there is no value for {name}"),
            ));
        }
        _ => pairs.push(format!("{name}={}", percent(&plain(value)))),
    }
    Ok(())
}

/// Everything but unreserved characters (RFC 3986) encoded.
pub(super) fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// The filter `merge`: the fields of the left object, replaced by those of the right where both
/// have one.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the engine hands filters their arguments by value"
)]
fn merge(left: Value, right: Value) -> Result<Value, Error> {
    let mut merged = BTreeMap::new();
    for side in [left, right] {
        if side.kind() != ValueKind::Map {
            return Err(wrong(format!(
                "merge needs objects on both sides, got {}",
                side.kind()
            )));
        }
        for name in side.try_iter()? {
            let value = side.get_item(&name)?;
            merged.insert(name.to_string(), value);
        }
    }
    Ok(Value::from(merged))
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;
    use serde_json::json;

    use super::*;

    fn print(text: &str) -> Result<String, String> {
        let mut engine = Environment::new();
        register(&mut engine);
        let context = json!({
            "now": 1_614_265_330_123_i64,
            "nested": {"a": {"b": "x y", "c": [1, {"d": "&"}]}, "n": null, "t": true},
        });
        engine
            .render_str(text, Value::from(Serde(context)))
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn each_filter_prints_what_its_definition_says() {
        for (text, expected) in [
            ("{{ 'ab?' | base64 }}", "YWI/"),
            ("{{ 'ab?' | base64url }}", "YWI_"),
            ("{{ 'ab' | hex }}", "6162"),
            ("{{ '6162' | unhex | base64 }}", "YWI="),
            ("{{ 'YWI=' | unbase64 | hex }}", "6162"),
            (
                "{{ 'abc' | sha1 | hex }}",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                "{{ 'abc' | sha256 | hex }}",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            ("{{ ('abc' | sha512 | hex)[:16] }}", "ddaf35a193617aba"),
            (
                // RFC 4231, case 2.
                "{{ 'what do ya want for nothing?' | hmac_sha256('Jefe') | hex }}",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                // RFC 2202, case 2.
                "{{ 'what do ya want for nothing?' | hmac_sha1('Jefe') | hex }}",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                "{{ ('what do ya want for nothing?' | hmac_sha512('Jefe') | hex)[:16] }}",
                "164b7a7bfcf819e2",
            ),
            ("{{ now | timestamp('unix') }}", "1614265330"),
            ("{{ now | timestamp('unix_ms') }}", "1614265330123"),
            ("{{ now | timestamp('rfc3339') }}", "2021-02-25T15:02:10Z"),
            (
                "{{ now | timestamp('http') }}",
                "Thu, 25 Feb 2021 15:02:10 GMT",
            ),
            ("{{ now | timestamp('compact') }}", "20210225150210"),
            (
                "{{ now | timestamp('compact', '+03:00') }}",
                "20210225180210",
            ),
            (
                "{{ now | timestamp('rfc3339', '-05:30') }}",
                "2021-02-25T09:32:10-05:30",
            ),
            ("{{ now | timestamp('date') }}", "2021-02-25"),
            (
                "{{ nested | form }}",
                "a[b]=x%20y&a[c][0]=1&a[c][1][d]=%26&t=true",
            ),
        ] {
            assert_eq!(print(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_derived_uuid_depends_on_nothing_but_its_text() {
        let one = print("{{ 'x-1' | uuid }}").expect("prints");
        assert_eq!(print("{{ 'x-1' | uuid }}").as_deref(), Ok(one.as_str()));
        assert_ne!(print("{{ 'x-2' | uuid }}").as_deref(), Ok(one.as_str()));
        let parsed = Uuid::try_parse(&one).expect("a UUID");
        assert_eq!(parsed.get_version_num(), 8);
        let four = print("{{ 'x-1' | uuid(4) }}").expect("prints");
        let parsed = Uuid::try_parse(&four).expect("a UUID");
        assert_eq!(parsed.get_version_num(), 4);
        assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn what_a_filter_can_t_work_on_is_said() {
        for (text, expected) in [
            ("{{ nested | base64 }}", "text is needed here"),
            ("{{ 'abc' | unhex }}", "not hex"),
            ("{{ '+a' | unhex }}", "not hex"),
            ("{{ '@' | unbase64 }}", "not base64"),
            ("{{ now | timestamp('iso') }}", "no format \"iso\""),
            ("{{ now | timestamp('date', '3h') }}", "written \"+03:00\""),
            ("{{ 'x' | uuid(7) }}", "versions 4 and 8"),
            ("{{ 'x' | form }}", "needs an object"),
            (
                "{{ {'a': {'b': nested.nosuch}} | form }}",
                "there is no value for a[b]",
            ),
            ("{{ 'x' | nosuch }}", "unknown filter"),
        ] {
            let said = print(text).expect_err(text);
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn every_listed_filter_exists() {
        for name in FILTERS {
            let said = print(&format!("{{{{ missing | {name} }}}}"))
                .err()
                .unwrap_or_default();
            assert!(!said.contains("unknown filter"), "{name}: {said}");
        }
    }
}
