//! Recorded cases: how they are read, run and compared; and that those of every profile that is
//! shipped hold, and are about all of it.

mod files;
mod webhooks;

use std::path::Path;

use crate::adapters::provider::cases::run;
use crate::adapters::provider::{AnswerOf, CaseReport, Profile, Verdict, read_answer};

use super::support::REFERENCE;

/// A profile that has everything that cases can be about.
const WHOLE: &str = r#"
    name = "whole"
    base_url = { sandbox = "https://sandbox.example.com/v1", live = "https://api.example.com/v1" }
    reference = "attempt"
    [secrets]
    client = { about = "the client's id" }
    password = { about = "the client's secret" }
    hook = { about = "signs webhooks" }
    [settings]
    merchant = { about = "whose money it is" }
    [auth]
    kind = "oauth2"
    user = "{{ secret.client }}"
    password = "{{ secret.password }}"
    token_url = "/token"
    [auth.headers]
    x-signed = "{{ (method ~ path ~ body) | hmac_sha256(secret.password) | hex }}"
    [sealed]
    pin = "{{ secret.password | upper }}"
    [submit]
    method = "POST"
    path = "/{{ setting.merchant }}/payments"
    headers = { idempotency-key = "{{ attempt.reference }}" }
    body = '{"ref": {{ attempt.reference }}, "amount": {{ transaction.amount.value }}, "at": {{ now | timestamp("rfc3339") }}, "pin": {{ sealed.pin }}, "to": {{ payload.phone }}}'
    time_out = "20s"
    provider_reference = "/id"
    amount = { value = "/amount", currency = "/currency" }
    outcome = [
        { status = 200, at = "/status", word = "done", means = "completed" },
        { status = 503, means = "not_executed" },
    ]
    [inquiry]
    method = "GET"
    path = "/payments/{{ attempt.provider_reference }}"
    outcome = [{ status = 200, at = "/status", word = "done", means = "completed" }]
    [lost]
    method = "POST"
    path = "/search"
    content_type = "application/x-www-form-urlencoded"
    body = "ref={{ attempt.reference }}"
    outcome = [{ status = 404, means = "not_found" }]
    [webhook]
    trust = "signed"
    secret = "hook"
    id = "/ref"
    event_id = "{{ event.event }}"
    items = "/items"
    signature = { kind = "hmac", algorithm = "sha256", encoding = "base64", at = "/proof/hmac", signed = "{at:/ref}|{at:/state}", escape = "backslash" }
    outcome = [
        { at = "/state", word = "done", means = "completed" },
        { at = "/state", word = "noise", means = "ignored" },
    ]
    acknowledge = { status = 202, body = "[accepted]" }
    [ghost]
    on_absence = "fail"
    max_attempts = 1
"#;

/// What a file of cases for [`WHOLE`] begins with.
const SET_UP: &str = r#"
    about = "invented"
    environment = "live"
    settings = { merchant = "m1" }
    secrets = { client = "c", password = "pw", hook = "s3cret" }
"#;

fn whole() -> Profile {
    Profile::parse(WHOLE, "whole.toml").expect("legal")
}

/// Runs one case of [`WHOLE`].
fn one(case: &str) -> (Verdict, Vec<String>, Vec<String>) {
    let report = run(
        &whole(),
        &format!("{SET_UP}\n[[case]]\nname = \"it\"\n{case}"),
        "cases.toml",
    )
    .unwrap_or_else(|problem| panic!("{problem}"));
    let case = report.cases.into_iter().next().expect("there is one");
    (case.verdict, case.evidence, case.differences)
}

#[track_caller]
fn holds(case: &str) {
    let (verdict, evidence, differences) = one(case);
    assert_eq!(verdict, Verdict::Ok, "{differences:#?}\n{evidence:#?}");
}

const TRANSACTION: &str = r#"transaction = { id = "7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01", app = "shop", amount = { value = 1250, currency = "EUR" }, payload = { phone = "254700" } }"#;

// ---- the profiles that are shipped --------------------------------------------------------------------

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_shipped_profile_has_cases_that_hold_and_are_about_all_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let mut complaints = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("readable") {
        let file = entry.expect("readable").path();
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let profile = Profile::parse(&read(&file), &file.display().to_string());
        let profile = profile.unwrap_or_else(|problem| panic!("{problem}"));
        let cases = folder
            .join("cases")
            .join(format!("{}.toml", profile.name()));
        let report = run(&profile, &read(&cases), &cases.display().to_string());
        match report {
            Ok(report) => complaints.extend(faults(&report)),
            Err(problem) => complaints.push(problem.to_string()),
        }
    }
    assert!(seen > 0, "no profiles at {}", folder.display());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What of a shipped profile's cases is not as it should be.
fn faults(report: &CaseReport) -> Vec<String> {
    let name = &report.profile;
    let differing = report.cases.iter().filter_map(|case| match case.verdict {
        Verdict::Ok => None,
        Verdict::Shown => Some(format!("{name}, line {}: it expects nothing", case.line)),
        Verdict::Differs => Some(format!(
            "{name}, line {}, {}:\n  {}\n  evidence:\n  {}",
            case.line,
            case.name,
            case.differences.join("\n  "),
            case.evidence.join("\n  ")
        )),
    });
    let missed = report.missed();
    let missed = missed.map(|one| format!("{name}: no case is about {}", one.what));
    differing.chain(missed).collect()
}

