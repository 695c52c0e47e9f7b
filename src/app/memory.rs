//! What is known of the apps' endpoints, kept in the journal's notes.

use std::sync::Arc;

use crate::ports::{EndpointMemory, EndpointTrouble, Journal, Promise};
use crate::transaction::AppId;

/// Before an app's name in the name of its note.
const PREFIX: &str = "endpoint/";

/// Endpoints in trouble, remembered by the journal.
pub(super) struct JournalMemory(pub(super) Arc<dyn Journal>);

impl EndpointMemory for JournalMemory {
    fn remember(
        &self,
        app: &AppId,
        trouble: Option<EndpointTrouble>,
    ) -> Promise<Result<(), String>> {
        let name = format!("{PREFIX}{app}");
        let journal = Arc::clone(&self.0);
        Box::pin(async move {
            let value = trouble
                .map(|trouble| serde_json::to_string(&trouble))
                .transpose();
            let value = value.map_err(|error| error.to_string())?;
            let noted = journal.note(&name, value).await;
            noted.map_err(|error| error.to_string())
        })
    }

    fn recall(&self) -> Promise<Result<Vec<(AppId, EndpointTrouble)>, String>> {
        let journal = Arc::clone(&self.0);
        Box::pin(async move {
            let notes = journal
                .noted(PREFIX)
                .await
                .map_err(|error| error.to_string())?;
            notes
                .iter()
                .map(|(name, value)| {
                    let app = AppId::parse(name.strip_prefix(PREFIX).unwrap_or_default())?;
                    let trouble = serde_json::from_str(value)
                        .map_err(|error| format!("the note {name} can't be read: {error}"))?;
                    Ok((app, trouble))
                })
                .collect()
        })
    }
}
