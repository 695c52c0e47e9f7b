//! What can be asked of the archive.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use uuid::Uuid;

use super::super::{MAX_LIST_ROWS, MAX_OPEN_ROWS};
use super::schema::{integer, natural};
use crate::ports::{JournalError, ListQuery, OpenPage, Page, Summary};
use crate::transaction::{AppId, Key, Record, State, Status, Timestamp, TransactionId};

/// The whole history of `key`.
pub(super) fn history(
    archive: &Connection,
    key: &Key,
) -> Result<Option<Vec<Record>>, JournalError> {
    let history: Option<String> = archive
        .prepare_cached("SELECT history FROM transactions WHERE id = ?1 AND app = ?2")
        .and_then(|mut statement| {
            statement
                .query_row((key.id.to_string(), key.app.as_str()), |row| row.get(0))
                .optional()
        })
        .map_err(sqlite)?;
    let Some(history) = history else {
        return Ok(None);
    };
    history
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map(Some)
        .map_err(|error| JournalError(format!("the history of {key}: {error}")))
}

/// The open transactions after a position.
pub(super) fn open(
    archive: &Connection,
    after: u64,
    limit: usize,
) -> Result<OpenPage, JournalError> {
    let limit = limit.clamp(1, MAX_OPEN_ROWS);
    let rows = select(
        archive,
        "SELECT position, app, id, due_at FROM transactions \
         WHERE open = 1 AND position > ?1 ORDER BY position LIMIT ?2",
        [integer(after).into(), one_more(limit)],
        open_row,
    )?;
    let (rows, next) = page(rows, limit);
    Ok(OpenPage { rows, next })
}

fn open_row(row: &Row<'_>) -> Result<(Key, Option<Timestamp>), JournalError> {
    let text = |column| row.get::<_, String>(column).map_err(sqlite);
    let due: Option<String> = row.get(3).map_err(sqlite)?;
    let (app, id) = (text(1)?, text(2)?);
    let unreadable = |why: &dyn std::fmt::Display| JournalError(format!("{app}/{id}: {why}"));
    let key = Key {
        app: AppId::parse(&app).map_err(|why| unreadable(&why))?,
        id: TransactionId(Uuid::try_parse(&id).map_err(|why| unreadable(&why))?),
    };
    let due = due
        .map(|due| due.parse().map_err(|why| unreadable(&why)))
        .transpose()?;
    Ok((key, due))
}

/// The providers of open transactions: the ones that have them, and all others that an attempt was made
/// at or that the app asked for.
pub(super) fn open_providers(archive: &Connection) -> Result<Vec<String>, JournalError> {
    archive
        .prepare(
            "SELECT provider FROM transactions WHERE open = 1 \
             UNION SELECT others.provider FROM other_providers AS others \
             JOIN transactions USING (id, app) WHERE open = 1 ORDER BY 1",
        )
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(sqlite)
}

/// A page of a list, newest first.
pub(super) fn list(
    archive: &Connection,
    query: &ListQuery,
    as_of: Timestamp,
) -> Result<Page, JournalError> {
    let limit = query.limit.clamp(1, MAX_LIST_ROWS);
    let (sql, mut values) = list_sql(query);
    values.push(one_more(limit));
    let rows = select(archive, &sql, values, |row| summary(row).map_err(sqlite))?;
    let (rows, next) = page(rows, limit);
    Ok(Page { rows, next, as_of })
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let key = Key {
        app: parsed(row, 1, AppId::parse)?,
        id: TransactionId(parsed(row, 2, Uuid::try_parse)?),
    };
    let state: State = parsed(row, 4, |text| serde_json::from_str(text))?;
    let time = |column| parsed(row, column, str::parse::<Timestamp>);
    let optional = |column| match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => time(column).map(Some),
    };
    Ok(Summary {
        key,
        version: natural(row.get(3)?),
        state,
        status: state.status(),
        provider: row.get(5)?,
        accepted_at: time(6)?,
        changed_at: time(7)?,
        final_at: optional(8)?,
        due_at: optional(9)?,
        attempts: row.get(10)?,
        open: row.get(11)?,
        needs_review: row.get(12)?,
        providers: Vec::new(),
        references: Vec::new(),
    })
}

/// A column's text, read by `parse`.
pub(super) fn parsed<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    let value = row.get_ref(column)?;
    parse(value.as_str()?).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), why.into())
    })
}

/// The statement of a list and its values, but for the last one, the number of rows. It goes by the
/// index that narrows the list most: each index holds its rows in order of position, so the right one
/// reads about as many rows as the page has. A `+` takes a column's index out of SQLite's choice.
pub(super) fn list_sql(query: &ListQuery) -> (String, Vec<Value>) {
    // Most transactions are completed, so this status narrows nothing.
    let rare = query
        .status
        .is_some_and(|status| status != Status::Completed);
    let driver = if query.needs_review {
        "needs_review"
    } else if rare {
        "status"
    } else if query.app.is_some() {
        "app"
    } else if query.provider.is_some() {
        "provider"
    } else {
        "status"
    };
    let mut sql = Vec::new();
    let mut values = Vec::new();
    let mut equals = |column: &str, value: Option<String>| {
        if let Some(value) = value {
            let plus = if column == driver { "" } else { "+" };
            sql.push(format!("{plus}{column} = ?"));
            values.push(Value::Text(value));
        }
    };
    equals("status", query.status.map(|one| one.as_str().to_owned()));
    equals("app", query.app.clone());
    equals("provider", query.provider.clone());
    if query.needs_review {
        sql.push("needs_review = 1".to_owned());
    }
    if let Some(cursor) = query.cursor {
        sql.push("position < ?".to_owned());
        values.push(integer(cursor).into());
    }
    let conditions = if sql.is_empty() {
        String::new()
    } else {
        format!("WHERE {} ", sql.join(" AND "))
    };
    let sql = format!(
        "SELECT position, app, id, version, state, provider, accepted_at, changed_at, final_at, \
         due_at, attempts, open, needs_review \
         FROM transactions {conditions}ORDER BY position DESC LIMIT ?"
    );
    (sql, values)
}

/// Rows with the position in their first column.
fn select<T>(
    archive: &Connection,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
    read: impl Fn(&Row<'_>) -> Result<T, JournalError>,
) -> Result<Vec<(u64, T)>, JournalError> {
    let mut statement = archive.prepare_cached(sql).map_err(sqlite)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let position = row.get(0).map(natural).map_err(sqlite)?;
        found.push((position, read(row)?));
    }
    Ok(found)
}

/// A row more than the page has shows whether another page follows.
fn one_more(limit: usize) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
}

fn page<T>(mut rows: Vec<(u64, T)>, limit: usize) -> (Vec<T>, Option<u64>) {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(position, _)| *position);
    (rows.into_iter().map(|(_, row)| row).collect(), next)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn sqlite(error: rusqlite::Error) -> JournalError {
    JournalError(format!("archive.db: {error}"))
}
