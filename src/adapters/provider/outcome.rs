//! The outcome table: HTTP status × JSON pointer × word → what it means.
//!
//! Rows are tried in order and the first that fits decides. What no row fits means nothing: the
//! caller then says *unclear*, never an outcome (law 3). Words are compared exactly, case, type and
//! all, because a word that is only similar is a word that nobody has thought about.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Characters of a provider's word that are kept for people.
const WORD_MAX_CHARS: usize = 64;
/// Characters of a provider's own reference, at most. A longer one is none: cut short it would name
/// something else.
const REFERENCE_MAX_CHARS: usize = 256;

/// One row. `M` is what rows of this table can mean.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "M: Deserialize<'de>"))]
pub(super) struct Row<M> {
    status: OneOrMany<StatusMatch>,
    #[serde(default)]
    at: Option<Pointer>,
    #[serde(default)]
    word: Option<OneOrMany<Word>>,
    means: M,
}

/// What an answer to a submission can mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AnswerMeaning {
    Completed,
    Declined,
    Pending,
    NotExecuted,
    Unknown,
}

/// What a status report can mean. That something was never executed can't be among it: a report is
/// about the moment at which it is made, and only the end of the ghost window turns "not found"
/// into a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReportMeaning {
    Completed,
    Declined,
    Pending,
    NotFound,
    Unknown,
}

/// What the table read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Match<M> {
    /// What the row that fits means; `None` if none fits.
    pub(super) means: Option<M>,
    /// The provider's word that it rests on, or the first that stood where a row looked.
    pub(super) word: Option<String>,
}

/// The first row that fits. `body` is `None` if it is not JSON: then only rows without a pointer can.
pub(super) fn read<M: Copy>(rows: &[Row<M>], status: u16, body: Option<&Value>) -> Match<M> {
    let mut first_seen = None;
    for row in rows {
        if !row.status.iter().any(|one| one.fits(status)) {
            continue;
        }
        let (Some(at), Some(words)) = (&row.at, &row.word) else {
            return Match {
                means: Some(row.means),
                word: None,
            };
        };
        let Some(found) = body.and_then(|body| at.find(body)) else {
            continue;
        };
        if words.iter().any(|word| word.is(found)) {
            return Match {
                means: Some(row.means),
                word: Some(shown(found)),
            };
        }
        first_seen.get_or_insert_with(|| shown(found));
    }
    Match {
        means: None,
        word: first_seen,
    }
}

/// A row that looks for a word has to say where, and a row that says where has to name the word.
pub(super) fn check<M>(rows: &[Row<M>]) -> Result<(), String> {
    if rows.is_empty() {
        return Err("an outcome table without rows would leave everything unclear".to_owned());
    }
    match rows
        .iter()
        .find(|row| row.at.is_some() != row.word.is_some())
    {
        Some(_) => Err("`at` and `word` go together in an outcome row".to_owned()),
        None => Ok(()),
    }
}

/// A value as people are shown it: a string without quotes, anything else as JSON, cut to a bound.
pub(super) fn shown(value: &Value) -> String {
    let whole = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    whole.chars().take(WORD_MAX_CHARS).collect()
}

/// An RFC 6901 pointer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pointer(String);

impl Pointer {
    /// What it points at.
    pub(super) fn find<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        body.pointer(&self.0)
    }

    /// The provider's own reference that it points at.
    pub(super) fn find_reference(&self, body: &Value) -> Option<String> {
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

/// A word as a provider writes it: JSON's `"0"` and `0` are different words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl Word {
    pub(super) fn is(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Number(number) => value.as_i64() == Some(*number),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
        }
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word: a string, a whole number, true or false")
            }
            fn visit_str<E>(self, text: &str) -> Result<Word, E> {
                Ok(Word::Text(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Word, E> {
                Ok(Word::Number(number))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Word, E> {
                Ok(Word::Flag(flag))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// Which HTTP statuses a row is about: one, or a whole class such as `"5xx"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatusMatch {
    Exactly(u16),
    Class(u16),
}

impl StatusMatch {
    fn fits(self, status: u16) -> bool {
        match self {
            Self::Exactly(one) => status == one,
            Self::Class(class) => status / 100 == class,
        }
    }
}

impl<'de> Deserialize<'de> for StatusMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Statuses;
        impl Visitor<'_> for Statuses {
            type Value = StatusMatch;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an HTTP status from 200 to 599, or a class such as \"5xx\"")
            }
            fn visit_i64<E: Error>(self, status: i64) -> Result<StatusMatch, E> {
                u16::try_from(status)
                    .ok()
                    .filter(|status| (200..600).contains(status))
                    .map(StatusMatch::Exactly)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Signed(status), &self))
            }
            fn visit_str<E: Error>(self, class: &str) -> Result<StatusMatch, E> {
                match class {
                    "2xx" => Ok(StatusMatch::Class(2)),
                    "3xx" => Ok(StatusMatch::Class(3)),
                    "4xx" => Ok(StatusMatch::Class(4)),
                    "5xx" => Ok(StatusMatch::Class(5)),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Statuses)
    }
}

