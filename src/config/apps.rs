//! The apps: one `[app]`, or several `[[app]]`.

use anyhow::bail;

use super::file::AppTable;
use super::keys::KeyConfig;
use super::origin::Origin;
use crate::adapters::notifier::NotifyConfig;
use crate::transaction::AppId;

/// Apps of one teller, at most: a webhook that nobody vouches for is offered to each of them, and
/// an operator's page still shows them all.
pub const APPS_MAX: usize = 100;

/// One app.
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// Its name, part of the key of each of its transactions.
    pub name: AppId,
    /// How it is told; `None` tells it nothing.
    pub notify: Option<NotifyConfig>,
    /// Its keys, all valid at once.
    pub keys: Vec<KeyConfig>,
}

pub(super) fn apps(place: &Origin<'_>, tables: Vec<AppTable>) -> anyhow::Result<Vec<AppConfig>> {
    let origin = place.path.display();
    if tables.is_empty() || tables.len() > APPS_MAX {
        bail!(
            "{origin}: a teller has 1 to {APPS_MAX} apps; there are {}",
            tables.len()
        );
    }
    let mut apps: Vec<AppConfig> = Vec::with_capacity(tables.len());
    for table in tables {
        if apps.iter().any(|other| other.name == table.name) {
            bail!(
                "{origin}: two apps have the name \"{}\"; a name is part of its transactions' keys, so it belongs to \
                 one app",
                table.name
            );
        }
        apps.push(AppConfig {
            name: table.name,
            notify: table.notify.map(|notify| notify.beside(place.folder())),
            keys: table.keys,
        });
    }
    Ok(apps)
}
