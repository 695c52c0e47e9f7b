//! Scripts: a request that says itself what shall become of it.
//!
//! One object, or an array whose nth entry is for the nth POST of the id (the last one repeats).
//! It comes in the header `X-Mock-Script` or in the body's field `script`; the header wins.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ledger::{Answer, Course};
use crate::model::Status;

/// The longest delay a script may ask for: 30 days in ms, longer than any horizon that is tested.
const MAX_DELAY_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// How many POSTs, or inquiries, one script may describe.
const MAX_ENTRIES: usize = 1_000;

/// When a scripted POST is answered unless the script says so.
const SCRIPTED_ANSWER_MS: u64 = 200;

/// What one POST was told to do; `None` = the default of `plan`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) telling: Telling,
    pub(crate) status: Option<Status>,
    pub(crate) webhook: Option<ScriptedWebhook>,
    pub(crate) webhook_after_ms: Option<u64>,
    /// What the next inquiries are answered, whatever the record says.
    pub(crate) get: Vec<u16>,
}

/// How a POST is answered and whether it is executed: what all scripts have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Telling {
    answer: Option<Answer>,
    executed: Option<bool>,
    answer_after_ms: Option<u64>,
    ghost_after_ms: Option<u64>,
}

/// When the outcome of a POST exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    Never,
    WithTheAnswer,
    /// At a time of its own, whatever the client was told.
    OutOfNowhere {
        after_ms: u64,
    },
}

/// Which webhooks a script asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScriptedWebhook {
    None,
    Once,
    Duplicate,
    Early,
    Late,
    Contradictory,
    Forged,
}

/// Why a script was refused; answered 400 as it stands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadScript {
    #[error("the script is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("a script is an object or an array of up to {MAX_ENTRIES} objects, at least one")]
    NotAnObject,
    #[error("script field `{0}` is unknown")]
    UnknownField(String),
    #[error("script field `{field}`: {why}")]
    BadField { field: String, why: String },
}

