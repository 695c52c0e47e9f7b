//! `[[route]]`: rules that can be meant, and rules that can't.

use super::*;

/// Two apps, two providers, and these rules.
fn with(routes: &str) -> String {
    format!(
        "[[app]]\nname = \"shop\"\n{}[[app]]\nname = \"fuel\"\n{}\
         {REFERENCE}default = true\n{REFERENCE}name = \"mpesa\"\n{routes}",
        key("a"),
        key("b")
    )
}

fn route(conditions: &str) -> String {
    format!("[[route]]\nprovider = \"mpesa\"\n{conditions}\n")
}

#[test]
fn rules_are_read_in_order() {
    let all = "app = \"shop\"\ncurrency = [\"KES\", \"TZS\"]\namount_from = 100\namount_to = 100\n\
               payload = { \"/a/b\" = \"x\", \"/c\" = [1, true, \"y\"], \"/d\" = { prefix = \"2547\" } }";
    let rules = format!("{}{}", route(all), route(""));
    let config = read(&with(&rules)).expect("good");
    let [first, last] = config.routes.0.as_slice() else {
        panic!("two rules: {:?}", config.routes);
    };
    assert_eq!(first.provider, "mpesa");
    assert_eq!(first.conditions.payload.len(), 3);
    assert!(last.conditions.is_empty());
    assert!(read(&with("")).expect("good").routes.0.is_empty());
}

#[test]
fn rules_that_can_not_be_meant_are_refused_with_their_line() {
    let twice = format!(
        "{}{}",
        route("currency = \"KES\""),
        route("currency = \"KES\"")
    );
    for (rules, expected) in [
        (
            "[[route]]\nprovider = \"mpsea\"\n".to_owned(),
            "route 1: provider \"mpsea\" is not configured; did you mean \"mpesa\"",
        ),
        (
            "[[route]]\nprovider = \"zzz\"\n".to_owned(),
            "provider \"zzz\" is not configured; there is reference, mpesa",
        ),
        (
            route("app = \"shpo\""),
            "app \"shpo\" is not configured; did you mean \"shop\"",
        ),
        (
            route("amount_from = 2\namount_to = 1"),
            "amount_from is 2 and amount_to is 1: no amount lies between them",
        ),
        (route("amount_to = -1"), "not negative, got -1"),
        (route("amount_from = 1.5"), "floating point"),
        (
            route("currency = \"kes\""),
            "three capital letters, got \"kes\"",
        ),
        (
            route("currency = []"),
            "currency: an empty list fits nothing",
        ),
        (route("app = []"), "app: an empty list fits nothing"),
        (route("payload = {}"), "payload: 1 to 100 places"),
        (
            route("payload = { method = \"x\" }"),
            "expected a JSON pointer",
        ),
        (
            route("payload = { \"/a~2\" = \"x\" }"),
            "expected a JSON pointer",
        ),
        (route("payload = { \"/a\" = [] }"), "1 to 100 words"),
        (
            route("payload = { \"/a\" = 1.5 }"),
            "a word, a list of words",
        ),
        (route("payload = { \"/a\" = [[1]] }"), "a word is a string"),
        (
            route("payload = { \"/a\" = { prefix = \"\" } }"),
            "none of them empty",
        ),
        (
            route("payload = { \"/a\" = { prefix = [] } }"),
            "1 to 100 texts",
        ),
        (
            route("payload = { \"/a\" = { prfix = \"x\" } }"),
            "did you mean `prefix`",
        ),
        (route("currncy = \"KES\""), "did you mean `currency`"),
        (
            format!("{}{}", route(""), route("currency = \"KES\"")),
            "route 1: it has no condition, so it fits everything",
        ),
        (
            twice,
            "route 2: it can never fit: route 1 has the same conditions",
        ),
    ] {
        let said = complaint(&with(&rules));
        assert!(
            said.contains("teller.toml, line ") && said.contains(expected),
            "{expected}: {said}"
        );
    }
    let many: String = (0..=ROUTES_MAX)
        .map(|n| route(&format!("amount_from = {n}")))
        .collect();
    let said = complaint(&with(&many));
    assert!(said.contains("200 routes at most; there are 201"), "{said}");
}

#[test]
fn the_line_is_the_rules_own() {
    let rules = format!("{}{}", route("currency = \"KES\""), route("app = []"));
    let text = with(&rules);
    let line = text.lines().count() - 2;
    let said = complaint(&text);
    assert!(
        said.contains(&format!("line {line}: route 2")),
        "{line}: {said}"
    );
}
