//! What a profile needs from its surroundings, as a file of cases gives it.

use super::format::CaseFile;
use crate::adapters::provider::auth::{Credentials, Secrets};
use crate::adapters::provider::forms::Settings;
use crate::adapters::provider::profile::{BaseUrl, Profile};
use crate::adapters::provider::secret::Secret;
use crate::adapters::provider::token;
use crate::adapters::provider::webhook::Reader;
use crate::transaction::{Key, Timestamp};

/// Where webhooks come in, in cases.
pub(super) const PUBLIC_URL: &str = "https://teller.example.com";
/// 1 January 2026, midnight: the present of a case that names none.
const NOW_MS: i64 = 1_767_225_600_000;
/// Signs the tokens in webhook URLs; known to everybody, and worth nothing outside of cases.
const TOKEN_SECRET: &str = "recorded cases only: not a secret";

/// A profile, set up as a file of cases says.
pub(super) struct World<'a> {
    pub(super) profile: &'a Profile,
    pub(super) base_url: BaseUrl,
    pub(super) reader: Reader,
    settings: Settings,
    secrets: Secrets,
    token_secrets: Vec<Secret>,
}

impl<'a> World<'a> {
    /// Sets the profile up.
    ///
    /// # Errors
    /// What the file lacks for that.
    pub(super) fn new(profile: &'a Profile, file: &CaseFile) -> Result<Self, String> {
        let base_url = profile.file.base_url.choose(file.environment.as_deref())?;
        let secrets: Secrets = file
            .secrets
            .iter()
            .map(|(name, valid)| (name.clone(), valid.iter().map(secret).collect()))
            .collect();
        let token_secrets = vec![Secret::new(TOKEN_SECRET)];
        let credentials =
            Credentials::given(profile, file.settings.clone(), secrets.clone(), None)?;
        Ok(Self {
            profile,
            base_url,
            reader: Reader::new(profile, &credentials, token_secrets.clone())?,
            settings: file.settings.clone(),
            secrets,
            token_secrets,
        })
    }

    /// What proves who teller is, with the token that an endpoint would have given.
    pub(super) fn credentials(&self, token: Option<&str>) -> Result<Credentials, String> {
        Credentials::given(
            self.profile,
            self.settings.clone(),
            self.secrets.clone(),
            token,
        )
    }

    /// The newest secret of this name, as it is written.
    pub(super) fn secret(&self, name: &str) -> Result<&str, String> {
        let newest = self.secrets.get(name).and_then(|valid| valid.first());
        newest
            .and_then(|secret| std::str::from_utf8(secret.expose()).ok())
            .ok_or_else(|| format!("there is no secret {name:?} in `secrets`"))
    }

    /// Where the webhooks of an attempt are sent.
    pub(super) fn webhook_url(&self, key: &Key, attempt: u32) -> String {
        let name = self.profile.name();
        token::webhook_url(&self.token_secrets, PUBLIC_URL, name, key, attempt)
    }

    /// A token for an attempt.
    pub(super) fn webhook_token(&self, key: &Key, attempt: u32) -> String {
        let url = self.webhook_url(key, attempt);
        let token = url.rsplit('/').next();
        token.unwrap_or_default().to_owned()
    }
}

fn secret(text: &String) -> Secret {
    Secret::new(text.as_bytes())
}

/// The present of a case.
pub(super) fn now(stated: Option<Timestamp>) -> Timestamp {
    stated.unwrap_or(Timestamp::from_millis(NOW_MS))
}
