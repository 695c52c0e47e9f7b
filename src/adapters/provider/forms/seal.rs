//! Placeholders for values that are made of secrets. A request is written down with placeholders, and
//! they are replaced as it is sent.

use serde_json::Value;

use super::BodyKind;
use crate::adapters::provider::filters::percent;
use crate::transaction::Rendered;

/// How a placeholder begins.
pub(in super::super) const PLACEHOLDER: &str = "<sealed:";

/// What stands for the sealed value `name`.
pub(super) fn placeholder(name: &str) -> String {
    format!("{PLACEHOLDER}{name}>")
}

/// The request with its sealed values put in, escaped for their places.
pub(in super::super) fn seal(
    request: &Rendered,
    kind: BodyKind,
    values: &[(&str, String)],
) -> Rendered {
    let mut sealed = request.clone();
    for (name, value) in values {
        let plain = placeholder(name);
        let encoded = percent(&plain);
        sealed.url = sealed.url.replace(&encoded, &percent(value));
        for (_, header) in &mut sealed.headers {
            *header = header.replace(&plain, value);
        }
        sealed.body = match kind {
            BodyKind::Json => sealed.body.replace(&plain, &within_quotes(value)),
            BodyKind::UrlEncoded => sealed.body.replace(&encoded, &percent(value)),
            BodyKind::Text => sealed.body.replace(&plain, value),
        };
    }
    sealed
}

/// A JSON string without its quotes: the placeholder stands within some.
fn within_quotes(value: &str) -> String {
    let quoted = Value::String(value.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> Rendered {
        Rendered {
            method: "POST".to_owned(),
            url: format!("http://a/{}?k=%3Csealed%3Akey%3E", "x"),
            headers: vec![("x-key".to_owned(), "k <sealed:key>".to_owned())],
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_sealed_value_is_escaped_for_its_place() {
        let values = [("key", "a\"b&c".to_owned())];
        let json = seal(&request(r#"{"k":"<sealed:key>"}"#), BodyKind::Json, &values);
        assert_eq!(json.body, r#"{"k":"a\"b&c"}"#);
        assert_eq!(json.url, "http://a/x?k=a%22b%26c");
        assert_eq!(json.headers[0].1, "k a\"b&c");
        let form = seal(
            &request("k=%3Csealed%3Akey%3E"),
            BodyKind::UrlEncoded,
            &values,
        );
        assert_eq!(form.body, "k=a%22b%26c");
        let text = seal(&request("<sealed:key>"), BodyKind::Text, &values);
        assert_eq!(text.body, "a\"b&c");
    }
}
