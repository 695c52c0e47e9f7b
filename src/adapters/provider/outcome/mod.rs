//! The outcome table: HTTP status × JSON pointer × word → what it means.
//!
//! Rows are tried in order and the first that fits decides. What no row fits means nothing: the
//! caller then says *unclear*, never an outcome (law 3). Words are compared exactly, case, type and
//! all, because a word that is only similar is a word that nobody has thought about.

mod pointer;
mod word;

use serde::Deserialize;
use serde_json::Value;

pub(super) use pointer::Pointer;
pub(crate) use word::OneOrMany;
pub(super) use word::{Pattern, StatusMatch, Word};

/// Characters of a provider's word that are kept for people.
const WORD_MAX_CHARS: usize = 64;
/// Rows of a table, at most: a longer one is a mistake, and each answer is held against all of them.
const ROWS_MAX: usize = 200;

/// One row. `M` is what rows of this table can mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "M: Deserialize<'de>"))]
pub(super) struct Row<M> {
    /// The HTTP statuses that it is about; left out in the table of a webhook, which has none.
    #[serde(default)]
    pub(super) status: Option<OneOrMany<StatusMatch>>,
    #[serde(default)]
    pub(super) at: Option<Pointer>,
    #[serde(default)]
    pub(super) word: Option<OneOrMany<Word>>,
    #[serde(default)]
    pub(super) pattern: Option<Pattern>,
    /// What has to be so besides.
    #[serde(default)]
    pub(super) also: Vec<Condition>,
    pub(super) means: M,
}

/// "At this place stands one of these words", or something that fits the pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub(super) at: Pointer,
    #[serde(default)]
    pub(super) word: Option<OneOrMany<Word>>,
    #[serde(default)]
    pub(super) pattern: Option<Pattern>,
}

/// What an answer to a submission can mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AnswerMeaning {
    Completed,
    Declined,
    Pending,
    NotExecuted,
    Unknown,
}

/// What a status report can mean. That something was never executed can't be among it: a report is
/// about the moment at which it is made, and only the end of the ghost window turns "not found"
/// into a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReportMeaning {
    Completed,
    Declined,
    Pending,
    NotFound,
    Unknown,
}

/// What a webhook can mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventMeaning {
    Completed,
    Declined,
    Pending,
    Unknown,
    /// It is about something else, and is acknowledged and forgotten.
    Ignored,
}

/// What the table read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Match<M> {
    /// What the row that fits means; `None` if none fits.
    pub(super) means: Option<M>,
    /// Which row that is, from 0.
    pub(super) row: Option<usize>,
    /// The provider's word that it rests on, or the first that stood where a row looked.
    pub(super) word: Option<String>,
}

/// The first row that fits. `status` is `None` for a webhook; `body` is `None` if it is not JSON: then
/// only rows without a pointer can fit.
pub(super) fn read<M: Copy>(
    rows: &[Row<M>],
    status: Option<u16>,
    body: Option<&Value>,
) -> Match<M> {
    let mut first_seen = None;
    for (at, row) in rows.iter().enumerate() {
        if !row.is_about(status) {
            continue;
        }
        let found = |place: &Pointer| body.and_then(|body| place.find(body));
        let word = row.at.as_ref().and_then(found);
        let fits = match &row.at {
            None => true,
            Some(_) => word.is_some_and(|word| is_one_of(&row.word, &row.pattern, word)),
        };
        let besides = |condition: &Condition| {
            found(&condition.at)
                .is_some_and(|found| is_one_of(&condition.word, &condition.pattern, found))
        };
        if fits && row.also.iter().all(besides) {
            return Match {
                means: Some(row.means),
                row: Some(at),
                word: word.map(shown),
            };
        }
        if first_seen.is_none() {
            first_seen = word.map(shown);
        }
    }
    Match {
        means: None,
        row: None,
        word: first_seen,
    }
}

impl<M> Row<M> {
    fn is_about(&self, status: Option<u16>) -> bool {
        match (&self.status, status) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(listed), Some(status)) => listed.iter().any(|one| one.fits(status)),
        }
    }

    fn check(&self, has_status: bool) -> Result<(), String> {
        if self.status.is_some() != has_status {
            return Err(if has_status {
                "`status` is missing: a row says which HTTP statuses it is about".to_owned()
            } else {
                "`status` doesn't belong here: a webhook has no HTTP status".to_owned()
            });
        }
        let own = self.word.is_some() || self.pattern.is_some();
        if self.at.is_some() != own {
            return Err("`at` goes together with `word` or `pattern`".to_owned());
        }
        if self.word.is_some() && self.pattern.is_some() {
            return Err("either `word` or `pattern`, not both".to_owned());
        }
        let odd = |condition: &&Condition| condition.word.is_some() == condition.pattern.is_some();
        match self.also.iter().find(odd) {
            Some(odd) => Err(format!(
                "also, at {}: needs either `word` or `pattern`",
                odd.at
            )),
            None => Ok(()),
        }
    }
}

fn is_one_of(words: &Option<OneOrMany<Word>>, pattern: &Option<Pattern>, value: &Value) -> bool {
    let word = |words: &OneOrMany<Word>| words.iter().any(|word| word.is(value));
    words.as_ref().is_some_and(word) || pattern.as_ref().is_some_and(|pattern| pattern.fits(value))
}

/// Checks what the types alone can't promise. `has_status` is false for the table of a webhook.
///
/// # Errors
/// What is wrong, and with which row, from 0, if it is one.
pub(super) fn check<M>(rows: &[Row<M>], has_status: bool) -> Result<(), (Option<usize>, String)> {
    if rows.is_empty() {
        let what = "an outcome table without rows would leave everything unclear";
        return Err((None, what.to_owned()));
    }
    if rows.len() > ROWS_MAX {
        return Err((
            None,
            format!("an outcome table has {ROWS_MAX} rows at most"),
        ));
    }
    for (at, row) in rows.iter().enumerate() {
        row.check(has_status).map_err(|what| (Some(at), what))?;
    }
    Ok(())
}

