//! What an HMAC is computed over, as the profile's `signed` describes it: text with placeholders,
//! compiled once.
//!
//! `{body}` is the raw body, `{header:NAME}` a header's raw value, `{url}`, `{path}` and `{method}`
//! the request's, `{at:/pointer}` a value of the item. `{{` and `}}` are braces.

use std::borrow::Cow;

use http::HeaderName;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde_json::Value;

use super::fields;
use super::table::{EscapeRule, listed};
use super::{SignatureFault, Signed};
use crate::adapters::provider::outcome::Pointer;
use crate::adapters::provider::problem::nearest;

/// The placeholders, for messages.
const PLACEHOLDERS: [&str; 6] = [
    "body",
    "header:NAME",
    "url",
    "path",
    "method",
    "at:/pointer",
];

/// A compiled `signed`.
#[derive(Clone, Debug)]
pub(crate) struct SignedText {
    source: String,
    parts: Vec<Part>,
    escape: EscapeRule,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Literal(String),
    Body,
    Header(HeaderName),
    Url,
    Path,
    Method,
    At(Pointer),
}

impl SignedText {
    /// Compiles it.
    ///
    /// # Errors
    /// What is wrong with it, for the profile's author.
    pub(super) fn compile(source: &str, escape: EscapeRule) -> Result<Self, String> {
        let parts = parts(source).map_err(|what| format!("`signed`: {what}"))?;
        let compiled = Self {
            source: source.to_owned(),
            parts,
            escape,
        };
        if escape != EscapeRule::None && !compiled.covers_item() {
            return Err(
                "`escape` is about {at:…} placeholders, and `signed` has none: leave it out"
                    .to_owned(),
            );
        }
        Ok(compiled)
    }

    /// As the profile writes it.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn covers_body(&self) -> bool {
        self.parts.contains(&Part::Body)
    }

    /// Whether it needs the item.
    pub(super) fn covers_item(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::At(_)))
    }

    /// The places of the item that it covers.
    pub(super) fn places(&self) -> impl Iterator<Item = &Pointer> {
        self.parts.iter().filter_map(|part| match part {
            Part::At(pointer) => Some(pointer),
            _ => None,
        })
    }

    pub(super) fn covers_header(&self, name: &HeaderName) -> bool {
        self.parts.contains(&Part::Header(name.clone()))
    }

    /// The bytes, in pieces that follow each other.
    pub(super) fn render<'a>(
        &'a self,
        signed: &Signed<'a>,
        item: Option<&'a Value>,
    ) -> Result<Vec<Cow<'a, [u8]>>, SignatureFault> {
        self.parts
            .iter()
            .map(|part| {
                Ok(match part {
                    Part::Literal(text) => Cow::Borrowed(text.as_bytes()),
                    Part::Body => Cow::Borrowed(signed.body),
                    Part::Header(name) => Cow::Borrowed(fields::one(signed, name)?),
                    Part::Url => Cow::Borrowed(signed.url.as_bytes()),
                    Part::Path => Cow::Owned(fields::uri(signed)?.path().as_bytes().to_vec()),
                    Part::Method => Cow::Borrowed(signed.method.as_bytes()),
                    Part::At(pointer) => self.value(pointer, item)?,
                })
            })
            .collect()
    }

    /// A value of the item as the provider signs it: nothing where there is none.
    fn value<'a>(
        &self,
        pointer: &Pointer,
        item: Option<&'a Value>,
    ) -> Result<Cow<'a, [u8]>, SignatureFault> {
        let text: Cow<'a, str> = match item.and_then(|item| pointer.find(item)) {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Cow::Owned(value.to_string()),
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(SignatureFault::Malformed {
                    place: format!("the item's value at {pointer}"),
                    what: "is a list or an object, and only plain values are signed",
                });
            }
        };
        Ok(match (self.escape, text) {
            (EscapeRule::None, Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            (EscapeRule::None, Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
            (EscapeRule::Backslash, text) => {
                Cow::Owned(text.replace('\\', r"\\").replace(':', r"\:").into_bytes())
            }
        })
    }
}

fn parts(source: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some(inside) = from.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or(
                "a placeholder begins with { and never ends; a brace of its own is written {{",
            )?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(placeholder(name)?);
            rest = after;
        } else {
            return Err("there is a } without its {; a brace of its own is written }}".to_owned());
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    if parts.is_empty() {
        return Err("it is empty, and a signature over nothing proves nothing".to_owned());
    }
    Ok(parts)
}

fn placeholder(name: &str) -> Result<Part, String> {
    match name.split_once(':') {
        Some(("header", header)) => HeaderName::from_bytes(header.as_bytes())
            .map(Part::Header)
            .map_err(|_| format!("{header:?} in {{{name}}} is no header's name")),
        Some(("at", pointer)) => {
            let text: StrDeserializer<'_, serde::de::value::Error> = pointer.into_deserializer();
            Pointer::deserialize(text)
                .map(Part::At)
                .map_err(|what| format!("{{{name}}}: {what}"))
        }
        _ => match name {
            "body" => Ok(Part::Body),
            "url" => Ok(Part::Url),
            "path" => Ok(Part::Path),
            "method" => Ok(Part::Method),
            _ => Err(unknown(name)),
        },
    }
}

