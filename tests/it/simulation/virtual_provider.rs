//! The provider: the reference model behind [`Provider`], in virtual time and without HTTP. Its books
//! and the webhooks that it owes outlive teller's process.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mock_provider::model::{Draw, ReferenceProvider, Status};
use teller::clock::Clock;
use teller::ports::{
    IncomingWebhook, InquiryResult, Limits, Promise, Provider, SendPermission, SubmissionResult,
    WebhookReading, WebhookRejected,
};
use teller::transaction::{Attempt, Finding, Intent, Key, Policy, Rendered, Report, Request};
use tokio::sync::Notify;

use super::seed::Seed;
use super::world::Plan;
use crate::core::fixture::{BEGINNING, intent};

/// An inquiry's way there and back.
const INQUIRY_TAKES: Duration = Duration::from_millis(20);

/// What a provider does with a POST instead of what the model draws.
pub(crate) type Course = fn(&Key) -> Draw;

/// The provider's side of the world.
pub(crate) struct Books {
    state: Mutex<State>,
    /// Something was added to the webhooks owed.
    pub(crate) owes: Notify,
    course: Option<Course>,
    down_ms: Range<u64>,
    torn: f64,
    remembers: Option<Duration>,
}

struct State {
    /// What each reference was first posted with, and when.
    first: HashMap<String, (Rendered, u64)>,
    repeated: usize,
    model: ReferenceProvider,
    tears: Seed,
    preparations: Seed,
    webhooks: BinaryHeap<Reverse<Owed>>,
    owed: u64,
    /// Whose request left, and when.
    left: Vec<(String, u64)>,
    inquiries_ms: Vec<u64>,
}

/// A webhook that will be sent once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Owed {
    pub(crate) at_ms: u64,
    number: u64,
    pub(crate) reference: String,
    completed: bool,
}

impl Owed {
    pub(crate) fn event_id(&self) -> String {
        format!("event-{}", self.number)
    }

    pub(crate) fn report(&self) -> Report {
        let finding = if self.completed {
            Finding::Completed
        } else {
            Finding::Declined
        };
        Report::bare(finding)
    }
}

