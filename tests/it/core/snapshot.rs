//! Text that a test writes and a person reads: it must say what the code does now.

use std::path::Path;

/// Set to write the snapshots anew instead of comparing them.
const UPDATE: &str = "UPDATE_SNAPSHOTS";

/// Compares `text` with the file at `path` below the project's folder.
pub(crate) fn assert_is_current(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("writable");
        std::fs::write(&file, text).expect("writable");
        return;
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    if let Some(difference) = first_difference(&stored, text) {
        panic!(
            "{path} is not what the code does now; if the code is right, run\n\n    \
             {UPDATE}=1 cargo test --test it states\n\n{difference}"
        );
    }
}

/// The first line that differs, both ways.
fn first_difference(stored: &str, text: &str) -> Option<String> {
    if stored == text {
        return None;
    }
    let pairs = stored.lines().zip(text.lines()).enumerate();
    let line = pairs.clone().find(|(_, (stored, now))| stored != now);
    Some(match line {
        Some((at, (stored, now))) => {
            format!("line {}\n  stored: {stored}\n  now:    {now}", at + 1)
        }
        None => format!("one of them ends after line {}", pairs.count()),
    })
}

#[test]
fn a_difference_is_found_and_named() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    let changed = first_difference("a\nb\n", "a\nc\n").expect("they differ");
    assert!(changed.starts_with("line 2"), "{changed}");
    let shorter = first_difference("a\n", "a\nb\n").expect("they differ");
    assert!(shorter.contains("after line 1"), "{shorter}");
}
