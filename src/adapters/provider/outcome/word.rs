//! What a row is compared with: words, patterns, HTTP statuses; one or a list of them.

use std::fmt;
use std::marker::PhantomData;

use regex_lite::Regex;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Characters of a pattern, at most: enough for any family of codes.
const PATTERN_MAX_CHARS: usize = 200;

/// A word as a provider writes it: JSON's `"0"` and `0` are different words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) enum Word {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl Word {
    pub(in super::super) fn is(&self, value: &Value) -> bool {
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
pub(in super::super) enum StatusMatch {
    Exactly(u16),
    Class(u16),
}

impl StatusMatch {
    pub(in super::super) fn fits(self, status: u16) -> bool {
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

/// A regular expression over a whole word: `"4\\d\\d"` fits `400` and not `1400`.
#[derive(Clone, Debug)]
pub(in super::super) struct Pattern {
    text: String,
    whole: Regex,
}

impl Pattern {
    /// Whether the value, a string or a number, is wholly described by it.
    pub(in super::super) fn fits(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.whole.is_match(text),
            Value::Number(number) => self.whole.is_match(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// As it is written.
    pub(in super::super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().count() > PATTERN_MAX_CHARS {
            return Err(D::Error::custom(format!(
                "a pattern has {PATTERN_MAX_CHARS} characters at most"
            )));
        }
        let whole = Regex::new(&format!("^(?:{text})$"))
            .map_err(|error| D::Error::custom(format!("{text:?} is no pattern: {error}")))?;
        Ok(Self { text, whole })
    }
}
