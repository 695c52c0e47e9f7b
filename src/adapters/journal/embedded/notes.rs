//! Small facts that have to survive a restart, by name. All of them are in memory, as of the last
//! commit; the archive is where a restart finds them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use rusqlite::Connection;

/// The notes.
#[derive(Default, Debug)]
pub(super) struct Notes(BTreeMap<Arc<str>, String>);

impl Notes {
    /// What the archive has.
    pub(super) fn over(archive: &Connection) -> rusqlite::Result<Self> {
        let mut statement = archive.prepare("SELECT name, value FROM notes")?;
        let notes =
            statement.query_map([], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
        notes.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn set(&mut self, name: &Arc<str>, value: &str) {
        self.0.insert(Arc::clone(name), value.to_owned());
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    /// Those whose names begin with `prefix`.
    pub(super) fn of(&self, prefix: &str) -> Vec<(String, String)> {
        self.0
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_ref().to_owned(), value.clone()))
            .collect()
    }
}

/// Folds one note into the archive: the last one wins.
pub(super) fn fold(archive: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    archive
        .prepare_cached("INSERT OR REPLACE INTO notes (name, value) VALUES (?1, ?2)")?
        .execute((name, value))?;
    Ok(())
}

/// Folds the end of a note.
pub(super) fn fold_end(archive: &Connection, name: &str) -> rusqlite::Result<()> {
    archive
        .prepare_cached("DELETE FROM notes WHERE name = ?1")?
        .execute([name])?;
    Ok(())
}
