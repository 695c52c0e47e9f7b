//! What goes wrong at acorn on request; without a request nothing does.

use serde::{Deserialize, Serialize};

use crate::faults::{BadFaults, object, probabilities};

/// How often each thing goes wrong: probabilities from 0 to 1, drawn per (seed, key, nth execution).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The charge is answered 503 `maintenance` and not executed.
    pub refuse_503: f64,
    /// The charge is answered 429 with `Retry-After` and not executed.
    pub refuse_429: f64,
    /// The charge is answered 402 `insufficient_funds`.
    pub insufficient_funds: f64,
    /// The charge is answered 402 `limit_exceeded`.
    pub limit_exceeded: f64,
    /// The charge is answered 504 and appears within the ghost window, directly settled.
    pub ghost: f64,
    /// The charge is answered 504 and never executed.
    pub lost: f64,
    /// The charge is executed; the connection is closed in place of the answer.
    pub answer_lost: f64,
    /// The charge is executed and answered 500.
    pub error_500: f64,
    /// The charge is executed; the connection is torn after half of the answer's body.
    pub reset: f64,
    /// The charge is executed and answered 201 with a body that isn't JSON.
    pub garbage: f64,
    /// The charge is executed; its answer arrives one byte per 100 unscaled milliseconds.
    pub drip: f64,
    /// The charge is on hold for a while before it settles.
    pub on_hold: f64,
    /// A paid charge is reversed, 120 unscaled seconds after it was paid.
    pub reversed: f64,
    /// An event is never delivered.
    pub webhook_lost: f64,
    /// An event is delivered twice, with the same uid, in different batches or in one.
    pub webhook_duplicate: f64,
    /// An event is delivered 600 unscaled seconds late.
    pub webhook_late: f64,
    /// The charge settles, and its event is delivered, before its answer is sent.
    pub webhook_early: f64,
    /// The charge's events are delivered in the reverse order.
    pub webhook_disorder: f64,
    /// Somebody else delivers a batch that claims the opposite, with a wrong signature.
    pub webhook_forged: f64,
    /// The inquiry is answered 500.
    pub get_500: f64,
    /// Every call finds its connection closed before the first byte of an answer.
    pub down: bool,
}

impl Faults {
    /// Reads faults from a JSON object; what isn't named is off.
    ///
    /// # Errors
    /// An unknown fault, another type, or a probability outside 0 to 1.
    pub fn from_json(json: &[u8]) -> Result<Self, BadFaults> {
        let faults: Self = object(json)?;
        faults.check()?;
        Ok(faults)
    }

    /// Refuses probabilities that are none.
    ///
    /// # Errors
    /// [`BadFaults::NotAProbability`] names the first field outside 0 to 1.
    pub fn check(&self) -> Result<(), BadFaults> {
        probabilities(&[
            ("refuse_503", self.refuse_503),
            ("refuse_429", self.refuse_429),
            ("insufficient_funds", self.insufficient_funds),
            ("limit_exceeded", self.limit_exceeded),
            ("ghost", self.ghost),
            ("lost", self.lost),
            ("answer_lost", self.answer_lost),
            ("error_500", self.error_500),
            ("reset", self.reset),
            ("garbage", self.garbage),
            ("drip", self.drip),
            ("on_hold", self.on_hold),
            ("reversed", self.reversed),
            ("webhook_lost", self.webhook_lost),
            ("webhook_duplicate", self.webhook_duplicate),
            ("webhook_late", self.webhook_late),
            ("webhook_early", self.webhook_early),
            ("webhook_disorder", self.webhook_disorder),
            ("webhook_forged", self.webhook_forged),
            ("get_500", self.get_500),
        ])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Faults;

    #[test]
    fn every_number_is_checked() {
        let all = json!(Faults::default());
        for (field, value) in all.as_object().expect("a struct is an object") {
            if value.is_boolean() {
                continue;
            }
            let wrong = json!({field: 1.1}).to_string();
            let error = Faults::from_json(wrong.as_bytes()).expect_err("refused");
            assert!(error.to_string().contains(field), "{error}");
        }
        assert!(Faults::from_json(br#"{"ghosts": 1}"#).is_err());
    }
}