impl Telling {
    /// Takes the field if it is one of these, and says whether it was.
    pub(crate) fn take(&mut self, field: &str, value: &Value) -> Result<bool, BadScript> {
        match field {
            "answer" => self.answer = Some(read(field, value)?),
            "executed" => self.executed = Some(read(field, value)?),
            "answer_after_ms" => self.answer_after_ms = Some(delay(field, value)?),
            "ghost_after_ms" => self.ghost_after_ms = Some(delay(field, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn answer(&self) -> Answer {
        self.answer.unwrap_or(Answer::Ok)
    }

    /// When the answer goes out, where a time-out takes `timeout_ms` unless the script says so.
    pub(crate) fn answer_after_ms(&self, timeout_ms: u64) -> u64 {
        self.answer_after_ms.unwrap_or(match self.answer() {
            Answer::Timeout => timeout_ms,
            _ => SCRIPTED_ANSWER_MS,
        })
    }

    pub(crate) fn existence(&self, timeout_ms: u64) -> Existence {
        let tells_no_outcome = matches!(
            self.answer(),
            Answer::Timeout | Answer::Refuse503 | Answer::Refuse429
        );
        if !self
            .executed
            .unwrap_or(!tells_no_outcome || self.ghost_after_ms.is_some())
        {
            return Existence::Never;
        }
        // Told "no" or nothing, yet executed: it appears out of nowhere, when the answer is due
        // unless the script says when.
        let unannounced = tells_no_outcome.then_some(self.answer_after_ms(timeout_ms));
        match self.ghost_after_ms.or(unannounced) {
            Some(after_ms) => Existence::OutOfNowhere { after_ms },
            None => Existence::WithTheAnswer,
        }
    }
}

impl Existence {
    /// What becomes of a POST that exists then and is answered so.
    pub(crate) const fn course(self, answer: Answer) -> Course {
        match (self, answer) {
            (Self::WithTheAnswer, _) => Course::Answered,
            (Self::OutOfNowhere { .. }, _) => Course::Ghost,
            (Self::Never, Answer::Refuse503 | Answer::Refuse429) => Course::Refused,
            (Self::Never, _) => Course::Lost,
        }
    }
}

/// The entry for the `execution`th POST (from 1).
pub(crate) fn parse(value: &Value, execution: u32) -> Result<Script, BadScript> {
    nth(value, execution, parse_entry)
}

/// The entry for the `execution`th POST (from 1), read by `parse_entry`. Every entry is checked, so
/// that a mistake in the third shows at the first POST.
pub(crate) fn nth<T>(
    value: &Value,
    execution: u32,
    parse_entry: fn(&Map<String, Value>) -> Result<T, BadScript>,
) -> Result<T, BadScript> {
    let entries = match value {
        Value::Array(entries) if (1..=MAX_ENTRIES).contains(&entries.len()) => entries.as_slice(),
        Value::Object(_) => std::slice::from_ref(value),
        _ => return Err(BadScript::NotAnObject),
    };
    let mut scripts = entries
        .iter()
        .map(|entry| parse_entry(entry.as_object().ok_or(BadScript::NotAnObject)?))
        .collect::<Result<Vec<_>, _>>()?;
    let nth = usize::try_from(execution.saturating_sub(1)).unwrap_or(usize::MAX);
    Ok(scripts.swap_remove(nth.min(scripts.len() - 1)))
}

fn parse_entry(entry: &Map<String, Value>) -> Result<Script, BadScript> {
    let mut script = Script::default();
    for (field, value) in entry {
        if script.telling.take(field, value)? {
            continue;
        }
        match field.as_str() {
            "status" => script.status = Some(final_status(field, value)?),
            "webhook" => script.webhook = Some(read(field, value)?),
            "webhook_after_ms" => script.webhook_after_ms = Some(delay(field, value)?),
            "get" => script.get = inquiry_answers(field, value)?,
            _ => return Err(BadScript::UnknownField(field.clone())),
        }
    }
    Ok(script)
}

pub(crate) fn read<T: DeserializeOwned>(field: &str, value: &Value) -> Result<T, BadScript> {
    T::deserialize(value).map_err(|error| bad(field, error.to_string()))
}

fn final_status(field: &str, value: &Value) -> Result<Status, BadScript> {
    match read(field, value)? {
        Status::Pending => Err(bad(field, "only `completed` and `declined` are outcomes")),
        status => Ok(status),
    }
}

pub(crate) fn delay(field: &str, value: &Value) -> Result<u64, BadScript> {
    match read(field, value)? {
        ms if ms <= MAX_DELAY_MS => Ok(ms),
        ms => Err(bad(field, format!("{ms} is more than {MAX_DELAY_MS}"))),
    }
}

pub(crate) fn inquiry_answers(field: &str, value: &Value) -> Result<Vec<u16>, BadScript> {
    let codes: Vec<u16> = read(field, value)?;
    if codes.len() > MAX_ENTRIES {
        return Err(bad(field, format!("more than {MAX_ENTRIES} entries")));
    }
    match codes.iter().find(|code| !(200..=599).contains(*code)) {
        Some(code) => Err(bad(field, format!("{code} is no final HTTP status"))),
        None => Ok(codes),
    }
}

pub(crate) fn bad(field: &str, why: impl Into<String>) -> BadScript {
    BadScript::BadField {
        field: field.to_owned(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;
    use crate::ledger::Answer;

    #[test]
    fn the_last_entry_repeats() {
        let script = json!([{"answer": "timeout"}, {"answer": "ok"}]);
        for (execution, answer) in [(1, Answer::Timeout), (2, Answer::Ok), (9, Answer::Ok)] {
            let entry = parse(&script, execution).expect("well-formed");
            assert_eq!(entry.telling.answer(), answer);
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (script, part) in [
            (json!({"anwser": "ok"}), "`anwser` is unknown"),
            (json!({"answer": "okay"}), "`answer`"),
            (json!({"status": "pending"}), "`status`"),
            (json!({"executed": 1}), "`executed`"),
            (json!({"answer_after_ms": -1}), "`answer_after_ms`"),
            (json!({"ghost_after_ms": 1.5}), "`ghost_after_ms`"),
            (json!({"webhook": "twice"}), "`webhook`"),
            (json!({"webhook_after_ms": u64::MAX}), "`webhook_after_ms`"),
            (json!({"get": [99]}), "`get`"),
            (json!([{}, {"get": 500}]), "`get`"),
            (json!([]), "at least one"),
            (json!("ok"), "object"),
            (json!([1]), "object"),
        ] {
            let error = parse(&script, 1).expect_err("refused").to_string();
            assert!(error.contains(part), "{script}: {error}");
        }
    }
}
