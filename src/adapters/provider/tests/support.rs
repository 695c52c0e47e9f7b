//! What the adapter's tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::adapters::provider::{HttpProvider, Profile, ProfileProblem, Secret, Settings};
use crate::clock::Clock;
use crate::ports::{IncomingWebhook, InquiryResult, Provider, SendPermission, SubmissionResult};
use crate::transaction::{AppId, Attempt, Fate, Intent, Key, Request, Timestamp, TransactionId};

/// The profile that the project ships.
pub(crate) const REFERENCE: &str = include_str!("../../../../providers/reference.toml");

/// A secret that tokens can be signed with.
pub(crate) fn token_secret() -> Secret {
    Secret::new("0123456789abcdef0123456789abcdef")
}

/// Ordinary settings, for a provider at `base_url`.
pub(crate) fn settings(base_url: &str) -> Settings {
    Settings {
        public_url: "http://127.0.0.1:8080/".to_owned(),
        base_url: Some(base_url.to_owned()),
        environment: None,
        settings: BTreeMap::new(),
        secrets: BTreeMap::new(),
        token_secrets: vec![token_secret()],
        time_scale: 1.0,
    }
}

/// A provider with this profile at this place.
pub(crate) fn provider(profile: &str, base_url: &str) -> HttpProvider {
    set_up(profile, settings(base_url)).expect("a usable profile")
}

/// A provider with this profile and these settings.
pub(crate) fn set_up(profile: &str, settings: Settings) -> Result<HttpProvider, ProfileProblem> {
    let profile = Profile::parse(profile, "test.toml")?;
    HttpProvider::new(profile, settings, Clock::system())
}

/// The reference profile, with the first occurrence of something in it replaced.
pub(crate) fn reference_with(old: &str, new: &str) -> String {
    assert!(REFERENCE.contains(old), "{old:?} is not in the profile");
    REFERENCE.replacen(old, new, 1)
}

pub(crate) fn key(n: u128) -> Key {
    Key {
        app: AppId::parse("shop").expect("legal"),
        id: TransactionId(Uuid::from_u128(n)),
    }
}

pub(crate) fn request(payload: Value) -> Request {
    Request {
        provider: "reference".to_owned(),
        amount: None,
        submit_by: Timestamp::from_millis(0),
        payload,
        traceparent: None,
    }
}

/// Renders and submits attempt 1 of transaction `n`.
pub(crate) async fn submit(provider: &HttpProvider, n: u128) -> SubmissionResult {
    let intent = provider
        .intent(&key(n), &request(Value::Null), 1)
        .expect("renders");
    provider
        .submit(Arc::new(intent), None, SendPermission::always())
        .await
}

/// Asks about attempt 1 of transaction `n`.
pub(crate) async fn inquire(provider: &HttpProvider, n: u128) -> InquiryResult {
    let request = request(Value::Null);
    let intent = provider.intent(&key(n), &request, 1).expect("renders");
    provider.inquire(&key(n), &request, &attempt(intent)).await
}

pub(crate) fn attempt(intent: Intent) -> Attempt {
    Attempt {
        fate: Fate::Unknown,
        ..Attempt::started(Arc::new(intent), Timestamp::from_millis(0))
    }
}

/// A webhook with a JSON body and no other header, as the door hands it on.
pub(crate) fn incoming<'a>(token: Option<&'a str>, body: &'a [u8]) -> IncomingWebhook<'a> {
    IncomingWebhook {
        method: "POST",
        url: "http://127.0.0.1:8080/webhooks/reference",
        token,
        headers: &[("content-type", b"application/json")],
        body,
    }
}
