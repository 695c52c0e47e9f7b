//! `[redis] finished_kept_for` and `archive`: how long finished transactions stay in the store, and
//! where their histories go.

use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

use super::origin::Origin;

/// The shortest retention: whoever asks again at once should still see the whole history.
const KEPT_FOR_MIN: Duration = Duration::from_mins(1);

/// Where histories go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ArchivePlace {
    /// A stream per partition, in the store.
    Stream,
    /// A file of this node's, a line of JSON each.
    File(PathBuf),
}

impl ArchivePlace {
    /// As it is written in the configuration.
    pub(super) fn shown(&self) -> Value {
        match self {
            Self::Stream => "stream".into(),
            Self::File(path) => {
                let mut table = Table::new();
                table.insert("file".to_owned(), path.display().to_string().into());
                Value::Table(table)
            }
        }
    }
}

/// Checks both.
pub(super) fn archive(
    place: &Origin<'_>,
    kept_for: Option<Duration>,
    archive: Option<&Value>,
) -> Result<ArchivePlace, String> {
    if kept_for.is_some_and(|kept_for| kept_for < KEPT_FOR_MIN) {
        return Err(
            "finished_kept_for is \"1m\" at least: what is archived answers with its outcome only"
                .to_owned(),
        );
    }
    let Some(value) = archive else {
        return Ok(ArchivePlace::Stream);
    };
    if kept_for.is_none() {
        return Err(
            "archive goes with finished_kept_for = \"90d\" or the like: without it nothing is removed"
                .to_owned(),
        );
    }
    match value {
        Value::String(word) if word == "stream" => Ok(ArchivePlace::Stream),
        Value::Table(table) if table.len() == 1 => match table.get("file") {
            Some(Value::String(file)) if !file.is_empty() => {
                Ok(ArchivePlace::File(place.beside(file.as_ref())))
            }
            Some(_) | None => Err(expected()),
        },
        _ => Err(expected()),
    }
}

fn expected() -> String {
    "archive is \"stream\" or { file = \"archive.jsonl\" }".to_owned()
}
