//! One state of the model: the transaction, its commit, its calls, the provider's records, the time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::json;
use teller::transaction::{
    Acceptance, Decision, Effect, Event, Finding, GhostWindow, Intent, LastingInstant, Mono, Now,
    PayloadHash, Rendered, Report, Request, Timestamp, Transaction, Volatile, accept, decide,
    invariants,
};
use uuid::Uuid;

use super::seconds;
use super::setup::Setup;
use crate::core::fixture::{BEGINNING, key};

/// What the provider's record of one attempt shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Shown {
    Pending,
    Completed,
    Declined,
}

impl Shown {
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Completed, Self::Declined];

    pub(super) fn word(self) -> &'static str {
        self.finding().as_str()
    }

    fn finding(self) -> Finding {
        match self {
            Self::Pending => Finding::Pending,
            Self::Completed => Finding::Completed,
            Self::Declined => Finding::Declined,
        }
    }
}

/// One request of ours that may move money.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sending {
    pub(super) attempt: u32,
    pub(super) repetition: bool,
    /// When its record was durable.
    pub(super) since_s: u64,
    /// When its first byte left.
    pub(super) left_s: Option<u64>,
    /// Whether it may still arrive.
    pub(super) alive: bool,
    /// Whether the process that made it waits for its answer.
    pub(super) awaited: bool,
    /// Whether it belongs to a former life, which ended then.
    pub(super) orphaned_s: Option<u64>,
}

/// An inquiry that is out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Asked {
    pub(super) attempt: u32,
    pub(super) at_s: u64,
    /// What the record showed then.
    pub(super) shown: Option<Shown>,
}

/// A decision on its way to the disk. Until it is there the actor handles nothing else.
#[derive(Clone)]
pub(super) struct Commit {
    pub(super) decision: Decision,
    /// The attempt that the provider has acknowledged by what is being committed.
    pub(super) tells_of: Option<u32>,
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) transaction: Transaction,
    pub(super) now_s: u64,
    pub(super) boot: u8,
    pub(super) commit: Option<Commit>,
    pub(super) sendings: Vec<Sending>,
    /// By attempt.
    pub(super) records: Vec<Option<Shown>>,
    /// Whether teller was told by the provider that it has the attempt, and has it written down if it
    /// wanted to. By attempt.
    pub(super) told: Vec<bool>,
    pub(super) asked: Option<Asked>,
    pub(super) webhooks: u8,
    pub(super) restarts: u8,
    pub(super) acts: u8,
}

impl World {
    /// Accepted, and waiting for the gate.
    pub(super) fn beginning(setup: &Setup) -> Self {
        let now = now(0, 0);
        let request = Request {
            provider: "reference".to_owned(),
            amount: None,
            submit_by: now.wall + setup.policy.submit_within,
            payload: json!({}),
            traceparent: None,
        };
        let acceptance = Acceptance {
            key: key(1),
            request: Arc::new(request),
            payload_hash: PayloadHash([0; 32]),
        };
        Self {
            transaction: accept(&acceptance, None, now, &setup.policy).next,
            now_s: 0,
            boot: 0,
            commit: None,
            sendings: Vec::new(),
            records: Vec::new(),
            told: Vec::new(),
            asked: None,
            webhooks: 0,
            restarts: 0,
            acts: 0,
        }
    }

    pub(super) fn now(&self) -> Now {
        now(self.boot, self.now_s)
    }

    pub(super) fn submit_by_has_passed(&self) -> bool {
        self.now().wall >= self.transaction.request.submit_by
    }

    pub(super) fn shown(&self, attempt: u32) -> Option<Shown> {
        self.records.get(attempt as usize - 1).copied().flatten()
    }

    /// Lets the actor handle `event`: it decides, and commits, at once or in a while. `Ok(None)` if the
    /// event changes nothing.
    pub(super) fn handle(
        &self,
        event: Event,
        tells_of: Option<u32>,
        setup: &Setup,
    ) -> Result<Option<Self>, String> {
        let Ok(decision) = decide(&self.transaction, event, self.now(), &setup.policy) else {
            return Ok(None);
        };
        invariants::check_step(Some(&self.transaction), &decision)?;
        let mut next = self.clone();
        if setup.slow_commits && !decision.records.is_empty() {
            next.commit = Some(Commit { decision, tells_of });
        } else {
            next.become_decided(decision, setup);
            next.is_told(tells_of);
        }
        Ok(Some(next))
    }

