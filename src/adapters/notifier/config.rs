//! The `notify` table of an app in `teller.toml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::address::AllowList;
use super::secrets::{self, SecretConfig};
use crate::adapters::provider::{OneOrMany, TimeScale, Written};
use crate::transaction::{AppId, NotifyPolicy};

/// The waits before each delivery that the field uses: an app that is back within a minute is told
/// within a minute, and one that is gone for three days is still told.
const SCHEDULE_S: [u64; 10] = [
    0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
];
/// Deliveries of one piece of news, at most.
const SCHEDULE_MAX: usize = 50;
/// The share of a wait by which it is spread.
const JITTER: f64 = 0.2;

/// How long an endpoint has failed, without a success in between, before it is disabled: longer than
/// the schedule, so that news that came first has had all its deliveries.
const DISABLE_AFTER: Duration = Duration::from_hours(5 * 24);

/// What the reference app reads.
const BODY: &str = r#"{"id": {{ id }}, "status": {"id": {{ id }}, "status": {{ word }}}}"#;

/// How all apps are told.
#[derive(Clone, Debug)]
pub struct NotifierConfig {
    /// By app. One that is missing is told nothing.
    pub apps: BTreeMap<AppId, NotifyConfig>,
    /// How much faster than configured time runs; 1.0 normally.
    pub time_scale: f64,
}

/// How one app is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Table")]
pub struct NotifyConfig {
    pub(super) url: Url,
    pub(super) allow: AllowList,
    pub(super) form: FormConfig,
    pub(super) disable_after: Duration,
    pub(super) schedule: Vec<Duration>,
    pub(super) jitter: f64,
}

/// In which form.
#[derive(Clone, Debug)]
pub(super) enum FormConfig {
    /// A body of the app's own making.
    Template {
        method: Method,
        content_type: String,
        body: String,
        words: Words,
    },
    /// Signed, as Standard Webhooks v1 and v1a say.
    StandardWebhooks { secrets: Vec<SecretConfig> },
}

/// The app's words. `failed` has no default and no stand-in: an app that took it for a decline would
/// tell its customer something that no provider has said.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) completed: String,
    pub(super) declined: String,
    pub(super) failed: String,
    /// Left out for an app that isn't told while a person is asked.
    #[serde(default)]
    pub(super) in_review: Option<String>,
}

/// The method of a templated delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Method {
    Put,
    Post,
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    #[serde(default)]
    allow: OneOrMany<String>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    method: Option<Method>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    words: Option<Words>,
    #[serde(default)]
    secrets: Vec<SecretConfig>,
    #[serde(default)]
    schedule: Option<Vec<Written>>,
    #[serde(default)]
    jitter: Option<f64>,
    #[serde(default)]
    disable_after: Option<Written>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Template,
    StandardWebhooks,
}

impl TryFrom<Table> for NotifyConfig {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let url = Url::parse(&table.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or("url: expected a URL such as \"https://app.example.com/transaction\"")?;
        let allow =
            AllowList::parse(table.allow.iter()).map_err(|what| format!("allow: {what}"))?;
        allow.check(&url).map_err(|what| format!("url: {what}"))?;
        let schedule = match &table.schedule {
            None => SCHEDULE_S.map(Duration::from_secs).to_vec(),
            Some(written) => written.iter().map(|wait| wait.0).collect(),
        };
        if !(1..=SCHEDULE_MAX).contains(&schedule.len()) {
            return Err(format!("schedule: expected 1 to {SCHEDULE_MAX} waits"));
        }
        let jitter = table.jitter.unwrap_or(JITTER);
        if !(0.0..=1.0).contains(&jitter) {
            return Err("jitter: expected a share from 0.0 to 1.0".to_owned());
        }
        let disable_after = table
            .disable_after
            .map_or(DISABLE_AFTER, |written| written.0);
        if disable_after.is_zero() {
            return Err(
                "disable_after: expected a time longer than zero, such as \"5d\"".to_owned(),
            );
        }
        Ok(Self {
            url,
            allow,
            disable_after,
            form: table.form()?,
            schedule,
            jitter,
        })
    }
}

impl Table {
    fn form(self) -> Result<FormConfig, String> {
        match self.format {
            // Silence would let people believe that such a delivery is signed.
            Format::Template if !self.secrets.is_empty() => Err(
                "secrets sign the format \"standard_webhooks\" only; a template is sent unsigned"
                    .to_owned(),
            ),
            Format::Template => Ok(FormConfig::Template {
                method: self.method.unwrap_or(Method::Put),
                content_type: self
                    .content_type
                    .unwrap_or_else(|| "application/json".to_owned()),
                body: self.body.unwrap_or_else(|| BODY.to_owned()),
                words: self.words.ok_or(
                    "words: expected the app's words for completed, declined and failed",
                )?,
            }),
            Format::StandardWebhooks if self.secrets.is_empty() => Err(
                "secrets: the format \"standard_webhooks\" signs, so it needs one, such as secrets = [{ file = \"…\" }]"
                    .to_owned(),
            ),
            Format::StandardWebhooks
                if self.method.is_some()
                    || self.body.is_some()
                    || self.content_type.is_some()
                    || self.words.is_some() =>
            {
                Err(
                    "method, body, content_type and words belong to the format \"template\"; \"standard_webhooks\" fixes them"
                        .to_owned(),
                )
            }
            Format::StandardWebhooks => {
                secrets::check(&self.secrets)?;
                Ok(FormConfig::StandardWebhooks {
                    secrets: self.secrets,
                })
            }
        }
    }
}

