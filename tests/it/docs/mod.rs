//! The documentation of profiles, compared with the code that reads them: every key, word, name, filter
//! and placeholder that there is has its row, every row is about something that there is, and what the
//! examples are said to print they print.

mod language;
mod page;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use teller::adapters::provider::{HttpProvider, Profile, Settings, Verdict, run_cases};
use teller::clock::Clock;
use teller::ports::Provider;
use teller::transaction::{Amount, AppId, Key, Request, Timestamp, TransactionId};
use uuid::Uuid;

use language::{Language, UNKNOWN, expected};
use page::{Names, Page, only, quoted};

const REFERENCE: &str = "docs/profile-reference.md";

/// Where the part about cases begins and ends.
const CASES: &str = "\n## Recorded cases\n";
const WARNINGS: &str = "\n## Warnings\n";

fn reference() -> Page {
    Page::read(REFERENCE, None, Some(CASES))
}

/// What is wrong with this profile.
fn complaint(text: &str) -> String {
    match Profile::parse(text, "profile.toml") {
        Ok(_) => "nothing".to_owned(),
        Err(problem) => problem.to_string(),
    }
}

/// A whole profile with one of everything, and with `changes` to it: where, and what to put there.
fn profile(changes: &[(&str, Value)]) -> String {
    let whole = include_str!("../../../providers/reference.toml");
    let table: toml::Table = toml::from_str(whole).expect("TOML");
    let mut file = serde_json::to_value(table).expect("JSON");
    let declared = json!({"name": {"about": "declared"}});
    let anything = json!({"x": "x"});
    let usual = [
        ("secrets", declared.clone()),
        ("settings", declared),
        ("sealed", json!({"name": "x"})),
        (
            "auth",
            json!({"kind": "oauth2", "user": "x", "password": "x", "token_url": "/x", "token_form": anything, "token_headers": anything, "headers": anything}),
        ),
        ("submit/provider_reference", json!("/x")),
        ("submit/headers", anything.clone()),
        ("inquiry/headers", anything.clone()),
        (
            "lost",
            json!({"method": "POST", "path": "/x", "body": "1", "headers": anything, "outcome": [{"status": 404, "means": "not_found"}]}),
        ),
        ("webhook/event_id", json!("x")),
    ];
    for (place, value) in usual.iter().chain(changes) {
        let (table, key) = place.rsplit_once('/').unwrap_or(("", place));
        let table = if table.is_empty() {
            &mut file
        } else {
            file.pointer_mut(&format!("/{table}")).expect("a table")
        };
        table[key] = value.clone();
    }
    toml::to_string(&file).expect("TOML")
}

#[test]
fn the_profile_of_these_tests_is_a_good_one() {
    assert_eq!(complaint(&profile(&[])), "nothing");
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    compare_keys(&Language::of(&complaint), &reference());
}

#[test]
fn every_key_of_a_file_of_cases_has_its_row_and_every_row_its_key() {
    let profile = Profile::parse(&profile(&[]), "profile.toml").expect("a good profile");
    let read = |text: &str| match run_cases(&profile, text, "cases.toml") {
        Ok(_) => "nothing".to_owned(),
        Err(problem) => problem.to_string(),
    };
    let page = Page::read(REFERENCE, Some(CASES), Some(WARNINGS));
    compare_keys(&Language::of(&read), &page);
}

fn compare_keys(language: &Language, page: &Page) {
    let rows = page.keys();
    let documented: BTreeMap<String, Names> = rows
        .iter()
        .map(|(table, rows)| (table.clone(), rows.keys().cloned().collect()))
        .collect();
    for table in language.keys.keys().chain(documented.keys()) {
        let (keys, rows) = (language.keys.get(table), documented.get(table));
        assert_eq!(
            rows, keys,
            "{table}: the rows of the page, and the keys of the code"
        );
    }
    for ((table, key), words) in &language.words {
        let stated: Names = quoted(&rows[table][key]["type"]).into_iter().collect();
        if key != "means" {
            assert_eq!(
                &stated, words,
                "{table} {key}: the words of the page, and of the code"
            );
        }
    }
    for (table, rows) in &rows {
        for (key, row) in rows {
            let is_word = language.words.contains_key(&(table.clone(), key.clone()));
            assert!(
                is_word || quoted(&row["type"]).is_empty(),
                "{table} {key} takes any word"
            );
        }
    }
}

