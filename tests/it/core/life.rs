//! One transaction's life in a test: events go in, decisions are folded, and after each step the
//! invariants and the fold are checked, whatever the test is about.

use std::time::Duration;

use teller::transaction::{
    Decision, Effect, Event, Ignored, LastingInstant, Mono, Now, Policy, Record, Timer, Timestamp,
    Transaction, Volatile, accept, decide, invariants,
};

use super::fixture::{BEGINNING, acceptance, intent};

/// A transaction, its history, and what is out.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) policy: Policy,
    pub(crate) one_reference: bool,
    pub(crate) transaction: Transaction,
    pub(crate) records: Vec<Record>,
    /// The world's time, in milliseconds since [`BEGINNING`].
    pub(crate) world_ms: u64,
    /// When the process that holds it began: the origin of its monotonic clock.
    pub(crate) boot_ms: u64,
    /// The boots of the machine so far: its number names the timeline that outlives a process.
    pub(crate) boots: u128,
    /// When each attempt was sent, in world time.
    pub(crate) sent_ms: Vec<u64>,
    /// When the last inquiry was sent, in world time.
    pub(crate) asked_ms: u64,
}

impl Life {
    /// Accepted at the beginning of the world; with `permit` its first attempt goes out at once.
    pub(crate) fn begin(n: u128, policy: Policy, one_reference: bool, permit: bool) -> Self {
        assert_eq!(invariants::check_policy(&policy), Ok(()));
        let acceptance = acceptance(n, &policy);
        let first = permit.then(|| intent(&acceptance.key, 1, one_reference, &policy));
        let now = Now {
            wall: Timestamp::from_millis(BEGINNING),
            mono: Mono::from_millis(0),
            lasting: Some(lasting(0, 0)),
        };
        let decision = accept(&acceptance, first, now, &policy);
        assert_eq!(invariants::check_step(None, &decision), Ok(()));
        let mut life = Self {
            policy,
            one_reference,
            transaction: decision.next.clone(),
            records: Vec::new(),
            world_ms: 0,
            boot_ms: 0,
            boots: 0,
            sent_ms: Vec::new(),
            asked_ms: 0,
        };
        life.take(&decision);
        life
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(BEGINNING) + Duration::from_millis(self.world_ms),
            mono: self.mono(self.world_ms),
            lasting: Some(lasting(self.boots, self.world_ms)),
        }
    }

    /// A moment of the world on the clock of the present process.
    pub(crate) fn mono(&self, world_ms: u64) -> Mono {
        Mono::from_millis(world_ms.saturating_sub(self.boot_ms))
    }

    /// A moment on the clock of the present process in world time.
    pub(crate) fn world(&self, at: Mono) -> u64 {
        at.as_millis() + self.boot_ms
    }

    /// The permit for the next attempt, as the shell would render it.
    pub(crate) fn permit(&self) -> Event {
        self.permit_at(None)
    }

    /// The same, at the gate of a stand-in.
    pub(crate) fn permit_at(&self, stand_in: Option<&str>) -> Event {
        let attempt = self.transaction.attempt_no() + 1;
        let mut intent = intent(
            &self.transaction.key,
            attempt,
            self.one_reference,
            &self.policy,
        );
        intent.provider = stand_in.map(str::to_owned);
        Event::SubmissionPermitted {
            intent: Box::new(intent),
        }
    }

    /// Decides without becoming what was decided: for tables.
    pub(crate) fn consider(&self, event: Event) -> Result<Decision, Ignored> {
        let decided = decide(&self.transaction, event.clone(), self.now(), &self.policy);
        let again = decide(&self.transaction, event, self.now(), &self.policy);
        assert_eq!(decided, again, "law 9: the same inputs, another decision");
        if let Ok(decision) = &decided {
            let checked = invariants::check_step(Some(&self.transaction), decision);
            assert_eq!(checked, Ok(()), "before: {:#?}", self.transaction);
        }
        decided
    }

    /// Lets `event` happen as the actor would.
    pub(crate) fn happen(&mut self, event: Event) -> Result<Decision, Ignored> {
        let timer = match &event {
            Event::TimerFired(timer) => Some(*timer).filter(|&timer| self.is_due(timer)),
            _ => None,
        };
        let decided = self.consider(event);
        match (&decided, timer) {
            (Ok(decision), _) => self.take(decision),
            // As the shell does, so that a timer that changes nothing does not ring for ever.
            (Err(_), Some(timer)) => self.transaction.volatile.timers.disarm(timer),
            (Err(_), None) => {}
        }
        decided
    }

    fn is_due(&self, timer: Timer) -> bool {
        let due = self.transaction.volatile.timers.due(timer);
        due.is_some_and(|due| due <= self.now().mono)
    }

    /// The machine is booted again; another process folds what the journal holds.
    pub(crate) fn reboot(&mut self) -> Result<Decision, Ignored> {
        self.boots += 1;
        self.restart()
    }

    /// The process ends; another one on the same machine folds what the journal holds, read back from its
    /// JSON.
    pub(crate) fn restart(&mut self) -> Result<Decision, Ignored> {
        let text = serde_json::to_string(&self.records).expect("records are JSON");
        let read: Vec<Record> = serde_json::from_str(&text).expect("own output");
        assert_eq!(read, self.records, "records survive a JSON round trip");
        self.transaction =
            Transaction::fold(&self.transaction.key, &read).expect("a whole history");
        self.boot_ms = self.world_ms;
        self.happen(Event::Recovered)
    }

    /// Its history goes to an archive, and the journal keeps what that leaves, read back from its JSON.
    /// Says whether it could go.
    pub(crate) fn archive(&mut self) -> bool {
        let Some(record) = self.transaction.archived(self.now().wall) else {
            return false;
        };
        let text = serde_json::to_string(&record).expect("records are JSON");
        let read: Record = serde_json::from_str(&text).expect("own output");
        assert_eq!(read, record, "it survives a JSON round trip");
        self.records = vec![read];
        self.transaction =
            Transaction::fold(&self.transaction.key, &self.records).expect("a whole history");
        assert_eq!(invariants::check(&self.transaction), Ok(()));
        assert_eq!(self.transaction.archived(self.now().wall), Some(record));
        true
    }

    fn take(&mut self, decision: &Decision) {
        self.records.extend(decision.records.iter().cloned());
        self.transaction = decision.next.clone();
        for effect in &decision.effects {
            match effect {
                Effect::Submit { .. } => self.sent_ms.push(self.world_ms),
                Effect::Inquire { .. } | Effect::Resend { .. } => self.asked_ms = self.world_ms,
                Effect::AskToSubmit
                | Effect::AskToInquire
                | Effect::Notify
                | Effect::LeaveGate
                | Effect::ClaimInbox => {}
            }
        }
        let mut folded = Transaction::fold(&self.transaction.key, &self.records)
            .expect("a step's records follow on each other");
        assert_eq!(folded.volatile, Volatile::default());
        folded.volatile = self.transaction.volatile;
        assert_eq!(
            folded, self.transaction,
            "the fold of all records differs from the live transaction"
        );
    }
}

/// A moment of the world on the timeline of one boot.
fn lasting(boot: u128, world_ms: u64) -> LastingInstant {
    LastingInstant {
        timeline: uuid::Uuid::from_u128(boot),
        at_ms: world_ms,
    }
}
