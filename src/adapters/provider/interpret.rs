//! From a whole HTTP answer to a report, by the profile's outcome tables.

use serde_json::Value;

use super::client::Answer;
use super::outcome::{self, AnswerMeaning, Match, Pointer, ReportMeaning};
use super::profile::{Inquiry, Submit};
use crate::transaction::{Finding, Report};

/// What the answer to a submission says.
pub(super) fn submission(submit: &Submit, answer: &Answer) -> Report {
    let body = answer.json();
    let read = outcome::read(&submit.outcome, answer.status, body.as_ref());
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
    report(
        finding,
        read,
        answer,
        body.as_ref(),
        submit.provider_reference.as_ref(),
    )
}

/// What a status report says.
pub(super) fn inquiry(inquiry: &Inquiry, answer: &Answer) -> Report {
    let body = answer.json();
    let read = outcome::read(&inquiry.outcome, answer.status, body.as_ref());
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
    report(
        finding,
        read,
        answer,
        body.as_ref(),
        inquiry.provider_reference.as_ref(),
    )
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

fn report<M>(
    finding: Finding,
    read: Match<M>,
    answer: &Answer,
    body: Option<&Value>,
    reference: Option<&Pointer>,
) -> Report {
    Report {
        finding,
        word: Some(read.word.unwrap_or_else(|| answer.status.to_string())),
        provider_reference: reference
            .zip(body)
            .and_then(|(at, body)| at.find_reference(body)),
        amount: None,
    }
}
