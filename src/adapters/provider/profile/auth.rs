//! `[auth]`: how teller proves to the provider who it is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::adapters::provider::duration::Written;
use crate::adapters::provider::outcome::Pointer;

/// The table. Which keys go together is checked once it is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Auth {
    pub(in super::super) kind: AuthKind,
    /// Basic: the user; OAuth2: the client id.
    pub(in super::super) user: Option<Spanned<String>>,
    /// Basic: the password; OAuth2: the client secret.
    pub(in super::super) password: Option<Spanned<String>>,
    /// Bearer: the token.
    pub(in super::super) token: Option<Spanned<String>>,
    /// Further headers of every call, with secrets in them or a signature over the body.
    pub(in super::super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    /// OAuth2: where tokens are fetched; a path under `base_url`, or a whole URL.
    pub(in super::super) token_url: Option<Spanned<String>>,
    pub(in super::super) token_method: TokenMethod,
    pub(in super::super) client_auth: ClientAuth,
    /// OAuth2: what the request for a token says beside `grant_type`; `grant_type` may be replaced.
    pub(in super::super) token_form: BTreeMap<Spanned<String>, Spanned<String>>,
    /// OAuth2: further headers of the request for a token.
    pub(in super::super) token_headers: BTreeMap<Spanned<String>, Spanned<String>>,
    /// Where the answer has the token.
    pub(in super::super) token_at: Option<Pointer>,
    /// Where the answer has the token's life, in seconds, as a number or in text.
    pub(in super::super) expires_in_at: Option<Pointer>,
    /// The token's life, where the answer doesn't say.
    pub(in super::super) expires_in: Written,
    /// How long before its end a token is renewed.
    pub(in super::super) renew_before: Written,
    /// For a whole answer to the request for a token.
    pub(in super::super) token_time_out: Written,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            kind: AuthKind::None,
            user: None,
            password: None,
            token: None,
            headers: BTreeMap::new(),
            token_url: None,
            token_method: TokenMethod::Post,
            client_auth: ClientAuth::Basic,
            token_form: BTreeMap::new(),
            token_headers: BTreeMap::new(),
            token_at: None,
            expires_in_at: None,
            // RFC 6749 leaves it open; the shortest life in use is five minutes.
            expires_in: Written(Duration::from_mins(5)),
            renew_before: Written(Duration::from_secs(60)),
            token_time_out: Written(Duration::from_secs(10)),
        }
    }
}

/// The ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum AuthKind {
    /// No credentials.
    None,
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Bearer`, with a token that doesn't change.
    Bearer,
    /// Only the headers of `[auth.headers]`.
    Headers,
    /// OAuth2 client credentials (RFC 6749 §4.4).
    Oauth2,
}

/// How tokens are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in super::super) enum TokenMethod {
    /// `token_form` in the body.
    Post,
    /// `token_form` in the query.
    Get,
}

/// Where the client's id and secret stand in the request for a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum ClientAuth {
    /// `Authorization: Basic`.
    Basic,
    /// `client_id` and `client_secret` in the form.
    Form,
}
