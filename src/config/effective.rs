//! The configuration as it takes effect: every default filled in, and of every secret its place only.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use toml::{Table, Value};

use super::file::File;
use super::keys::KeyConfig;
use super::secrets::OWN_FILE;
use super::{AppConfig, Config};
use crate::adapters::provider::{ProfileProblem, Written};

/// Where a provider is, if its table doesn't say.
const AS_PROFILE_SAYS: &str = "…(as the profile says)";

impl Config {
    /// This configuration as a table like `teller.toml`, given the text that it was read from. What it
    /// shows of secrets, and of what others decide, begins with "…".
    ///
    /// # Errors
    /// When `text` is another one.
    pub fn effective(&self, text: &str) -> anyhow::Result<Table> {
        let origin = self.origin.display().to_string();
        let complain = |error| ProfileProblem::of_toml(&origin, text, &error);
        let written: Table = toml::from_str(text).map_err(complain)?;
        let file: File = toml::from_str(text).map_err(complain)?;
        let mut table = Table::new();
        let mut set = |key: &str, value: Value| {
            table.insert(key.to_owned(), value);
        };
        set("listen", self.listen.as_str().into());
        let listened = format!("http://{}", self.listen);
        set(
            "public_url",
            self.public_url.clone().unwrap_or(listened).into(),
        );
        set("data_dir", shown(&self.data_dir));
        set("workers", Value::try_from(self.workers)?);
        set("drain_timeout", duration(self.drain_timeout));
        set("time_scale", self.time_scale.into());
        set("open_doors", self.open_doors.into());
        set(
            "retired_providers",
            Value::try_from(&self.retired_providers)?,
        );
        set("webhooks", webhooks(self));
        set("operators", one("keys", keys(&self.operators)));
        set("app", apps(&self.apps, &written));
        set("provider", self.providers_shown(file));
        set(
            "route",
            written
                .get("route")
                .cloned()
                .unwrap_or(Value::Array(Vec::new())),
        );
        set("bounds", self.bounds_shown()?);
        if let Some(redis) = &self.redis {
            set("redis", redis.shown());
        }
        if let Some(cluster) = &self.cluster {
            set("cluster", cluster.shown());
        }
        Ok(table)
    }

    fn providers_shown(&self, file: File) -> Value {
        let tables = file.provider.into_iter().map(toml::Spanned::into_inner);
        let folder = self.origin.parent().unwrap_or(Path::new("."));
        let shown = self.providers.iter().zip(tables).map(|(provider, table)| {
            let mut shown_table = Table::new();
            let mut set = |key: &str, value: Value| {
                shown_table.insert(key.to_owned(), value);
            };
            let name = provider.profile.name();
            set("profile", shown(&folder.join(&table.profile)));
            set("name", name.into());
            let base_url = provider.base_url.as_deref();
            set("base_url", base_url.unwrap_or(AS_PROFILE_SAYS).into());
            set("default", (name == self.default_provider).into());
            for (key, value) in [
                ("environment", &provider.environment),
                ("stand_in", &provider.stand_in),
            ] {
                if let Some(value) = value {
                    set(key, value.as_str().into());
                }
            }
            let secrets = table.secrets.into_iter().map(|(name, sources)| {
                let sources = sources.into_vec().into_iter();
                let places = sources.map(|source| source.beside(folder).to_string().into());
                (name, Value::Array(places.collect()))
            });
            set("secrets", Value::Table(secrets.collect()));
            let settings = table.settings.into_iter();
            let settings = settings.map(|(name, value)| (name, value.into()));
            set("settings", Value::Table(settings.collect()));
            Value::Table(shown_table)
        });
        Value::Array(shown.collect())
    }

    fn bounds_shown(&self) -> anyhow::Result<Value> {
        #[derive(Serialize)]
        struct Bounds {
            open_transactions: usize,
            max_unfolded: u64,
            body_bytes: usize,
            webhook_bytes: usize,
            linger: Value,
            passivate_beyond: Value,
            body_deadline: Value,
            commit_deadline: Value,
        }
        Ok(Value::try_from(Bounds {
            open_transactions: self.bounds.open_transactions,
            max_unfolded: self.max_unfolded,
            body_bytes: self.doors.body_bytes,
            webhook_bytes: self.doors.webhook_bytes,
            linger: duration(self.bounds.linger),
            passivate_beyond: duration(self.bounds.passivate_beyond),
            body_deadline: duration(self.doors.body_deadline),
            commit_deadline: duration(self.doors.commit_deadline),
        })?)
    }
}

fn apps(apps: &[AppConfig], written: &Table) -> Value {
    let tables = match &written["app"] {
        Value::Array(tables) => tables.iter().collect(),
        one => vec![one],
    };
    let shown = apps.iter().zip(tables).map(|(app, table)| {
        let mut shown = one("name", app.name.as_str().into());
        let mut set = |key: &str, value| {
            if let Value::Table(shown) = &mut shown {
                shown.insert(key.to_owned(), value);
            }
        };
        set("keys", keys(&app.keys));
        let notify = table.get("notify").and_then(Value::as_table);
        if let (Some(config), Some(notify)) = (&app.notify, notify) {
            let mut notify = notify.clone();
            config.show_in(&mut notify);
            set("notify", Value::Table(notify));
        }
        shown
    });
    Value::Array(shown.collect())
}

fn webhooks(config: &Config) -> Value {
    let files = config.token_secret_files.iter();
    let mut files: Vec<Value> = files
        .map(|file| format!("…(from file {})", file.display()).into())
        .collect();
    if files.is_empty() {
        let own = config.data_dir.join(OWN_FILE);
        files.push(format!("…(from file {}, which teller makes)", own.display()).into());
    }
    let mut shown = Table::new();
    shown.insert("token_secret_files".to_owned(), files.into());
    shown.insert("kept_for".to_owned(), duration(config.inbox_kept_for));
    Value::Table(shown)
}

fn keys(keys: &[KeyConfig]) -> Value {
    let shown = keys.iter().map(|key| {
        let mut table = Table::new();
        table.insert("id".to_owned(), key.id.to_string().into());
        table.insert("sha256".to_owned(), key.hash.to_string().into());
        Value::Table(table)
    });
    Value::Array(shown.collect())
}

fn one(key: &str, value: Value) -> Value {
    Value::Table(Table::from_iter([(key.to_owned(), value)]))
}

fn shown(path: &Path) -> Value {
    path.display().to_string().into()
}

fn duration(duration: Duration) -> Value {
    Written(duration).to_string().into()
}
