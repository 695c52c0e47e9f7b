//! OAuth2 client credentials (RFC 6749 §4.4): one token for all calls, fetched once however many
//! transactions wait for it, renewed ahead of its end.
//!
//! A token that the provider refuses is thrown away, and the next call fetches another. The refused
//! call itself is not repeated here: whether it may be is for the outcome table and the core to say.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use serde_json::Value;

use super::{Credentials, sensitive};
use crate::adapters::provider::client;
use crate::adapters::provider::duration::TimeScale;
use crate::adapters::provider::filters::percent;
use crate::adapters::provider::profile::{ClientAuth, Profile, TokenMethod};
use crate::clock::Clock;
use crate::transaction::Mono;

/// The pause after a fetch that failed, for all who wait; doubles up to [`PAUSE_MAX`]. Without it each
/// waiting transaction would try on its own, one after the other.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest life of a token that is believed. A longer one would only mean that a revoked token is
/// found out by its refusal.
const LIFE_MAX: Duration = Duration::from_hours(24);
/// Characters of a token, at most: it has to fit into a header.
const TOKEN_MAX_CHARS: usize = 8_192;

/// Why there is no token.
type TokenRefused = String;

#[derive(Debug)]
pub(super) struct Tokens {
    http: reqwest::Client,
    url: Url,
    scale: TimeScale,
    clock: Clock,
    present: Mutex<Present>,
    /// Held by whoever fetches; the others wait for it, and then find the token.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default, Debug)]
struct Present {
    token: Option<Token>,
    fetched: u64,
    failures: u32,
    not_before: Option<Mono>,
    why: String,
}

#[derive(Clone, Debug)]
struct Token {
    value: HeaderValue,
    number: u64,
    renew_at: Mono,
    ends_at: Mono,
}

impl Tokens {
    pub(super) fn new(http: reqwest::Client, url: Url, scale: TimeScale, clock: Clock) -> Self {
        Self {
            http,
            url,
            scale,
            clock,
            present: Mutex::default(),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// A valid token as a header's value, and its number.
    pub(super) async fn token(
        &self,
        credentials: &Credentials,
        profile: &Profile,
    ) -> Result<(HeaderValue, u64), TokenRefused> {
        let now = self.clock.mono();
        let usable = self
            .lock()
            .token
            .clone()
            .filter(|token| now < token.ends_at);
        if let Some(token) = usable {
            if now < token.renew_at {
                return Ok((token.value, token.number));
            }
            // Whoever comes first renews it; until then it is as good as ever.
            let Ok(_turn) = self.fetching.try_lock() else {
                return Ok((token.value, token.number));
            };
            return match self.fetch(credentials, profile).await {
                Ok(fresh) => Ok(fresh),
                Err(why) => {
                    tracing::warn!(provider = profile.name(), %why, "the token could not be renewed yet");
                    Ok((token.value, token.number))
                }
            };
        }
        let _turn = self.fetching.lock().await;
        let now = self.clock.mono();
        if let Some(token) = self
            .lock()
            .token
            .clone()
            .filter(|token| now < token.ends_at)
        {
            return Ok((token.value, token.number));
        }
        self.fetch(credentials, profile).await
    }

    /// Throws a refused token away, unless another has come since.
    pub(super) fn refused(&self, number: u64) {
        let mut present = self.lock();
        if present
            .token
            .as_ref()
            .is_some_and(|token| token.number == number)
        {
            present.token = None;
        }
    }

    /// Fetches a token. Only the holder of the turn comes here.
    async fn fetch(
        &self,
        credentials: &Credentials,
        profile: &Profile,
    ) -> Result<(HeaderValue, u64), TokenRefused> {
        let now = self.clock.mono();
        {
            let present = self.lock();
            if present.not_before.is_some_and(|moment| now < moment) {
                return Err(present.why.clone());
            }
        }
        let fetched = self.ask(credentials, profile).await;
        let now = self.clock.mono();
        let mut present = self.lock();
        match fetched {
            Ok((value, life)) => {
                let number = present.fetched + 1;
                let early = self
                    .scale
                    .duration(profile.file.auth.renew_before.0)
                    .min(life / 2);
                *present = Present {
                    token: Some(Token {
                        value: value.clone(),
                        number,
                        renew_at: now + (life - early),
                        ends_at: now + life,
                    }),
                    fetched: number,
                    ..Present::default()
                };
                Ok((value, number))
            }
            Err(why) => {
                let doubled = PAUSE_MIN * 2_u32.saturating_pow(present.failures.min(10));
                present.failures = present.failures.saturating_add(1);
                present.not_before = Some(now + self.scale.duration(doubled.min(PAUSE_MAX)));
                present.why.clone_from(&why);
                Err(why)
            }
        }
    }

    async fn ask(
        &self,
        credentials: &Credentials,
        profile: &Profile,
    ) -> Result<(HeaderValue, Duration), TokenRefused> {
        let request = self.request(credentials, profile)?;
        let answer = client::call(&self.http, request, self.clock)
            .await
            .map_err(|failure| format!("no token: {}", failure.told()))?;
        if !(200..300).contains(&answer.status) {
            return Err(format!(
                "no token: the token endpoint answered HTTP {}",
                answer.status
            ));
        }
        let auth = &profile.file.auth;
        let body = answer.json().ok_or("no token: the answer is no JSON")?;
        let at = auth.token_at.as_ref();
        let found = at.map_or_else(|| body.get("access_token"), |at| at.find(&body));
        let token = found
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty() && token.len() <= TOKEN_MAX_CHARS)
            .ok_or("no token: the answer has none where [auth] token_at says")?;
        let value = sensitive(&format!("Bearer {token}"))?;
        let at = auth.expires_in_at.as_ref();
        let stated = at.map_or_else(|| body.get("expires_in"), |at| at.find(&body));
        let life = stated
            .and_then(seconds)
            .map_or(auth.expires_in.0, Duration::from_secs);
        Ok((value, self.scale.duration(life.min(LIFE_MAX))))
    }

    fn request(
        &self,
        credentials: &Credentials,
        profile: &Profile,
    ) -> Result<Request, TokenRefused> {
        let auth = &profile.file.auth;
        let forms = &profile.forms.auth;
        let mut pairs = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        for (name, template) in &forms.token_form {
            let value = credentials.print(profile, template, self.clock)?;
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some((_, given)) => *given = value,
                None => pairs.push((name.clone(), value)),
            }
        }
        if auth.client_auth == ClientAuth::Form {
            let id = credentials.print_given(profile, forms.user.as_ref(), self.clock)?;
            let secret = credentials.print_given(profile, forms.password.as_ref(), self.clock)?;
            pairs.push(("client_id".to_owned(), id));
            pairs.push(("client_secret".to_owned(), secret));
        }
        let form: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
            .collect();
        let form = form.join("&");
        let mut request = match auth.token_method {
            TokenMethod::Post => {
                let mut request = Request::new(Method::POST, self.url.clone());
                let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().insert(CONTENT_TYPE, kind);
                *request.body_mut() = Some(form.into());
                request
            }
            TokenMethod::Get => {
                let mut url = self.url.clone();
                url.set_query(Some(&form));
                Request::new(Method::GET, url)
            }
        };
        if auth.client_auth == ClientAuth::Basic {
            let value = credentials.basic(profile, self.clock)?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        for (name, template) in &forms.token_headers {
            let value = credentials.print(profile, template, self.clock)?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("[auth.token_headers] {name}: no header name"))?;
            request.headers_mut().insert(name, sensitive(&value)?);
        }
        *request.timeout_mut() = Some(self.scale.duration(auth.token_time_out.0));
        Ok(request)
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        // Nothing in a critical section can panic half-way through a change.
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole seconds, as a number or in text; some providers quote it.
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
    .filter(|seconds| *seconds > 0)
}
