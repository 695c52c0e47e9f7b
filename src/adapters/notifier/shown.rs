//! What an app's `notify` table comes to, with its defaults and without what must not be shown.

use toml::{Table, Value};

use super::config::{FormConfig, Method, NotifyConfig};
use crate::adapters::provider::Written;

/// Stands for what is not shown.
const HIDDEN: &str = "…";

impl NotifyConfig {
    /// Fills the defaults into `table`, which was read as this, and takes out what opens or signs
    /// something.
    pub fn show_in(&self, table: &mut Table) {
        let mut url = self.url.clone();
        if url.password().is_some() || !url.username().is_empty() {
            // A URL with a host, as this one is, takes both.
            let _ = url.set_password(None);
            let _ = url.set_username(HIDDEN);
        }
        if url.query().is_some() {
            url.set_query(Some(HIDDEN));
        }
        table.insert(
            "url".to_owned(),
            url.as_str().replace("%E2%80%A6", HIDDEN).into(),
        );
        let mut default = |key: &str, value: Value| {
            table.entry(key).or_insert(value);
        };
        default("allow", Value::Array(Vec::new()));
        let waits = self.schedule.iter().map(|wait| Written(*wait).to_string());
        default(
            "schedule",
            waits.map(Value::from).collect::<Vec<_>>().into(),
        );
        default("jitter", self.jitter.into());
        default(
            "disable_after",
            Written(self.disable_after).to_string().into(),
        );
        match &self.form {
            FormConfig::Template {
                method,
                content_type,
                body,
                ..
            } => {
                let method = match method {
                    Method::Put => "PUT",
                    Method::Post => "POST",
                };
                default("format", "template".into());
                default("method", method.into());
                default("content_type", content_type.as_str().into());
                default("body", body.as_str().into());
            }
            FormConfig::StandardWebhooks { secrets } => {
                default("format", "standard_webhooks".into());
                let shown = secrets.iter().map(|secret| secret.to_string().into());
                table.insert("secrets".to_owned(), Value::Array(shown.collect()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Table {
        let mut table: Table = text.parse().expect("TOML");
        let config: NotifyConfig = toml::from_str(text).expect("legal");
        config.show_in(&mut table);
        table
    }

    #[test]
    fn defaults_are_filled_in() {
        let table = shown(
            "url = 'https://app.example/told'\njitter = 0.5\n\
             words = { completed = 'a', declined = 'b', failed = 'c' }",
        );
        for (key, value) in [
            ("url", "\"https://app.example/told\""),
            ("format", "\"template\""),
            ("method", "\"PUT\""),
            ("content_type", "\"application/json\""),
            ("jitter", "0.5"),
            ("disable_after", "\"5d\""),
            ("allow", "[]"),
        ] {
            assert_eq!(table[key].to_string(), value, "{key}");
        }
        let schedule = table["schedule"].as_array().expect("a list");
        assert_eq!(schedule[..4], ["0ms", "5s", "5m", "30m"].map(Value::from));
        // What is shown is read as the same.
        let again: NotifyConfig = table.try_into().expect("legal");
        assert_eq!(again.schedule.len(), 10);
    }

    #[test]
    fn what_opens_or_signs_something_is_not_shown() {
        let table = shown(
            "url = 'https://ann:swordfish@app.example/told?token=swordfish'\n\
             format = 'standard_webhooks'\n\
             secrets = [{ file = '/run/new' }, { env = 'OLD', until = '2026-12-01T00:00:00Z' }]",
        );
        assert_eq!(table["url"].as_str(), Some("https://…@app.example/told?…"));
        let secrets = table["secrets"].to_string();
        assert!(
            secrets.contains("…(from file /run/new)") && secrets.contains("…(from variable OLD"),
            "{secrets}"
        );
        assert!(!table.to_string().contains("swordfish"), "{table}");
    }
}
