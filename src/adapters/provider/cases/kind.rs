//! Which keys belong to which kind of case.

use super::format::{AnswerOf, Case, Expect, ExpectOne};

/// A case whose keys go together.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    /// What teller sends.
    Request(AnswerOf, Option<&'a ExpectOne>),
    /// How an answer is read.
    Answer(AnswerOf, Option<&'a ExpectOne>),
    /// How a webhook is read.
    Webhook(Option<&'a Expect>),
}

impl<'a> Kind<'a> {
    /// The kind of a case.
    ///
    /// # Errors
    /// Which key is missing or belongs to another kind.
    pub(super) fn of(case: &'a Case) -> Result<Self, String> {
        match (case.request, case.answer, case.webhook) {
            (Some(which), None, false) => {
                case.only(
                    "a request",
                    &[
                        "now",
                        "transaction",
                        "attempt",
                        "provider_reference",
                        "token",
                    ],
                )?;
                let keys = ["method", "url", "headers", "body"];
                Ok(Self::Request(which, case.expects("a request", &keys)?))
            }
            (None, Some(which), false) => {
                case.only(
                    "an answer",
                    &[
                        "now",
                        "transaction",
                        "attempt",
                        "provider_reference",
                        "status",
                        "headers",
                        "body",
                    ],
                )?;
                if case.status.is_none() {
                    return Err("`status` is missing: every answer has one".to_owned());
                }
                let keys = [
                    "finding",
                    "word",
                    "provider_reference",
                    "amount",
                    "retry_after_s",
                ];
                let expect = case.expects("an answer", &keys)?;
                if expect.is_some_and(|expect| expect.finding.is_none()) {
                    return Err("`finding` is missing in `expect`".to_owned());
                }
                Ok(Self::Answer(which, expect))
            }
            (None, None, true) => {
                case.only(
                    "a webhook",
                    &[
                        "now",
                        "transaction",
                        "attempt",
                        "token",
                        "headers",
                        "body",
                        "method",
                        "url",
                        "sign",
                        "acknowledged",
                    ],
                )?;
                if let Some(Expect::One(_)) = &case.expect {
                    case.expects("a webhook that is refused", &["rejected"])?;
                }
                Ok(Self::Webhook(case.expect.as_ref()))
            }
            _ => Err(
                "a case has one of `request` (submit, inquiry or lost), `answer` (the same) and `webhook = true`"
                    .to_owned(),
            ),
        }
    }
}

impl Case {
    fn only(&self, kind: &str, allowed: &[&str]) -> Result<(), String> {
        let given = [
            ("now", self.now.is_some()),
            ("transaction", self.transaction.is_some()),
            ("attempt", self.attempt.is_some()),
            ("provider_reference", self.provider_reference.is_some()),
            ("token", self.token.is_some()),
            ("status", self.status.is_some()),
            ("headers", self.headers.is_some()),
            ("body", self.body.is_some()),
            ("method", self.method.is_some()),
            ("url", self.url.is_some()),
            ("sign", self.sign.is_some()),
            ("acknowledged", self.acknowledged.is_some()),
        ];
        stray(&given, allowed).map_or(Ok(()), |key| {
            Err(format!("`{key}` doesn't belong to {kind}"))
        })
    }

    fn expects(&self, kind: &str, allowed: &[&str]) -> Result<Option<&ExpectOne>, String> {
        let one = match &self.expect {
            None => return Ok(None),
            Some(Expect::Events(_)) => {
                return Err(format!("`expect` of {kind} is a table, not a list"));
            }
            Some(Expect::One(one)) => one,
        };
        let given = [
            ("method", one.method.is_some()),
            ("url", one.url.is_some()),
            ("headers", one.headers.is_some()),
            ("body", one.body.is_some()),
            ("finding", one.finding.is_some()),
            ("word", one.word.is_some()),
            ("provider_reference", one.provider_reference.is_some()),
            ("amount", one.amount.is_some()),
            ("retry_after_s", one.retry_after_s.is_some()),
            ("rejected", one.rejected.is_some()),
        ];
        if let Some(key) = stray(&given, allowed) {
            return Err(format!(
                "`{key}` doesn't belong to what is expected of {kind}"
            ));
        }
        if given.iter().all(|(_, given)| !given) {
            return Err(format!(
                "`expect` is empty; of {kind} it has at least one of {}",
                allowed.join(", ")
            ));
        }
        Ok(Some(one))
    }
}

fn stray<'a>(given: &[(&'a str, bool)], allowed: &[&str]) -> Option<&'a str> {
    let mut strays = given
        .iter()
        .filter(|(key, given)| *given && !allowed.contains(key));
    strays.next().map(|(key, _)| *key)
}
