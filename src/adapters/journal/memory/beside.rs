//! What the journal in memory knows beside transactions: kept webhooks, references, notes.

use std::collections::{BTreeMap, HashMap};

use super::super::{
    MAX_KEPT_FOR, MAX_KEPT_PER_PROVIDER, MAX_LIST_ROWS, MAX_NOTES, claimed_by, finds, keepable,
    no_room_for, notable, too_many_notes,
};
use crate::ports::{AppendError, InboxPage, InboxQuery, Kept, ProviderReference};
use crate::transaction::Statement;
use crate::transaction::{Key, Timestamp};

#[derive(Default, Debug)]
pub(super) struct Beside {
    /// By the sequence number of their arrival.
    kept: BTreeMap<u64, Kept>,
    /// The same, by provider, event id and what it states.
    positions: HashMap<String, BTreeMap<(String, Statement), u64>>,
    owners: HashMap<ProviderReference, Key>,
    notes: BTreeMap<String, String>,
}

impl Beside {
    pub(super) fn keep(&mut self, position: u64, kept: Kept) -> Result<(), AppendError> {
        keepable(&kept)?;
        let name = (kept.event_id.clone(), kept.statement());
        let its = self.positions.entry(kept.provider.clone()).or_default();
        if its.contains_key(&name) {
            return Ok(());
        }
        if its.len() as u64 >= MAX_KEPT_PER_PROVIDER {
            return Err(no_room_for(&kept.provider));
        }
        its.insert(name, position);
        self.kept.insert(position, kept);
        Ok(())
    }

    pub(super) fn release(
        &mut self,
        provider: &str,
        event_id: &str,
        statement: Option<&Statement>,
    ) {
        let Some(its) = self.positions.get_mut(provider) else {
            return;
        };
        let from = (event_id.to_owned(), Statement::from_text(""));
        let same_event = its.range(from..).map(|(name, _)| name.clone());
        let same_event = same_event.take_while(|(its, _)| its == event_id);
        let named = same_event.filter(|(_, its)| statement.is_none_or(|one| one == its));
        for name in named.collect::<Vec<_>>() {
            if let Some(position) = its.remove(&name) {
                self.kept.remove(&position);
            }
        }
    }

    pub(super) fn expire(&mut self, before: Timestamp) -> u64 {
        let expired = self.kept.extract_if(.., |_, one| one.received_at < before);
        let expired: Vec<Kept> = expired.map(|(_, one)| one).collect();
        for one in &expired {
            self.release(&one.provider, &one.event_id, Some(&one.statement()));
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
    pub(super) fn claim(&mut self, references: Vec<ProviderReference>, key: &Key) {
        let found = |name: &ProviderReference| finds(&name.reference);
        for name in references.into_iter().filter(found) {
            let owner = self.owners.entry(name).or_insert_with(|| key.clone());
            if owner != key {
                tracing::warn!(%owner, other = %key, "two transactions have the same reference of their provider");
            }
        }
    }

    pub(super) fn owner(&self, provider: &str, reference: &str) -> Option<Key> {
        let name = ProviderReference {
            provider: provider.to_owned(),
            reference: reference.to_owned(),
        };
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
