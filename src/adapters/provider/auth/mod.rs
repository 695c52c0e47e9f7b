//! Proving to a provider who teller is: what is added to a request as it is sent, and is never
//! written down.

mod tokens;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::client::ClientSettings;
use super::duration::TimeScale;
use super::forms::{self, Settings};
use super::problem::ProfileProblem;
use super::profile::{AuthKind, BaseUrl, Profile};
use super::secret::Secret;
use super::template::Template;
use crate::clock::Clock;
use crate::transaction::Rendered;

use tokens::Tokens;

/// The secrets of one provider: for each name the valid ones, the newest first.
pub(super) type Secrets = BTreeMap<String, Vec<Secret>>;

/// What is needed to send a request of one provider.
#[derive(Debug)]
pub(super) struct Credentials {
    settings: Settings,
    secrets: Secrets,
    tokens: TokenSource,
}

/// Where OAuth2 tokens come from.
#[derive(Debug)]
enum TokenSource {
    /// From nowhere: the profile has another kind, or nothing is going to be sent.
    Nowhere,
    /// There is one already, as the header's value.
    Given(HeaderValue),
    /// From the provider's endpoint.
    Endpoint(Box<Tokens>),
}

/// Which token a call went out with, to be told if the provider refuses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TokenUsed(u64);

/// A request that is ready to be sent.
pub(super) struct Ready {
    pub(super) request: Rendered,
    /// Marked as sensitive, so that no debug output shows them.
    pub(super) headers: HeaderMap,
    pub(super) token: Option<TokenUsed>,
}

impl Credentials {
    /// Checks that everything that the profile declares is given, and nothing else.
    pub(super) fn new(
        profile: &Profile,
        base_url: &BaseUrl,
        settings: Settings,
        secrets: Secrets,
        scale: TimeScale,
        clock: Clock,
    ) -> Result<Self, ProfileProblem> {
        let origin = &profile.origin;
        let whole = |what: String| ProfileProblem::whole(origin, what);
        let mut credentials = Self::given(profile, settings, secrets, None).map_err(whole)?;
        if profile.file.auth.kind == AuthKind::Oauth2 {
            let template = profile.forms.auth.token_url.as_ref();
            let url = template
                .map(|template| credentials.print(profile, template, clock))
                .transpose()
                .map_err(|what| whole(format!("[auth] token_url: {what}")))?
                .unwrap_or_default();
            let url = if url.starts_with('/') {
                format!("{}{url}", base_url.as_str())
            } else {
                url
            };
            let url = reqwest::Url::parse(&url)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .ok_or_else(|| {
                    whole(
                        "[auth] token_url: expected a path that begins with '/', or a whole URL"
                            .to_owned(),
                    )
                })?;
            let http = super::client::client(ClientSettings {
                connect_time_out: scale.duration(profile.file.auth.token_time_out.0),
                pool_idle_per_host: 1,
                speaks_tls: url.scheme() == "https",
            })
            .map_err(|source| ProfileProblem::Client {
                origin: origin.clone(),
                source,
            })?;
            credentials.tokens =
                TokenSource::Endpoint(Box::new(Tokens::new(http, url, scale, clock)));
        }
        Ok(credentials)
    }

    /// Credentials that fetch nothing: the token that an endpoint would have given is given too, if
    /// there is one.
    pub(super) fn given(
        profile: &Profile,
        settings: Settings,
        secrets: Secrets,
        token: Option<&str>,
    ) -> Result<Self, String> {
        let settings = complete(profile, settings)?;
        check_secrets(profile, &secrets)?;
        let tokens = match token {
            Some(token) => TokenSource::Given(sensitive(&format!("Bearer {token}"))?),
            None => TokenSource::Nowhere,
        };
        Ok(Self {
            settings,
            secrets,
            tokens,
        })
    }

    /// The settings, defaults filled in.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The valid secrets of this name, the newest first.
    pub(super) fn secrets(&self, name: &str) -> &[Secret] {
        self.secrets.get(name).map_or(&[], Vec::as_slice)
    }