#[test]
fn every_meaning_is_told_for_the_tables_that_have_it() {
    let language = Language::of(&complaint);
    let page = reference();
    let table = page.table("`means`", "Meanings");
    for call in ["submit", "inquiry", "lost", "webhook"] {
        let words = &language.words[&(format!("[[{call}.outcome]]"), "means".to_owned())];
        assert_eq!(&table.marked(&format!("`{call}`"), ticked), words, "{call}");
    }
}

fn ticked(cell: &str) -> bool {
    cell == "✓"
}

/// The complaint about a webhook's signature.
fn about_signature(signature: &Value) -> String {
    let webhook = json!({"trust": "signed", "secret": "name", "id": "/x", "signature": signature, "outcome": [{"means": "ignored"}]});
    complaint(&profile(&[("webhook", webhook)]))
}

#[test]
fn every_key_of_a_signature_is_told_for_the_kinds_that_have_it() {
    let rows = reference()
        .keys()
        .remove("[webhook.signature]")
        .expect("a table");
    let kinds = quoted(&rows["kind"]["type"]);
    for kind in &kinds {
        // None has both of them, so that one at least is out of place.
        let said = ["query", "label"].map(|key| about_signature(&json!({"kind": kind, key: "x"})));
        let mut listed = said.iter().filter_map(|said| expected(said, "which has "));
        let mut keys = listed.next().unwrap_or_else(|| panic!("{kind}: {said:?}"));
        keys.insert("kind".to_owned());
        let told = rows
            .iter()
            .filter(|(_, row)| quoted(&row["kinds"]).contains(kind));
        let told: Names = told.map(|(key, _)| key.clone()).collect();
        assert_eq!(told, keys, "{kind}");
    }
    let page = reference();
    let algorithms = page.table("`algorithm`", "Algorithms");
    for kind in ["hmac", "rfc9421"] {
        let said = about_signature(&json!({"kind": kind}));
        let words = expected(&said, "needs `algorithm`: ").expect("a list");
        assert_eq!(
            algorithms.marked(&format!("`{kind}`"), ticked),
            words,
            "{kind}"
        );
    }
}

#[test]
fn everything_that_can_be_signed_is_told() {
    let page = reference();
    let hmac = |signed: &str| {
        about_signature(
            &json!({"kind": "hmac", "algorithm": "sha256", "encoding": "hex", "header": "x", "signed": signed}),
        )
    };
    let placeholders = expected(&hmac("{zzz}"), "there is no placeholder {zzz}; there are ");
    let table = page.table("placeholder", "Placeholders of `signed`");
    assert_eq!(Some(table.names()), placeholders);
    let said = about_signature(
        &json!({"kind": "rfc9421", "algorithm": "ed25519", "components": ["@zzz"]}),
    );
    let derived = expected(&said, "there are ").expect("a list");
    let told: Names = quoted(&page.keys()["[webhook.signature]"]["components"]["meaning"])
        .into_iter()
        .collect();
    assert_eq!(told, derived);
}

#[test]
fn every_name_is_told_for_the_templates_that_may_print_it() {
    let names = |place: &str| -> Names {
        // Paths begin with it, and nothing else minds it.
        let print = format!("/{{{{ {UNKNOWN} }}}}");
        let said = complaint(&profile(&[(place, json!(print))]));
        let names = expected(&said, "to print here; there are ");
        let names = names.unwrap_or_else(|| panic!("{place}: {said}"));
        let shown = |name: String| match name.split_once('.') {
            Some((table @ ("setting" | "secret" | "sealed"), _)) => format!("{table}.NAME"),
            Some(_) | None => name,
        };
        names.into_iter().map(shown).collect()
    };
    let page = reference();
    let table = page.table("name", "What may be printed");
    assert_eq!(
        table.columns().len(),
        8,
        "a column for each kind of template, and one for the meaning"
    );
    for (column, places) in [
        ("submit", ["submit/path", "submit/body"].as_slice()),
        ("inquiry", &["inquiry/path"]),
        ("lost", &["lost/path", "lost/body"]),
        ("sealed", &["sealed/name"]),
        (
            "auth",
            &[
                "auth/user",
                "auth/password",
                "auth/token_url",
                "auth/token_form/x",
                "auth/token_headers/x",
            ],
        ),
        ("auth.headers", &["auth/headers/x"]),
        ("event_id", &["webhook/event_id"]),
    ] {
        for place in places {
            assert_eq!(
                table.marked(&format!("`{column}`"), ticked),
                names(place),
                "{place}"
            );
        }
    }
    for call in ["submit", "inquiry", "lost"] {
        let place = format!("{call}/headers/x");
        let told = table.marked(&format!("`{call}`"), |cell| !cell.is_empty());
        assert_eq!(told, names(&place), "{place}");
    }
}