fn unknown(name: &str) -> String {
    // With an argument only the word before it can be meant wrongly.
    let word = name.split_once(':').map_or(name, |(word, _)| word);
    let words = PLACEHOLDERS.map(|known| known.split_once(':').map_or(known, |(word, _)| word));
    let meant = nearest(word, words)
        .and_then(|near| words.iter().position(|known| *known == near))
        .map(|at| format!("; did you mean `{{{}}}`?", PLACEHOLDERS[at]))
        .unwrap_or_default();
    let braced = PLACEHOLDERS.map(|known| format!("{{{known}}}"));
    let braced: Vec<&str> = braced.iter().map(String::as_str).collect();
    format!(
        "there is no placeholder {{{name}}}; there are {}{meant}",
        listed(&braced)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transaction::Timestamp;

    const HEADERS: [(&str, &[u8]); 2] = [("x-date", b"now"), ("x-raw", b"\xff ")];

    fn signed() -> Signed<'static> {
        Signed {
            headers: &HEADERS,
            method: "POST",
            url: "https://pay.example/hooks/acme?x=1&y=%20",
            body: b"{\"raw\" : 1}\xff",
            now: Timestamp::from_millis(0),
        }
    }

    fn rendered(source: &str, escape: EscapeRule, item: &Value) -> Result<Vec<u8>, SignatureFault> {
        let text = SignedText::compile(source, escape).expect("compiles");
        text.render(&signed(), Some(item))
            .map(|parts| parts.concat())
    }

    #[test]
    fn every_placeholder_stands_for_its_raw_bytes() {
        let cases: [(&str, &[u8]); 8] = [
            ("{body}", b"{\"raw\" : 1}\xff"),
            ("{header:X-Date}.{body}", b"now.{\"raw\" : 1}\xff"),
            ("{header:x-raw}", b"\xff "),
            ("{url}", b"https://pay.example/hooks/acme?x=1&y=%20"),
            ("{method} {path}", b"POST /hooks/acme"),
            ("{{{method}}}", b"{POST}"),
            ("plain {{}} text", b"plain {} text"),
            (
                "{at:/a}|{at:/b/0}|{at:/c}|{at:/none}|{at:/n}",
                b"x:y|7|true||",
            ),
        ];
        let item = json!({"a": "x:y", "b": [7], "c": true, "n": null});
        for (source, expected) in cases {
            let bytes = rendered(source, EscapeRule::None, &item).expect("renders");
            assert_eq!(bytes, expected, "{source}");
        }
    }

    #[test]
    fn the_escape_is_for_values_only() {
        let item = json!({"a": r"x:y\z"});
        let bytes = rendered("{at:/a}:{method}", EscapeRule::Backslash, &item);
        assert_eq!(bytes.expect("renders"), br"x\:y\\z:POST");
        let complaint =
            SignedText::compile("{body}", EscapeRule::Backslash).expect_err("no {at:…}");
        assert!(complaint.starts_with("`escape` is about"), "{complaint}");
    }

    #[test]
    fn a_list_or_an_object_is_never_signed() {
        for value in [json!({"a": []}), json!({"a": {}})] {
            let fault = rendered("{at:/a}", EscapeRule::None, &value).expect_err("not plain");
            assert_eq!(fault.word(), "malformed");
        }
    }

    #[test]
    fn a_missing_or_repeated_header_is_a_fault() {
        let text = SignedText::compile("{header:x-none}", EscapeRule::None).expect("compiles");
        let fault = text.render(&signed(), None).expect_err("missing");
        assert_eq!(fault.to_string(), "the header x-none is missing");
        let twice = [HEADERS[0], HEADERS[0]];
        let text = SignedText::compile("{header:x-date}", EscapeRule::None).expect("compiles");
        let signed = Signed {
            headers: &twice,
            ..signed()
        };
        let fault = text.render(&signed, None).expect_err("twice");
        assert_eq!(fault.word(), "duplicated");
    }

    #[test]
    fn mistakes_are_named_with_the_way_out() {
        for (source, expected) in [
            ("", "it is empty"),
            ("{body", "never ends"),
            ("body}", "a } without its {"),
            ("{bdy}", "did you mean `{body}`?"),
            ("{headr:x}", "did you mean `{header:NAME}`?"),
            ("{header:}", "no header's name"),
            ("{header:a b}", "no header's name"),
            ("{at:pspReference}", "expected a JSON pointer"),
            (
                "{xyzzy}",
                "there is no placeholder {xyzzy}; there are `{body}`",
            ),
        ] {
            let complaint = SignedText::compile(source, EscapeRule::None).expect_err(source);
            assert!(complaint.starts_with("`signed`: "), "{complaint}");
            assert!(complaint.contains(expected), "{source}: {complaint}");
        }
    }
}
