//! A provider's profile: what its TOML file can say.
//!
//! Every value is read into a type that can't be wrong, so that a mistake is found with its line
//! when the file is read, and nothing is checked later. What the file leaves out has a default that
//! costs time, never money.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::duration::{Ladder, Written};
use super::forms::{self, Forms};
use super::outcome::{self, AnswerMeaning, OneOrMany, Pointer, ReportMeaning, Row, Word};
use super::problem::ProfileProblem;

/// Characters of a provider's name, at most: it stands in URLs and in every record.
const NAME_MAX_CHARS: usize = 40;
/// The most gaps that one ghost window may be cut into: more would only queue for the budget.
const INQUIRY_GAPS_MAX: u32 = 100;

/// A provider, as its file describes it.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(super) origin: String,
    pub(super) hash: String,
    pub(super) file: ProfileFile,
    pub(super) forms: Forms,
}

impl Profile {
    /// Reads a profile. `origin` names the file in messages.
    ///
    /// # Errors
    /// [`ProfileProblem`] with the line, what was expected there and the nearest valid word.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ProfileProblem> {
        let read = |error| ProfileProblem::of_toml(origin, text, &error);
        let table: toml::Table = toml::from_str(text).map_err(read)?;
        let file: ProfileFile = toml::from_str(text).map_err(read)?;
        check(&file).map_err(|what| ProfileProblem::whole(origin, what))?;
        let forms = forms::compile(&file)
            .map_err(|(span, what)| ProfileProblem::at(origin, text, &span, what))?;
        Ok(Self {
            origin: origin.to_owned(),
            hash: hash(&table).map_err(|error| ProfileProblem::whole(origin, error.to_string()))?,
            file,
            forms,
        })
    }

    /// SHA-256 of what the profile says, hexadecimal. Comments and the order of keys don't change it.
    #[must_use]
    pub fn hash(&self) -> String {
        self.hash.clone()
    }

    /// The same profile under another name, so that it can be set up more than once.
    ///
    /// # Errors
    /// How a name is written.
    pub fn named(mut self, name: &str) -> Result<Self, String> {
        self.file.name = Name::parse(name)?;
        Ok(self)
    }

    /// The provider's name in requests, URLs and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name.0
    }
}

fn hash(table: &toml::Table) -> Result<String, serde_json::Error> {
    let digest = Sha256::digest(serde_json_canonicalizer::to_vec(table)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What the types alone can't promise.
fn check(file: &ProfileFile) -> Result<(), String> {
    outcome::check(&file.submit.outcome).map_err(|what| format!("[[submit.outcome]]: {what}"))?;
    outcome::check(&file.inquiry.outcome).map_err(|what| format!("[[inquiry.outcome]]: {what}"))?;
    for (section, call) in [
        (
            "submit",
            (file.submit.time_out, file.submit.connect_time_out),
        ),
        (
            "inquiry",
            (file.inquiry.time_out, file.inquiry.connect_time_out),
        ),
    ] {
        let (time_out, connect_time_out) = call;
        if connect_time_out >= time_out || connect_time_out.0.is_zero() {
            return Err(format!(
                "[{section}]: connect_time_out is a part of time_out, so it has to be shorter, and longer than zero"
            ));
        }
    }
    if file.schedule.inquiry_gaps.0 > INQUIRY_GAPS_MAX {
        return Err(format!(
            "[schedule]: inquiry_gaps is {INQUIRY_GAPS_MAX} at most"
        ));
    }
    if file.schedule.review_after.0.is_zero() {
        return Err(
            "[schedule]: review_after has to be longer than zero, or everybody would be asked at once"
                .to_owned(),
        );
    }
    if let Some(webhook) = &file.webhook {
        webhook.words.check()?;
    }
    Ok(())
}

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    pub(super) name: Name,
    pub(super) base_url: BaseUrl,
    /// What the provider is told as the transaction's id.
    pub(super) reference: ReferenceRule,
    pub(super) submit: Submit,
    pub(super) inquiry: Inquiry,
    /// Left out for a provider that sends none.
    #[serde(default)]
    pub(super) webhook: Option<Webhook>,
    pub(super) ghost: Ghost,
    /// For how long after its start an attempt may be sent again unchanged, without being executed
    /// again. Left out: never.
    #[serde(default)]
    pub(super) resend_safe_for: Option<Written>,
    #[serde(default)]
    pub(super) schedule: Schedule,
    #[serde(default)]
    pub(super) limits: LimitsTable,
}

/// Which id the provider knows an attempt by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReferenceRule {
    /// The transaction's own: all attempts share it.
    Transaction,
    /// `<id>-<n>`: attempts can be told apart.
    Attempt,
}

/// `[submit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submit {
    pub(super) method: SubmitMethod,
    pub(super) path: Spanned<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default = "json")]
    pub(super) content_type: Spanned<String>,
    pub(super) body: Spanned<String>,
    pub(super) time_out: Written,
    #[serde(default = "connect_time_out")]
    pub(super) connect_time_out: Written,
    #[serde(default)]
    pub(super) provider_reference: Option<Pointer>,
    pub(super) outcome: Vec<Row<AnswerMeaning>>,
}

/// Methods that carry a body. Only a body shows whether a request has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum SubmitMethod {
    Post,
    Put,
    Patch,
}

