//! What of a profile is doubted, each with a profile made for it.

use super::support::{REFERENCE, reference_with, set_up, settings};
use crate::adapters::provider::{HttpProvider, Profile, Secret};

/// A profile that nobody could doubt.
const SOUND: &str = r#"
    name = "sound"
    base_url = "https://api.example.com"
    reference = "attempt"
    resend_safe_for = "24h"
    [submit]
    method = "POST"
    path = "/pay"
    body = '{"ref": {{ attempt.reference }}, "amount": {{ transaction.amount.value }}}'
    time_out = "20s"
    amount = { value = "/amount", currency = "/currency" }
    outcome = [
        { status = 200, at = "/s", word = "done", means = "completed" },
        { status = 429, means = "not_executed" },
        { status = 401, means = "not_executed" },
        { status = "5xx", at = "/s", word = "busy", means = "not_executed" },
    ]
    [inquiry]
    method = "GET"
    path = "/pay/{{ attempt.reference }}"
    amount = { value = "/amount", currency = "/currency" }
    id = "/ref"
    outcome = [
        { status = 200, at = "/s", word = "done", means = "completed" },
        { status = 404, means = "not_found" },
    ]
    [webhook]
    trust = "token"
    id = "/ref"
    amount = { value = "/amount", currency = "/currency" }
    outcome = [{ at = "/s", word = "done", means = "completed" }]
    [ghost]
    window = "60s"
    on_absence = "resubmit"
    max_attempts = 3
"#;

const SECRET: &str = r#"
    [secrets.hook]
    about = "signs webhooks"
    [secrets.client]
    about = "the client"
"#;

fn ready(text: &str) -> HttpProvider {
    let mut settings = settings("");
    settings.base_url = None;
    if text.contains("[secrets.") {
        for name in ["hook", "client"] {
            let secret = vec![Secret::new("0123456789abcdef")];
            settings.secrets.insert(name.to_owned(), secret);
        }
    }
    set_up(text, settings).unwrap_or_else(|problem| panic!("{problem}"))
}

/// [`SOUND`] with the first occurrence of each old part replaced.
fn sound_with(changes: &[(&str, &str)]) -> String {
    let mut text = SOUND.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old:?} is not in the profile");
        text = text.replacen(old, new, 1);
    }
    text
}

/// The profile has this one caution and no other.
#[track_caller]
fn cautioned(text: &str, expected: &[&str]) {
    let said = ready(text).cautions();
    assert_eq!(said.len(), 1, "{said:#?}");
    for part in expected {
        assert!(said[0].contains(part), "{part:?}: {}", said[0]);
    }
}

const NO_INQUIRY: (&str, &str) = (
    r#"method = "GET"
    path = "/pay/{{ attempt.reference }}"
    amount = { value = "/amount", currency = "/currency" }
    id = "/ref"
    outcome = [
        { status = 200, at = "/s", word = "done", means = "completed" },
        { status = 404, means = "not_found" },
    ]"#,
    "method = \"none\"",
);

#[test]
fn a_sound_profile_has_no_cautions() {
    assert_eq!(ready(SOUND).cautions(), [""; 0]);
    let reference = set_up(REFERENCE, settings("http://127.0.0.1:9")).expect("usable");
    assert_eq!(reference.cautions(), [""; 0]);
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for (url, is_doubted) in [
        ("http://api.example.com", true),
        ("http://10.0.0.1/v1", true),
        ("http://localhost:4000", false),
        ("http://127.0.0.1", false),
        ("http://[::1]:8080", false),
    ] {
        let text = sound_with(&[("https://api.example.com", url)]);
        if is_doubted {
            cautioned(&text, &["base_url: ", url, "use https"]);
        } else {
            assert_eq!(ready(&text).cautions(), [""; 0], "{url}");
        }
    }
}

#[test]
fn a_signature_that_leaves_something_unprotected_is_named() {
    let signed = |signature: &str| {
        let trust =
            format!("trust = \"signed\"\n    secret = \"hook\"\n    signature = {signature}");
        sound_with(&[("trust = \"token\"", &trust)]) + SECRET
    };
    let shared = signed("{ kind = \"shared_token\", header = \"x-key\" }");
    cautioned(
        &shared,
        &["[webhook.signature]: ", "shared token", "trust = \"hint\""],
    );
    let over = |places: &str| {
        signed(&format!(
            r#"{{ kind = "hmac", algorithm = "sha256", encoding = "hex", header = "x-sign", signed = "{places}" }}"#
        ))
    };
    cautioned(
        &over("{at:/ref}:{at:/amount}"),
        &[
            "[webhook.signature]: ",
            "/currency and /s is read but not signed",
        ],
    );
    let all = over("{at:/ref}:{at:/amount}:{at:/currency}:{at:/s}");
    assert_eq!(ready(&all).cautions(), [""; 0]);
    assert_eq!(ready(&signed("{ kind = \"stripe\" }")).cautions(), [""; 0]);
}