/// A value, or a list of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OneOrMany<T>(Vec<T>);

impl<T> OneOrMany<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    pub(crate) fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value or a list of them")
            }
            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Vec<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(table)).map(|one| vec![one])
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
                T::deserialize(text.into_deserializer()).map(|one| vec![one])
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
                T::deserialize(number.into_deserializer()).map(|one| vec![one])
            }
            fn visit_bool<E: Error>(self, flag: bool) -> Result<Vec<T>, E> {
                T::deserialize(flag.into_deserializer()).map(|one| vec![one])
            }
        }
        deserializer.deserialize_any(Either(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        row: Vec<Row<AnswerMeaning>>,
    }

    fn rows(text: &str) -> Vec<Row<AnswerMeaning>> {
        toml::from_str::<Table>(text).expect("a table").row
    }

    #[test]
    fn the_first_row_that_fits_decides() {
        let rows = rows(
            r#"
            row = [
                { status = "2xx", at = "/code", word = [0, "0"], means = "completed" },
                { status = [200, 201], at = "/code", word = 1, means = "declined" },
                { status = 200, at = "/held", word = true, means = "pending" },
                { status = ["5xx", 429], means = "not_executed" },
            ]"#,
        );
        let cases = [
            (
                200,
                json!({"code": 0}),
                Some(AnswerMeaning::Completed),
                Some("0"),
            ),
            (
                299,
                json!({"code": "0"}),
                Some(AnswerMeaning::Completed),
                Some("0"),
            ),
            (
                201,
                json!({"code": 1}),
                Some(AnswerMeaning::Declined),
                Some("1"),
            ),
            (200, json!({"code": "1"}), None, Some("1")),
            (202, json!({"code": 1}), None, Some("1")),
            (
                200,
                json!({"code": 7, "held": true}),
                Some(AnswerMeaning::Pending),
                Some("true"),
            ),
            (200, json!({"code": 0.5}), None, Some("0.5")),
            (200, json!({"other": 0}), None, None),
            (503, json!({}), Some(AnswerMeaning::NotExecuted), None),
            (429, json!(null), Some(AnswerMeaning::NotExecuted), None),
            (404, json!({"code": 0}), None, None),
        ];
        for (status, body, means, word) in cases {
            let read = read(&rows, status, Some(&body));
            let expected = Match {
                means,
                word: word.map(str::to_owned),
            };
            assert_eq!(read, expected, "{status} {body}");
        }
    }

    #[test]
    fn words_are_compared_exactly() {
        let rows =
            rows(r#"row = [{ status = 200, at = "/s", word = "done", means = "completed" }]"#);
        for word in [
            "Done", "done ", " done", "DONE", "donе", /* a Cyrillic letter */
        ] {
            assert_eq!(
                read(&rows, 200, Some(&json!({"s": word}))).means,
                None,
                "{word}"
            );
        }
    }

    #[test]
    fn rows_with_a_pointer_need_a_readable_body() {
        let rows = rows(
            r#"row = [
                { status = 503, at = "/s", word = "down", means = "pending" },
                { status = 503, means = "not_executed" },
            ]"#,
        );
        assert_eq!(
            read(&rows, 503, None).means,
            Some(AnswerMeaning::NotExecuted)
        );
    }

    #[test]
    fn long_words_are_cut_and_long_references_are_none() {
        let long = "x".repeat(REFERENCE_MAX_CHARS + 1);
        let body = json!({"r": long, "n": 42, "empty": ""});
        assert_eq!(shown(&body["r"]).len(), WORD_MAX_CHARS);
        let at = |text: &str| Pointer(text.to_owned()).find_reference(&body);
        assert_eq!(at("/r"), None);
        assert_eq!(at("/empty"), None);
        assert_eq!(at("/n"), Some("42".to_owned()));
    }

    #[test]
    fn a_pointer_without_a_word_is_refused() {
        let rows = rows(r#"row = [{ status = 200, at = "/s", means = "completed" }]"#);
        assert!(check(&rows).is_err());
    }
}
