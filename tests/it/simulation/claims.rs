//! Webhooks that wait in the inbox of a journal that can't be read for a while.

use std::sync::Arc;
use std::time::Duration;

use teller::actors::gate::pump::pump;
use teller::actors::messages::{Accepted, Found};
use teller::actors::registry::Registry;
use teller::actors::router::Router;
use teller::actors::{Bounds, Ground, House};
use teller::clock::Clock;
use teller::ports::{
    IncomingWebhook, InquiryResult, Journal, Kept, Limits, Promise, Provider, Providers,
    SendPermission, SubmissionResult, WebhookReading, WebhookRejected,
};
use teller::transaction::{
    Attempt, Finding, Intent, Key, Policy, Report, Request, State, Timestamp,
};

use super::disk::{Disk, Slowness};
use super::household::{Household, Manners, Post};
use super::world::Plan;
use crate::core::fixture::{BEGINNING, acceptance, intent, key, s};

const REFERENCE: &str = "R-1";

/// Answers each POST with "I have it, as R-1", and is not asked for an hour.
struct Naming {
    policy: Policy,
    limits: Limits,
    clock: Clock,
}

impl Provider for Naming {
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
        _: Arc<Intent>,
        _: Option<String>,
        _: SendPermission,
    ) -> Promise<SubmissionResult> {
        let sent_at = Some(self.clock.mono());
        Box::pin(async move {
            tokio::time::sleep(s(1)).await;
            let mut report = Report::bare(Finding::Pending);
            report.provider_reference = Some(REFERENCE.to_owned());
            SubmissionResult { sent_at, report }
        })
    }

    fn inquire(&self, _: &Key, _: &Request, _: &Attempt) -> Promise<InquiryResult> {
        let (sent_at, report) = (self.clock.mono(), Report::bare(Finding::Pending));
        Box::pin(async move { InquiryResult { sent_at, report } })
    }

    fn read_webhook(&self, _: &IncomingWebhook<'_>) -> Result<WebhookReading, WebhookRejected> {
        Err(WebhookRejected::Unreadable(
            "nothing comes over HTTP here".to_owned(),
        ))
    }
}

#[actix::test]
async fn an_inbox_that_can_not_be_read_keeps_its_actor_until_it_has_been() {
    tokio::time::pause();
    let clock = Clock::following_tokio(Timestamp::from_millis(BEGINNING));
    let plan = Plan::reference(1, 0);
    let mut policy = plan.policy;
    policy.pending_ladder = vec![s(3_600)];
    let provider = Naming {
        policy: policy.clone(),
        limits: plan.limits,
        clock,
    };
    let nobody = Manners {
        doubled: 0.0,
        deaf: 0.0,
    };
    let disk = Arc::new(Disk::new(Slowness::steady(Duration::ZERO), 0));
    let house = House::new(
        Ground::alone(Arc::clone(&disk) as _),
        Providers::new(vec![Arc::new(provider)], "reference"),
        Arc::new(Post {
            household: Household::new(1, 0, 1.0, nobody),
            policy: None,
        }),
        clock,
        Router::new(1),
        Bounds {
            linger: s(1),
            passivate_beyond: s(2),
            ..Bounds::default()
        },
        &[key(0).app],
    );
    Registry::start_shard(&house);
    for gate in house.gates() {
        actix::spawn(pump(Arc::clone(gate), house.router.clone()));
    }
    let mut report = Report::bare(Finding::Completed);
    report.provider_reference = Some(REFERENCE.to_owned());
    let kept = Kept {
        provider: "reference".to_owned(),
        event_id: "event-1".to_owned(),
        references: vec![REFERENCE.to_owned()],
        received_at: Timestamp::from_millis(BEGINNING),
        attempt: None,
        report,
        body: String::new(),
    };
    disk.keep(kept).await.expect("kept");
    disk.refuse_inbox(100);
    let accepted = house.router.accept(acceptance(1, &policy)).await;
    assert!(matches!(accepted, Ok(Accepted::New(_))), "{accepted:?}");
    tokio::time::sleep(s(90)).await;
    let live = house.router.shard_statuses().await[0].live;
    assert_eq!((live, disk.inbox_asked()), (1, 89), "one look a second");
    tokio::time::sleep(s(30)).await;
    assert_eq!(disk.inbox_asked(), 101, "it was read, once");
    let found = house.router.read(key(1)).await;
    let Ok(Found::Here(transaction)) = found else {
        panic!("{found:?}")
    };
    assert_eq!(transaction.state, State::Completed);
    let live = house.router.shard_statuses().await[0].live;
    assert_eq!(live, 0, "then it leaves");
}