impl SubmitMethod {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// `[inquiry]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inquiry {
    pub(super) method: InquiryMethod,
    pub(super) path: Spanned<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default = "inquiry_time_out")]
    pub(super) time_out: Written,
    #[serde(default = "connect_time_out")]
    pub(super) connect_time_out: Written,
    #[serde(default)]
    pub(super) provider_reference: Option<Pointer>,
    pub(super) outcome: Vec<Row<ReportMeaning>>,
}

/// Methods of an inquiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum InquiryMethod {
    Get,
    Post,
}

impl InquiryMethod {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// `[webhook]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    pub(super) trust: Trust,
    pub(super) id: Pointer,
    pub(super) status: Pointer,
    #[serde(default)]
    pub(super) provider_reference: Option<Pointer>,
    pub(super) words: WebhookWords,
}

/// Why a webhook is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trust {
    /// It came to a URL that only the provider was told.
    Token,
    /// It isn't: it is a reason to ask, at most.
    Hint,
}

/// Which words of a webhook mean what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookWords {
    #[serde(default)]
    pub(super) completed: OneOrMany<Word>,
    #[serde(default)]
    pub(super) declined: OneOrMany<Word>,
    #[serde(default)]
    pub(super) pending: OneOrMany<Word>,
}

impl WebhookWords {
    fn check(&self) -> Result<(), String> {
        let all: Vec<&Word> = [&self.completed, &self.declined, &self.pending]
            .into_iter()
            .flat_map(OneOrMany::iter)
            .collect();
        let twice = (1..all.len()).find(|at| all[..*at].contains(&all[*at]));
        match twice {
            Some(at) => Err(format!("[webhook.words]: {:?} stands there twice", all[at])),
            None => Ok(()),
        }
    }
}

/// `[ghost]`: what may become of an attempt that timed out for us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ghost {
    /// Left out if the provider states none; then absence is never proven.
    #[serde(default)]
    pub(super) window: Option<Written>,
    #[serde(default = "margin")]
    pub(super) margin: Written,
    pub(super) on_absence: Absence,
    pub(super) max_attempts: Positive,
}

/// What follows a proven absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Absence {
    Resubmit,
    Fail,
}

/// `[schedule]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Schedule {
    pub(super) inquiry_gaps: Positive,
    pub(super) pending: Ladder,
    pub(super) retry: Ladder,
    pub(super) review: Ladder,
    pub(super) review_after: Written,
    pub(super) backoff: Ladder,
    pub(super) submit_within: Written,
}

impl Default for Schedule {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_hours(1);
        Self {
            inquiry_gaps: Positive(6),
            pending: Ladder::of_seconds(&[5, 5, 10, 20, 30, 60]),
            retry: Ladder::of_seconds(&[15, 30, 60, 120, 300]),
            review: Ladder::of_seconds(&[600, 3_600, 21_600, 86_400]),
            review_after: Written(HOUR),
            backoff: Ladder::of_seconds(&[1, 2, 5, 10, 30, 60]),
            submit_within: Written(HOUR),
        }
    }
}

/// `[limits]`. The defaults are what any provider should bear.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    pub(super) submissions_at_once: Positive,
    pub(super) submissions_per_second: Option<Rate>,
    pub(super) inquiries_per_second: Rate,
    pub(super) inquiry_burst: Positive,
    pub(super) inquiries_at_once: Positive,
    pub(super) breaker_failures: Positive,
    pub(super) breaker_pause: Written,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            submissions_at_once: Positive(100),
            submissions_per_second: None,
            inquiries_per_second: Rate(1.0),
            inquiry_burst: Positive(1),
            inquiries_at_once: Positive(4),
            breaker_failures: Positive(10),
            breaker_pause: Written(Duration::from_secs(10)),
        }
    }
}

fn json() -> Spanned<String> {
    Spanned::new(0..0, "application/json".to_owned())
}

fn connect_time_out() -> Written {
    Written(Duration::from_secs(5))
}

fn inquiry_time_out() -> Written {
    Written(Duration::from_secs(10))
}

fn margin() -> Written {
    Written(Duration::from_secs(1))
}

/// A provider's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name(pub(super) String);

impl Name {
    fn parse(name: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if (1..=NAME_MAX_CHARS).contains(&name.len()) && name.chars().all(legal) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!(
                "a provider's name has 1 to {NAME_MAX_CHARS} characters of a-z, 0-9, '-' and '_', got {name:?}"
            ))
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Where a provider's paths begin: `http` or `https`, a host, and a path without a trailing slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BaseUrl(String);

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected a URL such as \"https://api.example.com/v1\", got {text:?}");
        let url = reqwest::Url::parse(text).map_err(|_| expected())?;
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(expected())
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether TLS is spoken there.
    pub(super) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A whole number from 1 to a million.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Positive(pub(super) u32);

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            number @ 1..=1_000_000 => Ok(Self(number)),
            other => Err(D::Error::custom(format!(
                "expected a number from 1 to 1000000, got {other}"
            ))),
        }
    }
}

/// So many per second: more than none, and finite.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Rate(pub(super) f64);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rate = f64::deserialize(deserializer)?;
        if rate.is_finite() && rate > 0.0 {
            Ok(Self(rate))
        } else {
            Err(D::Error::custom(format!(
                "expected a rate per second above zero, got {rate}"
            )))
        }
    }
}
