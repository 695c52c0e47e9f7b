//! What the row of a step holds of its summary.

use serde::{Deserialize, Serialize};

use crate::ports::{ProviderReference, Summary};
use crate::transaction::{Key, State, Timestamp};

/// Of a summary, what neither the other columns of its row nor its records say in one place.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remainder {
    state: State,
    provider: String,
    accepted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    final_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    attempts: u32,
    open: bool,
    needs_review: bool,
    /// Empty where it is with the one provider only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    providers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    references: Vec<StoredReference>,
}

/// A provider's reference in a row of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum StoredReference {
    /// Of the provider that the row names. Format 2 wrote every reference so.
    OfTheRow(String),
    /// Of an attempt that went to another one.
    Of(ProviderReference),
}

impl Remainder {
    pub(super) fn of(summary: &Summary) -> Self {
        let stored = |one: &ProviderReference| {
            if one.provider == summary.provider {
                StoredReference::OfTheRow(one.reference.clone())
            } else {
                StoredReference::Of(one.clone())
            }
        };
        let providers = match summary.providers.as_slice() {
            [only] if *only == summary.provider => Vec::new(),
            several => several.to_vec(),
        };
        Self {
            state: summary.state,
            provider: summary.provider.clone(),
            accepted_at: summary.accepted_at,
            final_at: summary.final_at,
            due_at: summary.due_at,
            attempts: summary.attempts,
            open: summary.open,
            needs_review: summary.needs_review,
            providers,
            references: summary.references.iter().map(stored).collect(),
        }
    }

    /// The summary again, with what the other columns say.
    pub(super) fn with(self, key: Key, version: u64, changed_at: Timestamp) -> Summary {
        let named = |stored| match stored {
            StoredReference::OfTheRow(reference) => ProviderReference {
                provider: self.provider.clone(),
                reference,
            },
            StoredReference::Of(named) => named,
        };
        let references = self.references.into_iter().map(named).collect();
        let providers = if self.providers.is_empty() {
            vec![self.provider.clone()]
        } else {
            self.providers
        };
        Summary {
            key,
            version,
            state: self.state,
            status: self.state.status(),
            provider: self.provider,
            accepted_at: self.accepted_at,
            changed_at,
            final_at: self.final_at,
            due_at: self.due_at,
            attempts: self.attempts,
            open: self.open,
            needs_review: self.needs_review,
            providers,
            references,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{key, known_to, wall};
    use super::*;

    fn read(text: &str) -> Summary {
        let remainder: Remainder = serde_json::from_str(text).expect("a row of the log");
        remainder.with(key("shop", 1), 3, wall(2))
    }

    /// A row as a release of format 2 has written it.
    #[test]
    fn the_references_of_an_old_row_belong_to_the_provider_of_the_row() {
        let summary = read(
            r#"{"state":{"name":"pending","attempt":1},"provider":"bank","accepted_at":"2023-11-14T22:13:21.000Z","due_at":"2023-11-14T22:15:21.000Z","attempts":1,"open":true,"needs_review":false,"references":["r","s"]}"#,
        );
        let theirs = ["r", "s"].map(|reference| known_to("bank", reference));
        assert_eq!(summary.references, theirs);
        assert_eq!(summary.providers, ["bank"]);
    }

    #[test]
    fn a_row_is_read_as_it_was_written_and_holds_no_more_than_an_old_one_without_a_stand_in() {
        let mut summary = read(
            r#"{"state":{"name":"pending","attempt":1},"provider":"bank","accepted_at":"2023-11-14T22:13:21.000Z","attempts":1,"open":true,"needs_review":false,"references":["r"]}"#,
        );
        let written = |summary: &Summary| {
            serde_json::to_string(&Remainder::of(summary)).expect("a small tree")
        };
        let text = written(&summary);
        assert!(text.contains(r#""references":["r"]"#), "{text}");
        assert!(!text.contains("providers"), "{text}");
        assert_eq!(read(&text), summary);

        summary.provider = "other".to_owned();
        summary.providers = vec!["bank".to_owned(), "other".to_owned()];
        summary.references.push(known_to("other", "r"));
        assert_eq!(read(&written(&summary)), summary);
    }
}
