//! Every event in every state, written to `docs/states.md` for people who audit the laws.
//!
//! Each row is a transaction that a script led to; each column is an event. A cell is what
//! [`decide`](teller::transaction::decide) says about the pair.

use std::fmt::Write as _;

use super::cell::cell;
use super::fixture::{policy, resending, s, silent};
use super::laws::{begin, play};
use super::life::Life;
use super::snapshot;

const HEADER: &str = "\
# States

Every event in every state, as the code decides it. A test writes this page and fails when it is not
what the code does (`UPDATE_SNAPSHOTS=1 cargo test --test it states` writes it anew); do not edit it.

How to read a cell:

- **→ unknown 1**: the state that follows, with its attempt. **stays**: the same state.
- *ignored: …*: nothing changes. *duplicate* says what is known, *late* comes after the outcome, *stale*
  speaks of something that is no longer so, *uninformative* could change nothing.
- *refused: …*: somebody asked for what must not be done.
- *recorded*: a line in the history; without it only timers moved.
- *submit*, *inquire*, *ask to …*, *leave gate*, *notify*: effects, after the record is durable.
- *tell app*: the outcome is due for delivery. **conflict …**: a contradiction, shown to a person.
- *inquire in 15.17 s*: a timer that was armed or moved. Other timers keep their time.
- *call home*: our own call came back, and nothing else changed.

The numbers are those of the reference provider: sent at second 0, ghost window 120 s and a margin of
1 s, six gaps. Each attempt has a reference of its own.

";

/// A row: a name, and the script that leads to it.
struct Row {
    name: &'static str,
    life: Life,
}

const FIRST_UNKNOWN: &str = "30 answer unclear => unknown 1\n";
const SECOND_OUT: &str = "30 answer unclear => unknown 1
    121 asks => unknown 1
    121 report not_found => backing off 1
    121 permit => submitting 2\n";
const FAILED: &str = "121 asks => unknown 1
    121 report not_found => failed\n";
const TOLD: &str = "200 timer notify => STATE
    200 told ok => STATE\n";

