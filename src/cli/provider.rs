//! `teller provider`: tries a profile without sending anything.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::FAILED;
use crate::adapters::provider::{
    AnswerOf, CaseReport, CaseResult, Profile, Verdict, read_answer, run_cases,
};

#[derive(Args)]
pub(super) struct ProviderArguments {
    #[command(subcommand)]
    command: ProviderCommand,
}

#[derive(Subcommand)]
enum ProviderCommand {
    /// Show what a profile would send, and how it would read recorded answers and webhooks. Nothing
    /// is sent.
    Try(TryArguments),
}

#[derive(Args)]
struct TryArguments {
    /// The profile's file.
    profile: PathBuf,
    /// The file of recorded cases.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "answer",
        conflicts_with = "answer"
    )]
    case: Option<PathBuf>,
    /// Instead of a file of cases: read one answer to this call.
    #[arg(long, value_enum, requires = "status")]
    answer: Option<AnswerTo>,
    /// The HTTP status of that answer.
    #[arg(long, requires = "answer")]
    status: Option<u16>,
    /// The file with its body; without one it has none.
    #[arg(long, value_name = "FILE", requires = "answer")]
    body_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which call was answered.
#[derive(Clone, Copy, ValueEnum)]
enum AnswerTo {
    /// The submission.
    Submit,
    /// The inquiry.
    Inquiry,
    /// The inquiry while the provider's own id is not known.
    Lost,
}

pub(super) fn provider(arguments: &ProviderArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        ProviderCommand::Try(arguments) => try_profile(arguments),
    }
}

fn try_profile(arguments: &TryArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.profile;
    let profile = Profile::parse(&read(path)?, &path.display().to_string())?;
    let mut out = std::io::stdout();
    if let Some(cases) = &arguments.case {
        let report = run_cases(&profile, &read(cases)?, &cases.display().to_string())?;
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            write!(out, "{}", told(&report))?;
        }
        return Ok(if report.differs() {
            ExitCode::from(FAILED)
        } else {
            ExitCode::SUCCESS
        });
    }
    let body = match &arguments.body_file {
        Some(file) => std::fs::read(file).with_context(|| unreadable(file))?,
        None => Vec::new(),
    };
    let which = match arguments.answer {
        Some(AnswerTo::Inquiry) => AnswerOf::Inquiry,
        Some(AnswerTo::Lost) => AnswerOf::Lost,
        Some(AnswerTo::Submit) | None => AnswerOf::Submit,
    };
    let status = arguments.status.unwrap_or_default();
    let evidence = read_answer(&profile, which, status, &body)?;
    if arguments.json {
        let evidence = serde_json::json!({ "evidence": evidence });
        writeln!(out, "{evidence:#}")?;
    } else {
        writeln!(out, "{}", evidence.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| unreadable(path))
}

fn unreadable(path: &Path) -> String {
    format!("{} can't be read", path.display())
}

/// A report for people.
fn told(report: &CaseReport) -> String {
    let mut text = String::new();
    for case in &report.cases {
        text.push_str(&told_case(case));
    }
    text.push('\n');
    let missed: Vec<String> = report
        .missed()
        .map(|one| format!("no case is about {}\n", one.what))
        .collect();
    text.push_str(&missed.concat());
    let count = |verdict| {
        let cases = report.cases.iter();
        cases.filter(|case| case.verdict == verdict).count()
    };
    text.push_str(&format!(
        "{}: {} cases: {} ok, {} differ, {} only shown\n",
        report.profile,
        report.cases.len(),
        count(Verdict::Ok),
        count(Verdict::Differs),
        count(Verdict::Shown)
    ));
    text
}

fn told_case(case: &CaseResult) -> String {
    let mut text = format!("{:<8} {}\n", case.verdict.as_str(), case.name);
    for line in &case.evidence {
        text.push_str(&format!("           {line}\n"));
    }
    for line in &case.differences {
        text.push_str(&format!("         ! {line}\n"));
    }
    text
}
