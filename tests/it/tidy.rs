//! The rules of the house, held by a test: who may import whom, how large a file may be, what must
//! not be left in it. Each rule is a function from a file's path and text to complaints.

use std::path::{Path, PathBuf};

/// Which rooms of `src/` a room may import from, itself aside. What is not listed may import nothing.
const IMPORTS: [(&str, &[&str]); 10] = [
    ("transaction", &[]),
    ("ports", &["transaction"]),
    ("clock", &["transaction"]),
    ("telemetry", &[]),
    ("actors", &["ports", "transaction", "clock"]),
    ("adapters", &["ports", "transaction", "clock"]),
    ("cluster", &["ports", "transaction", "clock"]),
    ("api", &["actors", "ports", "transaction", "clock"]),
    ("console", &["actors", "ports", "transaction", "clock"]),
    // It fills in the others' bounds and profiles.
    (
        "config",
        &[
            "actors",
            "adapters",
            "api",
            "cluster",
            "ports",
            "transaction",
            "clock",
        ],
    ),
];
/// Rooms that put the others together and may see all of them.
const SEE_EVERYTHING: [&str; 5] = ["app", "cli", "demo", "lib", "main"];

/// The folders whose files are looked at.
const CHECKED: [&str; 3] = ["src", "tests", "mock-provider"];
/// A file is a comfortable room.
const LINES_MAX: usize = 450;
/// Larger files, each with its reason.
const LARGER: [(&str, &str); 0] = [];

/// What has no place in code that runs, tests aside.
const NOT_IN_SRC: [&str; 4] = [
    concat!("to", "do!"),
    concat!("unim", "plemented!"),
    concat!("db", "g!"),
    concat!(".unw", "rap()"),
];
/// What has no place anywhere: an actor's message that is dropped in silence, and notes to oneself.
const NOWHERE: [&str; 4] = [
    concat!("do_", "send("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// A rule: what it complains about in the file at this path (relative, with `/`) with this text.
type Rule = fn(&str, &str) -> Vec<String>;

#[test]
fn imports_run_one_way() {
    check("src", imports);
}

#[test]
fn files_are_rooms_of_a_comfortable_size() {
    CHECKED.iter().for_each(|folder| check(folder, size));
    for (path, reason) in LARGER {
        let text = read(&root().join(path));
        assert!(
            text.lines().count() > LINES_MAX,
            "{path} needs no exception any more"
        );
        assert!(reason.len() > 20, "{path}: an exception needs its reason");
    }
}

#[test]
fn files_say_what_they_are_for() {
    CHECKED.iter().for_each(|folder| check(folder, header));
}

#[test]
fn nothing_is_left_undone() {
    check("src", leftovers_in_src);
    CHECKED.iter().for_each(|folder| check(folder, leftovers));
}

// ---- the rules ---------------------------------------------------------------------------------------

fn imports(path: &str, text: &str) -> Vec<String> {
    let room = room_of(path);
    if SEE_EVERYTHING.contains(&room) {
        return Vec::new();
    }
    let allowed = IMPORTS.iter().find(|(name, _)| *name == room);
    let allowed = allowed.map_or(&[] as &[&str], |(_, allowed)| allowed);
    let code = without_comments(text);
    let foreign = imported(&code)
        .into_iter()
        .filter(|other| other != room && !allowed.contains(&other.as_str()))
        .map(|other| format!("{path}: the room {room} must not import from {other}"));
    let escapes = escapes(path, &code)
        .then(|| format!("{path}: `super` leaves the room {room}; say crate:: and be counted"));
    foreign.chain(escapes).collect()
}

/// The room that a file of `src/` belongs to.
fn room_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The rooms that `code` names by `crate::room` or `crate::{room, room::…}`.
fn imported(code: &str) -> Vec<String> {
    const CRATE: &str = "crate::";
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices(CRATE) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let path = &code[at + CRATE.len()..];
        match path.strip_prefix('{') {
            Some(group) => rooms.extend(members(group)),
            None => rooms.push(first_word(path)),
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

/// The first word of each member of a `use` group, up to its closing brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut words, mut member) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => words.push(first_word(&std::mem::take(&mut member))),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                member.push(c);
            }
        }
    }
    words.push(first_word(&member));
    words
}

fn first_word(text: &str) -> String {
    let text = text.trim_start();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.chars().take_while(|&c| word(c)).collect()
}

/// Whether a chain of `super`s climbs out of the room.
fn escapes(path: &str, code: &str) -> bool {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let is_folder = inside.ends_with("/mod.rs");
    let depth = inside.split('/').count() - usize::from(is_folder);
    let tests_at = code.find("mod tests {").unwrap_or(code.len());
    let climbs = |(at, chain): (usize, usize)| chain >= depth + usize::from(at > tests_at);
    super_chains(code).into_iter().any(climbs)
}

/// Where each chain of `super::` begins, and how long it is.
fn super_chains(code: &str) -> Vec<(usize, usize)> {
    const SUPER: &str = "super::";
    let mut chains = Vec::new();
    let mut end = 0;
    for (at, _) in code.match_indices(SUPER) {
        match chains.last_mut() {
            Some((_, length)) if at == end => *length += 1,
            // `pub(in super::super)` only names who may see it.
            _ => chains.push((at, 1)),
        }
        end = at + SUPER.len();
    }
    chains.retain(|&(at, _)| !code[..at].ends_with("in "));
    chains
}

