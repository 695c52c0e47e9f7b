//! What profiles can say, asked of the code that reads them: a key or a word that nobody knows is
//! answered with those that there are.

use std::collections::BTreeMap;

use super::page::{Names, quoted};

/// A word that no table, template or scheme has, or has anything like.
pub(super) const UNKNOWN: &str = "zzz";

/// Reads a document and says what is wrong with it.
pub(super) type Reader<'a> = &'a dyn Fn(&str) -> String;

/// The keys of each table, and the words of each key that takes only some.
#[derive(Default)]
pub(super) struct Language {
    pub(super) keys: BTreeMap<String, Names>,
    pub(super) words: BTreeMap<(String, String), Names>,
}

/// A way into a document.
#[derive(Clone)]
enum Step {
    Table(String),
    List(String),
    /// A table whose keys are names of one's own; one of them.
    Named(String),
}

impl Language {
    /// Finds out by asking.
    pub(super) fn of(read: Reader<'_>) -> Self {
        let mut language = Self::default();
        language.explore(read, &[]);
        language
    }

    fn explore(&mut self, read: Reader<'_>, way: &[Step]) {
        let said = read(&document(way, "{ zzz = 1 }"));
        let keys = expected(&said, "unknown field `zzz`, expected ").expect("a table");
        for key in &keys {
            for step in [Step::Table, Step::List, Step::Named] {
                let deeper = [way, &[step(key.clone())]].concat();
                let said = read(&document(&deeper, "{ zzz = 1 }"));
                if expected(&said, "unknown field `zzz`, expected ").is_some() {
                    self.explore(read, &deeper);
                }
            }
            let said = read(&document(
                &[way, &[Step::Table(key.clone())]].concat(),
                "\"zzz\"",
            ));
            if let Some(words) = expected(&said, "unknown variant `zzz`, expected ") {
                self.words.insert((name(way), key.clone()), words);
            }
        }
        self.keys.insert(name(way), keys);
    }
}

/// What stands in backticks after `start`, suggestions aside.
pub(super) fn expected(said: &str, start: &str) -> Option<Names> {
    let (_, listed) = said.split_once(start)?;
    let listed = listed.split("; did you mean").next().unwrap_or_default();
    Some(quoted(listed).into_iter().collect())
}

/// A document that holds nothing but this value at the end of the way.
fn document(way: &[Step], value: &str) -> String {
    let mut value = value.to_owned();
    for (depth, step) in way.iter().enumerate().rev() {
        let (key, within) = match step {
            Step::Table(key) => (key, value),
            Step::List(key) => (key, format!("[{value}]")),
            Step::Named(key) => (key, format!("{{ any = {value} }}")),
        };
        value = match depth {
            0 => return format!("{key} = {within}"),
            _ => format!("{{ {key} = {within} }}"),
        };
    }
    // The document itself is the table.
    value.trim_matches(['{', '}', ' ']).to_owned()
}

/// The table as TOML names it: `[submit]`, `[[submit.outcome]]`, `[]` for the document.
fn name(way: &[Step]) -> String {
    let keys: Vec<&str> = way
        .iter()
        .map(|step| match step {
            Step::Table(key) | Step::List(key) | Step::Named(key) => key.as_str(),
        })
        .collect();
    match way.last() {
        Some(Step::List(_)) => format!("[[{}]]", keys.join(".")),
        Some(Step::Table(_) | Step::Named(_)) | None => format!("[{}]", keys.join(".")),
    }
}
