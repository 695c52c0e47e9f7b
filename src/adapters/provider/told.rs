//! Parts of a profile in plain words, as recorded cases, explanations and cautions all say them.

use std::fmt::Display;
use std::time::Duration;

use super::outcome::{
    AnswerMeaning, Condition, EventMeaning, OneOrMany, Pattern, Pointer, ReportMeaning, Row,
    StatusMatch, Word,
};
use super::profile::ProfileFile;

/// What a row can mean.
pub(super) trait Meaning: Copy {
    /// The profile's word for it.
    fn word(self) -> &'static str;
    /// What follows, as the end of a sentence.
    fn told(self) -> &'static str;
}

impl Meaning for AnswerMeaning {
    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Pending => "pending",
            Self::NotExecuted => "not_executed",
            Self::Unknown => "unknown",
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Completed => "it was executed",
            Self::Declined => "it was refused, and no money moved",
            Self::Pending => "the provider has it and has not decided",
            Self::NotExecuted => "it was surely not executed; the next attempt follows",
            Self::Unknown => "nobody knows; teller finds out",
        }
    }
}

impl Meaning for ReportMeaning {
    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Pending => "pending",
            Self::NotFound => "not_found",
            Self::Unknown => "unknown",
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Completed => "it was executed",
            Self::Declined => "it was refused, and no money moved",
            Self::Pending => "the provider has it and has not decided",
            Self::NotFound => "the provider doesn't know it",
            Self::Unknown => "nobody knows; teller asks again",
        }
    }
}

impl Meaning for EventMeaning {
    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Ignored => "ignored",
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Completed => "it was executed",
            Self::Declined => "it was refused, and no money moved",
            Self::Pending => "the provider has it and has not decided",
            Self::Unknown => "it tells nothing",
            Self::Ignored => "it is about something else, and is acknowledged and forgotten",
        }
    }
}

/// When a row fits: `HTTP 200 with "completed" at /status`.
pub(super) fn condition<M>(row: &Row<M>) -> String {
    let mut said = Vec::new();
    if let Some(at) = &row.at {
        said.push(place(at, row.word.as_ref(), row.pattern.as_ref()));
    }
    let further = |one: &Condition| place(&one.at, one.word.as_ref(), one.pattern.as_ref());
    said.extend(row.also.iter().map(further));
    let said = said.join(" and ");
    match (&row.status, said.is_empty()) {
        (Some(listed), true) => statuses(listed),
        (Some(listed), false) => format!("{} with {said}", statuses(listed)),
        (None, true) => "anything".to_owned(),
        (None, false) => said,
    }
}

fn place(at: &Pointer, words: Option<&OneOrMany<Word>>, pattern: Option<&Pattern>) -> String {
    match (words, pattern) {
        (Some(words), _) => format!("{} at {at}", any_of(words.iter().map(word))),
        (None, Some(pattern)) => format!("a word like `{}` at {at}", pattern.as_str()),
        (None, None) => format!("something at {at}"),
    }
}

/// `HTTP 429 or 503`.
pub(super) fn statuses(listed: &OneOrMany<StatusMatch>) -> String {
    let one = |status: &StatusMatch| match status {
        StatusMatch::Exactly(status) => status.to_string(),
        StatusMatch::Class(class) => format!("{class}xx"),
    };
    format!("HTTP {}", any_of(listed.iter().map(one)))
}

fn word(word: &Word) -> String {
    match word {
        Word::Text(text) => format!("{text:?}"),
        Word::Number(number) => number.to_string(),
        Word::Flag(flag) => flag.to_string(),
    }
}

/// `a, b or c`.
pub(super) fn any_of<T: Display>(words: impl IntoIterator<Item = T>) -> String {
    listed(words, "or")
}

/// `a, b and c`.
pub(super) fn all_of<T: Display>(words: impl IntoIterator<Item = T>) -> String {
    listed(words, "and")
}

fn listed<T: Display>(words: impl IntoIterator<Item = T>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    match words.split_last() {
        Some((only, [])) => only.clone(),
        Some((end, others)) => format!("{} {last} {end}", others.join(", ")),
        None => String::new(),
    }
}

/// `35 s`, `2 min`, `24 h`, `30 d`: in the largest unit of which it is a whole number, but never as
/// one or less of it where the smaller unit reads as well.
pub(super) fn duration(duration: Duration) -> String {
    const UNITS: [(&str, u128); 4] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1_000),
    ];
    let millis = duration.as_millis();
    let whole =
        |(_, length): &&(&str, u128)| millis >= 2 * length && millis.is_multiple_of(*length);
    match UNITS.iter().find(whole) {
        Some((name, length)) => format!("{} {name}", millis / length),
        None if millis.is_multiple_of(1_000) => format!("{} s", millis / 1_000),
        None => format!("{millis} ms"),
    }
}

/// A table of outcomes: its name in the file, and for each row when it fits and what it means.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) rows: Vec<ToldRow>,
}

/// A row in words.
pub(super) struct ToldRow {
    pub(super) condition: String,
    pub(super) word: &'static str,
}

/// The outcome tables that a profile has.
pub(super) fn tables(file: &ProfileFile) -> Vec<Table> {
    let mut tables = vec![table("submit.outcome", &file.submit.outcome)];
    if file.inquiry.asks() {
        tables.push(table("inquiry.outcome", &file.inquiry.outcome));
    }
    if let Some(lost) = file.lost.as_ref().filter(|lost| lost.asks()) {
        tables.push(table("lost.outcome", &lost.outcome));
    }
    if let Some(webhook) = &file.webhook {
        tables.push(table("webhook.outcome", &webhook.outcome));
    }
    tables
}

fn table<M: Meaning>(name: &'static str, rows: &[Row<M>]) -> Table {
    let told = |row: &Row<M>| ToldRow {
        condition: condition(row),
        word: row.means.word(),
    };
    Table {
        name,
        rows: rows.iter().map(told).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (millis, expected) in [
            (0, "0 s"),
            (500, "500 ms"),
            (1_500, "1500 ms"),
            (1_000, "1 s"),
            (35_000, "35 s"),
            (60_000, "60 s"),
            (90_000, "90 s"),
            (120_000, "2 min"),
            (3_600_000, "60 min"),
            (86_400_000, "24 h"),
            (2_592_000_000, "30 d"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn rows_read_as_sentences() {
        #[derive(serde::Deserialize)]
        struct Rows {
            row: Vec<Row<AnswerMeaning>>,
        }
        let text = r#"row = [
            { status = [429, "5xx"], means = "not_executed" },
            { status = 200, at = "/s", word = ["a", 0, true], also = [{ at = "/c", pattern = "4.." }], means = "completed" },
        ]"#;
        let rows: Rows = toml::from_str(text).expect("legal");
        let said: Vec<String> = rows.row.iter().map(condition).collect();
        assert_eq!(
            said,
            [
                "HTTP 429 or 5xx",
                "HTTP 200 with \"a\", 0 or true at /s and a word like `4..` at /c",
            ]
        );
    }
}
