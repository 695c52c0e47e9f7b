//! A provider that answers "I have it" and sends its webhook at the same moment, on another connection.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use teller::actors::gate::pump::pump;
use teller::actors::messages::{Accepted, Found, NamedBy, Until, WebhookTaken};
use teller::actors::registry::Registry;
use teller::actors::router::Router;
use teller::actors::{Bounds, Ground, House};
use teller::clock::Clock;
use teller::ports::{
    IncomingWebhook, InquiryResult, Limits, Promise, Provider, Providers, SendPermission,
    SubmissionResult, WebhookReading, WebhookRejected,
};
use teller::transaction::{
    Attempt, Finding, Intent, Key, Policy, Report, Request, State, Timestamp,
};
use tokio::sync::mpsc;

use super::disk::{Disk, Slowness};
use super::household::{Household, Manners, Post};
use super::world::Plan;
use crate::core::fixture::{BEGINNING, acceptance, intent, key, s};

const TRANSACTIONS: u128 = 600;
/// Turns of the scheduler between the webhook's leaving and the answer's: which of them it takes for both
/// to be there when the actor is looked at, the test need not know.
const TURNS: u128 = 12;

/// Answers a POST and sends its webhook within the same tick.
struct Hasty {
    policy: Policy,
    limits: Limits,
    clock: Clock,
    router: Router,
    /// What became of each webhook.
    taken: mpsc::UnboundedSender<Option<WebhookTaken>>,
    inquiries: Arc<OnceLock<String>>,
}

impl Provider for Hasty {
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
        _: SendPermission,
    ) -> Promise<SubmissionResult> {
        let (clock, router, taken) = (self.clock, self.router.clone(), self.taken.clone());
        Box::pin(async move {
            let sent_at = Some(clock.mono());
            tokio::time::sleep(s(1)).await;
            let id = intent.reference.parse().expect("a reference is an id");
            let mut key = key(0);
            key.id.0 = id;
            let event_id = Some(format!("event-{id}"));
            let webhook = async move {
                let report = Report::bare(Finding::Completed);
                let answer = router.webhook(
                    key,
                    "reference",
                    (NamedBy::OurReference, None),
                    event_id,
                    report,
                );
                // The test looks at what came, when all have come.
                let _ = taken.send(answer.await.ok());
            };
            tokio::spawn(webhook);
            for _ in 0..id.as_u128() % TURNS {
                tokio::task::yield_now().await;
            }
            let report = Report::bare(Finding::Pending);
            SubmissionResult { sent_at, report }
        })
    }

    fn inquire(&self, key: &Key, _: &Request, _: &Attempt) -> Promise<InquiryResult> {
        let _ = self.inquiries.set(key.to_string());
        let (sent_at, report) = (self.clock.mono(), Report::bare(Finding::Pending));
        Box::pin(async move { InquiryResult { sent_at, report } })
    }

    fn read_webhook(&self, _: &IncomingWebhook<'_>) -> Result<WebhookReading, WebhookRejected> {
        Err(WebhookRejected::Unreadable(
            "nothing comes over HTTP here".to_owned(),
        ))
    }
}

async fn pay(router: Router, n: u128, policy: Policy) -> Option<State> {
    let acceptance = acceptance(n, &policy);
    let key = acceptance.key.clone();
    let accepted = router.accept(acceptance).await;
    assert!(matches!(accepted, Ok(Accepted::New(_))), "{accepted:?}");
    match router.watch(key, Until::Final).await {
        Ok(Found::Here(transaction)) => Some(transaction.state),
        _ => None,
    }
}

#[actix::test]
async fn an_answer_and_a_webhook_of_the_same_moment_are_decided_one_after_the_other() {
    tokio::time::pause();
    let clock = Clock::following_tokio(Timestamp::from_millis(BEGINNING));
    let plan = Plan::reference(1, 0);
    let (router, inquiries) = (Router::new(1), Arc::default());
    let (taken, mut webhooks) = mpsc::unbounded_channel();
    let provider = Hasty {
        policy: plan.policy.clone(),
        limits: plan.limits,
        clock,
        router: router.clone(),
        taken,
        inquiries: Arc::clone(&inquiries),
    };
    let nobody = Manners {
        doubled: 0.0,
        deaf: 0.0,
    };
    let house = House::new(
        Ground::alone(Arc::new(Disk::new(
            Slowness::steady(Duration::from_millis(7)),
            0,
        ))),
        Providers::new(vec![Arc::new(provider)], "reference"),
        Arc::new(Post {
            household: Household::new(1, 0, 1.0, nobody),
            policy: plan.policy.notify.clone(),
        }),
        clock,
        router.clone(),
        Bounds::default(),
        &[key(0).app],
    );
    Registry::start_shard(&house);
    for gate in house.gates() {
        actix::spawn(pump(Arc::clone(gate), router.clone()));
    }
    let paying = (1..=TRANSACTIONS).map(|n| pay(router.clone(), n, plan.policy.clone()));
    let ends = futures_util::future::join_all(paying).await;
    let early = ends.iter().filter(|end| **end != Some(State::Completed));
    let early = early.count();
    let mut refused = 0;
    for _ in 1..=TRANSACTIONS {
        let taken = webhooks.recv().await.expect("one for each");
        refused += usize::from(taken != Some(WebhookTaken::Yes));
    }
    let found = (
        house.appends_refused(),
        refused,
        early,
        house.invariant_violations(),
    );
    assert_eq!(
        found,
        (0, 0, 0, 0),
        "appends refused, webhooks refused, clients answered early, laws broken"
    );
    assert_eq!(inquiries.get(), None, "nothing had to be asked about");
}
