//! What `teller.toml` may say, and the words in which it is refused.

use std::path::Path;

use super::*;

const ONE_APP: &str = "[app]\nname = \"shop\"\n";
const REFERENCE: &str = "[[provider]]\nprofile = \"providers/reference.toml\"\n";

/// Reads a text as if it were a `teller.toml` in the project's root, where the profiles are.
fn read(text: &str) -> anyhow::Result<Config> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("teller.toml");
    Config::parse(text, &file, Overrides::default())
}

fn complaint(text: &str) -> String {
    format!("{:#}", read(text).expect_err("refused"))
}

fn names(config: &Config) -> Vec<&str> {
    config.apps.iter().map(|app| app.name.as_str()).collect()
}

#[test]
fn one_app_is_a_table_and_several_are_a_list_of_tables() {
    let one = read(&format!("{ONE_APP}{REFERENCE}")).expect("good");
    assert_eq!(names(&one), ["shop"]);
    let told = "[app.notify]\nurl = 'http://a.example/'\n\
                words = { completed = 'a', declined = 'b', failed = 'c' }\n";
    let several =
        format!("[[app]]\nname = \"shop\"\n{told}\n[[app]]\nname = \"fuel\"\n{REFERENCE}");
    let several = read(&several).expect("good");
    assert_eq!(names(&several), ["shop", "fuel"]);
    assert!(several.apps[0].notify.is_some() && several.apps[1].notify.is_none());
}

#[test]
fn apps_are_told_apart_by_name_and_counted() {
    let said = complaint(&format!(
        "[[app]]\nname = \"shop\"\n[[app]]\nname = \"shop\"\n{REFERENCE}"
    ));
    assert!(said.contains("two apps have the name \"shop\""), "{said}");
    let many: String = (0..=APPS_MAX)
        .map(|n| format!("[[app]]\nname = \"app-{n}\"\n"))
        .collect();
    let said = complaint(&format!("{many}{REFERENCE}"));
    assert!(said.contains("1 to 100 apps; there are 101"), "{said}");
    let said = complaint(&format!("app = []\n{REFERENCE}"));
    assert!(said.contains("there are 0"), "{said}");
}

#[test]
fn a_fault_within_an_app_is_named_with_its_line() {
    let text = format!("[[app]]\nname = \"shop\"\n[[app]]\nnaem = \"fuel\"\n{REFERENCE}");
    let said = complaint(&text);
    assert!(
        said.contains("teller.toml, line 4") && said.contains("did you mean `name`"),
        "{said}"
    );
    let said = complaint(&format!("{REFERENCE}[app]\nname = \"No Shop\"\n"));
    assert!(
        said.contains("teller.toml, line 4") && said.contains("an app's name has"),
        "{said}"
    );
}
