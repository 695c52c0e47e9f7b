//! Form bodies with nested keys: `source[type]=mobile_money` is `{"source": {"type": "mobile_money"}}`.

use serde_json::{Map, Value};
use serde_qs::Config;

/// How deep keys may be nested: `metadata[a][b][c]`.
const MAX_DEPTH: usize = 3;

/// Reads a body; every leaf is a string.
pub(crate) fn parse(body: &[u8]) -> Result<Map<String, Value>, String> {
    Config::new()
        .max_depth(MAX_DEPTH)
        .use_form_encoding(true)
        .deserialize_bytes(body)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parse;

    #[test]
    fn keys_nest() {
        let body = b"amount=12.50&source[type]=mobile_money&source%5Bphone%5D=%2B254+700\
            &metadata[order]=a%26b&metadata[cart][id]=7&empty=";
        let expected = json!({
            "amount": "12.50",
            "source": {"type": "mobile_money", "phone": "+254 700"},
            "metadata": {"order": "a&b", "cart": {"id": "7"}},
            "empty": "",
        });
        assert_eq!(parse(body).map(Value::Object), Ok(expected));
    }

    #[test]
    fn hostile_bodies_are_errors_or_odd_but_never_a_panic() {
        let deep = format!("a{}=1", "[b]".repeat(10_000));
        for body in [
            deep.as_bytes(),
            b"a[b=1",
            b"a=1&a[b]=2",
            b"[]=1",
            b"a[999999999999]=1",
            b"%ff=%ff",
            b"a]b[=1&&&==",
            b"\xff\xfe",
        ] {
            if let Ok(fields) = parse(body) {
                assert!(fields.len() <= 2, "{fields:?}");
            }
        }
        assert!(parse(b"%ff=%ff").is_err());
    }
}
