//! Where a text came from, so that every complaint says it.

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file that is read.
pub(super) struct Origin<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Origin<'_> {
    /// The file's name and the line at which `span` begins.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!("{}, line {line}", self.path.display())
    }

    /// A complaint about a place in the file.
    pub(super) fn at(&self, span: &Range<usize>, what: impl Display) -> anyhow::Error {
        anyhow::anyhow!("{}: {what}", self.place(span))
    }

    /// A complaint about the file as a whole.
    pub(super) fn whole(&self, what: impl Display) -> anyhow::Error {
        anyhow::anyhow!("{}: {what}", self.path.display())
    }

    /// The folder that paths in the file are relative to.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// A path in the file.
    pub(super) fn beside(&self, relative: &Path) -> PathBuf {
        self.folder().join(relative)
    }
}
