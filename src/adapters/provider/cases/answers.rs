//! Cases of how an answer is read.

use reqwest::header::HeaderValue;

use super::compare::Differences;
use super::format::{AnswerOf, Case, ExpectOne};
use super::report::Seen;
use super::requests;
use super::world::{World, now};
use crate::adapters::provider::asked::Asked;
use crate::adapters::provider::client::Answer;
use crate::adapters::provider::profile::Profile;
use crate::adapters::provider::{interpret, retry_after};
use crate::transaction::{Finding, Report, ReportedAmount};

/// Reads the answer of a case and compares.
///
/// # Errors
/// Why the case makes no sense with this profile.
pub(super) fn run(
    world: &World<'_>,
    case: &Case,
    which: AnswerOf,
    expect: Option<&ExpectOne>,
) -> Result<Seen, String> {
    let asked_to_wait = case
        .headers
        .iter()
        .flatten()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
        .and_then(|(_, value)| HeaderValue::from_str(value).ok())
        .and_then(|value| retry_after::read(&value, now(case.now)));
    let answer = Answer {
        status: case.status.unwrap_or_default(),
        retry_after: asked_to_wait,
        body: case.body.clone().unwrap_or_default().into(),
    };
    if case.provider_reference.is_some() && which != AnswerOf::Inquiry {
        return Err(
            "`provider_reference` is what answers to an inquiry are compared with, and no other"
                .to_owned(),
        );
    }
    let submitted = requests::submitted(world, case)?;
    let asked = Asked {
        reference: &submitted.reference,
        body: &submitted.body,
        theirs: case.provider_reference.as_deref(),
    };
    read(world.profile, which, &answer, Some(asked), expect)
}

/// Reads an answer and compares it with what is expected, if anything is.
pub(super) fn read(
    profile: &Profile,
    which: AnswerOf,
    answer: &Answer,
    asked: Option<Asked<'_>>,
    expect: Option<&ExpectOne>,
) -> Result<Seen, String> {
    let file = &profile.file;
    let (read, table) = match which {
        AnswerOf::Submit => (
            interpret::submission(&file.submit, answer, asked),
            "submit.outcome",
        ),
        AnswerOf::Inquiry if file.inquiry.asks() => (
            interpret::inquiry(&file.inquiry, answer, asked),
            "inquiry.outcome",
        ),
        AnswerOf::Lost => match file.lost.as_ref().filter(|lost| lost.asks()) {
            Some(lost) => (interpret::inquiry(lost, answer, asked), "lost.outcome"),
            None => return Err("the profile makes no request by [lost]".to_owned()),
        },
        AnswerOf::Inquiry => {
            return Err("the profile makes no request by [inquiry]".to_owned());
        }
    };
    let mut evidence = vec![match read.row {
        Some(row) => format!("{} by [[{table}]] row {}", said(&read.report), row + 1),
        None => format!("{} by no row of [[{table}]]", said(&read.report)),
    }];
    evidence.extend(beside(&read.report));
    Ok(Seen {
        evidence,
        differences: expect.map_or_else(Vec::new, |expect| differences(expect, &read.report)),
        rows: read.row.map(|row| (table, row)).into_iter().collect(),
        form: None,
    })
}

/// A finding and why, in words.
fn said(report: &Report) -> String {
    match &report.finding {
        Finding::Unclear { why } | Finding::NotExecuted { why, .. } => {
            format!("{}: {why};", report.finding.as_str())
        }
        finding @ (Finding::Completed
        | Finding::Declined
        | Finding::Pending
        | Finding::NotFound) => finding.as_str().to_owned(),
    }
}

/// What a report says beside its finding, a line each.
pub(super) fn beside(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(word) = &report.word {
        lines.push(format!("word {word:?}"));
    }
    if let Some(reference) = &report.provider_reference {
        lines.push(format!("provider reference {reference:?}"));
    }
    if let Some(amount) = &report.amount {
        lines.push(format!("amount {}", amount_told(amount)));
    }
    if let Some(wait) = asked_to_wait_s(report) {
        lines.push(format!("asks to wait {wait} s"));
    }
    lines
}

/// An amount in words.
pub(super) fn amount_told(amount: &ReportedAmount) -> String {
    match amount {
        ReportedAmount::Read(amount) => format!("{} {}", amount.value, amount.currency),
        ReportedAmount::Unreadable { text } => format!("that can't be read: {text:?}"),
    }
}

fn asked_to_wait_s(report: &Report) -> Option<u64> {
    match &report.finding {
        Finding::NotExecuted { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
        Finding::Completed
        | Finding::Declined
        | Finding::Pending
        | Finding::NotFound
        | Finding::Unclear { .. } => None,
    }
}

fn differences(expect: &ExpectOne, report: &Report) -> Vec<String> {
    let mut found = Differences::default();
    if let Some(expected) = expect.finding
        && expected.as_str() != report.finding.as_str()
    {
        found.differ(
            "finding",
            expected.as_str(),
            said(report).trim_end_matches(';'),
        );
    }
    found.same("word", expect.word.as_ref(), report.word.as_ref());
    found.same(
        "provider_reference",
        expect.provider_reference.as_ref(),
        report.provider_reference.as_ref(),
    );
    if let Some(expected) = &expect.amount {
        match &report.amount {
            Some(came) if expected.is(came) => {}
            came => found.differ(
                "amount",
                amount_told(&ReportedAmount::Read(expected.amount())),
                came.as_ref().map_or("none".to_owned(), amount_told),
            ),
        }
    }
    found.same(
        "retry_after_s",
        expect.retry_after_s.map(|wait| wait.to_string()),
        asked_to_wait_s(report).map(|wait| wait.to_string()),
    );
    found.told()
}
