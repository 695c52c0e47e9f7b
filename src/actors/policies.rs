//! The numbers that decisions depend on, put together from both sides: a provider's profile says how a
//! payment is followed up, the notifier says when its app is told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ports::{Notifier, Providers};
use crate::transaction::{AppId, Policy};

/// A policy for every provider and app, made once at the start.
pub(super) struct Policies(BTreeMap<String, AtProvider>);

struct AtProvider {
    by_app: BTreeMap<AppId, Policy>,
    /// For an app whose transactions are still here and whose configuration is gone.
    untold: Policy,
}

impl Policies {
    pub(super) fn new(
        providers: &Providers,
        notifier: &dyn Notifier,
        apps: &[AppId],
        max_pause: Duration,
    ) -> Self {
        let at_provider = |provider: &Policy| {
            let told = |app: &AppId| Policy {
                notify: notifier.policy(app),
                max_pause,
                ..provider.clone()
            };
            AtProvider {
                by_app: apps.iter().map(|app| (app.clone(), told(app))).collect(),
                untold: Policy {
                    notify: None,
                    max_pause,
                    ..provider.clone()
                },
            }
        };
        let all = providers
            .iter()
            .map(|one| (one.name().to_owned(), at_provider(one.policy())));
        Self(all.collect())
    }

    /// The numbers for this app's transactions at this provider; `None` if there is no such provider.
    pub(super) fn get(&self, provider: &str, app: &AppId) -> Option<&Policy> {
        let here = self.0.get(provider)?;
        Some(here.by_app.get(app).unwrap_or(&here.untold))
    }
}
