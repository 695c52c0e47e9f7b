//! The provider's memory, behind one lock that is never held across a wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::stats::Stats;
use super::{Options, webhooks};
use crate::clock::{Clock, epoch_ms};
use crate::faults::{BadFaults, Faults};
use crate::inquiry::Inquiry;
use crate::ledger::{Entries, Execution, Ledger, WebhookSent};
use crate::limit::StatusLimit;
use crate::model::{Dice, ReferenceProvider, Status};
use crate::plan::{self, Plan};
use crate::script::{self, BadScript};

/// One provider: everything its handlers share.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) client: reqwest::Client,
    /// Permits for webhooks on their way.
    pub(crate) webhook_slots: Arc<Semaphore>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    records: ReferenceProvider,
    entries: Entries,
    faults: Faults,
    limit: Option<StatusLimit>,
    stats: Stats,
    /// Bounded by the ledger: only a POST adds one.
    inquired: HashMap<String, Inquired>,
}

/// What inquiries about one posted id need.
#[derive(Debug, Default)]
struct Inquired {
    inquiries: u64,
    scripted: VecDeque<u16>,
}

/// A POST as it came.
pub(crate) struct Posted {
    pub(crate) id: String,
    pub(crate) payload: Map<String, Value>,
    pub(crate) script: Option<Value>,
    pub(crate) body_bytes: usize,
}

/// A POST that was taken.
pub(crate) struct Taken {
    pub(crate) plan: Plan,
    pub(crate) at_ms: u64,
    /// Its place in the ledger.
    pub(crate) index: usize,
    /// Which POST of its id it was, counted from 1.
    pub(crate) execution: u32,
}

/// Why a POST was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error(transparent)]
    BadScript(#[from] BadScript),
    #[error("the ledger is full")]
    LedgerFull,
}

impl Provider {
    pub(crate) fn new(options: Options) -> anyhow::Result<Self> {
        Ok(Self {
            seed: options.seed,
            clock: Clock::start(options.time_scale),
            client: webhooks::client()?,
            webhook_slots: Arc::new(Semaphore::new(webhooks::MAX_IN_FLIGHT)),
            inner: Mutex::new(Inner {
                records: ReferenceProvider::new(options.seed),
                entries: Entries::new(),
                faults: options.faults,
                limit: options.status_limit.map(StatusLimit::new),
                stats: Stats::default(),
                inquired: HashMap::new(),
            }),
        })
    }

    /// Plans a POST and makes it a fact. Nothing that happens to the client afterwards matters.
    pub(crate) fn post(&self, posted: Posted) -> Result<Taken, NotTaken> {
        let mut inner = self.lock();
        if !inner.entries.has_room_for(posted.body_bytes) {
            return Err(NotTaken::LedgerFull);
        }
        let at_ms = self.clock.now_ms();
        let execution = inner.records.executions(&posted.id) + 1;
        let (plan, gets) = match &posted.script {
            Some(value) => {
                let script = script::parse(value, execution)?;
                (plan::scripted(&script), script.get)
            }
            None => {
                let plan = plan::drawn(self.seed, &posted.id, execution, &inner.faults);
                (plan, Vec::new())
            }
        };
        inner.records.post_scripted(&posted.id, at_ms, plan.draw);
        inner.stats.posts += 1;
        let inquired = inner.inquired.entry(posted.id.clone()).or_default();
        if !gets.is_empty() {
            inquired.scripted = gets.into();
        }
        let index = inner.entries.push(
            self.entry(posted.id, posted.payload, execution, &plan),
            posted.body_bytes,
        );
        Ok(Taken {
            plan,
            at_ms,
            index,
            execution,
        })
    }

    fn entry(
        &self,
        id: String,
        payload: Map<String, Value>,
        execution: u32,
        plan: &Plan,
    ) -> Execution {
        let received_at_ms = epoch_ms();
        let exists_after_ms = plan.draw.exists_after_ms();
        Execution {
            id,
            execution,
            payload,
            received_at_ms,
            executed: exists_after_ms.is_some(),
            status: plan.draw.outcome(),
            exists_at_ms: exists_after_ms.map(|unscaled_ms| {
                let real_ms = self.clock.real(unscaled_ms).as_millis();
                received_at_ms.saturating_add(u64::try_from(real_ms).unwrap_or(u64::MAX))
            }),
            course: plan.course(),
            answer: plan.answer,
            webhooks: Vec::new(),
        }
    }

    /// Answers an inquiry: first the limit, then scripts and faults, then the record.
    pub(crate) fn inquire(&self, id: &str) -> Inquiry<Status> {
        let mut inner = self.lock();
        let now_ms = self.clock.now_ms();
        let answer = inner.inquire(self.seed, id, now_ms, &self.clock);
        inner.stats.inquiries.count(answer.code());
        answer
    }

    pub(crate) fn is_down(&self) -> bool {
        self.lock().faults.down
    }

    pub(crate) fn set_faults(&self, faults: Faults) -> Result<(), BadFaults> {
        faults.check()?;
        self.lock().faults = faults;
        Ok(())
    }

    pub(crate) fn webhook_sent(&self, index: usize, sent: WebhookSent) {
        let mut inner = self.lock();
        inner.stats.webhooks.sent += 1;
        if !sent.answer.is_some_and(|code| (200..300).contains(&code)) {
            inner.stats.webhooks.failed += 1;
        }
        inner.entries.add_webhook(index, sent);
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let inner = self.lock();
        Ledger {
            seed: self.seed,
            time_scale: self.clock.scale(),
            executions: inner.entries.to_vec(),
            inquiries: inner.stats.inquiries.total,
            blocked: inner.stats.inquiries.blocked,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("nothing panics while it holds the provider's memory")
    }
}

impl Inner {
    fn inquire(&mut self, seed: u64, id: &str, now_ms: u64, clock: &Clock) -> Inquiry<Status> {
        if let Some(limited) = Inquiry::limited(self.limit.as_mut(), now_ms, clock) {
            return limited;
        }
        let nth = match self.inquired.get_mut(id) {
            Some(inquired) => {
                inquired.inquiries += 1;
                if let Some(code) = inquired.scripted.pop_front() {
                    return Inquiry::Code(code);
                }
                inquired.inquiries
            }
            // An id that was never posted isn't worth a counter of its own.
            None => self.stats.inquiries.total,
        };
        if Dice::new(seed, "get_500", id, nth).chance(self.faults.get_500) {
            return Inquiry::Code(500);
        }
        match self.records.get(id, now_ms) {
            Some(status) => Inquiry::Found(status),
            None => Inquiry::NotFound,
        }
    }
}
