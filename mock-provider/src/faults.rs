//! Faults that the provider shows on request; without a request it shows none.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How often each thing goes wrong: probabilities from 0 to 1, drawn per (seed, id, nth POST).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The POST is answered 503 and not executed.
    pub refuse_503: f64,
    /// The POST is answered 429 with `Retry-After: 1` and not executed.
    pub refuse_429: f64,
    /// The POST runs its course and is answered 500.
    pub error_500: f64,
    /// The POST runs its course; the connection is torn after half of the answer's body.
    pub reset: f64,
    /// The POST is executed and answered 200 with a body that isn't JSON.
    pub garbage: f64,
    /// The POST runs its course; its answer arrives one byte per 100 unscaled milliseconds.
    pub drip: f64,
    /// The webhook is sent twice.
    pub webhook_duplicate: f64,
    /// The webhook is sent before the answer, final status included.
    pub webhook_early: f64,
    /// The webhook is sent 600 unscaled seconds after the POST.
    pub webhook_late: f64,
    /// The webhook is followed by one with the opposite status.
    pub webhook_contradictory: f64,
    /// Somebody else posts a wrong status to the webhook's address, with the last segment of the
    /// path missing or replaced.
    pub webhook_forged: f64,
    /// The webhook is never sent.
    pub webhook_lost: f64,
    /// The inquiry is answered 500.
    pub get_500: f64,
    /// Every POST and inquiry finds its connection closed before the first byte of an answer.
    pub down: bool,
}

/// Why faults were refused.
#[derive(Debug, thiserror::Error)]
pub enum BadFaults {
    /// Not an object of known faults.
    #[error("faults are a JSON object: {0}")]
    NotFaults(#[from] serde_json::Error),
    /// A fault was asked for with an impossible probability.
    #[error("{field} is {value}, a probability lies between 0 and 1")]
    NotAProbability {
        /// The fault.
        field: &'static str,
        /// What was asked for.
        value: f64,
    },
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
            ("error_500", self.error_500),
            ("reset", self.reset),
            ("garbage", self.garbage),
            ("drip", self.drip),
            ("webhook_duplicate", self.webhook_duplicate),
            ("webhook_early", self.webhook_early),
            ("webhook_late", self.webhook_late),
            ("webhook_contradictory", self.webhook_contradictory),
            ("webhook_forged", self.webhook_forged),
            ("webhook_lost", self.webhook_lost),
            ("get_500", self.get_500),
        ])
    }
}

/// Reads one kind of faults, unchecked. By way of a map, because serde would also take an array for
/// a struct's fields.
pub(crate) fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, BadFaults> {
    let fields: Map<String, Value> = serde_json::from_slice(json)?;
    Ok(T::deserialize(Value::Object(fields))?)
}

/// Refuses the first of these that is no probability.
pub(crate) fn probabilities(all: &[(&'static str, f64)]) -> Result<(), BadFaults> {
    match all.iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
        Some(&(field, value)) => Err(BadFaults::NotAProbability { field, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Faults;

    fn refusal(json: &serde_json::Value) -> String {
        Faults::from_json(json.to_string().as_bytes())
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn every_number_is_checked() {
        let all = json!(Faults::default());
        for (field, value) in all.as_object().expect("a struct is an object") {
            if value.is_boolean() {
                continue;
            }
            for number in [-0.1, 1.1] {
                let why = refusal(&json!({field: number}));
                assert!(why.contains(field) && why.contains("between"), "{why}");
            }
        }
        let not_a_number = Faults {
            drip: f64::NAN,
            ..Faults::default()
        };
        assert!(not_a_number.check().is_err());
    }

    #[test]
    fn what_is_not_named_is_off() {
        let faults = Faults::from_json(br#"{"drip": 0.5, "down": true}"#).expect("known faults");
        let expected = Faults {
            drip: 0.5,
            down: true,
            ..Faults::default()
        };
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_misspelt_fault_is_an_error() {
        assert!(refusal(&json!({"webhook_lots": 1})).contains("webhook_lots"));
        refusal(&json!([]));
        refusal(&json!({"down": 1}));
    }
}