impl Books {
    pub(crate) fn new(plan: &Plan) -> Arc<Self> {
        let state = State {
            first: HashMap::new(),
            repeated: 0,
            model: ReferenceProvider::new(plan.seed),
            tears: Seed::new(plan.seed, "torn answers"),
            preparations: Seed::new(plan.seed, "preparations"),
            webhooks: BinaryHeap::new(),
            owed: 0,
            left: Vec::new(),
            inquiries_ms: Vec::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            owes: Notify::new(),
            course: plan.course,
            down_ms: plan.provider_down_ms.clone(),
            torn: plan.torn_answers,
            remembers: plan.remembers,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next webhook, if its time has come; else when that will be.
    pub(crate) fn next_webhook(&self, now_ms: u64) -> Result<Owed, Option<u64>> {
        let mut state = self.lock();
        match state.webhooks.peek() {
            Some(Reverse(owed)) if owed.at_ms <= now_ms => {
                let Reverse(owed) = state.webhooks.pop().expect("it was peeked at");
                Ok(owed)
            }
            Some(Reverse(owed)) => Err(Some(owed.at_ms)),
            None => Err(None),
        }
    }

    /// How often `reference` was executed, or will be.
    pub(crate) fn executed(&self, reference: &str) -> u32 {
        self.lock().model.executed(reference)
    }

    /// What the record will show in the end.
    pub(crate) fn outcome(&self, reference: &str) -> Option<Status> {
        self.lock().model.get(reference, u64::MAX)
    }

    /// When each submission went out.
    pub(crate) fn submissions_ms(&self) -> Vec<u64> {
        self.lock().left.iter().map(|(_, at_ms)| *at_ms).collect()
    }

    /// When each request with this reference went out, repetitions included.
    pub(crate) fn left_ms(&self, reference: &str) -> Vec<u64> {
        let state = self.lock();
        let ours = state.left.iter().filter(|(one, _)| one == reference);
        ours.map(|(_, at_ms)| *at_ms).collect()
    }

    /// When each inquiry went out.
    pub(crate) fn inquiries_ms(&self) -> Vec<u64> {
        self.lock().inquiries_ms.clone()
    }

    /// Requests that were answered with what became of the first of their kind.
    pub(crate) fn repeated(&self) -> usize {
        self.lock().repeated
    }

    /// What became of the same request before, if the provider remembers it. What it has lost, and what
    /// it has forgotten, it takes for new.
    fn remembered(&self, intent: &Intent, now_ms: u64) -> Option<Finding> {
        let remembers_ms = self.remembers?.as_millis() as u64;
        let mut state = self.lock();
        if self.down_ms.contains(&now_ms) {
            return None;
        }
        let new = (intent.request.clone(), now_ms);
        let (request, first_ms) = state
            .first
            .entry(intent.reference.clone())
            .or_insert(new)
            .clone();
        assert_eq!(request, intent.request, "the same reference, other bytes");
        let executed = state.model.executed(&intent.reference) > 0;
        if !executed || now_ms - first_ms >= remembers_ms {
            return None;
        }
        state.repeated += 1;
        state.left.push((intent.reference.clone(), now_ms));
        Some(match state.model.get(&intent.reference, now_ms) {
            Some(Status::Completed) => Finding::Completed,
            Some(Status::Declined) => Finding::Declined,
            // A ghost that has not appeared is under way.
            Some(Status::Pending) | None => Finding::Pending,
        })
    }

    fn post(&self, key: &Key, reference: &str, now_ms: u64) -> Option<Draw> {
        let mut state = self.lock();
        state.left.push((reference.to_owned(), now_ms));
        if self.down_ms.contains(&now_ms) {
            return None;
        }
        let draw = match self.course {
            Some(course) => {
                let draw = course(key);
                state.model.post_scripted(reference, now_ms, draw);
                draw
            }
            None => state.model.post(reference, now_ms),
        };
        if let Draw::Answered {
            status,
            webhook_after_ms: Some(after_ms),
            ..
        } = draw
        {
            state.owed += 1;
            let owed = Owed {
                at_ms: now_ms + after_ms,
                number: state.owed,
                reference: reference.to_owned(),
                completed: status == Status::Completed,
            };
            state.webhooks.push(Reverse(owed));
            self.owes.notify_one();
        }
        Some(draw)
    }

    /// How long the next call takes until its first byte leaves.
    fn prepares(&self, at_most_ms: u64) -> Duration {
        if at_most_ms == 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(self.lock().preparations.below(at_most_ms))
    }

    /// Whether this answer gets lost on its way.
    fn tears(&self) -> bool {
        self.torn > 0.0 && self.lock().tears.happens(self.torn)
    }

    fn get(&self, reference: &str, now_ms: u64) -> Finding {
        let mut state = self.lock();
        state.inquiries_ms.push(now_ms);
        if self.down_ms.contains(&now_ms) {
            return Finding::Unclear {
                why: "connection refused".to_owned(),
            };
        }
        match state.model.get(reference, now_ms) {
            None => Finding::NotFound,
            Some(Status::Pending) => Finding::Pending,
            Some(Status::Completed) => Finding::Completed,
            Some(Status::Declined) => Finding::Declined,
        }
    }
}

/// Milliseconds since the world began.
pub(crate) fn world_ms(clock: Clock) -> u64 {
    u64::try_from(clock.now().wall.as_millis() - BEGINNING).unwrap_or_default()
}

/// One process's view of the provider.
pub(crate) struct VirtualProvider {
    pub(crate) books: Arc<Books>,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    /// The longest time from the beginning of a call to its first byte.
    pub(crate) prepares_ms: u64,
    pub(crate) clock: Clock,
}

impl Provider for VirtualProvider {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn intent(&self, key: &Key, _: &Request, attempt: u32) -> Result<Intent, String> {
        Ok(intent(key, attempt, true, &self.policy))
    }

    fn submit(
        &self,
        intent: Arc<Intent>,
        _: Option<String>,
        permission: SendPermission,
    ) -> Promise<SubmissionResult> {
        let (books, clock) = (Arc::clone(&self.books), self.clock);
        let prepares = self.books.prepares(self.prepares_ms);
        Box::pin(async move {
            if !prepares.is_zero() {
                tokio::time::sleep(prepares).await;
            }
            let reference = &intent.reference;
            let id = reference
                .parse()
                .expect("the reference is the transaction's id");
            let mut key = crate::core::fixture::key(0);
            key.id.0 = id;
            let sent_at = clock.mono();
            let result = |sent_at, finding| SubmissionResult {
                sent_at,
                report: Report::bare(finding),
            };
            if let Err(why) = permission.check() {
                let (why, retry_after) = (why.to_string(), None);
                return result(None, Finding::NotExecuted { why, retry_after });
            }
            if let Some(finding) = books.remembered(&intent, world_ms(clock)) {
                tokio::time::sleep(INQUIRY_TAKES).await;
                let why = "torn connection".to_owned();
                let torn = books.tears();
                return result(
                    Some(sent_at),
                    if torn {
                        Finding::Unclear { why }
                    } else {
                        finding
                    },
                );
            }
            match books.post(&key, reference, world_ms(clock)) {
                None => {
                    let why = "connection refused".to_owned();
                    let retry_after = None;
                    result(None, Finding::NotExecuted { why, retry_after })
                }
                Some(Draw::Answered {
                    after_ms, status, ..
                }) => {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    if books.tears() {
                        let why = "torn connection".to_owned();
                        return result(Some(sent_at), Finding::Unclear { why });
                    }
                    let completed = status == Status::Completed;
                    let finding = if completed {
                        Finding::Completed
                    } else {
                        Finding::Declined
                    };
                    result(Some(sent_at), finding)
                }
                Some(Draw::TimedOut { after_ms, .. }) => {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    let why = "504 Timeout".to_owned();
                    result(Some(sent_at), Finding::Unclear { why })
                }
            }
        })
    }

    fn inquire(&self, _: &Key, _: &Request, attempt: &Attempt) -> Promise<InquiryResult> {
        let (books, clock) = (Arc::clone(&self.books), self.clock);
        let reference = attempt.intent.reference.clone();
        Box::pin(async move {
            let sent_at = clock.mono();
            tokio::time::sleep(INQUIRY_TAKES / 2).await;
            let finding = books.get(&reference, world_ms(clock));
            tokio::time::sleep(INQUIRY_TAKES / 2).await;
            let report = Report::bare(finding);
            InquiryResult { sent_at, report }
        })
    }

    fn read_webhook(&self, _: &IncomingWebhook<'_>) -> Result<WebhookReading, WebhookRejected> {
        Err(WebhookRejected::Unreadable(
            "nothing comes over HTTP here".to_owned(),
        ))
    }
}
