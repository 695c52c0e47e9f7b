//! Webhooks for something that is not known yet.
//!
//! Which ones are kept, for whom and since when is held in memory, as of the last commit: whether
//! anything waits for a reference costs no look at a disk, and a page of the inbox is never behind.
//! What they say is in the archive; whoever needs it waits for the fold that brings it there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::super::{MAX_KEPT_FOR, claimed_by};
use super::entry::{EventName, Reading, Release, Waiting};
use super::queries::{parsed, sqlite};
use super::schema::{integer, natural};
use crate::ports::{JournalError, Kept};
use crate::transaction::Statement;
use crate::transaction::Timestamp;

/// What is kept, by the sequence number of its row.
#[derive(Default, Debug)]
pub(super) struct Inbox {
    kept: BTreeMap<u64, (EventName, Waiting)>,
    by_provider: HashMap<Arc<str>, OfProvider>,
}

/// Of one provider's webhook, its event id and what it states.
pub(super) type Stated = (Arc<str>, Statement);

/// The names among these that a release speaks of.
pub(super) fn released<V>(kept: &BTreeMap<Stated, V>, release: &Release) -> Vec<Stated> {
    let first = (Arc::clone(&release.event_id), Statement::from_text(""));
    let same_event = kept.range(first..).map(|(name, _)| name);
    let same_event = same_event.take_while(|(event_id, _)| *event_id == release.event_id);
    let stated = |statement| {
        release
            .statement
            .as_ref()
            .is_none_or(|one| one == statement)
    };
    same_event
        .filter(|(_, statement)| stated(statement))
        .cloned()
        .collect()
}

#[derive(Default, Debug)]
struct OfProvider {
    events: BTreeMap<Stated, u64>,
    positions: BTreeSet<u64>,
    by_reference: HashMap<String, BTreeSet<u64>>,
}

impl Inbox {
    /// What the archive has.
    pub(super) fn over(archive: &Connection) -> rusqlite::Result<Self> {
        let mut inbox = Self::default();
        let mut statement = archive
            .prepare("SELECT position, provider, event_id, received_at, reading FROM inbox")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let text = |column| row.get_ref(column).and_then(|text| Ok(text.as_str()?));
            let reading: Reading = parsed(row, 4, |text| serde_json::from_str(text))?;
            let (statement, waiting) = reading.waiting(parsed(row, 3, str::parse)?);
            let event = EventName::new(text(1)?, text(2)?, statement);
            inbox.keep(natural(row.get(0)?), &event, &waiting);
        }
        Ok(inbox)
    }

    pub(super) fn keep(&mut self, position: u64, event: &EventName, waiting: &Waiting) {
        let of_provider = self.by_provider.entry(Arc::clone(&event.provider));
        let of_provider = of_provider.or_default();
        of_provider.events.insert(event.stated(), position);
        of_provider.positions.insert(position);
        for reference in claimed_by(&waiting.references) {
            let its = of_provider.by_reference.entry(reference.to_owned());
            its.or_default().insert(position);
        }
        self.kept.insert(position, (event.clone(), waiting.clone()));
    }

    pub(super) fn release(&mut self, release: &Release) {
        let Some(of_provider) = self.by_provider.get(&release.provider) else {
            return;
        };
        let names = released(&of_provider.events, release);
        let positions = names.iter().filter_map(|name| of_provider.events.get(name));
        for position in positions.copied().collect::<Vec<_>>() {
            self.remove(position);
        }
    }

    /// Removes what came before that moment.
    pub(super) fn expire(&mut self, before: Timestamp) {
        let expired: Vec<u64> = self
            .events()
            .filter(|(_, _, waiting)| waiting.received_at < before)
            .map(|(position, _, _)| position)
            .collect();
        expired
            .into_iter()
            .for_each(|position| self.remove(position));
    }

    fn remove(&mut self, position: u64) {
        let Some((event, waiting)) = self.kept.remove(&position) else {
            return;
        };
        let Some(of_provider) = self.by_provider.get_mut(&event.provider) else {
            return;
        };
        of_provider.events.remove(&event.stated());
        of_provider.positions.remove(&position);
        for reference in claimed_by(&waiting.references) {
            let left = of_provider.by_reference.get_mut(reference).map(|its| {
                its.remove(&position);
                its.len()
            });
            if left == Some(0) {
                of_provider.by_reference.remove(reference);
            }
        }
        if of_provider.events.is_empty() {
            self.by_provider.remove(&event.provider);
        }
    }

    /// Everything, oldest first.
    pub(super) fn events(&self) -> impl Iterator<Item = (u64, &EventName, &Waiting)> {
        let kept = self.kept.iter();
        kept.map(|(position, (event, waiting))| (*position, event, waiting))
    }

    /// What waits for a reference, oldest first.
    pub(super) fn kept_for(&self, provider: &str, reference: &str) -> Vec<u64> {
        let of_provider = self.by_provider.get(provider);
        let its = of_provider.and_then(|its| its.by_reference.get(reference));
        its.into_iter()
            .flatten()
            .copied()
            .take(MAX_KEPT_FOR)
            .collect()
    }

    /// A page, newest first: its positions, where the next one starts, and how many there are in all.
    pub(super) fn page(
        &self,
        provider: Option<&str>,
        cursor: Option<u64>,
        limit: usize,
    ) -> (Vec<u64>, Option<u64>, u64) {
        let before = ..cursor.unwrap_or(u64::MAX);
        let (mut page, total): (Vec<u64>, _) = match provider {
            None => {
                let newest_first = self.kept.range(before).rev();
                let page = newest_first.map(|(position, _)| *position);
                (page.take(limit + 1).collect(), self.kept.len())
            }
            Some(provider) => match self.by_provider.get(provider) {
                None => (Vec::new(), 0),
                Some(its) => {
                    let page = its.positions.range(before).rev().copied();
                    (page.take(limit + 1).collect(), its.positions.len())
                }
            },
        };
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().copied().filter(|_| more);
        (page, next, total as u64)
    }
}

