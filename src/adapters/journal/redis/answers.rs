//! What the store answers, as what the port speaks of.

use redis::{FromRedisValue, Value, from_redis_value};

use super::link::Trouble;
use crate::ports::{AppendError, JournalError};
use crate::transaction::{AppId, Key, TransactionId};

/// What a step's Function says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// It is done: at this position, where the Function names one.
    Done(u64),
    Exists,
    Conflict,
    Fenced,
    Full,
    Nowhere,
    /// Something else, in its own words.
    Other(String),
}

impl Said {
    /// The last of a job's answers.
    pub(super) fn last(values: Vec<Value>) -> Result<Self, AppendError> {
        let nothing = || AppendError::Unconfirmed("the server answered nothing".to_owned());
        let value = values.into_iter().next_back().ok_or_else(nothing)?;
        if let Value::Int(number) = value {
            return Ok(Self::Done(u64::try_from(number).unwrap_or(0)));
        }
        let text: String = from_redis_value(value)
            .map_err(|error| AppendError::Unconfirmed(format!("an answer like none: {error}")))?;
        Ok(match text.as_str() {
            "ok" => Self::Done(0),
            "exists" => Self::Exists,
            "conflict" => Self::Conflict,
            "fenced" => Self::Fenced,
            "full" => Self::Full,
            "nowhere" => Self::Nowhere,
            _ => text.parse().map_or_else(|_| Self::Other(text), Self::Done),
        })
    }

    /// What it is to whoever expected it to be done.
    pub(super) fn done(self, full: impl FnOnce() -> AppendError) -> Result<u64, AppendError> {
        match self {
            Self::Done(position) => Ok(position),
            Self::Exists => Err(AppendError::Exists),
            Self::Conflict => Err(AppendError::VersionConflict),
            Self::Fenced => Err(AppendError::Fenced),
            Self::Full => Err(full()),
            Self::Nowhere => Err(AppendError::Unavailable(
                "there is no such transaction".to_owned(),
            )),
            Self::Other(text) => Err(AppendError::Unconfirmed(format!(
                "the server answered {text:?}"
            ))),
        }
    }
}

/// What a confirmed write said, or why there is nothing.
pub(super) fn said(result: Result<Vec<Value>, Trouble>) -> Result<Said, AppendError> {
    Said::last(result?)
}

/// An answer of this type.
pub(super) fn read<T: FromRedisValue>(value: Value) -> Result<T, JournalError> {
    from_redis_value(value)
        .map_err(|error| JournalError(format!("the server answered something else: {error}")))
}

/// The next of several answers, of this type.
pub(super) fn next<T: FromRedisValue>(
    values: &mut impl Iterator<Item = Value>,
) -> Result<T, JournalError> {
    let value = values.next();
    read(value.ok_or_else(|| JournalError("the server answered less than asked".to_owned()))?)
}

/// The transaction with this name.
pub(super) fn key(name: &str) -> Result<Key, JournalError> {
    let parsed = name.split_once('/').and_then(|(app, id)| {
        Some(Key {
            app: AppId::parse(app).ok()?,
            id: TransactionId(id.parse().ok()?),
        })
    });
    parsed.ok_or_else(|| JournalError(format!("{name:?} is no transaction's name")))
}
