//! Problems with who asks.

use actix_web::http::StatusCode;

use super::Problem;
use crate::transaction::AppId;

/// What `WWW-Authenticate` says (RFC 6750).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Challenge {
    /// There was no key.
    Missing,
    /// There was one that opens nothing.
    Unknown,
    /// There was one that opens other doors.
    WrongRole,
}

impl Challenge {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "Bearer realm=\"teller\"",
            Self::Unknown => "Bearer realm=\"teller\", error=\"invalid_token\"",
            Self::WrongRole => "Bearer realm=\"teller\", error=\"insufficient_scope\"",
        }
    }
}

impl Problem {
    pub(in crate::api) fn no_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "no_key",
            "This door needs a key",
            "send your key as \"Authorization: Bearer tlr_...\"; `teller key new` makes one",
        )
        .at("header:Authorization")
        .challenge(Challenge::Missing)
    }

    pub(in crate::api) fn unknown_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unknown_key",
            "This key opens nothing",
            "this key is not known here, or not any more; look whether its id still stands in teller.toml",
        )
        .at("header:Authorization")
        .challenge(Challenge::Unknown)
    }

    pub(in crate::api) fn wrong_role(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "wrong_role",
            "This key does not open this door",
            detail,
        )
        .challenge(Challenge::WrongRole)
    }

    pub(in crate::api) fn app_not_named(apps: &[AppId]) -> Self {
        let names: Vec<&str> = apps.iter().map(AppId::as_str).collect();
        let detail = format!(
            "an id is unique within one app only, and there are several: say which by ?app=, of {}",
            names.join(", ")
        );
        Self::invalid_field("query:app", detail)
    }

    fn challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }
}