#[test]
fn ways_to_learn_the_outcome_that_are_missing_are_named() {
    cautioned(
        &sound_with(&[NO_INQUIRY]),
        &["[inquiry]: method = \"none\"", "status API"],
    );
    let webhook =
        &SOUND[SOUND.find("[webhook]").expect("there")..SOUND.find("[ghost]").expect("there")];
    cautioned(
        &sound_with(&[NO_INQUIRY, (webhook, "")]),
        &["neither an inquiry nor a webhook"],
    );
    let theirs = sound_with(&[
        (
            "{{ attempt.reference }}\"\n    amount",
            "{{ attempt.provider_reference }}\"\n    amount",
        ),
        ("[submit]", "[submit]\n    provider_reference = \"/id\""),
    ]) + "\n[lost]\nmethod = \"none\"\n";
    cautioned(
        &theirs,
        &["[lost]: method = \"none\"", "searched by our id"],
    );
}

#[test]
fn a_hint_without_an_inquiry_would_never_be_believed() {
    let text = sound_with(&[("trust = \"token\"", "trust = \"hint\""), NO_INQUIRY]);
    let said = Profile::parse(&text, "x.toml")
        .expect_err("refused")
        .to_string();
    let line = 1 + text[..text.find("trust").expect("there")]
        .matches('\n')
        .count();
    assert!(
        said.starts_with(&format!("x.toml, line {line}: [webhook]: ")),
        "{said}"
    );
    assert!(said.contains("nothing would ever be believed"), "{said}");
    let resends = sound_with(&[("trust = \"token\"", "trust = \"hint\"")]);
    assert!(Profile::parse(&resends, "x.toml").is_ok());
}

#[test]
fn absence_that_can_t_be_proven_is_named() {
    cautioned(
        &sound_with(&[("window = \"60s\"", "")]),
        &[
            "[ghost]: on_absence = \"resubmit\" never happens",
            "on_absence = \"fail\"",
        ],
    );
    let fails = sound_with(&[("window = \"60s\"", ""), ("\"resubmit\"", "\"fail\"")]);
    assert_eq!(ready(&fails).cautions(), [""; 0]);
    cautioned(
        &sound_with(&[(
            "status = 404, means = \"not_found\"",
            "status = 404, means = \"unknown\"",
        )]),
        &["[ghost]: no row of an inquiry means not_found"],
    );
}

#[test]
fn long_promises_of_idempotency_are_doubted() {
    cautioned(
        &sound_with(&[("\"24h\"", "\"31d\"")]),
        &["resend_safe_for: 31 d", "30 d", "pays twice"],
    );
    assert_eq!(
        ready(&sound_with(&[("\"24h\"", "\"30d\"")])).cautions(),
        [""; 0]
    );
}

#[test]
fn answers_that_are_missing_or_too_sure_are_named() {
    let unknown = sound_with(&[
        ("429, means = \"not_executed\"", "429, means = \"unknown\""),
        ("401, means = \"not_executed\"", "401, means = \"unknown\""),
        (
            "\"busy\", means = \"not_executed\"",
            "\"busy\", means = \"unknown\"",
        ),
    ]);
    cautioned(
        &unknown,
        &[
            "[[submit.outcome]]: no row means not_executed",
            "429 and 503",
        ],
    );
    let oauth2 = "[auth]\n kind = \"oauth2\"\n user = \"{{ secret.client }}\"\n password = \"{{ secret.client }}\"\n token_url = \"/token\"\n";
    let with_401 = format!("{SOUND}{SECRET}{oauth2}");
    assert_eq!(ready(&with_401).cautions(), [""; 0]);
    cautioned(
        &with_401.replace("{ status = 401, means = \"not_executed\" },", ""),
        &["no row is about HTTP 401", "token"],
    );
    let busy = "\"busy\", means = \"not_executed\" },";
    for status in ["\"5xx\"", "504", "[430, 500]"] {
        let rows = format!("{busy} {{ status = {status}, means = \"not_executed\" }},");
        cautioned(
            &sound_with(&[(busy, &rows)]),
            &["row 5: HTTP ", "means not_executed", "say unknown"],
        );
    }
    cautioned(
        &sound_with(&[("status = 200, at", "status = [200, 409], at")]),
        &[
            "[[submit.outcome]] row 1: ",
            "means completed, though the status is no success",
        ],
    );
    cautioned(
        &sound_with(&[(
            "{ status = 404, means = \"not_found\" }",
            "{ status = 404, means = \"not_found\" }, { status = \"4xx\", at = \"/s\", word = \"done\", means = \"completed\" }",
        )]),
        &["[[inquiry.outcome]] row 3: "],
    );
}