// ---- requests ----------------------------------------------------------------------------------------

#[test]
fn a_request_is_shown_as_it_is_sent_credentials_and_sealed_values_included() {
    holds(&format!(
        r#"request = "submit"
        now = "2026-01-31T12:00:00Z"
        attempt = 2
        token = "tok"
        {TRANSACTION}
        [case.expect]
        method = "POST"
        url = "https://api.example.com/v1/m1/payments"
        headers = {{ Idempotency-Key = "7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-2", authorization = "Bearer tok", x-signed = "{}" }}
        body = '''{{"at":"2026-01-31T12:00:00Z","ref":"7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-2","amount":1250,"pin":"PW","to":"254700"}}'''
        "#,
        // HMAC-SHA256 with the key "pw" over "POST/v1/m1/payments" and the body as it is rendered.
        SIGNED
    ));
}

/// Computed with `openssl dgst -sha256 -hmac pw`.
const SIGNED: &str = "c2852d94e17ba2834b5389ec08549da3e78b52a6191689a8f8fd8baa072bdfc2";

#[test]
fn inquiries_go_by_their_id_or_by_the_lost_way() {
    holds(
        r#"request = "inquiry"
        provider_reference = "pi_1"
        token = "tok"
        expect = { method = "GET", url = "https://api.example.com/v1/payments/pi_1", body = "" }"#,
    );
    holds(
        r#"request = "lost"
        token = "tok"
        expect = { method = "POST", body = "ref=7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-1", headers = { content-type = "application/x-www-form-urlencoded" } }"#,
    );
}

#[test]
fn what_can_t_be_sent_is_said_and_differs() {
    let (verdict, evidence, differences) =
        one("request = \"submit\"\ntoken = \"t\"\nexpect = { method = \"POST\" }");
    assert_eq!(verdict, Verdict::Differs);
    assert!(
        evidence[0].starts_with("it can't be sent: the body: "),
        "{evidence:?}"
    );
    assert_eq!(differences, evidence);
    let (_, evidence, _) = one("request = \"inquiry\"\nprovider_reference = \"x\"");
    assert_eq!(evidence, ["it can't be sent: no token is given"]);
}

#[test]
fn a_difference_shows_what_was_expected_and_what_came() {
    let (verdict, _, differences) = one(&format!(
        r#"request = "submit"
        token = "t"
        {TRANSACTION}
        [case.expect]
        headers = {{ x-none = "1" }}
        body = '''{{"ref": "7d4f0c1e-52a8-4b0e-9f0e-3f1a0d6f9a01-1", "amount": 1, "at": "2026-01-01T00:00:00Z", "pin": "PW", "to": "254700"}}'''
        "#
    ));
    assert_eq!(verdict, Verdict::Differs);
    assert_eq!(
        differences,
        [
            "header x-none: expected 1",
            "                   came nothing",
            "body at /amount: expected 1",
            "                     came 1250",
        ]
    );
}

// ---- answers -----------------------------------------------------------------------------------------

#[test]
fn an_answer_is_read_with_all_that_stands_beside_the_outcome() {
    holds(
        r#"answer = "submit"
        status = 200
        body = '''{"id":"pi_1","status":"done","amount":1250,"currency":"eur"}'''
        expect = { finding = "completed", word = "done", provider_reference = "pi_1", amount = { value = 1250, currency = "EUR" } }"#,
    );
    holds(
        r#"answer = "submit"
        status = 503
        now = "1994-11-06T08:49:00Z"
        headers = { retry-after = "Sun, 06 Nov 1994 08:49:37 GMT" }
        expect = { finding = "not_executed", retry_after_s = 37 }"#,
    );
    holds("answer = \"lost\"\nstatus = 404\nexpect = { finding = \"not_found\" }");
    let (verdict, evidence, differences) = one(
        "answer = \"inquiry\"\nstatus = 200\nbody = '{\"status\":\"Done\"}'\nexpect = { finding = \"completed\", amount = { value = 1, currency = \"EUR\" } }",
    );
    assert_eq!(verdict, Verdict::Differs);
    let why = "unclear: no outcome is listed for HTTP 200 with \"Done\"";
    assert_eq!(
        differences,
        [
            "finding: expected completed",
            &format!("             came {why}"),
            "amount: expected 1 EUR",
            "            came none",
        ]
    );
    assert_eq!(
        evidence,
        [
            format!("{why}; by no row of [[inquiry.outcome]]"),
            "word \"Done\"".to_owned()
        ]
    );
}

#[test]
fn one_answer_can_be_read_without_a_file() {
    let read = |which, status, body: &str| read_answer(&whole(), which, status, body.as_bytes());
    let evidence = read(AnswerOf::Submit, 200, r#"{"status":"done"}"#).expect("readable");
    assert_eq!(evidence[0], "completed by [[submit.outcome]] row 1");
    let reference = Profile::parse(REFERENCE, "reference.toml").expect("legal");
    let refused =
        read_answer(&reference, AnswerOf::Lost, 200, b"").expect_err("there is no [lost]");
    assert!(refused.to_string().contains("[lost]"), "{refused}");
}
