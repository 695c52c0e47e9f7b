//! `[webhook]`: how the provider calls us, and whether it is believed.

use serde::Deserialize;
use toml::Spanned;

use super::ProfileFile;
use crate::adapters::provider::money::AmountPlace;
use crate::adapters::provider::outcome::{EventMeaning, OneOrMany, Pointer, Row};
use crate::adapters::provider::signature::{SignatureScheme, SignatureTable};

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Webhook {
    pub(in super::super) trust: Trust,
    /// With which methods it comes; both unless said otherwise.
    #[serde(default)]
    pub(in super::super) method: OneOrMany<WebhookMethod>,
    #[serde(default)]
    pub(in super::super) content: WebhookContent,
    /// `trust = "signed"`: what is signed, and how.
    #[serde(default)]
    pub(in super::super) signature: Option<SignatureTable>,
    /// `trust = "signed"`: the names of the secrets that sign.
    #[serde(default)]
    pub(in super::super) secret: OneOrMany<String>,
    /// Where the list of a batch stands; the other places are then within its items.
    #[serde(default)]
    pub(in super::super) items: Option<Pointer>,
    /// Where, within an item of the list, the event itself stands.
    #[serde(default)]
    pub(in super::super) item: Option<Pointer>,
    /// What makes two webhooks the same event: a template over `event` and `headers`.
    #[serde(default)]
    pub(in super::super) event_id: Option<Spanned<String>>,
    /// Where our reference stands.
    #[serde(default)]
    pub(in super::super) id: Option<Pointer>,
    /// Where the provider's own id stands.
    #[serde(default)]
    pub(in super::super) provider_reference: Option<Pointer>,
    #[serde(default)]
    pub(in super::super) amount: Option<AmountPlace>,
    #[serde(default)]
    pub(in super::super) acknowledge: Acknowledge,
    pub(in super::super) outcome: Vec<Row<EventMeaning>>,
}

/// Why a webhook is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Trust {
    /// The provider has signed it.
    Signed,
    /// It came to a URL that only the provider was told.
    Token,
    /// It isn't: it is a reason to ask, at most.
    Hint,
}

/// The methods that providers use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in super::super) enum WebhookMethod {
    Post,
    Put,
}

impl WebhookMethod {
    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// How the body is written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum WebhookContent {
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`: an object of strings.
    Form,
}

/// `[webhook.acknowledge]`: what the provider wants to hear.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Acknowledge {
    pub(in super::super) status: AcknowledgeStatus,
    pub(in super::super) body: String,
    pub(in super::super) content_type: String,
}

impl Default for Acknowledge {
    fn default() -> Self {
        Self {
            status: AcknowledgeStatus(200),
            body: String::new(),
            content_type: "text/plain; charset=utf-8".to_owned(),
        }
    }
}

/// A 2xx status: anything else would have the provider send the webhook again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct AcknowledgeStatus(pub(in super::super) u16);

impl<'de> Deserialize<'de> for AcknowledgeStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            status @ 200..=299 => Ok(Self(status)),
            other => Err(serde::de::Error::custom(format!(
                "expected a status from 200 to 299, got {other}"
            ))),
        }
    }
}

/// The compiled signature of a webhook that is trusted by it.
pub(super) fn scheme(file: &ProfileFile) -> Result<Option<SignatureScheme>, String> {
    let table = file.webhook.as_ref().and_then(|one| one.signature.clone());
    table.as_ref().map(SignatureScheme::compile).transpose()
}
