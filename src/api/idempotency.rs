//! Which transaction a request means (law 7), and when two requests are the same.

use actix_web::HttpRequest;
use serde_json::Value;

use super::Problem;
use crate::transaction::PayloadHash;

/// Characters of an idempotency key, at most (IETF draft-07 and Stripe's practice).
const KEY_CHARACTERS_MAX: usize = 255;

/// The `Idempotency-Key` header: a quoted structured-field string, or bare, as many clients send it.
pub(super) fn key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let fault = |detail: String| Problem::invalid_field("header:Idempotency-Key", detail);
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(fault("the header stands more than once".to_owned()));
    }
    let text = value
        .to_str()
        .map_err(|_| fault("the key has characters that are not visible ASCII".to_owned()))?;
    let key = unquote(text.trim())
        .ok_or_else(|| fault("the key's quotation marks don't match".to_owned()))?;
    let visible = key.chars().all(|c| c.is_ascii_graphic());
    if key.is_empty() || key.len() > KEY_CHARACTERS_MAX || !visible {
        let length = key.len();
        return Err(fault(format!(
            "an idempotency key has 1 to {KEY_CHARACTERS_MAX} visible ASCII characters; this one has {length}{}",
            if visible {
                ""
            } else {
                ", and some are not visible"
            }
        )));
    }
    Ok(Some(key))
}

/// `"k"` and `k` are the same key. Inside quotes a backslash escapes a quote or a backslash.
fn unquote(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            plain => key.push(plain),
        }
    }
}

/// The hash of what is asked for: the canonical JSON (RFC 8785) of the body without its `id`, which
/// names the request and is not part of it.
pub(super) fn payload_hash(body: &mut Value) -> Result<PayloadHash, Problem> {
    let id = body.as_object_mut().and_then(|fields| fields.remove("id"));
    let canonical = if is_plain(body) {
        serde_json::to_vec(body)
    } else {
        serde_json_canonicalizer::to_vec(body)
    };
    if let Some((id, fields)) = id.zip(body.as_object_mut()) {
        fields.insert("id".to_owned(), id);
    }
    canonical
        .map(|canonical| PayloadHash::of_canonical(&canonical))
        .map_err(Problem::malformed_json)
}

/// Whether serde_json writes this value as RFC 8785 wants it. Its maps are sorted by bytes, which for
/// ASCII is the order of UTF-16 code units, and it escapes strings as the standard does; only numbers
/// that are no small integers, and other keys, need the canonicalizer, which is several times slower.
fn is_plain(value: &Value) -> bool {
    /// Beyond this ECMAScript, and so the standard, writes integers as floats.
    const EXACT_MAX: u64 = 1 << 53;
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::unsigned_abs))
            .is_some_and(|n| n <= EXACT_MAX),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields
            .iter()
            .all(|(name, value)| name.is_ascii() && is_plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde_json::json;

    use super::*;

    fn key_of(value: &str) -> Result<Option<String>, ()> {
        key(&TestRequest::default()
            .insert_header(("Idempotency-Key", value))
            .to_http_request())
        .map_err(|_| ())
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same() {
        assert_eq!(key_of("\"k-1\""), key_of("k-1"));
        assert_eq!(key_of(r#""a\"b\\c""#), Ok(Some(r#"a"b\c"#.to_owned())));
    }

    #[test]
    fn illegal_keys_are_refused() {
        for value in [
            "\"open",
            "mid\"dle",
            "\"\"",
            "\"a\"b",
            "with space",
            &"x".repeat(256),
            r#""bad\n""#,
        ] {
            assert_eq!(key_of(value), Err(()), "{value}");
        }
    }

    #[test]
    fn the_hash_ignores_order_spacing_and_id_but_nothing_else() {
        let hash = |mut value| payload_hash(&mut value).expect("JSON");
        let first = hash(json!({"id": "1", "payload": {"a": 1, "b": [1, 2]}}));
        assert_eq!(
            first,
            hash(json!({"payload": {"b": [1, 2], "a": 1}, "id": "2"}))
        );
        assert_ne!(first, hash(json!({"payload": {"b": [2, 1], "a": 1}})));
        assert_ne!(hash(json!({})), hash(json!({"payload": {}})));
    }

    #[test]
    fn the_quick_way_writes_what_the_canonicalizer_writes() {
        let values = [
            json!({"z": 1, "a": [true, null, -7, 9_007_199_254_740_992_u64], "B": {"y": "\u{1}\n\"\\/é€😀"}}),
            json!([[], {}, "", 0, "\u{7f}\u{2028}"]),
        ];
        for value in values {
            assert!(is_plain(&value));
            let canonical = serde_json_canonicalizer::to_vec(&value).expect("JSON");
            assert_eq!(
                serde_json::to_vec(&value).expect("JSON"),
                canonical,
                "{value}"
            );
        }
        for other in [
            json!(1.0),
            json!(1e21),
            json!(9_007_199_254_740_993_u64),
            json!({"é": 1}),
        ] {
            assert!(!is_plain(&other), "{other}");
        }
    }
}
