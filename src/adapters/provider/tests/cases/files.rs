//! What a file of cases can say, and what it leaves out.

use super::{SET_UP, whole};
use crate::adapters::provider::Verdict;
use crate::adapters::provider::cases::run;

#[test]
fn mistakes_in_a_file_of_cases_are_named_with_their_line() {
    let begin = SET_UP.lines().count() + 1;
    for (case, line, expected) in [
        ("anser = \"submit\"", 2, "did you mean `answer`?"),
        ("answer = \"submitt\"", 2, "did you mean `submit`?"),
        ("answer = \"submit\"", 0, "`status` is missing"),
        (
            "answer = \"submit\"\nstatus = 200\nsign = \"hook\"",
            0,
            "`sign` doesn't belong to an answer",
        ),
        (
            "answer = \"submit\"\nstatus = 200\nexpect = { word = \"x\" }",
            0,
            "`finding` is missing",
        ),
        (
            "answer = \"submit\"\nstatus = 200\nexpect = [{ trusted = true }]",
            0,
            "a table, not a list",
        ),
        (
            "answer = \"submit\"\nstatus = 200\nexpect = { finding = \"complete\" }",
            4,
            "did you mean `completed`?",
        ),
        ("request = \"submit\"\nexpect = { }", 0, "`expect` is empty"),
        (
            "request = \"submit\"\nexpect = { finding = \"completed\" }",
            0,
            "`finding` doesn't belong",
        ),
        (
            "request = \"inquiry\"",
            0,
            "`provider_reference` is missing",
        ),
        (
            "request = \"lost\"\nprovider_reference = \"x\"",
            0,
            "is for when",
        ),
        (
            "request = \"submit\"\nanswer = \"submit\"",
            0,
            "a case has one of",
        ),
        ("body = \"\"", 0, "a case has one of"),
        (
            "webhook = true\nsign = \"nosuch\"",
            0,
            "there is no secret \"nosuch\"",
        ),
        (
            "webhook = true\nexpect = { finding = \"completed\" }",
            0,
            "`finding` doesn't belong",
        ),
        (
            "webhook = true\ntoken = \"valid\"\nbody = '{}'",
            0,
            "names no transaction",
        ),
        ("request = \"submit\"\nnow = \"noon\"", 3, "now: "),
    ] {
        let text = format!("{SET_UP}[[case]]\nname = \"it\"\n{case}");
        let said = run(&whole(), &text, "cases.toml")
            .expect_err(case)
            .to_string();
        assert!(said.contains(expected), "{case:?}: {said}");
        let place = format!("cases.toml, line {}: ", begin + line);
        assert!(
            said.starts_with(&place),
            "{case:?}: expected {place}, {said}"
        );
    }
}

#[test]
fn a_file_that_gives_too_little_is_refused() {
    let cases = "\n[[case]]\nname = \"x\"\nanswer = \"submit\"\nstatus = 200";
    for (part, expected) in [
        ("environment = \"live\"", "environment is missing"),
        ("merchant = \"m1\"", "the setting \"merchant\" is missing"),
        (", hook = \"s3cret\"", "the secret \"hook\" is missing"),
        ("about = \"invented\"", "missing field `about`"),
    ] {
        let text = format!("{}{cases}", SET_UP.replace(part, ""));
        let said = run(&whole(), &text, "cases.toml")
            .expect_err(part)
            .to_string();
        assert!(said.contains(expected), "{part}: {said}");
    }
}

#[test]
fn what_no_case_is_about_is_listed() {
    let text = format!("{SET_UP}[[case]]\nname = \"it\"\nanswer = \"submit\"\nstatus = 503");
    let report = run(&whole(), &text, "cases.toml").expect("readable");
    assert_eq!(report.cases[0].verdict, Verdict::Shown);
    assert!(!report.differs());
    let missed: Vec<&str> = report.missed().map(|one| one.what.as_str()).collect();
    assert_eq!(
        missed,
        [
            "[[submit.outcome]] row 1: HTTP 200 with \"done\" at /status means completed",
            "[[inquiry.outcome]] row 1: HTTP 200 with \"done\" at /status means completed",
            "[[lost.outcome]] row 1: HTTP 404 means not_found",
            "[[webhook.outcome]] row 1: \"done\" at /state means completed",
            "[[webhook.outcome]] row 2: \"noise\" at /state means ignored",
            "the request of [submit]",
            "the request of [inquiry]",
            "the request of [lost]",
        ]
    );
}
