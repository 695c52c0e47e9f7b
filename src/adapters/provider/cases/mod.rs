//! Recorded cases: what teller would send to a provider, and how it would read what the provider
//! says, shown and compared with what is expected. Nothing is sent.
//!
//! ```text
//!   [[case]] request = …  ──▶ forms, auth ──▶ the request, credentials included ──┐
//!   [[case]] answer = …   ──▶ interpret ───▶ the report and the row behind it ────┼─▶ compared ──▶ CaseReport
//!   [[case]] webhook = …  ──▶ sign? ──▶ webhook::Reader ──▶ its events ───────────┘
//! ```
//!
//! What holds here: the code that reads is the code that runs; only the sockets are missing.

mod answers;
mod compare;
mod format;
mod kind;
mod report;
mod requests;
mod sign;
mod webhooks;
mod world;

use toml::Spanned;

use super::client::Answer;
use super::problem::ProfileProblem;
use super::profile::Profile;
use super::told;
use format::{Case, CaseFile};
use kind::Kind;
use report::Seen;
use world::World;

pub use format::AnswerOf;
pub use report::{CaseReport, CaseResult, Coverage, Verdict};

/// Cases of one file, at most: far more than any provider has words.
const CASES_MAX: usize = 1_000;

/// Runs the cases that `text` describes with a profile. `origin` names the file in messages.
///
/// # Errors
/// [`ProfileProblem`] with the line, if the file can't be read, or a case makes no sense with the
/// profile. A case that comes otherwise than expected is no error.
pub fn run(profile: &Profile, text: &str, origin: &str) -> Result<CaseReport, ProfileProblem> {
    let file: CaseFile =
        toml::from_str(text).map_err(|error| ProfileProblem::of_toml(origin, text, &error))?;
    if file.cases.len() > CASES_MAX {
        let what = format!("a file has {CASES_MAX} cases at most");
        return Err(ProfileProblem::whole(origin, what));
    }
    let world = World::new(profile, &file).map_err(|what| ProfileProblem::whole(origin, what))?;
    let mut cases = Vec::with_capacity(file.cases.len());
    let mut covered = Covered::of(profile);
    for case in &file.cases {
        let name = &case.get_ref().name;
        let at = |what: String| {
            ProfileProblem::at(origin, text, &case.span(), format!("case {name:?}: {what}"))
        };
        let seen = run_one(&world, case.get_ref()).map_err(at)?;
        covered.count(&seen);
        cases.push(result(case, text, seen));
    }
    Ok(CaseReport {
        profile: profile.name().to_owned(),
        about: file.about,
        cases,
        rows: covered.rows.into_iter().map(|row| row.coverage).collect(),
        forms: covered.forms.into_iter().map(|(_, form)| form).collect(),
    })
}

/// How one answer would be read, without a file of cases. It is read as one about the attempt that it
/// names, whichever that is.
///
/// # Errors
/// The profile has no such answer.
pub fn read_answer(
    profile: &Profile,
    which: AnswerOf,
    status: u16,
    body: &[u8],
) -> Result<Vec<String>, ProfileProblem> {
    let answer = Answer {
        status,
        retry_after: None,
        body: body.to_vec().into(),
    };
    answers::read(profile, which, &answer, None, None)
        .map(|seen| seen.evidence)
        .map_err(|what| ProfileProblem::whole(&profile.origin, what))
}

fn run_one(world: &World<'_>, case: &Case) -> Result<Seen, String> {
    match Kind::of(case)? {
        Kind::Request(which, expect) => requests::run(world, case, which, expect),
        Kind::Answer(which, expect) => answers::run(world, case, which, expect),
        Kind::Webhook(expect) => webhooks::run(world, case, expect),
    }
}

fn result(case: &Spanned<Case>, text: &str, seen: Seen) -> CaseResult {
    let expects = case.get_ref().expect.is_some() || case.get_ref().acknowledged.is_some();
    CaseResult {
        name: case.get_ref().name.clone(),
        line: ProfileProblem::line(text, &case.span()),
        verdict: match (expects, seen.differences.is_empty()) {
            (false, _) => Verdict::Shown,
            (true, true) => Verdict::Ok,
            (true, false) => Verdict::Differs,
        },
        evidence: seen.evidence,
        differences: seen.differences,
    }
}

/// What the cases are about, counted.
struct Covered {
    rows: Vec<CoveredRow>,
    forms: Vec<(&'static str, Coverage)>,
}

struct CoveredRow {
    table: &'static str,
    row: usize,
    coverage: Coverage,
}

impl Covered {
    fn of(profile: &Profile) -> Self {
        let file = &profile.file;
        let rows = told::tables(file).into_iter().flat_map(|table| {
            let name = table.name;
            table
                .rows
                .into_iter()
                .enumerate()
                .map(move |(row, told)| CoveredRow {
                    table: name,
                    row,
                    coverage: Coverage {
                        what: format!(
                            "[[{name}]] row {}: {} means {}",
                            row + 1,
                            told.condition,
                            told.word
                        ),
                        hits: 0,
                    },
                })
        });
        let lost = file.lost.as_ref();
        let forms = [
            ("submit", true),
            ("inquiry", file.inquiry.asks()),
            ("lost", lost.is_some_and(super::profile::Inquiry::asks)),
        ];
        let forms = forms.into_iter().filter(|(_, is_request)| *is_request);
        Self {
            rows: rows.collect(),
            forms: forms
                .map(|(name, _)| {
                    let what = format!("the request of [{name}]");
                    (name, Coverage { what, hits: 0 })
                })
                .collect(),
        }
    }

    fn count(&mut self, seen: &Seen) {
        for row in &mut self.rows {
            let mine = |hit: &&(&str, usize)| hit.0 == row.table && hit.1 == row.row;
            row.coverage.hits += seen.rows.iter().filter(mine).count();
        }
        for (name, form) in &mut self.forms {
            form.hits += usize::from(seen.form == Some(*name));
        }
    }
}