/// What a template prints for the transaction that the page describes, or why it prints nothing.
fn printed(expression: &str) -> String {
    let text = profile(&[
        ("submit/content_type", json!("text/plain")),
        ("submit/body", json!(format!("{{{{ {expression} }}}}"))),
        ("auth", json!({})),
        ("secrets", json!({})),
        ("settings", json!({})),
    ]);
    let profile = match Profile::parse(&text, "profile.toml") {
        Ok(profile) => profile,
        Err(problem) => return problem.to_string(),
    };
    let settings = Settings {
        public_url: "https://teller.example.com".to_owned(),
        base_url: None,
        environment: None,
        settings: BTreeMap::new(),
        secrets: BTreeMap::new(),
        token_secrets: vec![teller::adapters::provider::Secret::new("0123456789abcdef")],
        time_scale: 1.0,
    };
    let clock = Clock::following_tokio(Timestamp::from_millis(1_614_265_330_123));
    let provider = HttpProvider::new(profile, settings, clock).expect("a good profile");
    let key = Key {
        app: AppId::parse("shop").expect("legal"),
        id: TransactionId(Uuid::from_u128(0x7d4f_0c1e_52a8_4b0e_9f0e_3f1a_0d6f_9a01)),
    };
    let request = Request {
        provider: "reference".to_owned(),
        amount: Some(Amount {
            value: 1250,
            currency: "EUR".to_owned(),
        }),
        submit_by: Timestamp::from_millis(0),
        payload: json!({"phone": "+254700", "tags": ["a", "b"], "on": true}),
        traceparent: None,
    };
    match provider.intent(&key, &request, 1) {
        Ok(intent) => intent.request.body,
        Err(why) => why,
    }
}

#[tokio::test(start_paused = true)]
async fn every_filter_is_told_and_prints_what_its_example_says() {
    let page = reference();
    let tables = page.tables("filter");
    let [ours, engine] = tables.as_slice() else {
        panic!("two tables of filters");
    };
    let filters = expected(&printed("1 | zzz"), "there is no filter `zzz`; there are ");
    assert_eq!(Some(ours.names()), filters);
    for row in ours.rows().chain(engine.rows()) {
        let (filter, example) = (only(&row["filter"]), only(&row["example"]));
        assert!(example.contains(&format!("| {filter}")), "{example}");
        assert_eq!(printed(&example), only(&row["prints"]), "{example}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_format_of_a_timestamp_is_told() {
    let page = reference();
    let table = page.table("format", "Timestamp formats");
    let said = printed("now | timestamp('zzz')");
    let (_, listed) = said.split_once("there are ").expect("a list");
    let formats: Names = listed.split(", ").map(str::to_owned).collect();
    assert_eq!(table.names(), formats);
    for row in table.rows() {
        let format = only(&row["format"]);
        assert_eq!(
            printed(&format!("now | timestamp('{format}')")),
            only(&row["example"])
        );
    }
}

/// The blocks of the tutorial that make up one of its files.
fn file_of_tutorial(name: &str) -> String {
    let page = include_str!("../../../docs/providers.md");
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    blocks
        .filter(|block| {
            let first = block.lines().next().unwrap_or_default();
            first.trim_end_matches(", continued") == format!("# {name}")
        })
        .collect()
}

#[test]
fn the_files_of_the_tutorial_do_what_its_page_says() {
    let profile = Profile::parse(&file_of_tutorial("try/pebble.toml"), "pebble.toml");
    let profile = profile.expect("a good profile");
    let cases = file_of_tutorial("try/pebble-cases.toml");
    let report = run_cases(&profile, &cases, "cases.toml").expect("good cases");
    let differing = report
        .cases
        .iter()
        .filter(|case| case.verdict == Verdict::Differs);
    let differing: Vec<&str> = differing.map(|case| case.name.as_str()).collect();
    assert_eq!(
        (report.cases.len(), differing),
        (6, vec!["its own time-out"])
    );
    assert!(
        report.missed().next().is_some(),
        "the page says that cases are missing"
    );
}
