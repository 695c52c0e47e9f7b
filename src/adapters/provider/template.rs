//! Templates, compiled once and rendered often.
//!
//! What a template prints is escaped for the place where it stands, so that no value can break out
//! of it: as JSON in a JSON body, percent-encoded in a path or a form. A name that is not defined
//! is an error, never an empty string.

use std::collections::BTreeMap;
use std::fmt::Write;

use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::problem::nearest;

/// The name under which percent-encoding is registered with the engine.
const PERCENT: &str = "percent";

/// For which place a template writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Escape {
    /// A JSON text: values print themselves as JSON, quotes included.
    Json,
    /// A part of a URL, or a form body: all but unreserved characters (RFC 3986) are encoded.
    Percent,
    /// Plain text.
    Plain,
}

impl Escape {
    /// The ending of a template's name that tells the engine.
    fn suffix(self) -> &'static str {
        match self {
            Self::Json => ":json",
            Self::Percent => ":percent",
            Self::Plain => ":plain",
        }
    }
}

/// One compiled template of a [`Templates`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Template(String);

/// A set of compiled templates.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| match name.rsplit_once(':') {
            Some((_, "json")) => AutoEscape::Json,
            Some((_, PERCENT)) => AutoEscape::Custom(PERCENT.into()),
            _ => AutoEscape::None,
        });
        environment.set_formatter(print);
        environment.add_filter("merge", merge);
        Self { environment }
    }

    /// Compiles `text`, which may use the names in `known` (`"payload"` allows everything below it).
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(crate) fn add(
        &mut self,
        name: &str,
        text: &str,
        escape: Escape,
        known: &[&str],
    ) -> Result<Template, String> {
        let name = format!("{name}{}", escape.suffix());
        self.environment
            .add_template_owned(name.clone(), text.to_owned())
            .map_err(|error| complaint(&error))?;
        let compiled = self
            .environment
            .get_template(&name)
            .map_err(|error| complaint(&error))?;
        let mut used: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
        used.sort_unstable();
        for used in used {
            check_name(&used, known)?;
        }
        Ok(Template(name))
    }

    /// Fills a template in.
    ///
    /// # Errors
    /// What it lacks, in one line.
    pub(crate) fn render(&self, template: &Template, context: &Value) -> Result<String, String> {
        self.environment
            .get_template(&template.0)
            .and_then(|compiled| compiled.render(context.clone()))
            .map_err(|error| complaint(&error))
    }
}

/// Whether `used` is one of the known names, or lies below one that is open below.
fn check_name(used: &str, known: &[&str]) -> Result<(), String> {
    let fits = |known: &&&str| {
        used == **known
            || used
                .strip_prefix(**known)
                .is_some_and(|below| below.starts_with('.'))
            || known
                .strip_prefix(used)
                .is_some_and(|below| below.starts_with('.'))
    };
    if known.iter().any(|known| fits(&known)) {
        return Ok(());
    }
    let hint = nearest(used, known.iter().copied()).map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    });
    Err(format!("there is no `{used}` to print here{hint}"))
}

fn complaint(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if !matches!(state.auto_escape(), AutoEscape::Custom(kind) if kind == PERCENT) {
        return minijinja::escape_formatter(out, state, value);
    }
    for byte in value.to_string().bytes() {
        let written = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.write_char(char::from(byte))
            }
            other => write!(out, "%{other:02X}"),
        };
        written.map_err(Error::from)?;
    }
    Ok(())
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
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("merge needs objects on both sides, got {}", side.kind()),
            ));
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

    const KNOWN: [&str; 3] = ["attempt.reference", "id", "payload"];

    fn render(text: &str, escape: Escape, context: serde_json::Value) -> Result<String, String> {
        let mut templates = Templates::new();
        let template = templates.add("test", text, escape, &KNOWN)?;
        templates.render(&template, &Value::from(Serde(context)))
    }

    #[test]
    fn values_cannot_break_out_of_their_place() {
        let nasty = json!({"id": "a\"b/../c?d=e&f<ü>\r\n"});
        assert_eq!(
            render(r#"{"id": {{ id }}}"#, Escape::Json, nasty.clone()).expect("renders"),
            r#"{"id": "a\"b/../c?d=e&f<ü>\r\n"}"#
        );
        assert_eq!(
            render("/x/{{ id }}", Escape::Percent, nasty).expect("renders"),
            "/x/a%22b%2F..%2Fc%3Fd%3De%26f%3C%C3%BC%3E%0D%0A"
        );
    }

    #[test]
    fn merged_fields_of_the_right_side_win() {
        let context =
            json!({"id": "ours", "payload": {"id": "theirs", "n": 1, "deep": {"x": [1.5, null]}}});
        let text = "{{ payload | merge({'id': id}) }}";
        let body = render(text, Escape::Json, context).expect("renders");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            body,
            json!({"id": "ours", "n": 1, "deep": {"x": [1.5, null]}})
        );
        let refused = render(text, Escape::Json, json!({"id": 1, "payload": [1]}));
        assert!(
            refused
                .expect_err("no object")
                .contains("objects on both sides")
        );
    }

    #[test]
    fn a_misspelt_name_is_found_when_compiling_and_a_missing_value_when_rendering() {
        let complaint = render("{{ attempt.refrence }}", Escape::Plain, json!({}));
        assert_eq!(
            complaint.expect_err("unknown"),
            "there is no `attempt.refrence` to print here; did you mean `attempt.reference`?"
        );
        assert!(render("{{ payload.card }}", Escape::Plain, json!({"payload": {}})).is_err());
        assert!(render("{{ id", Escape::Plain, json!({})).is_err());
    }
}
