//! A library of Functions, versioned by what it says: two releases can use their own beside each
//! other while nodes are upgraded one by one.

use std::fmt::Write as _;
use std::sync::LazyLock;

use redis::Cmd;
use sha2::{Digest, Sha256};

/// The journal's own.
pub(super) static JOURNAL: LazyLock<Library> =
    LazyLock::new(|| Library::of(include_str!("journal.lua")));

/// What stands in a library's source where its version belongs.
const MARK: &str = "@hash@";

/// A library of Functions. Where its source says `@hash@`, its version is put in: the name of the
/// library and the names of its Functions have to end with it.
#[derive(Debug)]
pub struct Library {
    version: String,
    code: String,
}

impl Library {
    /// The library with this source.
    #[must_use]
    pub fn of(source: &str) -> Self {
        let hash = Sha256::digest(source.as_bytes());
        let version = hash[..4].iter().fold(String::new(), |mut text, byte| {
            // Writing to a text can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self {
            code: source.replace(MARK, &version),
            version,
        }
    }

    /// The full name of its Function `name`.
    #[must_use]
    pub fn function(&self, name: &str) -> String {
        format!("{name}_{}", self.version)
    }

    /// A call of a Function with one key, to which the others that it touches are bound by its tag.
    ///
    /// A second key is named that never exists. While a slot is on its way from one node of a Cluster
    /// to another, some of its keys are here and some are there, and no Function may run: it would
    /// stop half-way, or begin anew what exists elsewhere. A node refuses every call that names a key
    /// which it hasn't got then.
    #[must_use]
    pub fn call(&self, name: &str, key: &str) -> Cmd {
        let mut call = redis::cmd("FCALL");
        let tag = key.find("}:").map_or("", |end| &key[..end + 2]);
        call.arg(self.function(name)).arg(2).arg(key);
        call.arg(format!("{tag}gap"));
        call
    }

    /// What brings it into a server.
    pub(super) fn load(&self) -> Cmd {
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(&self.code);
        load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_has_other_names() {
        let (one, other) = (Library::of("a @hash@"), Library::of("b @hash@"));
        assert_ne!(one.function("f"), other.function("f"));
        assert!(!JOURNAL.code.contains(MARK));
        assert!(JOURNAL.code.contains(&JOURNAL.function("teller_append")));
    }
}