/// A value as people are shown it: a string without quotes, anything else as JSON, cut to a bound.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

/// The beginning of a text, as much as people are shown of it.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(WORD_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        row: Vec<Row<AnswerMeaning>>,
    }

    fn rows(text: &str) -> Vec<Row<AnswerMeaning>> {
        toml::from_str::<Table>(text).expect("a table").row
    }

    #[test]
    fn the_first_row_that_fits_decides() {
        let rows = rows(
            r#"
            row = [
                { status = "2xx", at = "/code", word = [0, "0"], means = "completed" },
                { status = [200, 201], at = "/code", word = 1, means = "declined" },
                { status = 200, at = "/held", word = true, means = "pending" },
                { status = ["5xx", 429], means = "not_executed" },
            ]"#,
        );
        let cases = [
            (
                200,
                json!({"code": 0}),
                Some(AnswerMeaning::Completed),
                Some("0"),
            ),
            (
                299,
                json!({"code": "0"}),
                Some(AnswerMeaning::Completed),
                Some("0"),
            ),
            (
                201,
                json!({"code": 1}),
                Some(AnswerMeaning::Declined),
                Some("1"),
            ),
            (200, json!({"code": "1"}), None, Some("1")),
            (202, json!({"code": 1}), None, Some("1")),
            (
                200,
                json!({"code": 7, "held": true}),
                Some(AnswerMeaning::Pending),
                Some("true"),
            ),
            (200, json!({"code": 0.5}), None, Some("0.5")),
            (200, json!({"other": 0}), None, None),
            (503, json!({}), Some(AnswerMeaning::NotExecuted), None),
            (429, json!(null), Some(AnswerMeaning::NotExecuted), None),
            (404, json!({"code": 0}), None, None),
        ];
        for (status, body, means, word) in cases {
            let read = read(&rows, Some(status), Some(&body));
            assert_eq!(read.means, means, "{status} {body}");
            assert_eq!(read.word.as_deref(), word, "{status} {body}");
        }
    }

    #[test]
    fn words_are_compared_exactly() {
        let rows =
            rows(r#"row = [{ status = 200, at = "/s", word = "done", means = "completed" }]"#);
        for word in [
            "Done", "done ", " done", "DONE", "donе", /* a Cyrillic letter */
        ] {
            assert_eq!(
                read(&rows, Some(200), Some(&json!({"s": word}))).means,
                None,
                "{word}"
            );
        }
    }

    #[test]
    fn a_pattern_describes_a_whole_word() {
        let rows = rows(
            r#"row = [{ status = 200, at = "/c", pattern = "R\\d\\d|lost", means = "declined" }]"#,
        );
        for (word, fits) in [
            (json!("R01"), true),
            (json!("lost"), true),
            (json!("R011"), false),
            (json!("xlost"), false),
            (json!("r01"), false),
            (json!(1), false),
            (json!(null), false),
        ] {
            let means = read(&rows, Some(200), Some(&json!({"c": word}))).means;
            assert_eq!(means.is_some(), fits, "{word}");
        }
    }

    #[test]
    fn every_further_condition_has_to_hold() {
        let rows = rows(
            r#"row = [{ status = 200, at = "/s", word = "ok", also = [{ at = "/d/s", word = [1, 2] }], means = "completed" }]"#,
        );
        for (body, fits) in [
            (json!({"s": "ok", "d": {"s": 2}}), true),
            (json!({"s": "ok", "d": {"s": 3}}), false),
            (json!({"s": "ok"}), false),
            (json!({"s": "no", "d": {"s": 1}}), false),
        ] {
            let read = read(&rows, Some(200), Some(&body));
            assert_eq!(read.row, fits.then_some(0), "{body}");
        }
    }

    #[test]
    fn rows_with_a_pointer_need_a_readable_body() {
        let rows = rows(
            r#"row = [
                { status = 503, at = "/s", word = "down", means = "pending" },
                { status = 503, means = "not_executed" },
            ]"#,
        );
        let read = read(&rows, Some(503), None);
        assert_eq!(read.means, Some(AnswerMeaning::NotExecuted));
        assert_eq!(read.row, Some(1));
    }

    #[test]
    fn long_words_are_cut() {
        let long = Value::String("x".repeat(WORD_MAX_CHARS + 1));
        assert_eq!(shown(&long).len(), WORD_MAX_CHARS);
    }

    #[test]
    fn rows_that_can_t_be_meant_are_refused() {
        for (row, expected) in [
            (
                r#"{ at = "/s", word = "x", means = "completed" }"#,
                "`status` is missing",
            ),
            (
                r#"{ status = 200, at = "/s", means = "completed" }"#,
                "`at` goes together",
            ),
            (
                r#"{ status = 200, word = "x", means = "completed" }"#,
                "`at` goes together",
            ),
            (
                r#"{ status = 200, at = "/s", word = "x", pattern = "y", means = "completed" }"#,
                "not both",
            ),
            (
                r#"{ status = 200, also = [{ at = "/s" }], means = "completed" }"#,
                "also, at /s",
            ),
        ] {
            let rows = rows(&format!("row = [{row}]"));
            let (at, said) = check(&rows, true).expect_err("refused");
            assert!(at == Some(0) && said.contains(expected), "{said}");
        }
        let with_status = rows(r#"row = [{ status = 200, means = "completed" }]"#);
        assert!(check(&with_status, false).is_err());
    }
}