    /// Puts sealed values and proof into a request. Fetches a token if none is valid.
    ///
    /// # Errors
    /// Why it can't be sent. Nothing has been sent then.
    pub(super) async fn prepare(
        &self,
        profile: &Profile,
        request: &Rendered,
        kind: forms::BodyKind,
        clock: Clock,
    ) -> Result<Ready, String> {
        let request = self.seal(profile, request, kind, clock)?;
        let auth = &profile.file.auth;
        let forms = &profile.forms.auth;
        let mut headers = HeaderMap::new();
        let mut token = None;
        match auth.kind {
            AuthKind::None | AuthKind::Headers => {}
            AuthKind::Basic => {
                let value = self.basic(profile, clock)?;
                headers.insert(AUTHORIZATION, value);
            }
            AuthKind::Bearer => {
                let text = self.print_given(profile, forms.token.as_ref(), clock)?;
                headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {text}"))?);
            }
            AuthKind::Oauth2 => match &self.tokens {
                TokenSource::Endpoint(tokens) => {
                    let (value, used) = tokens.token(self, profile).await?;
                    headers.insert(AUTHORIZATION, value);
                    token = Some(TokenUsed(used));
                }
                TokenSource::Given(value) => {
                    headers.insert(AUTHORIZATION, value.clone());
                }
                TokenSource::Nowhere => return Err("no token is given".to_owned()),
            },
        }
        let secrets = self.newest();
        let context = forms::auth_context(&self.settings, &secrets, clock.now().wall, &request);
        for (name, template) in &forms.headers {
            let value = profile
                .forms
                .templates
                .render(template, &context)
                .map_err(|what| format!("[auth.headers] {name}: {what}"))?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("[auth.headers] {name}: no header name"))?;
            headers.insert(name, sensitive(&value)?);
        }
        Ok(Ready {
            request,
            headers,
            token,
        })
    }

    /// The provider didn't take this token: the next call fetches another one, once for all that
    /// were refused with it.
    pub(super) fn refused(&self, used: TokenUsed) {
        if let TokenSource::Endpoint(tokens) = &self.tokens {
            tokens.refused(used.0);
        }
    }

    fn seal(
        &self,
        profile: &Profile,
        request: &Rendered,
        kind: forms::BodyKind,
        clock: Clock,
    ) -> Result<Rendered, String> {
        if profile.forms.sealed.is_empty() {
            return Ok(request.clone());
        }
        let secrets = self.newest();
        let context = forms::sealed_context(&self.settings, &secrets, clock.now().wall);
        let mut values = Vec::with_capacity(profile.forms.sealed.len());
        for (name, template) in &profile.forms.sealed {
            let value = profile
                .forms
                .templates
                .render(template, &context)
                .map_err(|what| format!("[sealed] {name}: {what}"))?;
            values.push((name.as_str(), value));
        }
        Ok(forms::seal(request, kind, &values))
    }

    /// `Authorization: Basic` of user and password.
    fn basic(&self, profile: &Profile, clock: Clock) -> Result<HeaderValue, String> {
        let forms = &profile.forms.auth;
        let user = self.print_given(profile, forms.user.as_ref(), clock)?;
        let password = self.print_given(profile, forms.password.as_ref(), clock)?;
        sensitive(&format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        ))
    }

    fn print_given(
        &self,
        profile: &Profile,
        template: Option<&Template>,
        clock: Clock,
    ) -> Result<String, String> {
        template.map_or_else(
            || Err("[auth]: a key is missing".to_owned()),
            |template| self.print(profile, template, clock),
        )
    }

    /// Prints a template of `[auth]` that needs no request.
    fn print(
        &self,
        profile: &Profile,
        template: &Template,
        clock: Clock,
    ) -> Result<String, String> {
        let secrets = self.newest();
        let context = forms::sealed_context(&self.settings, &secrets, clock.now().wall);
        profile.forms.templates.render(template, &context)
    }

    /// The newest secret of each name, as text; one that is no text can't stand in a header.
    fn newest(&self) -> BTreeMap<&str, String> {
        self.secrets
            .iter()
            .filter_map(|(name, secrets)| {
                let text = std::str::from_utf8(secrets.first()?.expose()).ok()?;
                Some((name.as_str(), text.to_owned()))
            })
            .collect()
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "[auth]: a secret holds characters that no header can".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The given settings with the profile's defaults.
fn complete(profile: &Profile, mut settings: Settings) -> Result<Settings, String> {
    if let Some(unknown) = settings
        .keys()
        .find(|name| profile.settings().all(|(known, ..)| known != *name))
    {
        return Err(format!("the profile has no setting {unknown:?}"));
    }
    for (name, about, default) in profile.settings() {
        if settings.contains_key(name) {
            continue;
        }
        let default = default.ok_or_else(|| {
            format!("the setting {name:?} is missing ({about}): give it in settings of this [[provider]]")
        })?;
        settings.insert(name.to_owned(), default.to_owned());
    }
    Ok(settings)
}

fn check_secrets(profile: &Profile, secrets: &Secrets) -> Result<(), String> {
    if let Some(unknown) = secrets
        .keys()
        .find(|name| profile.secrets().all(|(known, _)| known != *name))
    {
        return Err(format!("the profile has no secret {unknown:?}"));
    }
    for (name, about) in profile.secrets() {
        if secrets.get(name).is_none_or(Vec::is_empty) {
            return Err(format!(
                "the secret {name:?} is missing ({about}): give it in secrets of this [[provider]], as {name} = {{ file = \"…\" }} or {{ env = \"…\" }}"
            ));
        }
    }
    Ok(())
}
