//! What was expected beside what came, so that the difference is seen at a glance.

use std::fmt::Display;

use serde_json::Value;

/// Differences within one JSON body that are told; more of them are one mistake.
const JSON_DIFFERENCES_MAX: usize = 12;

/// Collects differences.
#[derive(Default)]
pub(super) struct Differences(Vec<String>);

impl Differences {
    pub(super) fn told(self) -> Vec<String> {
        self.0
    }

    pub(super) fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// Compares what came with what is expected, if anything is.
    pub(super) fn same(
        &mut self,
        what: &str,
        expected: Option<impl Into<String>>,
        came: Option<impl Into<String>>,
    ) {
        let Some(expected) = expected.map(Into::into) else {
            return;
        };
        let came = came.map(Into::into);
        if came.as_ref() != Some(&expected) {
            self.differ(what, expected, came.unwrap_or_else(|| "nothing".to_owned()));
        }
    }

    pub(super) fn differ(&mut self, what: &str, expected: impl Display, came: impl Display) {
        self.0.push(format!("{what}: expected {expected}"));
        let indent = " ".repeat(what.chars().count());
        self.0.push(format!("{indent}      came {came}"));
    }

    /// Compares bodies: as JSON where both are that, else as text.
    pub(super) fn body(&mut self, expected: &str, came: &str) {
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        match (read(expected), read(came)) {
            (Some(expected), Some(came)) => {
                let mut found = Vec::new();
                json("", &expected, &came, &mut found);
                for (place, expected, came) in found.into_iter().take(JSON_DIFFERENCES_MAX) {
                    self.differ(&format!("body at {place}"), expected, came);
                }
            }
            _ if expected == came => {}
            _ => self.differ("body", expected, came),
        }
    }
}

/// Where two JSON values differ, and what stands there.
fn json(place: &str, expected: &Value, came: &Value, found: &mut Vec<(String, String, String)>) {
    let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            let mut names: Vec<&String> = expected.keys().chain(came.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let below = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (expected.get(name), came.get(name)) {
                    (Some(expected), Some(came)) => json(&below, expected, came, found),
                    (expected, came) => found.push((below, shown(expected), shown(came))),
                }
            }
        }
        (Value::Array(expected), Value::Array(came)) if expected.len() == came.len() => {
            for (at, (expected, came)) in expected.iter().zip(came).enumerate() {
                json(&format!("{place}/{at}"), expected, came, found);
            }
        }
        (expected, came) if expected == came => {}
        (expected, came) => {
            let place = if place.is_empty() { "its top" } else { place };
            found.push((place.to_owned(), shown(Some(expected)), shown(Some(came))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(expected: &str, came: &str) -> Vec<String> {
        let mut differences = Differences::default();
        differences.body(expected, came);
        differences.told()
    }

    #[test]
    fn json_is_compared_as_json_and_the_places_that_differ_are_named() {
        let same = r#"{"b": [1, {"c": null}], "a": "x"}"#;
        assert!(body(same, r#"{"a":"x","b":[1,{"c":null}]}"#).is_empty());
        assert_eq!(
            body(same, r#"{"a":"y","b":[1,{"c":0}],"d/e":1}"#),
            [
                "body at /a: expected \"x\"",
                "                came \"y\"",
                "body at /b/1/c: expected null",
                "                    came 0",
                "body at /d~1e: expected nothing",
                "                   came 1",
            ]
        );
        assert_eq!(body("[1]", "[1,2]").len(), 2);
    }

    #[test]
    fn other_bodies_are_compared_as_text() {
        assert!(body("a=1&b=2", "a=1&b=2").is_empty());
        assert_eq!(
            body("a=1", "a=2"),
            ["body: expected a=1", "          came a=2"]
        );
    }

    #[test]
    fn only_what_is_expected_is_compared() {
        let mut differences = Differences::default();
        differences.same("word", None::<&str>, Some("x"));
        differences.same("word", Some("x"), Some("x"));
        assert!(differences.told().is_empty());
        let mut differences = Differences::default();
        differences.same("word", Some("x"), None::<&str>);
        assert_eq!(
            differences.told(),
            ["word: expected x", "          came nothing"]
        );
    }
}