// ---- the archive -------------------------------------------------------------------------------------

/// What the archive has at these positions, in their order. What was released meanwhile is left out.
pub(super) fn read(archive: &Connection, positions: &[u64]) -> Result<Vec<Kept>, JournalError> {
    let mut statement = archive
        .prepare_cached(
            "SELECT provider, event_id, received_at, reading, body FROM inbox WHERE position = ?1",
        )
        .map_err(sqlite)?;
    let read = |position: &u64| {
        let found = statement.query_row([integer(*position)], kept).optional();
        found.map_err(sqlite).transpose()
    };
    positions.iter().filter_map(read).collect()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let mut reading: Reading = parsed(row, 3, |text| serde_json::from_str(text))?;
    Ok(Kept {
        provider: row.get(0)?,
        event_id: row.get(1)?,
        received_at: parsed(row, 2, str::parse::<Timestamp>)?,
        references: std::mem::take(&mut reading.references),
        attempt: reading.attempt,
        report: reading.report(),
        body: row.get(4)?,
    })
}

/// Folds one kept webhook into the archive. A second one that states the same of the same event is an error
/// of the log.
pub(super) fn fold_kept(
    archive: &Connection,
    position: u64,
    event: &EventName,
    received_at: &str,
    reading: &str,
    body: &str,
) -> rusqlite::Result<()> {
    archive
        .prepare_cached(
            "INSERT INTO inbox (position, provider, event_id, statement, received_at, reading, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            integer(position),
            &*event.provider,
            &*event.event_id,
            event.statement.as_str(),
            received_at,
            reading,
            body,
        ))?;
    Ok(())
}

/// Folds a release.
pub(super) fn fold_release(archive: &Connection, release: &Release) -> rusqlite::Result<()> {
    let statement = release.statement.as_ref().map(Statement::as_str);
    archive
        .prepare_cached(
            "DELETE FROM inbox WHERE provider = ?1 AND event_id = ?2 \
             AND (?3 IS NULL OR statement = ?3)",
        )?
        .execute((&*release.provider, &*release.event_id, statement))?;
    Ok(())
}

/// Folds an expiry. Written timestamps have one length and one zone, so they sort as they follow.
pub(super) fn fold_expiry(archive: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    archive
        .prepare_cached("DELETE FROM inbox WHERE received_at < ?1")?
        .execute([before.to_string()])?;
    Ok(())
}