fn size(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let excepted = LARGER.iter().any(|(name, _)| *name == path);
    let complaint = (lines > LINES_MAX && !excepted)
        .then(|| format!("{path}: {lines} lines; split it, or name it in LARGER with its reason"));
    complaint.into_iter().collect()
}

fn header(path: &str, text: &str) -> Vec<String> {
    let complaint = (!text.starts_with("//! "))
        .then(|| format!("{path}: begins without a `//!` header that says what it is for"));
    complaint.into_iter().collect()
}

fn leftovers_in_src(path: &str, text: &str) -> Vec<String> {
    let is_test = path
        .split('/')
        .any(|part| part == "tests" || part == "tests.rs");
    if is_test {
        return Vec::new();
    }
    let running = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    complaints(path, &without_comments(running), &NOT_IN_SRC)
}

fn leftovers(path: &str, text: &str) -> Vec<String> {
    complaints(path, text, &NOWHERE)
}

fn complaints(path: &str, text: &str, words: &[&str]) -> Vec<String> {
    let lines = text.lines().enumerate();
    let found = lines.flat_map(|(at, line)| {
        let here = words.iter().filter(move |word| line.contains(**word));
        here.map(move |word| format!("{path}:{}: {word}", at + 1))
    });
    found.collect()
}

/// The text with its comments blanked; lines keep their numbers.
fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.find("//") {
        // Not the one in "https://".
        Some(at) if !line[..at].ends_with(':') => line[..at].to_owned() + "\n",
        Some(_) | None => line.to_owned() + "\n",
    };
    text.lines().map(code).collect()
}

// ---- the house ---------------------------------------------------------------------------------------

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Applies `rule` to every Rust file below `folder`, and shows all complaints together.
#[track_caller]
fn check(folder: &str, rule: Rule) {
    let files = rust_files(&root().join(folder));
    assert!(files.len() > 3, "{folder}: no files to look at");
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file
                .strip_prefix(root())
                .expect("it was found below the root");
            let path = path.to_string_lossy().replace('\\', "/");
            rule(&path, &read(file))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

// ---- the rules, proven -------------------------------------------------------------------------------

/// `rule` complains about `bad` and about nothing in `good`.
#[track_caller]
fn prove(rule: Rule, path: &str, bad: &[&str], good: &[&str]) {
    for text in bad {
        assert!(!rule(path, text).is_empty(), "no complaint about {text:?}");
    }
    for text in good {
        assert_eq!(rule(path, text), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn the_import_rule_sees_every_way_to_import() {
    prove(
        imports,
        "src/actors/gate/mod.rs",
        &[
            "use crate::adapters::journal;",
            "use crate::{ports::Journal, api::view, clock::Clock};",
            "use crate::{ports::{A, B}, adapters};",
            "fn f() { let x = crate::config::read(); }",
            "use super::super::adapters::x;",
        ],
        &[
            "use crate::ports::{Journal, api};",
            "use crate::{ports::{Journal, adapters}, transaction::Key};",
            "// crate::adapters is another matter",
            "use super::house::House;",
            "pub(in crate::actors) struct X;",
            "use other_crate::adapters::x;",
        ],
    );
    prove(
        imports,
        "src/transaction/decide/step.rs",
        &["use crate::ports::X;"],
        &["use super::super::state::State;"],
    );
    prove(
        imports,
        "src/ports.rs",
        &["use super::actors::X;"],
        &["mod tests { use super::*; }"],
    );
    prove(
        imports,
        "src/newroom/mod.rs",
        &["use crate::transaction::Key;"],
        &["use crate::newroom::x;"],
    );
    prove(imports, "src/app.rs", &[], &["use crate::adapters::x;"]);
}

#[test]
fn the_size_rule_counts_lines() {
    let (just, over) = ("x\n".repeat(LINES_MAX), "x\n".repeat(LINES_MAX + 1));
    prove(size, "src/x.rs", &[&over], &[&just]);
}

#[test]
fn the_header_rule_wants_the_header_first() {
    prove(
        header,
        "src/x.rs",
        &["", "use x;\n//! late", "//!\n", "// a comment"],
        &["//! What it is for.\n"],
    );
}

#[test]
fn the_leftover_rules_find_what_was_left() {
    let [not_yet, never, debug, unwrapped] = NOT_IN_SRC.map(|word| format!("fn f() {{ x{word} }}"));
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{ fn t() {{ {unwrapped} }} }}");
    prove(
        leftovers_in_src,
        "src/x.rs",
        &[&not_yet, &never, &debug, &unwrapped],
        &[
            &tested,
            "let x = y.unwrap_or(0);",
            &format!("// {unwrapped}"),
        ],
    );
    prove(leftovers_in_src, "src/x/tests/a.rs", &[], &[&unwrapped]);
    let [silent, later, broken, unclear] = NOWHERE.map(|word| format!("// {word} x"));
    prove(
        leftovers,
        "tests/x.rs",
        &[&silent, &later, &broken, &unclear],
        &["address.try_send(x)"],
    );
}