fn rows() -> Vec<Row> {
    let row = |name, life, script: &str| Row {
        name,
        life: play(life, script),
    };
    let waiting = || Life::begin(1, policy(), false, false);
    let out = || begin(policy());
    let windowless = || {
        let mut policy = policy();
        policy.ghost_window = None;
        begin(policy)
    };
    let last = || {
        let mut policy = policy();
        policy.max_attempts = 1;
        begin(policy)
    };
    let told = |script: &str, state: &str| format!("{script}{}", TOLD.replace("STATE", state));
    let completed = "2 answer completed => completed\n";
    let declined = "2 answer declined => declined\n";
    let absent = format!("{FIRST_UNKNOWN}{FAILED}");
    let disputed = told(completed, "completed") + "201 webhook declined => completed";
    let second = |rest: &str| format!("{SECOND_OUT}{rest}");
    vec![
        row("accepted", waiting(), ""),
        row("submitting 1", out(), ""),
        row("submitting 2", out(), SECOND_OUT),
        row("pending 1", out(), "5 answer pending => pending 1"),
        row("unknown 1, window open", out(), FIRST_UNKNOWN),
        row(
            "unknown 1, window over",
            out(),
            &format!("{FIRST_UNKNOWN}121 asks => unknown 1"),
        ),
        row(
            "unknown 1, window not declared",
            windowless(),
            &format!("{FIRST_UNKNOWN}121 asks => unknown 1"),
        ),
        row(
            "unknown 2, window open",
            out(),
            &second("151 answer unclear => unknown 2"),
        ),
        row(
            "backing off 1, waiting",
            out(),
            "1 answer not_executed => backing off 1",
        ),
        row(
            "backing off 1, at the gate",
            out(),
            "30 answer unclear => unknown 1
             121 asks => unknown 1
             121 report not_found => backing off 1",
        ),
        row(
            "in review, window over",
            out(),
            &format!(
                "{FIRST_UNKNOWN}3630 timer review => in review
                 4230 asks => in review"
            ),
        ),
        row(
            "in review, provider had it",
            out(),
            "5 answer pending => pending 1
             3605 timer review => in review
             4205 asks => in review",
        ),
        row(
            "in review, window not declared",
            windowless(),
            &format!(
                "{FIRST_UNKNOWN}3630 timer review => in review
                 4230 asks => in review"
            ),
        ),
        row(
            "unknown 1, asked by resending",
            begin(resending(policy(), s(3_600))),
            FIRST_UNKNOWN,
        ),
        row(
            "unknown 1, sent again",
            begin(resending(policy(), s(3_600))),
            &format!("{FIRST_UNKNOWN}45 asks => unknown 1"),
        ),
        row(
            "unknown 1, too late to send again",
            begin(resending(policy(), s(31))),
            &format!("{FIRST_UNKNOWN}45 timer inquire => unknown 1"),
        ),
        row(
            "in review, never asked",
            begin(silent(policy())),
            &format!("{FIRST_UNKNOWN}3630 timer review => in review"),
        ),
        row(
            "in review, another amount",
            out(),
            "2 webhook completed paying 999 => in review of its amount",
        ),
        row(
            "in review, another amount, attempt 2 out",
            out(),
            &second("122 webhook 1 completed paying 999 => in review of its amount"),
        ),
        row("completed 1, app not told", out(), completed),
        row(
            "completed 1, its call still out",
            out(),
            "2 webhook completed => completed",
        ),
        row(
            "completed 1, app told",
            out(),
            &told(completed, "completed"),
        ),
        row(
            "completed 2, app told",
            out(),
            &second(&told("124 answer completed => completed\n", "completed")),
        ),
        row("completed 1, disputed", out(), &disputed),
        row("declined 1, app told", out(), &told(declined, "declined")),
        row(
            "failed by absence, app told",
            last(),
            &told(&absent, "failed"),
        ),
        row(
            "failed by a person, app told",
            out(),
            &told(
                &format!("{FIRST_UNKNOWN}130 act resolve failed => failed\n"),
                "failed",
            ),
        ),
    ]
}

/// One table: an event in its variants, for the rows where it makes sense.
struct Section {
    title: &'static str,
    note: &'static str,
    applies: fn(&Life) -> bool,
    columns: Vec<(String, String)>,
}

fn sections() -> Vec<Section> {
    let any = |_: &Life| true;
    let sent = |life: &Life| life.transaction.attempt_no() > 0;
    let twice = |life: &Life| life.transaction.attempt_no() > 1;
    let section = |title, note, applies, columns| Section {
        title,
        note,
        applies,
        columns,
    };
    let mut reports = findings("report");
    reports.push((
        "not found, asked before the window's end".to_owned(),
        "report not_found sent 1".to_owned(),
    ));
    vec![
        section(
            "The answer to the submission",
            "Of the last attempt.",
            sent,
            findings("answer"),
        ),
        section(
            "A late answer",
            "Of attempt 1 while attempt 2 is the last one.",
            twice,
            findings("answer 1"),
        ),
        section(
            "A status report",
            "About the last attempt, asked for now.",
            sent,
            reports,
        ),
        section(
            "The answer to a request that was sent again",
            "Of the last attempt, sent again now.",
            sent,
            findings("resent"),
        ),
        section(
            "A late status report",
            "About attempt 1 while attempt 2 is the last one.",
            twice,
            findings("report 1"),
        ),
        section(
            "A trusted webhook",
            "It names no attempt.",
            any,
            findings("webhook"),
        ),
        section(
            "A trusted webhook about attempt 1",
            "Attempt 2 is the last one.",
            twice,
            findings("webhook 1"),
        ),
        section(
            "Timers",
            "Each at the moment for which it is armed; where it is not armed, now.",
            any,
            named(&TIMERS),
        ),
        section(
            "The gate, and hints",
            "A permit comes to those who asked, or too late.",
            any,
            named(&GATE),
        ),
        section("People and apps act", "", any, named(&ACTS)),
        section(
            "The app is told",
            "Of the version that is due.",
            any,
            named(&TOLD_RESULTS),
        ),
        section("The process", "", any, named(&PROCESS)),
    ]
}

