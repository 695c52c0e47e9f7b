//! Templates, compiled once and rendered often.
//!
//! What a template prints is escaped for the place where it stands, so that no value can break out
//! of it: as JSON in a JSON body, percent-encoded in a path or a form. A name that is not defined
//! is an error, never an empty string.

use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::filters;
use super::problem::nearest;

/// Levels below which nothing undefined is looked for: templates write objects of their own a few levels
/// deep, and what an app sends holds nothing undefined.
const DEPTH_MAX: usize = 8;
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
        filters::register(&mut environment);
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
        known: &[String],
    ) -> Result<Template, String> {
        let name = format!("{name}{}", escape.suffix());
        self.environment
            .add_template_owned(name.clone(), text.to_owned())
            .map_err(|error| complaint(&error))?;
        for filter in filter_names(text) {
            self.check_filter(&filter)?;
        }
        let template = Template(name);
        for used in self.names(&template) {
            check_name(&used, known)?;
        }
        Ok(template)
    }

    /// The names that a template prints, in order: `attempt.reference`, `payload.phone`.
    pub(crate) fn names(&self, template: &Template) -> Vec<String> {
        let compiled = self.environment.get_template(&template.0);
        let mut names: Vec<String> = compiled
            .map(|compiled| compiled.undeclared_variables(true).into_iter().collect())
            .unwrap_or_default();
        names.sort_unstable();
        names
    }

    /// The engine itself looks for a filter only when it needs it, which would be at a payment.
    fn check_filter(&self, name: &str) -> Result<(), String> {
        let tried = self
            .environment
            .render_str(&format!("{{{{ 1|{name} }}}}"), ());
        if !tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            return Ok(());
        }
        let hint = hint(name, &filters::FILTERS);
        Err(format!("there is no filter `{name}`; {hint}"))
    }

    /// Fills a template in.
    ///
    /// # Errors
    /// What it lacks, in one line.
    pub(crate) fn render(&self, template: &Template, context: &Value) -> Result<String, String> {
        self.environment
            .get_template(&template.0)
            .and_then(|compiled| compiled.render(context.clone()))
            .map_err(|error| match error.kind() {
                ErrorKind::UndefinedError => self.lacking(template, context),
                _ => complaint(&error),
            })
    }

    /// What a template prints and the context has not.
    fn lacking(&self, template: &Template, context: &Value) -> String {
        let mut names = self.names(template);
        names.retain(|name| {
            let mut parts = name.split('.');
            let found = parts.try_fold(context.clone(), |value, part| value.get_attr(part).ok());
            found.is_none_or(|value| value.is_undefined())
        });
        match names.as_slice() {
            [] => "something is printed that is not there".to_owned(),
            names => format!("there is no `{}`", names.join("`, no `")),
        }
    }
}

/// Whether `used` is one of the known names, or lies below one that is open below.
fn check_name(used: &str, known: &[String]) -> Result<(), String> {
    let fits = |known: &&String| {
        used == known.as_str()
            || used
                .strip_prefix(known.as_str())
                .is_some_and(|below| below.starts_with('.'))
            || known
                .strip_prefix(used)
                .is_some_and(|below| below.starts_with('.'))
    };
    if known.iter().any(|known| fits(&known)) {
        return Ok(());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = hint(used, &known);
    Err(format!("there is no `{used}` to print here; {hint}"))
}

/// The word that was probably meant, or if none is like it, all that there are.
fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are `{}`", known.join("`, `")),
    }
}

fn complaint(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The names after each `|` of the template's expressions.
fn filter_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        rest = &rest[open + 2..];
        let close = rest.find("}}").into_iter().chain(rest.find("%}")).min();
        let (inside, after) = rest.split_at(close.unwrap_or(rest.len()));
        rest = after;
        let mut quote = None;
        let mut piped = false;
        let mut name = String::new();
        for c in inside.chars().chain([' ']) {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if c == '\'' || c == '"' => quote = Some(c),
                None if c == '|' => piped = true,
                None if piped && (c.is_alphanumeric() || c == '_') => name.push(c),
                None if piped && !name.is_empty() => {
                    names.push(std::mem::take(&mut name));
                    piped = false;
                }
                None => {}
            }
        }
    }
    names
}

fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match state.auto_escape() {
        AutoEscape::Custom(kind) if kind == PERCENT && !value.is_safe() => {
            write(out, &filters::percent(&filters::plain(value)))
        }
        AutoEscape::Custom(_) | AutoEscape::None => write(out, &filters::plain(value)),
        _ if holds_undefined(value, 0)? => Err(Error::new(
            ErrorKind::UndefinedError,
            "a value within the object is not there",
        )),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Whether something undefined stands within: the engine itself would write null for it.
fn holds_undefined(value: &Value, depth: usize) -> Result<bool, Error> {
    if depth > DEPTH_MAX {
        return Ok(false);
    }
    match value.kind() {
        ValueKind::Undefined => Ok(true),
        ValueKind::Seq => {
            for item in value.try_iter()? {
                if holds_undefined(&item, depth + 1)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ValueKind::Map => {
            for key in value.try_iter()? {
                if holds_undefined(&value.get_item(&key)?, depth + 1)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

fn write(out: &mut Output<'_>, text: &str) -> Result<(), Error> {
    out.write_str(text).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;
    use serde_json::json;

    use super::*;

    fn known() -> Vec<String> {
        ["attempt.reference", "id", "payload"]
            .map(str::to_owned)
            .to_vec()
    }

    fn render(text: &str, escape: Escape, context: serde_json::Value) -> Result<String, String> {
        let mut templates = Templates::new();
        let template = templates.add("test", text, escape, &known())?;
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
    fn truth_is_written_as_apis_write_it() {
        let context = json!({"payload": {"yes": true, "no": false}, "id": 1});
        for (escape, expected) in [
            (Escape::Plain, "true false"),
            (Escape::Percent, "true false"),
            (Escape::Json, "true false"),
        ] {
            let text = "{{ payload.yes }} {{ payload.no }}";
            assert_eq!(
                render(text, escape, context.clone()).as_deref(),
                Ok(expected)
            );
        }
    }

    #[test]
    fn an_undefined_value_within_an_object_is_an_error_too() {
        for text in ["{{ {'a': [payload.x]} }}", "{{ {'a': {'b': payload.x}} }}"] {
            assert!(render(text, Escape::Json, json!({"payload": {}})).is_err());
            assert!(render(text, Escape::Json, json!({"payload": {"x": null}})).is_ok());
        }
    }

    #[test]
    fn an_undefined_value_in_text_is_an_error_and_nothing_empty() {
        for escape in [Escape::Plain, Escape::Percent, Escape::Json] {
            for (text, missing) in [
                ("{{ payload.x }}", "there is no `payload.x`"),
                ("{{ payload.x.y }}", "there is no `payload.x.y`"),
                (
                    "{{ id }} {{ payload.z | upper }} {{ payload.x }}",
                    "there is no `payload.x`, no `payload.z`",
                ),
                (
                    "{{ payload['x'] }}",
                    "something is printed that is not there",
                ),
            ] {
                let said = render(text, escape, json!({"payload": {}, "id": 1}));
                assert_eq!(said, Err(missing.to_owned()), "{text}");
            }
        }
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
        let complaint = render("{{ id | upper | bas64 }}", Escape::Plain, json!({}));
        assert_eq!(
            complaint.expect_err("unknown"),
            "there is no filter `bas64`; did you mean `base64`?"
        );
        let complaint = render("{{ now }}", Escape::Plain, json!({}));
        assert_eq!(
            complaint.expect_err("unknown"),
            "there is no `now` to print here; there are `attempt.reference`, `id`, `payload`"
        );
        let piped_text = render("{{ id ~ '| nosuch' }}", Escape::Plain, json!({"id": 1}));
        assert_eq!(piped_text.as_deref(), Ok("1| nosuch"));
    }
}
