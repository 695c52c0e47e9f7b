//! What can be concluded when a call brought no whole answer. The table is in [`finding`]; nowhere
//! else is a failed call judged.

use std::error::Error;

use crate::transaction::Finding;

/// Which call it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// It moves money.
    Submission,
    /// It asks.
    Inquiry,
}

/// How a call failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// The request can't be put on the wire at all.
    Unsendable(String),
    /// No connection: name not found, refused, unreachable, no TLS, or not within its time.
    Connect(String),
    /// The time for the whole call was over.
    TimedOut,
    /// The connection broke, or what came back is no HTTP, before the answer's head was whole.
    Broken(String),
    /// The connection broke within the answer's body.
    BodyTorn(String),
    /// The answer's body is larger than any that is read.
    BodyTooLarge,
}

impl Failure {
    /// Sorts an error that came before the answer's head. A connection that fails is asked for
    /// first: its time-out is one of connecting, not of the call.
    pub(super) fn before_answer(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Connect(causes(error))
        } else if error.is_timeout() {
            Self::TimedOut
        } else if error.is_builder() {
            Self::Unsendable(causes(error))
        } else {
            Self::Broken(causes(error))
        }
    }

    /// Sorts an error that came within the answer's body.
    pub(super) fn within_answer(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::BodyTorn(causes(error))
        }
    }
}

impl Failure {
    /// In words.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Unsendable(why) => format!("the request can't be sent: {why}"),
            Self::Connect(why) => format!("no connection: {why}"),
            Self::TimedOut => "no whole answer in time".to_owned(),
            Self::Broken(why) => format!("the connection broke before an answer: {why}"),
            Self::BodyTorn(why) => format!("the connection broke within the answer: {why}"),
            Self::BodyTooLarge => "the answer's body is too large to be read".to_owned(),
        }
    }
}

/// The causes of an error, without its own line, which names the URL.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        // Libraries like to repeat their cause in their own text.
        said.retain(|outer| !outer.contains(&line));
        said.push(line);
        cause = error.source();
    }
    if said.is_empty() {
        return "no cause is known".to_owned();
    }
    said.join(": ")
}

/// The table. `sent` is whether a byte of the request could have left.
pub(super) fn finding(call: Call, failure: &Failure, sent: bool) -> Finding {
    match (call, failure, sent) {
        // A connection was asked for and never came, so the provider can't have seen this attempt.
        // Only a new connection is ever asked for: a pooled one that breaks is `Broken`.
        (Call::Submission, Failure::Connect(why), false) => {
            not_executed(format!("no connection: {why}"))
        }
        // Refused by our own client before it looked for a connection.
        (Call::Submission, Failure::Unsendable(why), false) => {
            not_executed(format!("the request can't be sent: {why}"))
        }
        // Nothing left, as far as can be seen, but not for one of the reasons above. That is too
        // rare to be worth a doubt about money.
        (Call::Submission, failure, false) => unclear(format!(
            "{}, though nothing seems to have been sent",
            failure.told()
        )),
        // The provider may have the whole request: whatever then goes wrong is on the way back.
        (Call::Submission, failure, true) => unclear(failure.told()),
        // An inquiry that fails says nothing about the attempt that it asks about.
        (Call::Inquiry, failure, _) => unclear(failure.told()),
    }
}

fn not_executed(why: String) -> Finding {
    Finding::NotExecuted {
        why,
        retry_after: None,
    }
}

fn unclear(why: String) -> Finding {
    Finding::Unclear { why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_submission_that_never_left_is_surely_not_executed() {
        let text = || "x".to_owned();
        let failures = [
            Failure::Unsendable(text()),
            Failure::Connect(text()),
            Failure::TimedOut,
            Failure::Broken(text()),
            Failure::BodyTorn(text()),
            Failure::BodyTooLarge,
        ];
        for failure in failures {
            for call in [Call::Submission, Call::Inquiry] {
                for sent in [false, true] {
                    let proven =
                        matches!(finding(call, &failure, sent), Finding::NotExecuted { .. });
                    let never_left =
                        matches!(failure, Failure::Unsendable(_) | Failure::Connect(_));
                    assert_eq!(
                        proven,
                        call == Call::Submission && never_left && !sent,
                        "{call:?} {failure:?} sent: {sent}"
                    );
                    assert_eq!(finding(call, &failure, sent).outcome(), None);
                }
            }
        }
    }
}
