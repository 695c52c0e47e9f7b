//! The app's memory.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use reqwest::Url;

use super::Options;
use super::record::{FailMode, Notification, Sent};
use crate::bounded::Bounded;
use crate::model::Dice;
use crate::outbound;

/// How many deliveries, and how many requests, one app keeps: as many as the provider's ledger.
const MAX_RECORDS: usize = 1_000_000;

/// How many bytes of bodies it keeps of each.
const MAX_RECORD_BYTES: usize = 256 * 1024 * 1024;

/// How long teller may take to answer, real time: longer than its longest wait (30 s).
const TELLER_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything the app's handlers share.
#[derive(Debug)]
pub(super) struct State {
    options: Options,
    /// Teller's door for transactions.
    pub(super) target: Url,
    pub(super) client: reqwest::Client,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    notifications: Bounded<Notification>,
    sent: Bounded<Sent>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    left: u32,
    mode: FailMode,
}

/// There is no room for another record.
#[derive(Debug, thiserror::Error)]
#[error("the app keeps no more records")]
pub(super) struct Full;

impl State {
    pub(super) fn new(options: Options, target: Url) -> anyhow::Result<Self> {
        Ok(Self {
            options,
            target,
            client: outbound::client(TELLER_TIMEOUT)?,
            inner: Mutex::new(Inner {
                notifications: Bounded::new(MAX_RECORDS, MAX_RECORD_BYTES),
                sent: Bounded::new(MAX_RECORDS, MAX_RECORD_BYTES),
                failing: None,
            }),
        })
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        self.options.bearer.as_deref()
    }

    /// How many times the request for `id` is sent.
    pub(super) fn times(&self, id: &str) -> u32 {
        let mut dice = Dice::new(self.options.seed, "double_tap", id, 1);
        1 + u32::from(dice.chance(self.options.double_tap))
    }

    /// Makes a delivery a record, failing if it is one of those that shall, and says how it fails.
    pub(super) fn deliver(&self, mut delivery: Notification) -> Result<Option<FailMode>, Full> {
        let mut inner = self.lock();
        if !inner.notifications.has_room_for(delivery.body.len()) {
            return Err(Full);
        }
        let failing = inner.next_failure();
        if let Some(mode) = failing {
            delivery.answered = mode.code();
        }
        let bytes = delivery.body.len();
        inner.notifications.push(delivery, bytes);
        Ok(failing)
    }

    /// Makes a request a record before it is sent, and says where its answers belong.
    pub(super) fn sending(&self, sent: Sent, bytes: usize) -> Result<usize, Full> {
        let mut inner = self.lock();
        if inner.sent.has_room_for(bytes) {
            Ok(inner.sent.push(sent, bytes))
        } else {
            Err(Full)
        }
    }

    pub(super) fn answered(&self, index: usize, answers: Vec<Option<super::TellerAnswer>>) {
        if let Some(sent) = self.lock().sent.get_mut(index) {
            sent.answers = answers;
        }
    }

    pub(super) fn fail(&self, next: u32, mode: FailMode) {
        self.lock().failing = Some(Failing { left: next, mode });
    }

    pub(super) fn notifications(&self) -> Vec<Notification> {
        self.lock().notifications.to_vec()
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.lock().sent.to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("nothing panics while it holds the app's memory")
    }
}

impl Inner {
    fn next_failure(&mut self) -> Option<FailMode> {
        let failing = self.failing.as_mut().filter(|failing| failing.left > 0)?;
        failing.left -= 1;
        Some(failing.mode)
    }
}