const FINDINGS: [&str; 6] = [
    "completed",
    "declined",
    "pending",
    "not_found",
    "not_executed",
    "unclear",
];
const TIMERS: [(&str, &str); 8] = [
    ("submit", "timer submit"),
    ("expire", "timer expire"),
    ("submission overdue", "timer submission_overdue"),
    ("inquire", "timer inquire"),
    ("inquiry overdue", "timer inquiry_overdue"),
    ("review", "timer review"),
    ("notify", "timer notify"),
    ("notify overdue", "timer notify_overdue"),
];
const GATE: [(&str, &str); 5] = [
    ("submission permitted", "permit"),
    (
        "submission permitted at another provider",
        "permit at other",
    ),
    ("submission unrenderable", "unrenderable"),
    ("inquiry permitted", "inquiry permit"),
    ("untrusted webhook", "hint"),
];
const ACTS: [(&str, &str); 8] = [
    ("cancel", "act cancel"),
    ("inquire", "act inquire"),
    ("resubmit", "act resubmit"),
    ("redeliver", "act redeliver"),
    ("resolve as completed", "act resolve completed"),
    ("resolve as failed", "act resolve failed"),
    (
        "resolve as failed, while open",
        "act resolve failed while_open",
    ),
    ("any, having seen another version", "act inquire seen 99"),
];
const TOLD_RESULTS: [(&str, &str); 5] = [
    ("acknowledged", "told ok"),
    ("failed", "told badly"),
    ("gone", "told gone"),
    ("disabled", "told disabled"),
    ("an older version acknowledged", "told ok version 1"),
];
const PROCESS: [(&str, &str); 2] = [("recovered", "recovered"), ("stopping", "stopping")];

fn findings(event: &str) -> Vec<(String, String)> {
    let column = |finding: &str| (finding.replace('_', " "), format!("{event} {finding}"));
    let mut columns: Vec<_> = FINDINGS.into_iter().map(column).collect();
    let other = format!("{event} completed paying 999");
    columns.insert(1, ("completed, another amount".to_owned(), other));
    columns
}

fn named(columns: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, words): &(&str, &str)| ((*name).to_owned(), (*words).to_owned());
    columns.iter().map(owned).collect()
}

fn text(rows: &[Row]) -> String {
    let mut text = HEADER.to_owned();
    for section in sections() {
        let columns = || section.columns.iter();
        let names: Vec<&str> = columns().map(|(name, _)| name.as_str()).collect();
        let rule = "|---".repeat(names.len() + 1);
        let _ = write!(text, "## {}\n\n", section.title);
        if !section.note.is_empty() {
            let _ = write!(text, "{}\n\n", section.note);
        }
        let _ = writeln!(text, "| | {} |\n{rule}|", names.join(" | "));
        for row in rows.iter().filter(|row| (section.applies)(&row.life)) {
            let cells: Vec<String> = columns().map(|(_, words)| cell(&row.life, words)).collect();
            let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

#[test]
fn states_are_what_the_page_says() {
    snapshot::assert_is_current("docs/states.md", &text(&rows()));
}

#[test]
fn every_state_has_a_row() {
    let rows = rows();
    let names = [
        "accepted",
        "submitting",
        "pending",
        "unknown",
        "backing_off",
        "in_review",
        "completed",
        "declined",
        "failed",
    ];
    for name in names {
        let has = |row: &Row| row.life.transaction.state.name() == name;
        assert!(rows.iter().any(has), "no row is in the state {name}");
    }
}