#[test]
fn amounts_that_nobody_compares_are_named() {
    let amount = "amount = { value = \"/amount\", currency = \"/currency\" }\n";
    let none = SOUND.replace(amount, "\n");
    cautioned(
        &none,
        &["[submit], [inquiry] and [webhook]: nothing says where the amount stands"],
    );
    cautioned(&sound_with(&[(amount, "\n")]), &["[submit]: nothing says"]);
    let undecided = sound_with(&[
        (amount, "\n"),
        (
            "word = \"done\", means = \"completed\"",
            "word = \"done\", means = \"pending\"",
        ),
    ]);
    assert_eq!(ready(&undecided).cautions(), [""; 0]);
    let without = none.replace(", \"amount\": {{ transaction.amount.value }}", "");
    assert_eq!(ready(&without).cautions(), [""; 0]);
}

#[test]
fn answers_that_could_be_about_anybody_are_named() {
    let silent = sound_with(&[("    id = \"/ref\"\n", "")]);
    cautioned(
        &silent,
        &["[inquiry]: nothing says where the answer repeats our id or the provider's"],
    );
    let theirs = "    provider_reference = \"/id\"\n";
    let by_theirs = sound_with(&[("    id = \"/ref\"\n", theirs)]);
    assert_eq!(ready(&by_theirs).cautions(), [""; 0]);
    // While the provider's id is not known, there is nothing that it could be compared with.
    let lost = format!(
        "{by_theirs}\n[lost]\nmethod = \"GET\"\npath = \"/find\"\nprovider_reference = \"/id\"\noutcome = [{{ status = 404, means = \"not_found\" }}]\n"
    )
    .replacen("[submit]", "[submit]\n    provider_reference = \"/id\"", 1);
    cautioned(&lost, &["[lost]: nothing says where"]);
}

#[test]
fn rows_that_are_never_reached_are_named() {
    let row = "{ status = 200, at = \"/s\", word = \"done\", means = \"completed\" }";
    for (earlier, later, is_reached) in [
        ("status = 200", "status = 200, at = '/s', word = 'x'", false),
        ("status = '2xx'", "status = [200, 204]", false),
        ("status = '2xx'", "status = '2xx'", false),
        ("status = 200", "status = '2xx'", true),
        (
            "status = 200, at = '/s', word = ['x', 'y']",
            "status = 200, at = '/s', word = 'y'",
            false,
        ),
        (
            "status = 200, at = '/s', word = 'x'",
            "status = 200, at = '/s', word = ['x', 'y']",
            true,
        ),
        (
            "status = 200, at = '/s', word = 'x'",
            "status = 200, at = '/t', word = 'x'",
            true,
        ),
        (
            "status = 200, at = '/s', pattern = '4..'",
            "status = 200, at = '/s', word = [400, '401']",
            false,
        ),
        (
            "status = 200, at = '/s', pattern = '4..'",
            "status = 200, at = '/s', word = true",
            true,
        ),
        (
            "status = 200, at = '/s', pattern = '4..'",
            "status = 200, at = '/s', pattern = '4..'",
            false,
        ),
        (
            "status = 200, at = '/s', word = 'x'",
            "status = 200, at = '/t', word = 'y', also = [{ at = '/s', word = 'x' }]",
            false,
        ),
        (
            "status = 200, at = '/s', word = 'x', also = [{ at = '/t', word = 'y' }]",
            "status = 200, at = '/s', word = 'x'",
            true,
        ),
    ] {
        let rows =
            format!("{{ {earlier}, means = \"pending\" }}, {{ {later}, means = \"pending\" }}");
        let text = sound_with(&[(row, &rows)]);
        let said = ready(&text).cautions();
        let doubted = said.iter().any(|one| {
            one.contains("[[submit.outcome]] row 2") && one.contains("never reached, because row 1")
        });
        assert_eq!(!doubted, is_reached, "{earlier} / {later}: {said:?}");
    }
    let webhook = "outcome = [{ at = \"/s\", word = \"done\", means = \"completed\" }]";
    let twice = "outcome = [{ means = \"pending\" }, { at = \"/s\", word = \"done\", means = \"completed\" }]";
    cautioned(
        &sound_with(&[(webhook, twice)]),
        &["[[webhook.outcome]] row 2"],
    );
}

#[test]
fn what_the_author_is_not_sure_of_is_passed_on() {
    let text = reference_with(
        "name = \"reference\"",
        "name = \"reference\"\nunsure = [\"whether 410 exists\"]",
    );
    let provider = set_up(&text, settings("http://127.0.0.1:9")).expect("usable");
    assert_eq!(provider.cautions(), ["not sure: whether 410 exists"]);
}
