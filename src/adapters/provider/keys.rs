//! Where the keys of a TOML file stand, and which key stands at a place: so that a message names both
//! the line and the key, however the file is written.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A step on the way to a value.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(String),
    /// Of a list, from 0.
    Row(usize),
}

/// The way to a value, or to a key.
#[derive(Debug)]
struct Found {
    steps: Vec<Step>,
    is_key: bool,
    is_table: bool,
}

/// Where `path`, such as `submit.outcome.2.at`, stands: its key, or as much of the way to it as there
/// is.
pub(super) fn span_of(text: &str, path: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut here = &DeValue::Table(document.into_inner());
    let mut span = None;
    for step in path.split('.') {
        match here {
            DeValue::Table(table) => {
                let found = table.iter().find(|(key, _)| key.get_ref() == step);
                let Some((key, value)) = found else { break };
                span = Some(key.span());
                here = value.get_ref();
            }
            DeValue::Array(rows) => {
                let found = step.parse::<usize>().ok().and_then(|at| rows.get(at));
                let Some(row) = found else { break };
                span = Some(row.span());
                here = row.get_ref();
            }
            _ => break,
        }
    }
    span
}

/// What a message about the place `at` is about: `[ghost] window`, `[[submit.outcome]] row 3, status`.
/// `said` is the message, because some name their key themselves.
pub(super) fn label(text: &str, at: usize, said: &str) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let found = find(&DeValue::Table(document.into_inner()), at, &mut Vec::new())?;
    let mut steps = found.steps;
    if said.starts_with("missing field") {
        // About the table that lacks it.
        return found.is_table.then(|| table_told(&steps));
    }
    if found.is_key && said.starts_with("unknown field") {
        steps.pop();
        return (!steps.is_empty()).then(|| table_told(&steps));
    }
    while let Some(Step::Row(_)) = steps.last() {
        steps.pop();
    }
    let Some(Step::Key(key)) = steps.pop() else {
        return None;
    };
    Some(match (steps.last(), steps.is_empty()) {
        (_, true) => key,
        (Some(Step::Row(_)), false) => format!("{}, {key}", table_told(&steps)),
        (Some(Step::Key(_)) | None, false) => format!("{} {key}", table_told(&steps)),
    })
}

/// The deepest key or value that holds the place.
fn find(value: &DeValue<'_>, at: usize, way: &mut Vec<Step>) -> Option<Found> {
    match value {
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            way.push(Step::Key(key.get_ref().to_string()));
            let deeper = find(value.get_ref(), at, way);
            let is_key = key.span().contains(&at);
            let found = deeper.or_else(|| {
                (is_key || value.span().contains(&at)).then(|| Found {
                    steps: way.clone(),
                    is_key,
                    is_table: value.get_ref().is_table(),
                })
            });
            way.pop();
            found
        }),
        DeValue::Array(rows) => rows.iter().enumerate().find_map(|(number, row)| {
            way.push(Step::Row(number));
            let deeper = find(row.get_ref(), at, way);
            let found = deeper.or_else(|| {
                row.span().contains(&at).then(|| Found {
                    steps: way.clone(),
                    is_key: false,
                    is_table: row.get_ref().is_table(),
                })
            });
            way.pop();
            found
        }),
        _ => None,
    }
}

/// `[ghost]`, or `[[submit.outcome]] row 3`.
fn table_told(steps: &[Step]) -> String {
    let mut told = String::new();
    let mut names: Vec<&str> = Vec::new();
    for step in steps {
        match step {
            Step::Key(name) => names.push(name),
            Step::Row(number) => {
                let list = names.join(".");
                let list = if told.is_empty() {
                    format!("[[{list}]]")
                } else {
                    format!(", {list}")
                };
                told.push_str(&format!("{list} row {}", number + 1));
                names.clear();
            }
        }
    }
    match (told.is_empty(), names.is_empty()) {
        (true, _) => format!("[{}]", names.join(".")),
        (false, true) => told,
        (false, false) => format!("{told}, {}", names.join(".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"name = "x"
ghost = { window = "120", margin = "1s" }
[schedule]
pending = ["5s", "y"]
[submit]
[[submit.outcome]]
status = 200
[[submit.outcome]]
status = 99
also = [{ at = "/a" }, { at = "b" }]
[submit.headers]
"#;

    fn labelled(part: &str, said: &str) -> Option<String> {
        label(TEXT, TEXT.find(part).expect("it stands there"), said)
    }

    #[test]
    fn a_value_is_named_by_its_table_and_key_however_it_is_written() {
        for (part, expected) in [
            ("\"x\"", "name"),
            ("\"120\"", "[ghost] window"),
            ("\"1s\"", "[ghost] margin"),
            ("\"y\"", "[schedule] pending"),
            ("99", "[[submit.outcome]] row 2, status"),
            ("\"b\"", "[[submit.outcome]] row 2, also row 2, at"),
        ] {
            assert_eq!(
                labelled(part, "expected x").as_deref(),
                Some(expected),
                "{part}"
            );
        }
    }

    #[test]
    fn messages_that_name_their_key_get_the_table_only() {
        let unknown = "unknown field `margin`, expected `window`";
        assert_eq!(labelled("margin", unknown).as_deref(), Some("[ghost]"));
        assert_eq!(labelled("name", "unknown field `name`"), None);
        let missing = "missing field `path`";
        assert_eq!(labelled("submit]", missing).as_deref(), Some("[submit]"));
        assert_eq!(labelled("name", missing), None);
    }

    #[test]
    fn a_path_leads_to_its_line_or_as_near_as_there_is() {
        let line = |path: &str| {
            let span = span_of(TEXT, path)?;
            Some(1 + TEXT[..span.start].matches('\n').count())
        };
        for (path, expected) in [
            ("name", Some(1)),
            ("ghost.margin", Some(2)),
            ("schedule.pending", Some(4)),
            ("submit.outcome.1.status", Some(9)),
            ("submit.outcome.1.word", Some(8)),
            ("submit.time_out", Some(5)),
            ("nosuch", None),
        ] {
            assert_eq!(line(path), expected, "{path}");
        }
    }
}
