//! `[[provider]]`: set-ups of profiles, their secrets, settings and stand-ins.

use super::*;

/// One app and these tables.
fn with(tables: &str) -> String {
    format!("{ONE_APP}{tables}")
}

/// A set-up of the reference profile under a name, and more.
fn named(name: &str, more: &str) -> String {
    format!("{REFERENCE}name = \"{name}\"\n{more}")
}

#[test]
fn a_provider_is_set_up_with_all_that_its_profile_needs() {
    let table = "environment = \"live\"\nbase_url = \"https://api.example\"\n\
                 secrets = { api_key = { env = \"PATH\" } }\n\
                 settings = { shortcode = \"174379\" }\n";
    let config = read(&with(&format!("{REFERENCE}{table}"))).expect("good");
    let [provider] = config.providers.as_slice() else {
        panic!("one provider: {:?}", config.providers);
    };
    let path = std::env::var("PATH").expect("set everywhere");
    assert_eq!(provider.environment.as_deref(), Some("live"));
    assert_eq!(provider.settings["shortcode"], "174379");
    assert_eq!(provider.secrets["api_key"][0].expose(), path.as_bytes());
    assert_eq!(provider.stand_in, None);
    assert!(
        !format!("{config:?}").contains(&path),
        "Debug shows nothing"
    );
}

#[test]
fn one_profile_is_set_up_twice_under_two_names() {
    let both = format!("{REFERENCE}default = true\n{}", named("second", ""));
    let config = read(&with(&both)).expect("good");
    let names: Vec<&str> = config
        .providers
        .iter()
        .map(|one| one.profile.name())
        .collect();
    assert_eq!(names, ["reference", "second"]);
    assert_eq!(config.default_provider, "reference");
    let said = complaint(&with(&format!("{REFERENCE}default = true\n{REFERENCE}")));
    assert!(
        said.contains("line 6") && said.contains("two providers have the name \"reference\""),
        "{said}"
    );
    let said = complaint(&with(&named("No Name", "")));
    assert!(said.contains("a provider's name has"), "{said}");
}

#[test]
fn what_a_provider_says_is_checked_with_its_line() {
    let secrets = |places: &str| format!("{REFERENCE}secrets = {{ api_key = {places} }}\n");
    let ended = "{ env = \"PATH\", until = \"2020-01-01T00:00:00Z\" }";
    let eleven = ["{ env = \"PATH\" }"; 11].join(", ");
    let long = "x".repeat(5_000);
    for (table, expected) in [
        (
            format!("{REFERENCE}environment = \"sandbx\"\n"),
            "did you mean `sandbox`",
        ),
        (
            format!("{REFERENCE}environment = \"production\"\n"),
            "expected `sandbox` or `live`",
        ),
        (
            secrets("{ file = \"missing.key\" }"),
            "provider reference: secrets.api_key: the file",
        ),
        (
            secrets("{ env = \"TELLER_NO_SUCH\" }"),
            "secrets.api_key: the variable TELLER_NO_SUCH is not set",
        ),
        (secrets("[]"), "secrets.api_key: 1 to 10 places"),
        (
            secrets(&format!("[{eleven}]")),
            "secrets.api_key: 1 to 10 places are expected; there are 11",
        ),
        (secrets(ended), "the time of every one is over"),
        (secrets("\"swordfish\""), "never the secret itself"),
        (secrets("[\"swordfish\", 7]"), "never the secret itself"),
        (secrets("7.5"), "one value or a list of them"),
        (
            format!("{REFERENCE}secrets = {{ api-key = {{ env = \"PATH\" }} }}\n"),
            "secrets: a name has",
        ),
        (
            format!("{REFERENCE}settings = {{ Code = \"1\" }}\n"),
            "settings: a name has",
        ),
        (
            format!("{REFERENCE}settings = {{ code = 1 }}\n"),
            "expected a string",
        ),
        (
            format!("{REFERENCE}settings = {{ code = \"{long}\" }}\n"),
            "settings.code: a setting has 4096",
        ),
        (
            format!("{REFERENCE}standin = \"x\"\n"),
            "did you mean `stand_in`",
        ),
    ] {
        let said = complaint(&with(&table));
        assert!(
            said.contains("teller.toml, line ") && said.contains(expected),
            "{expected}: {said}"
        );
        assert!(
            !said.contains(&long) && !said.contains("swordfish"),
            "{said}"
        );
    }
}

