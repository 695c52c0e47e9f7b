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
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(fault("the header stands more than once".to_owned()));
    }
    let text = value.to_str().map_err(|_| fault("the key has characters that are not visible ASCII".to_owned()))?;
    let key = unquote(text.trim()).ok_or_else(|| fault("the key's quotation marks don't match".to_owned()))?;
    let visible = key.chars().all(|c| c.is_ascii_graphic());
    if key.is_empty() || key.len() > KEY_CHARACTERS_MAX || !visible {
        let length = key.len();
        return Err(fault(format!(
            "an idempotency key has 1 to {KEY_CHARACTERS_MAX} visible ASCII characters; this one has {length}{}",
            if visible { "" } else { ", and some are not visible" }
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
pub(super) fn payload_hash(body: &Value) -> Result<PayloadHash, Problem> {
    let canonical = match body {
        Value::Object(fields) if fields.contains_key("id") => {
            let mut fields = fields.clone();
            fields.remove("id");
            serde_json_canonicalizer::to_vec(&fields)
        }
        other => serde_json_canonicalizer::to_vec(other),
    };
    canonical.map(|canonical| PayloadHash::of_canonical(&canonical)).map_err(Problem::malformed_json)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde_json::json;

    use super::*;

    fn key_of(value: &str) -> Result<Option<String>, ()> {
        key(&TestRequest::default().insert_header(("Idempotency-Key", value)).to_http_request()).map_err(|_| ())
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same() {
        assert_eq!(key_of("\"k-1\""), key_of("k-1"));
        assert_eq!(key_of(r#""a\"b\\c""#), Ok(Some(r#"a"b\c"#.to_owned())));
    }

    #[test]
    fn illegal_keys_are_refused() {
        for value in ["\"open", "mid\"dle", "\"\"", "\"a\"b", "with space", &"x".repeat(256), r#""bad\n""#] {
            assert_eq!(key_of(value), Err(()), "{value}");
        }
    }

    #[test]
    fn the_hash_ignores_order_spacing_and_id_but_nothing_else() {
        let hash = |value| payload_hash(&value).expect("JSON");
        let first = hash(json!({"id": "1", "payload": {"a": 1, "b": [1, 2]}}));
        assert_eq!(first, hash(json!({"payload": {"b": [1, 2], "a": 1}, "id": "2"})));
        assert_ne!(first, hash(json!({"payload": {"b": [2, 1], "a": 1}})));
        assert_ne!(hash(json!({})), hash(json!({"payload": {}})));
    }
}
