//! Which transaction a provider's own reference belongs to.
//!
//! The archive has an index of its own for them; what is committed and not folded yet is laid over it
//! in memory. A reference is the first transaction's that brings it. Another one's claim changes
//! nothing and is said in the log: the provider has given one reference twice, or a profile reads the
//! wrong field.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::super::finds;
use super::queries::parsed;
use crate::ports::{ProviderReference, Summary};
use crate::transaction::{AppId, Key, TransactionId};

/// References in the log's tail, by provider.
#[derive(Default, Debug)]
pub(super) struct Overlay {
    by_provider: HashMap<String, HashMap<String, Claim>>,
}

#[derive(Debug)]
struct Claim {
    key: Key,
    /// The first row in the tail that brings it.
    sequence: u64,
}

impl Overlay {
    /// Takes in the references of a committed step.
    pub(super) fn claim(&mut self, sequence: u64, key: &Key, summary: &Summary) {
        for ProviderReference {
            provider,
            reference,
        } in &summary.references
        {
            let known = self.by_provider.get(provider);
            if !finds(reference) || known.is_some_and(|its| its.contains_key(reference)) {
                continue;
            }
            let key = key.clone();
            let its = self.by_provider.entry(provider.clone());
            let claim = Claim { key, sequence };
            its.or_default().insert(reference.clone(), claim);
        }
    }

    /// Whose a reference is, unless the archive says otherwise: what is there was there before.
    pub(super) fn owner(&self, provider: &str, reference: &str) -> Option<Key> {
        let claim = self.by_provider.get(provider)?.get(reference)?;
        Some(claim.key.clone())
    }

    /// Drops what is in the archive now.
    pub(super) fn prune(&mut self, folded: &[ProviderReference], through: u64) {
        for ProviderReference {
            provider,
            reference,
        } in folded
        {
            let Some(its) = self.by_provider.get_mut(provider) else {
                continue;
            };
            if its
                .get(reference)
                .is_some_and(|claim| claim.sequence <= through)
            {
                its.remove(reference);
            }
        }
    }
}

/// References that a group brings, each with the first transaction that brings it.
#[derive(Default)]
pub(super) struct Brought(HashMap<ProviderReference, Key>);

impl Brought {
    /// Takes a step's references. They leave its summary: nothing else in the archive needs them.
    pub(super) fn take(&mut self, key: &Key, summary: &mut Summary) {
        for name in std::mem::take(&mut summary.references) {
            if !finds(&name.reference) {
                continue;
            }
            match self.0.get(&name) {
                None => drop(self.0.insert(name, key.clone())),
                Some(owner) if owner == key => {}
                Some(owner) => warn(&name, owner, key),
            }
        }
    }

    /// In the order of the archive's index, so that each of its pages is touched once.
    pub(super) fn sorted(self) -> Vec<(ProviderReference, Key)> {
        let mut all: Vec<(ProviderReference, Key)> = self.0.into_iter().collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

/// Folds one reference into the archive, if it is new there.
pub(super) fn fold(
    archive: &Connection,
    name: &ProviderReference,
    key: &Key,
) -> rusqlite::Result<()> {
    match owner(archive, &name.provider, &name.reference)? {
        None => archive
            .prepare_cached(
                "INSERT INTO provider_references (provider, reference, app, id) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((
                &name.provider,
                &name.reference,
                key.app.as_str(),
                key.id.to_string(),
            ))
            .map(drop),
        Some(owner) if owner == *key => Ok(()),
        Some(owner) => {
            warn(name, &owner, key);
            Ok(())
        }
    }
}

/// Whose a reference is, as far as the archive knows.
pub(super) fn owner(
    archive: &Connection,
    provider: &str,
    reference: &str,
) -> rusqlite::Result<Option<Key>> {
    archive
        .prepare_cached(
            "SELECT app, id FROM provider_references WHERE provider = ?1 AND reference = ?2",
        )?
        .query_row((provider, reference), |row| {
            Ok(Key {
                app: parsed(row, 0, AppId::parse)?,
                id: TransactionId(parsed(row, 1, uuid::Uuid::try_parse)?),
            })
        })
        .optional()
}

/// Takes a reference from a transaction that has it.
pub(super) fn take_back(
    archive: &Connection,
    provider: &str,
    reference: &str,
    key: &Key,
) -> rusqlite::Result<()> {
    archive
        .prepare_cached(
            "DELETE FROM provider_references \
             WHERE provider = ?1 AND reference = ?2 AND app = ?3 AND id = ?4",
        )?
        .execute((provider, reference, key.app.as_str(), key.id.to_string()))?;
    Ok(())
}

fn warn(name: &ProviderReference, owner: &Key, other: &Key) {
    let ProviderReference {
        provider,
        reference,
    } = name;
    tracing::warn!(
        provider, reference, %owner, %other,
        "two transactions have the same reference of their provider: webhooks that name it go to the first"
    );
}
