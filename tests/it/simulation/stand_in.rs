//! A stand-in takes over while the own provider can't be reached, and never what may have been touched.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use teller::actors::gate::pump::pump;
use teller::actors::messages::{Call, NamedBy, WebhookTaken};
use teller::actors::registry::Registry;
use teller::actors::router::Router;
use teller::actors::{Bounds, Ground, House};
use teller::clock::Clock;
use teller::ports::{
    IncomingWebhook, InquiryResult, Limits, Promise, Provider, Providers, SendPermission,
    SubmissionResult, WebhookReading, WebhookRejected,
};
use teller::transaction::{
    Attempt, Finding, Intent, Key, Policy, Report, Request, State, Timestamp, Transaction,
};

use super::disk::{Disk, Slowness};
use super::household::{Household, Manners, Post};
use super::virtual_provider::world_ms;
use super::world::Plan;
use crate::core::fixture::{BEGINNING, intent, key, s};

const OWN: &str = "reference";
const OTHER: &str = "other";

/// What became of a request that reached a provider's hands.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Arrived {
    provider: &'static str,
    reference: String,
    at_ms: u64,
    executed: bool,
}

type Ledger = Arc<Mutex<Vec<Arrived>>>;

/// When a provider does what. At all other times it executes.
#[derive(Clone)]
struct Course {
    name: &'static str,
    refuses_ms: Range<u64>,
    loses_ms: Range<u64>,
    takes: Duration,
    at_once: u32,
    breaker_failures: u32,
    /// The first attempt that its profile can make no request of.
    unrenderable_from: u32,
}

/// More looks at one profile than any of these tests needs: somebody asks in circles.
const RENDERED_MAX: usize = 20_000;

struct Scripted {
    course: Course,
    limits: Limits,
    policy: Policy,
    clock: Clock,
    ledger: Ledger,
    rendered: AtomicUsize,
}

