//! How an acorn is started, and what of it makes sense.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use anyhow::{Context, ensure};
use reqwest::Url;

use super::faults::Faults;
use super::hex;
use crate::server::check_pace;

/// The client of the sandbox.
pub const SANDBOX_CLIENT_ID: &str = "acorn_sandbox";
/// Its secret.
pub const SANDBOX_CLIENT_SECRET: &str = "acs_sandbox_5f0b7a3c91d24e68";
/// The key, in hex, that signs the sandbox's events.
pub const SANDBOX_WEBHOOK_KEY: &str =
    "4a1d6f0c8be23957c6e08f1b7d5a92340f6ce1b88d3527a94be6fd0213c87a5e";

/// Lifetimes of a token in real seconds: from the shortest that can be told to a day.
pub const TOKEN_LIFETIMES_S: RangeInclusive<u32> = 1..=86_400;
/// Delays of the token endpoint in unscaled ms: up to what no client waits for.
pub const TOKEN_DELAYS_MS: RangeInclusive<u64> = 0..=600_000;
/// Times for which a key is kept, in unscaled seconds: up to 30 days.
pub const KEY_WINDOWS_S: RangeInclusive<u64> = 60..=2_592_000;
/// Times for which events are collected, in unscaled ms: up to an hour.
pub const BATCH_INTERVALS_MS: RangeInclusive<u64> = 1..=3_600_000;
/// First delays before a batch is delivered again, in unscaled ms: up to an hour.
pub const RETRY_DELAYS_MS: RangeInclusive<u64> = 10..=3_600_000;
/// Deliveries of a batch that nobody acknowledges.
pub const RETRY_ATTEMPTS: RangeInclusive<u32> = 1..=100;

/// The lengths of a client's id and secret.
const CREDENTIAL_BYTES: RangeInclusive<usize> = 1..=128;
/// The lengths of a webhook key, in bytes: from guessable to beyond what HMAC-SHA256 uses whole.
const WEBHOOK_KEY_BYTES: RangeInclusive<usize> = 16..=64;

/// Who may call, and how events are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The key that signs events, in hex.
    pub webhook_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            client_id: SANDBOX_CLIENT_ID.to_owned(),
            client_secret: SANDBOX_CLIENT_SECRET.to_owned(),
            webhook_key: SANDBOX_WEBHOOK_KEY.to_owned(),
        }
    }
}

/// Where events go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliverTo {
    /// To the account's address.
    #[default]
    Account,
    /// To the `callback_url` of the request, and to the account's address where it has none.
    Request,
}

/// How to start an acorn. The default is a sandbox on a free port where nothing goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What all draws derive from.
    pub seed: u64,
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 = a free one.
    pub port: u16,
    /// Divides every delay but the lifetime of a token, which is told over the wire.
    pub time_scale: f64,
    /// Inquiries per unscaled second that are answered.
    pub status_limit: Option<f64>,
    /// What goes wrong from the start.
    pub faults: Faults,
    /// Who may call, and how events are signed.
    pub credentials: Credentials,
    /// How long a token is valid, in real seconds, 1 to 86,400.
    pub token_lifetime_s: u32,
    /// How long the token endpoint takes, in unscaled ms, up to 600,000.
    pub token_delay_ms: u64,
    /// How many of the first calls of the token endpoint fail with 503.
    pub token_failures: u32,
    /// How long a key and its answer are kept, in unscaled seconds, 60 to 2,592,000.
    pub key_window_s: u64,
    /// Whether each request for a charge must carry a digest of its body.
    pub require_digest: bool,
    /// The account's address for events.
    pub webhook_url: Option<String>,
    /// Where events go.
    pub deliver_to: DeliverTo,
    /// How long events are collected into a batch, in unscaled ms, 1 to 3,600,000.
    pub batch_every_ms: u64,
    /// The delay before the second delivery of a batch, in unscaled ms, 10 to 3,600,000. It doubles
    /// with each delivery.
    pub retry_first_ms: u64,
    /// The longest such delay, in unscaled ms, at least the first and up to 3,600,000.
    pub retry_longest_ms: u64,
    /// How often a batch is delivered at most, 1 to 100.
    pub retry_attempts: u32,
    /// How often an event of a kind that nobody asked for comes along with an event of a charge: a
    /// probability.
    pub other_kinds: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            time_scale: 1.0,
            status_limit: None,
            faults: Faults::default(),
            credentials: Credentials::default(),
            token_lifetime_s: 300,
            token_delay_ms: 0,
            token_failures: 0,
            key_window_s: 86_400,
            require_digest: false,
            webhook_url: None,
            deliver_to: DeliverTo::Account,
            batch_every_ms: 1_000,
            retry_first_ms: 1_000,
            retry_longest_ms: 60_000,
            retry_attempts: 12,
            other_kinds: 0.1,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        check_pace(self.time_scale, self.status_limit)?;
        self.faults.check()?;
        lies_in(
            "token_lifetime_s",
            &self.token_lifetime_s,
            &TOKEN_LIFETIMES_S,
        )?;
        lies_in("token_delay_ms", &self.token_delay_ms, &TOKEN_DELAYS_MS)?;
        lies_in("key_window_s", &self.key_window_s, &KEY_WINDOWS_S)?;
        lies_in("batch_every_ms", &self.batch_every_ms, &BATCH_INTERVALS_MS)?;
        lies_in("retry_first_ms", &self.retry_first_ms, &RETRY_DELAYS_MS)?;
        let longest = self.retry_first_ms..=*RETRY_DELAYS_MS.end();
        lies_in("retry_longest_ms", &self.retry_longest_ms, &longest)?;
        lies_in("retry_attempts", &self.retry_attempts, &RETRY_ATTEMPTS)?;
        lies_in("other_kinds", &self.other_kinds, &(0.0..=1.0))?;
        for (name, value) in [
            ("client_id", &self.credentials.client_id),
            ("client_secret", &self.credentials.client_secret),
        ] {
            ensure!(
                CREDENTIAL_BYTES.contains(&value.len()) && value.bytes().all(is_unreserved),
                "{name} has {CREDENTIAL_BYTES:?} of the characters A-Z a-z 0-9 - . _ ~"
            );
        }
        Ok(())
    }

    pub(crate) fn webhook_key(&self) -> anyhow::Result<Vec<u8>> {
        hex::decode(self.credentials.webhook_key.as_bytes())
            .filter(|key| WEBHOOK_KEY_BYTES.contains(&key.len()))
            .with_context(|| format!("webhook_key is {WEBHOOK_KEY_BYTES:?} bytes in hex"))
    }
}

fn lies_in<T: PartialOrd + fmt::Debug>(
    name: &str,
    value: &T,
    range: &RangeInclusive<T>,
) -> anyhow::Result<()> {
    ensure!(
        range.contains(value),
        "{name} is {value:?}, it lies in {range:?}"
    );
    Ok(())
}

/// Characters that mean the same whether or not a client encodes them as a form's before it makes
/// them a Basic authorization.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// An address for events.
pub(crate) fn webhook_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).context("the address for webhooks is no URL")?;
    ensure!(
        matches!(url.scheme(), "http" | "https"),
        "the address for webhooks begins with http:// or https://"
    );
    Ok(url)
}