impl NotifyConfig {
    /// Makes the paths in it relative to `folder`, where the file that it stands in lies.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        if let FormConfig::StandardWebhooks { secrets } = &mut self.form {
            secrets.iter_mut().for_each(|secret| secret.beside(folder));
        }
        self
    }

    /// When the app is told.
    pub(super) fn policy(&self, scale: TimeScale) -> NotifyPolicy {
        NotifyPolicy {
            schedule: self
                .schedule
                .iter()
                .map(|wait| scale.duration(*wait))
                .collect(),
            jitter: self.jitter,
            tells_review: match &self.form {
                FormConfig::Template { words, .. } => words.in_review.is_some(),
                FormConfig::StandardWebhooks { .. } => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = r#"
        url = "http://127.0.0.1:3000/transaction"
        allow = ["127.0.0.1"]
        words = { completed = "accepted", declined = "declined", failed = "failed" }
    "#;

    fn scale(scale: f64) -> TimeScale {
        TimeScale::new(scale).expect("in range")
    }

    fn complaint(text: &str) -> String {
        let read: Result<NotifyConfig, _> = toml::from_str(text);
        read.expect_err("refused").to_string()
    }

    #[test]
    fn the_reference_app_needs_a_url_and_its_words() {
        let config: NotifyConfig = toml::from_str(REFERENCE).expect("legal");
        let policy = config.policy(scale(1.0));
        assert_eq!(policy.schedule.len(), 10);
        assert_eq!(policy.schedule[0], Duration::ZERO);
        assert_eq!(policy.schedule[9], Duration::from_hours(24));
        assert!((policy.jitter - 0.2).abs() < f64::EPSILON);
        assert!(!policy.tells_review);
        assert_eq!(
            config.policy(scale(10.0)).schedule[1],
            Duration::from_millis(500)
        );
    }

    #[test]
    fn failed_needs_a_word_of_its_own() {
        let said = complaint(
            "url = 'http://a.example/'\nwords = { completed = 'accepted', declined = 'declined' }",
        );
        assert!(said.contains("missing field `failed`"), "{said}");
        assert!(complaint("url = 'http://a.example/'").contains("words: expected"));
    }

    #[test]
    fn review_is_told_only_with_a_word_for_it() {
        let text = REFERENCE.replace(
            "failed = \"failed\"",
            "failed = \"f\", in_review = \"held\"",
        );
        let config: NotifyConfig = toml::from_str(&text).expect("legal");
        assert!(config.policy(scale(1.0)).tells_review);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        for (text, expected) in [
            (REFERENCE.replace("http:", "ftp:"), "expected a URL"),
            (
                REFERENCE.replace("allow = [\"127.0.0.1\"]", ""),
                "url: its host 127.0.0.1 is in a forbidden range (loopback); if the app really is there, say allow = [\"127.0.0.1\"]",
            ),
            (
                REFERENCE.replace("[\"127.0.0.1\"]", "[\"10.0.0.0/8\"]"),
                "url: its host 127.0.0.1 is in a forbidden range (loopback)",
            ),
            (
                REFERENCE.replace("[\"127.0.0.1\"]", "[\"127.0.0.1:3000\"]"),
                "allow: expected a range such as \"10.1.0.0/16\"",
            ),
            (
                format!("{REFERENCE}\nsecrets = [{{ env = 'X' }}]"),
                "sent unsigned",
            ),
            (format!("{REFERENCE}\nschedule = []"), "1 to 50 waits"),
            (format!("{REFERENCE}\njitter = 1.5"), "0.0 to 1.0"),
            (
                format!("{REFERENCE}\ndisable_after = '0s'"),
                "disable_after: expected a time longer than zero",
            ),
            (
                format!("{REFERENCE}\nretries = 3"),
                "unknown field `retries`",
            ),
            (
                format!("{REFERENCE}\nformat = 'standard_webhooks'"),
                "needs one, such as secrets = [{ file = \"…\" }]",
            ),
            (
                format!("{REFERENCE}\nformat = 'standard_webhooks'\nsecrets = [{{ env = 'X' }}]"),
                "belong to the format \"template\"",
            ),
        ] {
            let said = complaint(&text);
            assert!(said.contains(expected), "{said}");
        }
    }
}
