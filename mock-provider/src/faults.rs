//! Faults that the provider shows on request; without a request it shows none.

use serde::{Deserialize, Serialize};

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

/// A fault that was asked for with an impossible probability.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} is {value}, a probability lies between 0 and 1")]
pub struct NotAProbability {
    /// The fault.
    pub field: &'static str,
    /// What was asked for.
    pub value: f64,
}

impl Faults {
    /// Refuses probabilities that are none.
    ///
    /// # Errors
    /// [`NotAProbability`] names the first field outside 0 to 1.
    pub fn check(&self) -> Result<(), NotAProbability> {
        let all = [
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
        ];
        match all
            .into_iter()
            .find(|(_, value)| !(0.0..=1.0).contains(value))
        {
            Some((field, value)) => Err(NotAProbability { field, value }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;

    #[test]
    fn only_probabilities_pass() {
        assert!(Faults::default().check().is_ok());
        for value in [-0.1, 1.1, f64::NAN] {
            let faults = Faults {
                drip: value,
                ..Faults::default()
            };
            assert_eq!(faults.check().expect_err("refused").field, "drip");
        }
    }

    #[test]
    fn every_number_is_checked() {
        let all = serde_json::to_value(Faults::default()).expect("faults are plain JSON");
        for (field, value) in all.as_object().expect("a struct is an object") {
            if value.is_boolean() {
                continue;
            }
            let mut changed = all.clone();
            changed[field] = 2.0.into();
            let faults: Faults = serde_json::from_value(changed).expect("a number is accepted");
            assert_eq!(faults.check().expect_err("refused").field, field);
        }
    }

    #[test]
    fn a_misspelt_fault_is_an_error() {
        let error = serde_json::from_str::<Faults>(r#"{"webhook_lots": 1}"#).expect_err("refused");
        assert!(error.to_string().contains("webhook_lots"));
    }
}