impl Provider for Scripted {
    fn name(&self) -> &str {
        self.course.name
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn intent(&self, key: &Key, _: &Request, attempt: u32) -> Result<Intent, String> {
        let rendered = self.rendered.fetch_add(1, Ordering::Relaxed);
        assert!(rendered < RENDERED_MAX, "asked in circles");
        if attempt >= self.course.unrenderable_from {
            return Err("no template for it".to_owned());
        }
        Ok(intent(key, attempt, true, &self.policy))
    }

    fn submit(
        &self,
        intent: Arc<Intent>,
        _: Option<String>,
        permission: SendPermission,
    ) -> Promise<SubmissionResult> {
        let (course, clock, ledger) = (self.course.clone(), self.clock, Arc::clone(&self.ledger));
        Box::pin(async move {
            let (sent_at, at_ms) = (clock.mono(), world_ms(clock));
            if let Err(why) = permission.check() {
                let (why, retry_after) = (why.to_string(), None);
                let report = Report::bare(Finding::NotExecuted { why, retry_after });
                let sent_at = None;
                return SubmissionResult { sent_at, report };
            }
            if course.refuses_ms.contains(&at_ms) {
                let why = "connection refused".to_owned();
                let retry_after = None;
                let report = Report::bare(Finding::NotExecuted { why, retry_after });
                let sent_at = None;
                return SubmissionResult { sent_at, report };
            }
            let executed = !course.loses_ms.contains(&at_ms);
            let arrived = Arrived {
                provider: course.name,
                reference: intent.reference.clone(),
                at_ms,
                executed,
            };
            write_down(&ledger, arrived);
            tokio::time::sleep(course.takes).await;
            let why = "torn connection".to_owned();
            let finding = if executed {
                Finding::Completed
            } else {
                Finding::Unclear { why }
            };
            let (sent_at, report) = (Some(sent_at), Report::bare(finding));
            SubmissionResult { sent_at, report }
        })
    }

    fn inquire(&self, _: &Key, _: &Request, attempt: &Attempt) -> Promise<InquiryResult> {
        let (clock, ledger) = (self.clock, Arc::clone(&self.ledger));
        let (name, refuses_ms) = (self.course.name, self.course.refuses_ms.clone());
        let reference = attempt.intent.reference.clone();
        Box::pin(async move {
            let sent_at = clock.mono();
            tokio::time::sleep(Duration::from_millis(10)).await;
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let ours =
                |one: &Arrived| one.provider == name && one.reference == reference && one.executed;
            let why = "connection refused".to_owned();
            let finding = match (
                refuses_ms.contains(&world_ms(clock)),
                ledger.iter().any(ours),
            ) {
                (true, _) => Finding::Unclear { why },
                (false, true) => Finding::Completed,
                (false, false) => Finding::NotFound,
            };
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

fn write_down(ledger: &Ledger, arrived: Arrived) {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    ledger.push(arrived);
}

/// Two providers, one of which stands in for the other.
struct Pair {
    house: Arc<House>,
    clock: Clock,
    household: Arc<Household>,
    disk: Arc<Disk>,
    ledger: Ledger,
}

impl Pair {
    async fn until(&self, at_ms: u64) {
        let left_ms = at_ms.saturating_sub(world_ms(self.clock));
        tokio::time::sleep(Duration::from_millis(left_ms)).await;
    }

    fn arrived(&self) -> Vec<Arrived> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.clone()
    }

    fn stored(&self, key: &Key) -> Transaction {
        let records = self.disk.history(key).expect("it was taken");
        Transaction::fold(key, &records).expect("a whole history")
    }

    /// Waits for every app to know, and checks that each transaction was executed once.
    async fn settle(&self, at_most_ms: u64) {
        while !self.household.is_content() && world_ms(self.clock) < at_most_ms {
            tokio::time::sleep(s(1)).await;
        }
        let arrived = self.arrived();
        for arrival in self.household.arrivals() {
            let key = key(arrival.n);
            let reference = key.id.to_string();
            let executed = |one: &&Arrived| one.reference == reference && one.executed;
            let executed: Vec<_> = arrived.iter().filter(executed).collect();
            assert_eq!(executed.len(), 1, "{key}: {executed:?}");
            let stored = self.stored(&key);
            assert_eq!(stored.state, State::Completed, "{key}");
            assert_eq!(stored.provider(), executed[0].provider, "{key}");
        }
    }

    /// The references that reached both providers.
    fn at_both(&self) -> usize {
        let arrived = self.arrived();
        let at = |name| arrived.iter().filter(move |one| one.provider == name);
        at(OWN)
            .filter(|own| at(OTHER).any(|other| other.reference == own.reference))
            .count()
    }
}

fn live<F: Future<Output = ()>>(
    count: usize,
    courses: [Course; 2],
    script: impl FnOnce(Pair) -> F,
) {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let clock = Clock::following_tokio(Timestamp::from_millis(BEGINNING));
        let plan = Plan::reference(1, count);
        let ledger = Ledger::default();
        let provider = |course: Course| -> Arc<dyn Provider> {
            Arc::new(Scripted {
                limits: Limits {
                    submissions_at_once: course.at_once,
                    breaker_failures: course.breaker_failures,
                    ..plan.limits.clone()
                },
                course,
                policy: plan.policy.clone(),
                clock,
                ledger: Arc::clone(&ledger),
                rendered: AtomicUsize::new(0),
            })
        };
        let manners = Manners {
            doubled: 0.1,
            deaf: 0.0,
        };
        let household = Household::new(1, count, 10.0, manners);
        let disk = Arc::new(Disk::new(Slowness::steady(Duration::ZERO), 0));
        let bounds = Bounds {
            linger: s(1),
            passivate_beyond: s(2),
            ..Bounds::default()
        };
        let house = House::new(
            Ground::alone(Arc::clone(&disk) as _),
            Providers::new(courses.map(provider).to_vec(), OWN),
            Arc::new(Post {
                household: Arc::clone(&household),
                policy: plan.policy.notify.clone(),
            }),
            clock,
            Router::new(1),
            bounds,
            &[key(0).app],
        )
        .with_stand_ins(BTreeMap::from([(OWN.to_owned(), OTHER.to_owned())]));
        Registry::start_shard(&house);
        for gate in house.gates() {
            actix::spawn(pump(Arc::clone(gate), house.router.clone()));
        }
        let router = house.router.clone();
        actix::spawn(Arc::clone(&household).post_all(router, plan.policy.clone(), clock));
        script(Pair {
            house,
            clock,
            household,
            disk,
            ledger,
        })
        .await;
    });
}

fn course(name: &'static str) -> Course {
    Course {
        name,
        refuses_ms: 0..0,
        loses_ms: 0..0,
        takes: Duration::from_millis(400),
        at_once: 1_000,
        breaker_failures: 3,
        unrenderable_from: u32::MAX,
    }
}

#[test]
fn while_the_own_provider_refuses_connections_the_stand_in_takes_each_once_those_in_the_queue_too()
{
    let mut own = course(OWN);
    // Slower than they come: a queue stands there when the breaker opens.
    own.at_once = 2;
    own.refuses_ms = 10_000..25_000;
    live(600, [own, course(OTHER)], |pair| async move {
        pair.until(9_500).await;
        let waiting = |name| {
            let gate = pair.house.gate(name).expect("configured");
            gate.status().submissions_waiting
        };
        assert!(waiting(OWN) > 20, "no queue: {}", waiting(OWN));
        pair.until(13_000).await;
        assert_eq!(waiting(OWN), 0, "they went elsewhere");
        let at_other = |arrived: &[Arrived]| {
            let other = |one: &&Arrived| one.provider == OTHER;
            arrived.iter().filter(other).count()
        };
        assert!(at_other(&pair.arrived()) > 40);
        // The breaker's second probe finds the own provider back; from then on it gets what comes.
        pair.until(45_000).await;
        let before = at_other(&pair.arrived());
        pair.settle(400_000).await;
        let arrived = pair.arrived();
        assert_eq!(at_other(&arrived), before, "its own provider was back");
        assert_eq!(pair.at_both(), 0);
        let latest = arrived.iter().max_by_key(|one| one.at_ms);
        assert_eq!(latest.expect("some").provider, OWN);
    });
}

#[test]
fn what_is_unknown_at_the_own_provider_never_goes_to_the_stand_in() {
    let mut own = course(OWN);
    own.loses_ms = 3_000..8_000;
    own.refuses_ms = 8_000..300_000;
    live(200, [own, course(OTHER)], |pair| async move {
        pair.until(9_000).await;
        let lost = |one: &&Arrived| one.provider == OWN && !one.executed;
        let lost = pair.arrived().iter().filter(lost).count();
        assert!(lost >= 3, "{lost}");
        pair.settle(3_000_000).await;
        assert_eq!(pair.at_both(), 0, "one of them may be executed twice");
        let other = |one: &&Arrived| one.provider == OTHER;
        assert!(pair.arrived().iter().filter(other).count() > 20);
    });
}

#[test]
fn what_is_unknown_at_the_stand_in_stays_there_when_the_own_provider_is_back() {
    let mut own = course(OWN);
    own.refuses_ms = 0..15_000;
    let mut other = course(OTHER);
    other.loses_ms = 0..12_000;
    other.breaker_failures = 1_000;
    live(100, [own, other], |pair| async move {
        pair.until(20_000).await;
        let lost = |one: &&Arrived| one.provider == OTHER && !one.executed;
        let lost: Vec<_> = pair.arrived().iter().filter(lost).cloned().collect();
        assert!(lost.len() > 20, "{}", lost.len());
        // A webhook counts only from whom it was sent to.
        let mut key = key(0);
        key.id.0 = lost[0].reference.parse().expect("an id");
        let say = |provider| {
            let report = Report::bare(Finding::Unclear {
                why: "a new word".to_owned(),
            });
            let router = pair.house.router.clone();
            let key = key.clone();
            async move {
                router
                    .webhook(key, provider, (NamedBy::OurReference, None), None, report)
                    .await
            }
        };
        let version = pair.stored(&key).version;
        assert_eq!(say(OWN).await, Ok(WebhookTaken::Unknown));
        let provider = OWN.to_owned();
        let hint = Call::Hint { provider };
        assert_eq!(pair.house.router.send(key.clone(), hint), Ok(()));
        assert_eq!(pair.stored(&key).version, version);
        assert_eq!(say(OTHER).await, Ok(WebhookTaken::Yes));
        assert_eq!(pair.stored(&key).version, version + 1);
        pair.settle(3_000_000).await;
        assert_eq!(pair.at_both(), 0, "one of them may be executed twice");
    });
}

#[test]
fn a_stand_in_that_can_make_no_request_of_the_next_attempt_is_not_asked_in_circles() {
    let mut own = course(OWN);
    own.refuses_ms = 0..15_000;
    let mut other = course(OTHER);
    other.loses_ms = 0..12_000;
    other.breaker_failures = 1_000;
    other.unrenderable_from = 2;
    live(60, [own, other], |pair| async move {
        pair.until(600_000).await;
        let arrived = pair.arrived();
        let mut ended = 0;
        for arrival in pair.household.arrivals() {
            let key = key(arrival.n);
            let stored = pair.stored(&key);
            let reference = key.id.to_string();
            let executed = arrived
                .iter()
                .any(|one| one.reference == reference && one.executed);
            // What the stand-in has lost may go nowhere else, and nothing can be sent there again.
            let expected = if executed {
                State::Completed
            } else {
                ended += 1;
                State::Failed
            };
            assert_eq!(stored.state, expected, "{key}: {:?}", stored.resolution);
        }
        assert!(ended > 10, "{ended}");
        assert_eq!(pair.at_both(), 0);
    });
}
