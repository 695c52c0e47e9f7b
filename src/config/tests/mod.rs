//! What `teller.toml` may say, and the words in which it is refused.

mod cluster;
mod effective;
mod providers;
mod redis;
mod routing;

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
    let several = format!(
        "[[app]]
name = \"shop\"
{}{told}[[app]]
name = \"fuel\"
{}{REFERENCE}",
        key("a"),
        key("b")
    );
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

// ---- keys --------------------------------------------------------------------------------------------

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn key(id: &str) -> String {
    format!("keys = [{{ id = \"{id}\", sha256 = \"{HASH}\" }}]\n")
}

#[test]
fn one_app_without_keys_is_open_and_any_key_shuts_every_door() {
    let open = read(&format!("{ONE_APP}{REFERENCE}")).expect("good");
    assert!(matches!(open.access, Access::Open(_)));
    let locked = format!("{ONE_APP}{}{REFERENCE}", key("a"));
    let locked = read(&locked).expect("good");
    assert!(matches!(locked.access, Access::Keys(_)));
    let said = complaint(&format!("{ONE_APP}[operators]\n{}{REFERENCE}", key("a")));
    assert!(
        said.contains("app shop: keys: there is none") && said.contains("operators' keys"),
        "{said}"
    );
}

#[test]
fn several_apps_need_keys_and_ids_of_their_own() {
    let two = |first: &str, second: &str| {
        format!("[[app]]\nname = \"shop\"\n{first}[[app]]\nname = \"fuel\"\n{second}{REFERENCE}")
    };
    let said = complaint(&two(&key("a"), ""));
    assert!(
        said.contains("app fuel: keys: there is none")
            && said.contains("teller key new --app fuel"),
        "{said}"
    );
    let said = complaint(&two(&key("a"), &key("a")));
    assert!(said.contains("the id \"a\" stands there twice"), "{said}");
    assert!(read(&two(&key("a"), &key("b"))).is_ok());
    let many: String = (0..=KEYS_MAX)
        .map(|n| format!("{{ id = \"k{n}\", sha256 = \"{HASH}\" }},\n"))
        .collect();
    let said = complaint(&two(&format!("keys = [{many}]\n"), &key("b")));
    assert!(said.contains("100 at most; there are 101"), "{said}");
}

#[test]
fn a_key_that_stands_where_its_hash_belongs_is_not_repeated() {
    let secret = "tlr_app_a_c2VjcmV0c2VjcmV0";
    let said = complaint(&format!(
        "{ONE_APP}keys = [{{ id = \"a\", sha256 = \"{secret}\" }}]\n{REFERENCE}"
    ));
    assert!(
        said.contains("teller.toml, line 3") && said.contains("64 hexadecimal digits"),
        "{said}"
    );
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn doors_without_keys_are_for_this_machine_only() {
    let refused = |listen: &str, more: &str| {
        let text = format!("listen = \"{listen}\"\n{more}{ONE_APP}{REFERENCE}");
        let config = read(&text).expect("good");
        config
            .refuse_open_doors()
            .map_err(|error| error.to_string())
    };
    for mine in ["127.0.0.1:8080", "127.7.7.7:0", "[::1]:0", "localhost:80"] {
        assert_eq!(refused(mine, ""), Ok(()), "{mine}");
    }
    for theirs in ["0.0.0.0:0", "[::]:0", "10.0.0.1:80", "[::ffff:10.0.0.1]:80"] {
        let said = refused(theirs, "").expect_err("refused");
        assert!(said.contains("open_doors = true"), "{said}");
        assert_eq!(refused(theirs, "open_doors = true\n"), Ok(()), "{theirs}");
    }
    let said = refused("nowhere", "").expect_err("refused");
    assert!(said.contains("is no address"), "{said}");
}
