//! Where something stands in a JSON body.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Characters of a provider's own reference, at most. A longer one is none: cut short it would name
/// something else.
const REFERENCE_MAX_CHARS: usize = 256;

/// An RFC 6901 pointer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Pointer(String);

impl Pointer {
    /// What it points at.
    pub(in super::super) fn find<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        body.pointer(&self.0)
    }

    /// The provider's own reference that it points at.
    pub(in super::super) fn find_reference(&self, body: &Value) -> Option<String> {
        let text = match self.find(body)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        (!text.is_empty() && text.chars().count() <= REFERENCE_MAX_CHARS).then_some(text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with('/') {
            Ok(Self(text))
        } else {
            Err(D::Error::custom(format!(
                "expected a JSON pointer such as \"/status\", got {text:?}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_is_short_text_or_a_number() {
        let long = "x".repeat(REFERENCE_MAX_CHARS + 1);
        let body = json!({"r": long, "n": 42, "empty": "", "ok": "ch_1", "list": [1]});
        let at = |text: &str| Pointer(text.to_owned()).find_reference(&body);
        assert_eq!(at("/r"), None);
        assert_eq!(at("/empty"), None);
        assert_eq!(at("/list"), None);
        assert_eq!(at("/n"), Some("42".to_owned()));
        assert_eq!(at("/ok"), Some("ch_1".to_owned()));
    }
}
