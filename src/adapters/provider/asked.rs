//! Whether an answer is about the payment that was asked about.
//!
//! Between teller and a provider's ledger stand connections that are used again, proxies and gateways.
//! Each of them can give an answer to the wrong request. Such an answer is whole, well formed and about
//! a real payment, so that only the ids in it show the mistake. A profile says where they stand
//! (`id`, `provider_reference`); an id that is not there is not compared.

use std::borrow::Cow;

use serde_json::Value;

use super::outcome::{self, Pointer};
use super::profile::{Echo, ProfileFile};
use crate::transaction::{Attempt, Intent, Rendered};

/// The attempt that a call is about, as far as an answer can name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Our reference.
    pub(super) reference: &'a str,
    /// The body of its submission, as it was written down.
    pub(super) body: &'a str,
    /// The provider's own id, if it is known.
    pub(super) theirs: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// What an answer to the submission, or to its repetition, is about. The provider's id is for the
    /// core to compare, which knows whether it was learnt before.
    pub(super) fn by_submission(intent: &'a Intent) -> Self {
        Self {
            reference: &intent.reference,
            body: &intent.request.body,
            theirs: None,
        }
    }

    /// What a status report is about.
    pub(super) fn by_inquiry(attempt: &'a Attempt) -> Self {
        Self {
            theirs: attempt.provider_reference.as_deref(),
            ..Self::by_submission(&attempt.intent)
        }
    }

    /// Where `answer` names another payment, as the rest of a sentence; `None` if it doesn't.
    pub(super) fn other_in(
        &self,
        answer: &Value,
        ours: Option<&Echo>,
        theirs: Option<&Pointer>,
    ) -> Option<String> {
        ours.and_then(|echo| self.other_of_ours(answer, echo))
            .or_else(|| {
                let (at, known) = theirs.zip(self.theirs)?;
                let named = named(answer, at)?;
                (named != known).then(|| {
                    format!(
                        "names {:?} at {at}, and the provider knows this attempt as {:?}",
                        outcome::cut(&named),
                        outcome::cut(known)
                    )
                })
            })
    }

    /// Whether `answer`, which names no other payment, names this one.
    pub(super) fn is_named_in(
        &self,
        answer: &Value,
        ours: Option<&Echo>,
        theirs: Option<&Pointer>,
    ) -> bool {
        let there = |at: &Pointer| named(answer, at).is_some();
        ours.is_some_and(|echo| echo.at.iter().any(there))
            || (self.theirs.is_some() && theirs.is_some_and(there))
    }

    fn other_of_ours(&self, answer: &Value, echo: &Echo) -> Option<String> {
        let sent: Option<Value> = match &echo.sent {
            Some(_) => serde_json::from_str(self.body).ok(),
            None => None,
        };
        let expected = match &echo.sent {
            None => Cow::Borrowed(self.reference),
            // An intent without it was written down under another profile: there is nothing to compare.
            Some(at) => named(sent.as_ref()?, at)?,
        };
        echo.at.iter().find_map(|at| {
            let named = named(answer, at)?;
            (named != expected).then(|| {
                format!(
                    "names {:?} at {at}, and this attempt is {:?}",
                    outcome::cut(&named),
                    outcome::cut(&expected)
                )
            })
        })
    }
}

/// Checks that a rendered submission has every id that answers are compared with. Without it a mistake in
/// the profile would switch the comparison off without a word.
///
/// # Errors
/// Which place of the body is empty.
pub(super) fn check_echoed(file: &ProfileFile, rendered: &Rendered) -> Result<(), String> {
    let mut places = file.echoed_places().peekable();
    if places.peek().is_none() {
        return Ok(());
    }
    let body: Option<Value> = serde_json::from_str(&rendered.body).ok();
    let is_empty = |at: &&Pointer| body.as_ref().and_then(|body| named(body, at)).is_none();
    places.find(is_empty).map_or(Ok(()), |at| {
        Err(format!(
            "the body has no id at {at}, which `id` compares answers with"
        ))
    })
}

/// The id that stands at a place. Nothing, null and an empty text name no payment; a list or an object
/// can't be an id of ours, and so counts as another one.
fn named<'a>(body: &'a Value, at: &Pointer) -> Option<Cow<'a, str>> {
    match at.find(body)? {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Places {
        id: Option<Echo>,
        provider_reference: Option<Pointer>,
    }

    fn other(places: &str, answer: &Value, theirs: Option<&str>) -> Option<String> {
        let places: Places = toml::from_str(places).expect("legal");
        let asked = Asked {
            reference: "17-1",
            body: r#"{"deposit": "d-1", "number": 42}"#,
            theirs,
        };
        asked.other_in(
            answer,
            places.id.as_ref(),
            places.provider_reference.as_ref(),
        )
    }

    #[test]
    fn our_reference_is_compared_wherever_it_stands() {
        let places = "id = ['/ref', '/error/ref']";
        for (answer, is_other) in [
            (json!({"ref": "17-1"}), false),
            (json!({"ref": "17-2"}), true),
            (json!({"ref": "17-1 "}), true),
            (json!({"ref": "17-1", "error": {"ref": "17-2"}}), true),
            (json!({"error": {"ref": "17-2"}}), true),
            (json!({"ref": 17}), true),
            (json!({"ref": ["17-1"]}), true),
            (json!({"ref": null}), false),
            (json!({"ref": ""}), false),
            (json!({}), false),
            (json!("17-2"), false),
        ] {
            assert_eq!(other(places, &answer, None).is_some(), is_other, "{answer}");
        }
        assert_eq!(other("", &json!({"ref": "17-2"}), None), None);
    }

    #[test]
    fn another_id_of_ours_is_compared_with_what_was_sent() {
        let places = "id = { at = '/data/id', sent = '/deposit' }";
        assert_eq!(other(places, &json!({"data": {"id": "d-1"}}), None), None);
        assert!(other(places, &json!({"data": {"id": "17-1"}}), None).is_some());
        let number = "id = { at = '/id', sent = '/number' }";
        for (answer, is_other) in [(json!({"id": "42"}), false), (json!({"id": 43}), true)] {
            assert_eq!(other(number, &answer, None).is_some(), is_other, "{answer}");
        }
        let nothing = "id = { at = '/id', sent = '/missing' }";
        assert_eq!(other(nothing, &json!({"id": "x"}), None), None);
    }

    #[test]
    fn the_provider_s_id_is_compared_once_it_is_known() {
        let places = "provider_reference = '/id'";
        let answer = json!({"id": 4_099_260_516_u64});
        assert_eq!(other(places, &answer, None), None);
        assert_eq!(other(places, &answer, Some("4099260516")), None);
        let why = other(places, &answer, Some("4099260517")).expect("another one");
        assert!(why.contains("\"4099260516\" at /id"), "{why}");
        assert!(why.contains("\"4099260517\""), "{why}");
        assert_eq!(other(places, &json!({}), Some("4099260517")), None);
    }

    #[test]
    fn what_is_said_about_it_is_short() {
        let long = "x".repeat(100_000);
        let why = other("id = '/ref'", &json!({"ref": long}), None).expect("another one");
        assert!(why.len() < 200, "{}", why.len());
    }
}