    /// The records are durable: the transaction is what was decided, and the effects begin.
    pub(super) fn become_decided(&mut self, decision: Decision, setup: &Setup) {
        let decision = decision.made_durable(self.now().mono, &setup.policy);
        self.transaction = decision.next;
        for effect in decision.effects {
            match effect {
                Effect::Submit { attempt } => {
                    self.records.resize(attempt as usize, None);
                    self.told.resize(attempt as usize, false);
                    self.send(attempt, false);
                }
                Effect::Resend { attempt } => self.send(attempt, true),
                Effect::Inquire { attempt } => {
                    self.asked = Some(Asked {
                        attempt,
                        at_s: self.now_s,
                        shown: self.shown(attempt),
                    });
                }
                Effect::AskToSubmit
                | Effect::AskToInquire
                | Effect::Notify
                | Effect::LeaveGate
                | Effect::ClaimInbox => {}
            }
        }
    }

    /// The provider has shown teller that it has this attempt.
    pub(super) fn is_told(&mut self, of: Option<u32>) {
        if let Some(attempt) = of {
            self.told[attempt as usize - 1] = true;
        }
    }

    fn send(&mut self, attempt: u32, repetition: bool) {
        self.sendings.push(Sending {
            attempt,
            repetition,
            since_s: self.now_s,
            left_s: None,
            alive: true,
            awaited: true,
            orphaned_s: None,
        });
    }

    /// A number that two states share only if nothing that matters differs.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.now_s, self.boot, &self.sendings, &self.records).hash(&mut hasher);
        (
            &self.told,
            self.asked,
            self.webhooks,
            self.restarts,
            self.acts,
        )
            .hash(&mut hasher);
        hash_transaction(&self.transaction, &mut hasher);
        if let Some(commit) = &self.commit {
            hash_transaction(&commit.decision.next, &mut hasher);
            commit.tells_of.hash(&mut hasher);
            for effect in &commit.decision.effects {
                std::mem::discriminant(effect).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// Versions, counters and texts are left out: no decision within the model's bounds depends on them.
fn hash_transaction(transaction: &Transaction, hasher: &mut DefaultHasher) {
    (transaction.state, transaction.volatile).hash(hasher);
    for attempt in &transaction.attempts {
        (attempt.fate, attempt.started_at, attempt.resends).hash(hasher);
        (attempt.sent, attempt.doubt_since, attempt.pending_since).hash(hasher);
        (&attempt.provider_reference, &attempt.intent.provider).hash(hasher);
    }
    let resolution = transaction.resolution.as_ref();
    let resolution = resolution.map(|one| (one.outcome, one.source, one.attempt));
    (
        resolution,
        &transaction.conflicts,
        transaction.conflict_open,
    )
        .hash(hasher);
    (&transaction.webhook_events, transaction.acted_on).hash(hasher);
}

pub(super) fn now(boot: u8, now_s: u64) -> Now {
    let millis = now_s * 1_000;
    Now {
        wall: Timestamp::from_millis(BEGINNING) + seconds(now_s),
        mono: Mono::from_millis(millis),
        lasting: Some(LastingInstant {
            timeline: Uuid::from_u128(boot.into()),
            at_ms: millis,
        }),
    }
}

/// What the next attempt would do.
pub(super) fn intent(attempt: u32, stand_in: bool, setup: &Setup) -> Intent {
    let number = if setup.one_reference { 0 } else { attempt };
    Intent {
        provider: stand_in.then(|| "stand-in".to_owned()),
        reference: format!("r-{number}"),
        request: Rendered {
            method: String::new(),
            url: String::new(),
            headers: Vec::new(),
            body: String::new(),
        },
        window: setup.policy.ghost_window.map(|ghost| GhostWindow {
            ghost,
            margin: setup.policy.ghost_margin,
        }),
        resend_safe_for_ms: setup
            .policy
            .resend_safe_for
            .map(|safe| safe.as_millis() as u64),
        profile_hash: String::new(),
    }
}

/// A report of what a record shows.
pub(super) fn report(attempt: u32, shown: Option<Shown>, setup: &Setup) -> Report {
    let finding = shown.map_or(Finding::NotFound, Shown::finding);
    let mut report = Report::bare(finding);
    report.provider_reference =
        (setup.provider_ids && shown.is_some()).then(|| format!("p-{attempt}"));
    report
}

pub(super) fn unclear() -> Report {
    Report::bare(Finding::Unclear { why: String::new() })
}

pub(super) fn refused() -> Report {
    Report::bare(Finding::NotExecuted {
        why: String::new(),
        retry_after: None,
    })
}

/// The beginning of the volatile part of another life.
pub(super) fn forgets_time(transaction: &mut Transaction) {
    transaction.volatile = Volatile::default();
}
