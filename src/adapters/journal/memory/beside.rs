//! What the journal in memory knows beside transactions: kept webhooks, references, notes.

use std::collections::{BTreeMap, HashMap};

use super::super::{
    MAX_KEPT_FOR, MAX_KEPT_PER_PROVIDER, MAX_LIST_ROWS, MAX_NOTES, claimed_by, finds, keepable,
    no_room_for, notable, too_many_notes,
};
use crate::ports::{AppendError, InboxPage, InboxQuery, Kept};
use crate::transaction::{Key, Timestamp};

#[derive(Default, Debug)]
pub(super) struct Beside {
    /// By the sequence number of their arrival.
    kept: BTreeMap<u64, Kept>,
    /// The same, by provider and event id.
    positions: HashMap<String, HashMap<String, u64>>,
    /// By provider and reference.
    owners: HashMap<(String, String), Key>,
    notes: BTreeMap<String, String>,
}

impl Beside {
    pub(super) fn keep(&mut self, position: u64, kept: Kept) -> Result<(), AppendError> {
        keepable(&kept)?;
        let its = self.positions.entry(kept.provider.clone()).or_default();
        if its.contains_key(&kept.event_id) {
            return Ok(());
        }
        if its.len() as u64 >= MAX_KEPT_PER_PROVIDER {
            return Err(no_room_for(&kept.provider));
        }
        its.insert(kept.event_id.clone(), position);
        self.kept.insert(position, kept);
        Ok(())
    }

    pub(super) fn release(&mut self, provider: &str, event_id: &str) {
        let its = self.positions.get_mut(provider);
        if let Some(position) = its.and_then(|its| its.remove(event_id)) {
            self.kept.remove(&position);
        }
    }

    pub(super) fn expire(&mut self, before: Timestamp) -> u64 {
        let expired = self.kept.extract_if(.., |_, one| one.received_at < before);
        let expired: Vec<Kept> = expired.map(|(_, one)| one).collect();
        for one in &expired {
            self.release(&one.provider, &one.event_id);
        }
        expired.len() as u64
    }

    pub(super) fn kept_for(&self, provider: &str, reference: &str) -> Vec<Kept> {
        self.kept
            .values()
            .filter(|one| one.provider == provider)
            .filter(|one| claimed_by(&one.references).any(|its| its == reference))
            .take(MAX_KEPT_FOR)
            .cloned()
            .collect()
    }

    pub(super) fn inbox(&self, query: &InboxQuery) -> InboxPage {
        let limit = query.limit.clamp(1, MAX_LIST_ROWS);
        let shown = |one: &Kept| {
            query
                .provider
                .as_ref()
                .is_none_or(|its| *its == one.provider)
        };
        let mut found = self
            .kept
            .range(..query.cursor.unwrap_or(u64::MAX))
            .rev()
            .filter(|(_, one)| shown(one));
        let rows: Vec<(&u64, &Kept)> = found.by_ref().take(limit).collect();
        let next = rows.last().map(|(position, _)| **position);
        InboxPage {
            next: next.filter(|_| found.next().is_some()),
            rows: rows.into_iter().map(|(_, one)| one.clone()).collect(),
            total: self.kept.values().filter(|one| shown(one)).count() as u64,
        }
    }

    /// Gives a transaction its references, but for those that another one had first.
    pub(super) fn claim(&mut self, provider: &str, references: Vec<String>, key: &Key) {
        for reference in references.into_iter().filter(|one| finds(one)) {
            let name = (provider.to_owned(), reference);
            let owner = self.owners.entry(name).or_insert_with(|| key.clone());
            if owner != key {
                tracing::warn!(%owner, other = %key, "two transactions have the same reference of their provider");
            }
        }
    }

    pub(super) fn owner(&self, provider: &str, reference: &str) -> Option<Key> {
        let name = (provider.to_owned(), reference.to_owned());
        self.owners.get(&name).cloned()
    }

    pub(super) fn note(&mut self, name: &str, value: Option<String>) -> Result<(), AppendError> {
        notable(name, value.as_deref())?;
        let Some(value) = value else {
            self.notes.remove(name);
            return Ok(());
        };
        if !self.notes.contains_key(name) && self.notes.len() >= MAX_NOTES {
            return Err(too_many_notes());
        }
        self.notes.insert(name.to_owned(), value);
        Ok(())
    }

    pub(super) fn noted(&self, prefix: &str) -> Vec<(String, String)> {
        let from = self.notes.range(prefix.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}
