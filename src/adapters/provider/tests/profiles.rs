//! Mistakes in profiles, and how they are reported.

use super::support::{REFERENCE, reference_with, set_up, settings};
use crate::adapters::provider::{Profile, Secret, Settings};

fn complaint(text: &str) -> String {
    Profile::parse(text, "acme.toml")
        .expect_err("the profile has a mistake")
        .to_string()
}

/// The line on which `what` first stands in the reference profile.
fn line_of(what: &str) -> usize {
    let at = REFERENCE.find(what).expect("it stands there");
    1 + REFERENCE[..at].matches('\n').count()
}

#[test]
fn every_mistake_is_reported_with_its_line_and_what_was_expected() {
    for (old, new, expected) in [
        ("window = ", "windw = ", "unknown field `windw`"),
        ("window = ", "windw = ", "did you mean `window`?"),
        ("[inquiry]", "[inquiri]", "did you mean `inquiry`?"),
        (
            "means = \"pending\"",
            "means = \"pendign\"",
            "did you mean `pending`?",
        ),
        (
            "trust = \"token\"",
            "trust = \"tokens\"",
            "did you mean `token`?",
        ),
        (
            "window = \"120s\"",
            "window = \"120\"",
            "expected a duration such as",
        ),
        (
            "window = \"120s\"",
            "window = 120",
            "invalid type: integer `120`",
        ),
        (
            "time_out = \"35s\"",
            "time_out = \"35 s\"",
            "expected a duration",
        ),
        (
            "status = 404",
            "status = 99",
            "expected an HTTP status from 200 to 599",
        ),
        (
            "status = 404",
            "status = \"6xx\"",
            "a class such as \"5xx\"",
        ),
        ("id = \"/id\"", "id = \"id\"", "expected a JSON pointer"),
        (
            "max_attempts = 10",
            "max_attempts = 0",
            "expected a number from 1",
        ),
        (
            "inquiries_per_second = 5.0",
            "inquiries_per_second = 0.0",
            "above zero",
        ),
        (
            "pending = [\"5s\", \"5s\", \"10s\", \"20s\", \"30s\", \"60s\"]",
            "pending = []",
            "at least one wait",
        ),
        (
            "backoff = [\"1s\",",
            "backoff = [\"0s\",",
            "longer than zero",
        ),
        (
            "review_after = \"1h\"",
            "review_after = \"0s\"",
            "review_after has to be longer than zero",
        ),
        (
            "review_after = \"1h\"",
            "pending_review_after = \"0s\"",
            "pending_review_after has to be longer than zero",
        ),
        (
            "name = \"reference\"",
            "name = \"The Bank\"",
            "a-z, 0-9, '-' and '_'",
        ),
        (
            "base_url = \"http://",
            "base_url = \"ftp://",
            "expected a URL such as",
        ),
        (
            "method = \"POST\"",
            "method = \"GET\"",
            "unknown variant `GET`",
        ),
        (
            "path = \"/transaction\"",
            "path = \"transaction\"",
            "a path begins with '/'",
        ),
        (
            "attempt.reference }}\"\n# It answers",
            "attempt.refrence }}\"\n# It answers",
            "did you mean `attempt.reference`?",
        ),
        (
            "'webhookUrl': webhook_url",
            "'webhookUrl': webhok_url",
            "did you mean `webhook_url`?",
        ),
        ("webhook_url}) }}", "webhook_url})", "syntax error"),
    ] {
        let said = complaint(&reference_with(old, new));
        assert!(said.contains(expected), "{old:?} → {new:?}: {said}");
        let line = line_of(old);
        assert!(
            said.starts_with(&format!("acme.toml, line {line}: ")),
            "line {line} expected: {said}"
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    let said = complaint(&reference_with("name = \"reference\"", ""));
    assert!(said.contains("missing field `name`"), "{said}");
    let said = complaint(&reference_with("max_attempts = 10", ""));
    assert!(said.contains("missing field `max_attempts`"), "{said}");
    let said = complaint("name = ");
    assert!(said.starts_with("acme.toml, line 1: "), "{said}");
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    for (old, new, expected) in [
        (
            "at = \"/status\"\nword = \"completed\"",
            "at = \"/status\"",
            "`at` goes together with `word`",
        ),
        (
            "inquiry_gaps = 6",
            "inquiry_gaps = 101",
            "inquiry_gaps is 100 at most",
        ),
        (
            "connect_time_out = \"5s\"",
            "connect_time_out = \"35s\"",
            "[submit]: connect_time_out",
        ),
        (
            "[submit]",
            "[submit]\nheaders = { Content-Length = '1' }",
            "sets the header content-length itself",
        ),
        (
            "[submit]",
            "[submit]\nheaders = { 'a b' = '1' }",
            "is no header name",
        ),
    ] {
        let said = complaint(&reference_with(old, new));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn keys_that_do_not_go_together_are_reported_with_their_line_table_and_key() {
    for (old, new, place, expected) in [
        (
            "connect_time_out = \"5s\"",
            "connect_time_out = \"35s\"",
            "connect_time_out = \"5s\"",
            "[submit]: connect_time_out is a part of time_out",
        ),
        (
            "inquiry_gaps = 6",
            "inquiry_gaps = 101",
            "inquiry_gaps = 6",
            "[schedule]: inquiry_gaps is 100 at most",
        ),
        (
            "path = \"/transaction/{{ attempt.reference }}\"",
            "",
            "method = \"GET\"",
            "[inquiry]: method = \"GET\" needs path",
        ),
        (
            "trust = \"token\"\nid = \"/id\"",
            "trust = \"hint\"",
            "[webhook]",
            "[webhook]: id (our reference)",
        ),
        (
            "trust = \"token\"",
            "trust = \"signed\"",
            "trust = \"token\"",
            "[webhook]: trust = \"signed\" needs [webhook.signature]",
        ),
        (
            "[[submit.outcome]]\nstatus = [429, 503]",
            "[[submit.outcome]]\nat = \"/x\"\nstatus = [429, 503]",
            "[[submit.outcome]]\nstatus = [429, 503]",
            "[[submit.outcome]] row 4: `at` goes together",
        ),
    ] {
        let said = complaint(&reference_with(old, new));
        let expected = format!("acme.toml, line {}: {expected}", line_of(place));
        assert!(said.starts_with(&expected), "{expected}: {said}");
    }
}

#[test]
fn a_value_is_named_by_its_table_and_key_however_the_table_is_written() {
    let ghost = "[ghost]\n";
    let table = &REFERENCE[REFERENCE.find(ghost).expect("it stands there")..];
    let table = &table[..table.find("[schedule]").expect("it stands there")];
    let inline = format!(
        "ghost = {{ window = \"120\", on_absence = \"resubmit\", max_attempts = 1 }}\n{}",
        REFERENCE.replace(table, "")
    );
    let said = complaint(&inline);
    let expected = "acme.toml, line 1: [ghost] window: expected a duration such as";
    assert!(said.starts_with(expected), "{said}");
    for (old, new, expected) in [
        (
            "window = \"120s\"",
            "window = \"120\"",
            "[ghost] window: expected a duration",
        ),
        (
            "retry = [\"15s\",",
            "retry = [\"15\",",
            "[schedule] retry: expected a duration",
        ),
        (
            "status = 404",
            "status = 99",
            "[[inquiry.outcome]] row 4, status: invalid value",
        ),
        ("window = ", "windw = ", "[ghost]: unknown field `windw`"),
        (
            "name = \"reference\"",
            "name = \"A\"",
            "name: a provider's name has",
        ),
    ] {
        let said = complaint(&reference_with(old, new));
        let expected = format!("acme.toml, line {}: {expected}", line_of(old));
        assert!(said.starts_with(&expected), "{expected}: {said}");
    }
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    type Change = fn(&mut Settings);
    let base = "http://127.0.0.1:9";
    let cases: [(Change, &str); 6] = [
        (|s| s.token_secrets.clear(), "a token secret is needed"),
        (
            |s| s.token_secrets.push(Secret::new("short")),
            "token secret number 2 is shorter than 16",
        ),
        (|s| s.time_scale = 0.0, "the time scale lies between"),
        (
            |s| s.public_url = "teller.example.com".to_owned(),
            "public_url: expected a URL",
        ),
        (
            |s| s.base_url = Some("nowhere".to_owned()),
            "base_url: expected a URL",
        ),
        (
            |s| s.base_url = Some("http://me:pw@h/".to_owned()),
            "base_url: expected a URL",
        ),
    ];
    for (change, expected) in cases {
        let mut settings = settings(base);
        change(&mut settings);
        let said = set_up(REFERENCE, settings)
            .expect_err("refused")
            .to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_hash_follows_the_content_and_not_its_looks() {
    let hash = |text: &str| Profile::parse(text, "x").expect("legal").hash();
    let original = hash(REFERENCE);
    assert_eq!(original, hash(&REFERENCE.replace("# ", "#  ")));
    assert_eq!(
        original,
        hash(&reference_with("margin = \"1s\"", "margin   = '1s'"))
    );
    assert_ne!(
        original,
        hash(&reference_with("margin = \"1s\"", "margin = \"2s\""))
    );
    assert_eq!(original.len(), 64);
}

#[test]
fn a_short_profile_has_careful_defaults() {
    let text = r#"
        name = "short"
        base_url = "https://api.example.com/v1/"
        reference = "attempt"
        [submit]
        method = "PUT"
        path = "/pay/{{ attempt.reference }}"
        body = "{}"
        time_out = "20s"
        outcome = [{ status = 202, means = "pending" }]
        [inquiry]
        method = "GET"
        path = "/pay/{{ attempt.reference }}"
        outcome = [{ status = 200, at = "/state", word = "DONE", means = "completed" }]
        [ghost]
        on_absence = "fail"
        max_attempts = 1
    "#;
    let mut settings = settings("https://api.example.com/v1/");
    settings.base_url = None;
    let provider = set_up(text, settings).expect("legal");
    let policy = crate::ports::Provider::policy(&provider);
    // No window is stated, so absence is never proven (law 3), and nothing is sent again (law 2).
    assert_eq!(policy.ghost_window, None);
    assert_eq!(policy.resend_safe_for, None);
    let limits = crate::ports::Provider::limits(&provider);
    assert!((limits.inquiries_per_second - 1.0).abs() < f64::EPSILON);
}
