//! Scripts of acorn: what shall become of one charge, said by the request or beforehand by its order.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::charge::{Decline, State};
use crate::script::{BadScript, Telling, bad, delay, inquiry_answers, nth, read};

/// What one execution was told to do; `None` = the default of `plan`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) telling: Telling,
    /// Where the charge ends, a later reversal aside.
    pub(crate) state: Option<State>,
    pub(crate) decline: Option<Decline>,
    pub(crate) settle_after_ms: Option<u64>,
    pub(crate) hold_after_ms: Option<u64>,
    pub(crate) reverse_after_ms: Option<u64>,
    pub(crate) webhook: ScriptedEvents,
    /// What the next inquiries are answered, whatever the record says.
    pub(crate) get: Vec<u16>,
}

/// How a script wants the events delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScriptedEvents {
    #[default]
    Usual,
    None,
    Duplicate,
    Late,
    Early,
    Disorder,
    Forged,
}

/// The entry for the `execution`th charge (from 1).
pub(crate) fn parse(value: &Value, execution: u32) -> Result<Script, BadScript> {
    nth(value, execution, parse_entry)
}

fn parse_entry(entry: &Map<String, Value>) -> Result<Script, BadScript> {
    let mut script = Script::default();
    for (field, value) in entry {
        if script.telling.take(field, value)? {
            continue;
        }
        match field.as_str() {
            "state" => script.state = Some(end(field, value)?),
            "decline" => script.decline = Some(read(field, value)?),
            "settle_after_ms" => script.settle_after_ms = Some(delay(field, value)?),
            "hold_after_ms" => script.hold_after_ms = Some(delay(field, value)?),
            "reverse_after_ms" => script.reverse_after_ms = Some(delay(field, value)?),
            "webhook" => script.webhook = read(field, value)?,
            "get" => script.get = inquiry_answers(field, value)?,
            _ => return Err(BadScript::UnknownField(field.clone())),
        }
    }
    Ok(script)
}

fn end(field: &str, value: &Value) -> Result<State, BadScript> {
    match read(field, value)? {
        State::Reversed => Err(bad(
            field,
            "a charge is paid first; say `paid` and `reverse_after_ms`",
        )),
        state => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn a_mistake_is_named() {
        for (script, part) in [
            (json!({"status": "paid"}), "`status` is unknown"),
            (json!({"answer": "okay"}), "`answer`"),
            (json!({"state": "reversed"}), "`reverse_after_ms`"),
            (json!({"decline": "poverty"}), "`decline`"),
            (json!({"settle_after_ms": -1}), "`settle_after_ms`"),
            (json!({"webhook": "contradictory"}), "`webhook`"),
            (json!({"get": [99]}), "`get`"),
            (json!([{}, 1]), "object"),
        ] {
            let error = parse(&script, 1).expect_err("refused").to_string();
            assert!(error.contains(part), "{script}: {error}");
        }
    }
}
