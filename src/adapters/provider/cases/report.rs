//! What came of a file of recorded cases.

use serde::Serialize;

/// What came of all cases of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CaseReport {
    /// The provider's name.
    pub profile: String,
    /// Where the recordings come from, as the file says.
    pub about: String,
    /// The cases, in their order.
    pub cases: Vec<CaseResult>,
    /// Every row of the profile's outcome tables, and how many cases it decided.
    pub rows: Vec<Coverage>,
    /// Every request that the profile can make, and how many cases make it.
    pub forms: Vec<Coverage>,
}

impl CaseReport {
    /// Whether anything came that was not expected.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.cases
            .iter()
            .any(|case| case.verdict == Verdict::Differs)
    }

    /// The rows and requests that no case is about.
    pub fn missed(&self) -> impl Iterator<Item = &Coverage> {
        let all = self.rows.iter().chain(&self.forms);
        all.filter(|one| one.hits == 0)
    }
}

/// What came of one case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// Where it begins in its file, counted from 1.
    pub line: usize,
    /// Whether it came as expected.
    pub verdict: Verdict,
    /// What came, in plain words.
    pub evidence: Vec<String>,
    /// What was expected and what came instead.
    pub differences: Vec<String>,
}

/// Whether a case came as expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As expected.
    Ok,
    /// Otherwise.
    Differs,
    /// Nothing was expected: it is only shown.
    Shown,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Differs => "differs",
            Self::Shown => "shown",
        }
    }
}

/// A part of a profile, and how many cases are about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Coverage {
    /// The part: `submit.outcome, row 2: HTTP 429 → not_executed`.
    pub what: String,
    /// The cases.
    pub hits: usize,
}

/// What one case brought, before it is put into the report.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) evidence: Vec<String>,
    pub(super) differences: Vec<String>,
    /// The table, and the rows of it that decided, from 0.
    pub(super) rows: Vec<(&'static str, usize)>,
    /// The request that was made.
    pub(super) form: Option<&'static str>,
}
