//! Acorn's memory, behind one lock that is never held across a wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::Url;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::charging::Charge;
use super::deliver;
use super::faults::Faults;
use super::keys::Keys;
use super::ledger::{Delivery, Execution, Ledger};
use super::options::{Options, webhook_url};
use super::outbox::Outbox;
use super::script;
use super::stats::Stats;
use super::tokens::Tokens;
use crate::bounded::Bounded;
use crate::clock::Clock;
use crate::ledger::{MAX_EXECUTIONS, MAX_PAYLOAD_BYTES};
use crate::limit::StatusLimit;
use crate::outbound;

/// How many deliveries of batches are kept, and how many bytes of their uids; later ones are sent all
/// the same.
const MAX_DELIVERIES: usize = 1_000_000;
const MAX_DELIVERY_BYTES: usize = 256 * 1024 * 1024;

/// How many orders may have a script: more than any test has payments under a script.
const MAX_SCRIPTS: usize = 10_000;

/// One acorn: everything its handlers share.
pub(crate) struct Acorn {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) client: reqwest::Client,
    /// Permits for deliveries on their way.
    pub(super) slots: Arc<Semaphore>,
    pub(super) webhook_key: Vec<u8>,
    inner: Mutex<Inner>,
}

/// What changes.
pub(super) struct Inner {
    pub(super) tokens: Tokens,
    /// How many of the next token requests fail.
    pub(super) token_failures: u32,
    pub(super) keys: Keys,
    pub(super) entries: Bounded<Execution>,
    pub(super) deliveries: Bounded<Delivery>,
    /// By the charge's id. Bounded by the ledger, as is `tried`.
    pub(super) charges: HashMap<String, Charge>,
    /// How many executions each order, or key without an order, has had.
    pub(super) tried: HashMap<String, u32>,
    /// Scripts by order.
    pub(super) scripts: HashMap<String, Value>,
    pub(super) outbox: Outbox,
    pub(super) webhook_url: Option<Url>,
    pub(super) faults: Faults,
    pub(super) limit: Option<StatusLimit>,
    pub(super) stats: Stats,
}

/// What a request for a token met.
pub(crate) enum TokenAnswer {
    Issued { token: String, lifetime: Duration },
    Failed,
    WrongClient,
    WrongRequest(&'static str),
}

impl Acorn {
    pub(super) fn new(options: Options) -> anyhow::Result<Self> {
        options.check()?;
        let url = options.webhook_url.as_deref().map(webhook_url);
        let lifetime = Duration::from_secs(options.token_lifetime_s.into());
        Ok(Self {
            clock: Clock::start(options.time_scale),
            client: outbound::client(deliver::TIMEOUT)?,
            slots: Arc::new(Semaphore::new(deliver::MAX_IN_FLIGHT)),
            webhook_key: options.webhook_key()?,
            inner: Mutex::new(Inner {
                tokens: Tokens::new(lifetime),
                token_failures: options.token_failures,
                keys: Keys::new(options.key_window_s * 1_000),
                entries: Bounded::new(MAX_EXECUTIONS, MAX_PAYLOAD_BYTES),
                deliveries: Bounded::new(MAX_DELIVERIES, MAX_DELIVERY_BYTES),
                charges: HashMap::new(),
                tried: HashMap::new(),
                scripts: HashMap::new(),
                outbox: Outbox::default(),
                webhook_url: url.transpose()?,
                faults: options.faults.clone(),
                limit: options.status_limit.map(StatusLimit::new),
                stats: Stats::default(),
            }),
            options,
        })
    }

    /// Answers a request for a token by the client that it names, if it names one.
    pub(super) fn token(
        &self,
        client: Option<(&str, &str)>,
        form: Result<Map<String, Value>, String>,
    ) -> TokenAnswer {
        let mut inner = self.lock();
        inner.stats.tokens.requested += 1;
        if inner.token_failures > 0 {
            inner.token_failures -= 1;
            inner.stats.tokens.failed += 1;
            return TokenAnswer::Failed;
        }
        let credentials = &self.options.credentials;
        let right = (
            credentials.client_id.as_str(),
            credentials.client_secret.as_str(),
        );
        let form = form.unwrap_or_default();
        let field = |name| form.get(name).and_then(Value::as_str);
        let wrong = if client != Some(right) {
            TokenAnswer::WrongClient
        } else if field("grant_type") != Some("client_credentials") {
            TokenAnswer::WrongRequest("unsupported_grant_type")
        } else if field("scope") != Some("payments") {
            TokenAnswer::WrongRequest("invalid_scope")
        } else {
            inner.stats.tokens.issued += 1;
            return TokenAnswer::Issued {
                token: inner.tokens.issue(Instant::now()),
                lifetime: inner.tokens.lifetime(),
            };
        };
        inner.stats.tokens.refused += 1;
        wrong
    }

    /// Whether the token is valid; counts it if not.
    pub(super) fn is_authorized(&self, token: Option<&str>) -> bool {
        let mut inner = self.lock();
        let valid = token.is_some_and(|token| inner.tokens.is_valid(token, Instant::now()));
        inner.stats.unauthorized += u64::from(!valid);
        valid
    }

    pub(super) fn count_malformed(&self) {
        self.lock().stats.charges.malformed += 1;
    }

    pub(super) fn is_down(&self) -> bool {
        self.lock().faults.down
    }

    pub(super) fn set_faults(&self, faults: Faults) -> anyhow::Result<()> {
        faults.check()?;
        self.lock().faults = faults;
        Ok(())
    }

    pub(super) fn set_script(&self, order: String, script: Value) -> anyhow::Result<()> {
        script::parse(&script, 1)?;
        let mut inner = self.lock();
        ensure!(
            inner.scripts.len() < MAX_SCRIPTS || inner.scripts.contains_key(&order),
            "{MAX_SCRIPTS} orders have a script already"
        );
        inner.scripts.insert(order, script);
        Ok(())
    }

    pub(super) fn set_webhook_url(&self, url: Option<&str>) -> anyhow::Result<()> {
        let url = url.map(webhook_url).transpose()?;
        self.lock().webhook_url = url;
        Ok(())
    }

    pub(super) fn revoke_tokens(&self) -> usize {
        self.lock().tokens.revoke_all(Instant::now())
    }

    pub(super) fn fail_tokens(&self, next: u32) {
        self.lock().token_failures = next;
    }

    pub(super) fn ledger(&self) -> Ledger {
        let inner = self.lock();
        Ledger {
            seed: self.options.seed,
            time_scale: self.clock.scale(),
            executions: inner.entries.to_vec(),
            deliveries: inner.deliveries.to_vec(),
            inquiries: inner.stats.inquiries.total,
            blocked: inner.stats.inquiries.blocked,
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("nothing panics while it holds acorn's memory")
    }
}
