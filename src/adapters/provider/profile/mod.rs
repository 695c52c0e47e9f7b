//! A provider's profile: what its TOML file can say.
//!
//! Every value is read into a type that can't be wrong, so that a mistake is found with its line
//! when the file is read, and nothing is checked later. What the file leaves out has a default that
//! costs time, never money.

mod auth;
mod calls;
mod checks;
mod numbers;
mod webhook;
mod words;

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::duration::Written;
use super::filters::hex;
use super::forms::{self, Forms};
use super::outcome::Pointer;
use super::problem::ProfileProblem;
use super::signature::SignatureScheme;

pub(super) use auth::{Auth, AuthKind, ClientAuth, TokenMethod};
pub(super) use calls::{Echo, Inquiry, InquiryMethod, Submit};
pub(super) use numbers::{Absence, Ghost, LimitsTable, Schedule};
pub(super) use webhook::{Acknowledge, Trust, Webhook, WebhookContent};
pub(super) use words::{BaseUrl, BaseUrls, Name};

/// A provider, as its file describes it.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(super) origin: String,
    pub(super) hash: String,
    pub(super) file: ProfileFile,
    pub(super) forms: Forms,
    pub(super) scheme: Option<SignatureScheme>,
    /// `[webhook.signature]` as it is written, for whoever has to sign instead of the provider.
    pub(super) signature: Option<toml::Value>,
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
        let place = |path: &str, what| ProfileProblem::at_key(origin, text, path, what);
        checks::check(&file).map_err(|misfit| place(&misfit.path, misfit.what))?;
        let scheme = webhook::scheme(&file).map_err(|what| {
            // Such a message names its key in backticks.
            let key = what.split('`').nth(1).unwrap_or_default();
            let path = format!("webhook.signature.{key}");
            place(&path, format!("[webhook.signature]: {what}"))
        })?;
        let forms = forms::compile(&file)
            .map_err(|(span, what)| ProfileProblem::at(origin, text, &span, what))?;
        Ok(Self {
            origin: origin.to_owned(),
            hash: hash(&table).map_err(|error| ProfileProblem::whole(origin, error.to_string()))?,
            file,
            forms,
            scheme,
            signature: table
                .get("webhook")
                .and_then(|webhook| webhook.get("signature"))
                .cloned(),
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

    /// The environments that it knows the address of; empty if it has one address only.
    #[must_use]
    pub fn environments(&self) -> Vec<&str> {
        self.file.base_url.environments()
    }

    /// The secrets that it needs, with what each is.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let declared = self.file.secrets.iter();
        declared.map(|(name, one)| (name.get_ref().as_str(), one.about.as_str()))
    }

    /// The settings that it has, with what each is and its default.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str, Option<&str>)> {
        let declared = self.file.settings.iter();
        declared.map(|(name, one)| {
            let default = one.default.as_deref();
            (name.get_ref().as_str(), one.about.as_str(), default)
        })
    }

    /// What its author could not be sure of.
    #[must_use]
    pub fn unsure(&self) -> &[String] {
        &self.file.unsure
    }
}

fn hash(table: &toml::Table) -> Result<String, serde_json::Error> {
    Ok(hex(&Sha256::digest(serde_json_canonicalizer::to_vec(
        table,
    )?)))
}

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    pub(super) name: Name,
    pub(super) base_url: BaseUrls,
    /// What the provider is told as the transaction's id.
    pub(super) reference: ReferenceRule,
    /// Facts that its author could not be sure of, in words.
    #[serde(default)]
    pub(super) unsure: Vec<String>,
    /// Secrets that `teller.toml` has to give.
    #[serde(default)]
    pub(super) secrets: BTreeMap<Spanned<String>, SecretDeclaration>,
    /// Values that `teller.toml` can give, or has to if there is no default.
    #[serde(default)]
    pub(super) settings: BTreeMap<Spanned<String>, SettingDeclaration>,
    #[serde(default)]
    pub(super) auth: Auth,
    /// Values made of secrets, put into a request as it is sent and never written down.
    #[serde(default)]
    pub(super) sealed: BTreeMap<Spanned<String>, Spanned<String>>,
    pub(super) submit: Submit,
    pub(super) inquiry: Inquiry,
    /// How to ask while the provider's own id is not known, because the answer that had it was lost.
    #[serde(default)]
    pub(super) lost: Option<Inquiry>,
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

impl ProfileFile {
    /// How to ask about an attempt, given whether the provider's own id is known.
    pub(super) fn inquiry_for(&self, reference_known: bool) -> &Inquiry {
        match &self.lost {
            Some(lost) if !reference_known => lost,
            Some(_) | None => &self.inquiry,
        }
    }

    /// The places in the body of a submission whose ids come back in answers.
    pub(super) fn echoed_places(&self) -> impl Iterator<Item = &Pointer> {
        let lost = self.lost.as_ref().and_then(|lost| lost.id.as_ref());
        let echoes = [self.submit.id.as_ref(), self.inquiry.id.as_ref(), lost];
        echoes
            .into_iter()
            .flatten()
            .filter_map(|echo| echo.sent.as_ref())
    }
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

/// `[secrets.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretDeclaration {
    /// What it is and where it is found, for the operator.
    pub(super) about: String,
}

/// `[settings.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingDeclaration {
    /// What it is, for the operator.
    pub(super) about: String,
    /// What it is if `teller.toml` doesn't say.
    #[serde(default)]
    pub(super) default: Option<String>,
}
