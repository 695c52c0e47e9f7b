//! Scripts: a request that says itself what shall become of it.
//!
//! One object, or an array whose nth entry is for the nth POST of the id (the last one repeats).
//! It comes in the header `X-Mock-Script` or in the body's field `script`; the header wins.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ledger::Answer;
use crate::model::Status;

/// The longest delay a script may ask for: 30 days in ms, longer than any horizon that is tested.
const MAX_DELAY_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// How many POSTs, or inquiries, one script may describe.
const MAX_ENTRIES: usize = 1_000;

/// What one POST was told to do; `None` = the default of `plan`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) status: Option<Status>,
    pub(crate) answer: Option<Answer>,
    pub(crate) executed: Option<bool>,
    pub(crate) answer_after_ms: Option<u64>,
    pub(crate) ghost_after_ms: Option<u64>,
    pub(crate) webhook: Option<ScriptedWebhook>,
    pub(crate) webhook_after_ms: Option<u64>,
    /// What the next inquiries are answered, whatever the record says.
    pub(crate) get: Vec<u16>,
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

/// The entry for the `execution`th POST (from 1). Every entry is checked, so that a mistake in the
/// third shows at the first POST.
pub(crate) fn parse(value: &Value, execution: u32) -> Result<Script, BadScript> {
    let entries = match value {
        Value::Array(entries) if (1..=MAX_ENTRIES).contains(&entries.len()) => entries.as_slice(),
        Value::Object(_) => std::slice::from_ref(value),
        _ => return Err(BadScript::NotAnObject),
    };
    let mut scripts = entries
        .iter()
        .map(parse_entry)
        .collect::<Result<Vec<_>, _>>()?;
    let nth = usize::try_from(execution.saturating_sub(1)).unwrap_or(usize::MAX);
    Ok(scripts.swap_remove(nth.min(scripts.len() - 1)))
}

fn parse_entry(entry: &Value) -> Result<Script, BadScript> {
    let mut script = Script::default();
    for (field, value) in entry.as_object().ok_or(BadScript::NotAnObject)? {
        match field.as_str() {
            "status" => script.status = Some(final_status(field, value)?),
            "answer" => script.answer = Some(read(field, value)?),
            "executed" => script.executed = Some(read(field, value)?),
            "answer_after_ms" => script.answer_after_ms = Some(delay(field, value)?),
            "ghost_after_ms" => script.ghost_after_ms = Some(delay(field, value)?),
            "webhook" => script.webhook = Some(read(field, value)?),
            "webhook_after_ms" => script.webhook_after_ms = Some(delay(field, value)?),
            "get" => script.get = inquiry_answers(field, value)?,
            _ => return Err(BadScript::UnknownField(field.clone())),
        }
    }
    Ok(script)
}

fn read<T: DeserializeOwned>(field: &str, value: &Value) -> Result<T, BadScript> {
    T::deserialize(value).map_err(|error| bad(field, error.to_string()))
}

fn final_status(field: &str, value: &Value) -> Result<Status, BadScript> {
    match read(field, value)? {
        Status::Pending => Err(bad(field, "only `completed` and `declined` are outcomes")),
        status => Ok(status),
    }
}

fn delay(field: &str, value: &Value) -> Result<u64, BadScript> {
    match read(field, value)? {
        ms if ms <= MAX_DELAY_MS => Ok(ms),
        ms => Err(bad(field, format!("{ms} is more than {MAX_DELAY_MS}"))),
    }
}

fn inquiry_answers(field: &str, value: &Value) -> Result<Vec<u16>, BadScript> {
    let codes: Vec<u16> = read(field, value)?;
    if codes.len() > MAX_ENTRIES {
        return Err(bad(field, format!("more than {MAX_ENTRIES} entries")));
    }
    match codes.iter().find(|code| !(200..=599).contains(*code)) {
        Some(code) => Err(bad(field, format!("{code} is no final HTTP status"))),
        None => Ok(codes),
    }
}

fn bad(field: &str, why: impl Into<String>) -> BadScript {
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
            assert_eq!(entry.answer, Some(answer));
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
