//! From a whole HTTP answer to a report, by the profile's outcome tables.

use serde_json::Value;

use super::asked::Asked;
use super::client::Answer;
use super::money::AmountPlace;
use super::outcome::{self, AnswerMeaning, Match, Pointer, ReportMeaning};
use super::profile::{Echo, Inquiry, Submit};
use crate::transaction::{Finding, Report};

/// A report, and the row that it rests on: of use to whoever checks a profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Read {
    pub(super) report: Report,
    /// `None` if no row fits, or if the answer is about another payment.
    pub(super) row: Option<usize>,
    /// Whether the answer names another payment than the one that was asked about. Then the report is
    /// unclear and holds nothing of that payment.
    pub(super) is_about_another: bool,
    /// Whether the answer names the payment that was asked about.
    pub(super) names_it: bool,
}

/// What the answer to a submission says about the attempt that `asked` names; `None`: about any.
pub(super) fn submission(submit: &Submit, answer: &Answer, asked: Option<Asked<'_>>) -> Read {
    let body = answer.json();
    let read = outcome::read(&submit.outcome, Some(answer.status), body.as_ref());
    let finding = match read.means {
        Some(AnswerMeaning::Completed) => Finding::Completed,
        Some(AnswerMeaning::Declined) => Finding::Declined,
        Some(AnswerMeaning::Pending) => Finding::Pending,
        Some(AnswerMeaning::NotExecuted) => Finding::NotExecuted {
            why: format!(
                "{}, which means that it was not executed",
                said(answer, &read)
            ),
            retry_after: answer.retry_after,
        },
        Some(AnswerMeaning::Unknown) => Finding::Unclear {
            why: format!("{}, which tells nothing", said(answer, &read)),
        },
        None => unread(answer, &read, body.is_some()),
    };
    let places = Places {
        ours: submit.id.as_ref(),
        reference: submit.provider_reference.as_ref(),
        amount: submit.amount.as_ref(),
    };
    places.report(finding, read, answer, body.as_ref(), asked)
}

/// What a status report says about the attempt that `asked` names; `None`: about any.
pub(super) fn inquiry(inquiry: &Inquiry, answer: &Answer, asked: Option<Asked<'_>>) -> Read {
    let body = answer.json();
    let read = outcome::read(&inquiry.outcome, Some(answer.status), body.as_ref());
    let finding = match read.means {
        Some(ReportMeaning::Completed) => Finding::Completed,
        Some(ReportMeaning::Declined) => Finding::Declined,
        Some(ReportMeaning::Pending) => Finding::Pending,
        Some(ReportMeaning::NotFound) => Finding::NotFound,
        Some(ReportMeaning::Unknown) => Finding::Unclear {
            why: format!("{}, which tells nothing", said(answer, &read)),
        },
        None => unread(answer, &read, body.is_some()),
    };
    let places = Places {
        ours: inquiry.id.as_ref(),
        reference: inquiry.provider_reference.as_ref(),
        amount: inquiry.amount.as_ref(),
    };
    places.report(finding, read, answer, body.as_ref(), asked)
}

/// No row fits (law 3).
fn unread<M>(answer: &Answer, read: &Match<M>, is_json: bool) -> Finding {
    let form = if is_json { "" } else { " without a JSON body" };
    Finding::Unclear {
        why: format!("no outcome is listed for {}{form}", said(answer, read)),
    }
}

fn said<M>(answer: &Answer, read: &Match<M>) -> String {
    match &read.word {
        Some(word) => format!("HTTP {} with {word:?}", answer.status),
        None => format!("HTTP {}", answer.status),
    }
}

/// What is read beside the outcome.
struct Places<'a> {
    ours: Option<&'a Echo>,
    reference: Option<&'a Pointer>,
    amount: Option<&'a AmountPlace>,
}

impl Places<'_> {
    fn report<M>(
        &self,
        finding: Finding,
        read: Match<M>,
        answer: &Answer,
        body: Option<&Value>,
        asked: Option<Asked<'_>>,
    ) -> Read {
        let word = Some(read.word.unwrap_or_else(|| answer.status.to_string()));
        let other = asked
            .zip(body)
            .and_then(|(asked, body)| asked.other_in(body, self.ours, self.reference));
        if let Some(other) = other {
            let why = format!(
                "the answer (HTTP {}) {other}: it is about another payment and tells nothing about this one",
                answer.status
            );
            return Read {
                report: Report {
                    word,
                    ..Report::bare(Finding::Unclear { why })
                },
                row: None,
                is_about_another: true,
                names_it: false,
            };
        }
        let names_it = asked
            .zip(body)
            .is_some_and(|(asked, body)| asked.is_named_in(body, self.ours, self.reference));
        let report = Report {
            finding,
            word,
            provider_reference: self
                .reference
                .zip(body)
                .and_then(|(at, body)| at.find_reference(body)),
            amount: self
                .amount
                .zip(body)
                .and_then(|(place, body)| place.find(body)),
        };
        Read {
            report,
            row: read.row,
            is_about_another: false,
            names_it,
        }
    }
}