#[test]
fn secrets_whose_time_is_over_are_left_out_with_a_warning() {
    let places = "[{ env = \"PATH\" }, { env = \"HOME\", until = \"2020-01-01T00:00:00Z\" }]";
    let table = format!("{REFERENCE}secrets = {{ api_key = {places} }}\n");
    let config = read(&with(&table)).expect("good");
    assert_eq!(config.providers[0].secrets["api_key"].len(), 1);
    let [warning] = config.warnings.as_slice() else {
        panic!("one warning: {:?}", config.warnings);
    };
    assert!(
        warning.contains("secrets.api_key") && warning.contains("variable HOME"),
        "{warning}"
    );
}

#[test]
fn a_rehearsal_with_a_live_provider_is_refused() {
    let live = format!("{REFERENCE}environment = \"live\"\n");
    let said = complaint(&format!("time_scale = 10.0\n{}", with(&live)));
    assert!(said.contains("would pay twice"), "{said}");
    let sandbox = live.replace("live", "sandbox");
    assert!(read(&format!("time_scale = 10.0\n{}", with(&sandbox))).is_ok());
}

#[test]
fn a_stand_in_is_another_configured_provider() {
    let three = |a: &str, b: &str, c: &str| {
        let stand_in = |name: &str| match name {
            "" => String::new(),
            name => format!("stand_in = \"{name}\"\n"),
        };
        with(&format!(
            "{}{}{}",
            named("a", &format!("default = true\n{}", stand_in(a))),
            named("b", &stand_in(b)),
            named("c", &stand_in(c))
        ))
    };
    let chain = read(&three("b", "c", "")).expect("good");
    assert_eq!(chain.providers[0].stand_in.as_deref(), Some("b"));
    for (a, b, c, expected) in [
        (
            "a",
            "",
            "",
            "provider a: stand_in: the chain leads back to a",
        ),
        (
            "b",
            "a",
            "",
            "provider a: stand_in: the chain leads back to a",
        ),
        (
            "b",
            "c",
            "b",
            "provider b: stand_in: the chain leads back to b",
        ),
        (
            "",
            "cc",
            "",
            "is no configured provider; did you mean \"c\"",
        ),
        (
            "",
            "nobody",
            "",
            "stand_in = \"nobody\" is no configured provider",
        ),
    ] {
        let said = complaint(&three(a, b, c));
        assert!(
            said.contains(expected) && said.contains("line "),
            "{expected}: {said}"
        );
    }
}

#[test]
fn a_retired_provider_is_not_configured_too() {
    let retired = |name: &str| format!("retired_providers = [\"{name}\"]\n{}", with(REFERENCE));
    let config = read(&retired("old")).expect("good");
    assert!(config.retired_providers.contains("old"));
    let said = complaint(&retired("reference"));
    assert!(said.contains("one or the other"), "{said}");
}

#[test]
fn providers_are_counted_and_one_is_the_default() {
    let said = complaint(&with(&format!("{}{}", named("a", ""), named("b", ""))));
    assert!(said.contains("none says default = true"), "{said}");
    let both = format!(
        "{}{}",
        named("a", "default = true\n"),
        named("b", "default = true\n")
    );
    let said = complaint(&with(&both));
    assert!(
        said.contains("more than one provider says default"),
        "{said}"
    );
    let many: String = (0..=PROVIDERS_MAX)
        .map(|n| named(&format!("p{n}"), ""))
        .collect();
    let said = complaint(&with(&many));
    assert!(
        said.contains("100 providers at most; there are 101"),
        "{said}"
    );
}
