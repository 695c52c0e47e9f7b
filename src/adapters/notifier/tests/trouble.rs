//! Endpoints that have too much to do, that are gone, or that have failed for long; and what operators
//! do about them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::ports::{
    EndpointMemory, EndpointRefusal, EndpointState, EndpointStatus, EndpointTrouble, Endpoints,
    Promise,
};

const START_MS: i64 = 1_800_000_000_000;
const START: &str = "2027-01-15T08:00:00.";

/// Remembers, as text, until it breaks.
#[derive(Default)]
struct Notebook {
    pages: Mutex<BTreeMap<AppId, String>>,
    broken: AtomicBool,
}

impl Notebook {
    fn page(&self, app: &str) -> Option<Value> {
        let pages = self.pages.lock().expect("no panic holds it");
        let text = pages.get(&self::app(app))?;
        Some(serde_json::from_str(text).expect("JSON"))
    }
}

impl EndpointMemory for Notebook {
    fn remember(
        &self,
        app: &AppId,
        trouble: Option<EndpointTrouble>,
    ) -> Promise<Result<(), String>> {
        if self.broken.load(Ordering::Relaxed) {
            return Box::pin(async { Err("no ink".to_owned()) });
        }
        let mut pages = self.pages.lock().expect("no panic holds it");
        match trouble {
            Some(trouble) => {
                let text = serde_json::to_string(&trouble).expect("writable");
                pages.insert(app.clone(), text);
            }
            None => {
                pages.remove(app);
            }
        }
        Box::pin(async { Ok(()) })
    }

    fn recall(&self) -> Promise<Result<Vec<(AppId, EndpointTrouble)>, String>> {
        let pages = self.pages.lock().expect("no panic holds it");
        let read = |(app, text): (&AppId, &String)| {
            let trouble = serde_json::from_str(text).expect("readable");
            (app.clone(), trouble)
        };
        let all = pages.iter().map(read).collect();
        Box::pin(async move { Ok(all) })
    }
}

fn app(name: &str) -> AppId {
    AppId::parse(name).expect("legal")
}

/// The app `shop` at this server, with a clock that [`later`] moves.
fn shop(server: &Server, more: &str) -> HttpNotifier {
    let url = format!("url = '{}/hidden'", server.url());
    let clock = Clock::following_tokio(Timestamp::from_millis(START_MS));
    HttpNotifier::new(config("shop", &url, more), clock).expect("usable")
}

fn status(notifier: &HttpNotifier) -> EndpointStatus {
    notifier.endpoints().remove(0)
}

async fn tell(notifier: &HttpNotifier) -> DeliveryResult {
    notifier.notify(notification(Status::Completed)).await
}

async fn later(wait: Duration) {
    tokio::time::pause();
    tokio::time::advance(wait).await;
    tokio::time::resume();
}

fn answers(statuses: &[u16]) -> Vec<Act> {
    statuses
        .iter()
        .map(|&status| Act::Answer(answer(status, "", "")))
        .collect()
}

fn held_for(result: &DeliveryResult) -> Duration {
    match result {
        DeliveryResult::HeldBack { wait } => *wait,
        other => panic!("it went out: {other:?}"),
    }
}

#[tokio::test]
async fn an_overloaded_endpoint_gets_one_delivery_at_a_time_until_one_succeeds() {
    for overloaded in [429, 502, 503, 504] {
        let server = Server::start(answers(&[overloaded, overloaded, 200, 200])).await;
        let notifier = shop(&server, "");
        assert!(matches!(
            tell(&notifier).await,
            DeliveryResult::Failed { .. }
        ));
        let wait = held_for(&tell(&notifier).await);
        assert!(wait <= Duration::from_secs(2), "{wait:?}");
        assert_eq!(server.requests().len(), 1, "nothing goes out meanwhile");
        assert!(matches!(
            status(&notifier).state,
            EndpointState::Slowed { .. }
        ));
        later(wait).await;
        assert!(matches!(
            tell(&notifier).await,
            DeliveryResult::Failed { .. }
        ));
        let wait = held_for(&tell(&notifier).await);
        assert!(wait > Duration::from_millis(1_500), "it grows: {wait:?}");
        later(wait).await;
        for _ in 0..2 {
            assert_eq!(untimed(tell(&notifier).await), acknowledged(200));
        }
        let status = status(&notifier);
        assert_eq!(status.state, EndpointState::Ok);
        assert_eq!((status.deliveries, status.acknowledged), (4, 2));
        assert_eq!(
            (status.failures_in_a_row, status.first_failure_at),
            (0, None)
        );
        assert!(status.last_success_at.is_some());
    }
}

#[tokio::test]
async fn the_one_delivery_s_turn_comes_back_when_its_caller_leaves() {
    let mut script = answers(&[503]);
    script.push(Act::Hang);
    let server = Server::start(script).await;
    let notifier = shop(&server, "");
    tell(&notifier).await;
    later(Duration::from_secs(2)).await;
    let alone = tokio::spawn({
        let notifier = notifier.clone();
        async move { tell(&notifier).await }
    });
    while server.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    held_for(&tell(&notifier).await);
    alone.abort();
    assert!(alone.await.is_err(), "it was out");
    let next = tell(&notifier);
    tokio::select! {
        result = next => panic!("the server hangs: {result:?}"),
        () = async {
            while server.requests().len() < 3 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
}

#[tokio::test]
async fn retry_after_holds_for_everything_that_the_app_is_told() {
    let hour = Act::Answer(answer(429, "retry-after: 86400\r\n", ""));
    let server = Server::start([hour]).await;
    let notifier = shop(&server, "");
    tell(&notifier).await;
    let wait = held_for(&tell(&notifier).await);
    let hour = Duration::from_hours(1);
    assert!(hour - Duration::from_secs(1) < wait && wait <= hour + Duration::from_secs(1));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_nothing_until_it_is_enabled() {
    let server = Server::start(answers(&[410, 200])).await;
    let notebook = Arc::new(Notebook::default());
    let notifier = shop(&server, "");
    notifier
        .remember_in(notebook.clone())
        .await
        .expect("recalled");
    assert_eq!(
        untimed(tell(&notifier).await),
        DeliveryResult::Gone { took: None }
    );
    let DeliveryResult::Disabled { why } = tell(&notifier).await else {
        panic!("it went out");
    };
    let began = format!("the app's endpoint is disabled since {START}");
    assert!(
        why.starts_with(&began) && why.ends_with("Z: it answered HTTP 410"),
        "{why}"
    );
    let page = notebook.page("shop").expect("written down");
    assert_eq!(page["disabled"]["why"], "it answered HTTP 410");
    // A new process knows it, and tells nobody else's.
    let heir = shop(&server, "");
    heir.remember_in(notebook.clone()).await.expect("recalled");
    assert!(matches!(tell(&heir).await, DeliveryResult::Disabled { .. }));
    assert_eq!(server.requests().len(), 1);
    heir.enable(&app("shop")).await.expect("enabled");
    assert_eq!(notebook.page("shop"), None);
    assert_eq!(untimed(tell(&heir).await), acknowledged(200));
}

#[tokio::test]
async fn an_endpoint_that_fails_for_long_is_disabled() {
    let server = Server::start(answers(&[500; 25])).await;
    let notebook = Arc::new(Notebook::default());
    let notifier = shop(&server, "disable_after = '2h'");
    notifier
        .remember_in(notebook.clone())
        .await
        .expect("recalled");
    for _ in 0..10 {
        tell(&notifier).await;
    }
    assert_eq!(notebook.page("shop"), None, "it may be a flutter");
    later(Duration::from_mins(70)).await;
    tell(&notifier).await;
    let page = notebook.page("shop").expect("it lasts");
    assert!(
        page["failing_since"]
            .as_str()
            .is_some_and(|since| since.starts_with(START)),
        "{page}"
    );
    assert_eq!(page["disabled"], Value::Null);
    // The clock of lasting failure goes on over a restart.
    let heir = shop(&server, "disable_after = '2h'");
    heir.remember_in(notebook.clone()).await.expect("recalled");
    later(Duration::from_mins(130)).await;
    for _ in 0..8 {
        assert!(matches!(tell(&heir).await, DeliveryResult::Failed { .. }));
    }
    assert!(matches!(tell(&heir).await, DeliveryResult::Failed { .. }));
    assert!(
        matches!(tell(&heir).await, DeliveryResult::Disabled { .. }),
        "after twenty"
    );
    let EndpointState::Disabled(disabled) = status(&heir).state else {
        panic!("enabled");
    };
    let expected = format!("20 deliveries in a row have failed since {START}");
    assert!(disabled.why.starts_with(&expected), "{}", disabled.why);
}

#[tokio::test]
async fn operators_disable_and_enable_and_hear_what_is_not_kept() {
    let server = Server::start(answers(&[200])).await;
    let notebook = Arc::new(Notebook::default());
    let notifier = shop(&server, "");
    notifier
        .remember_in(notebook.clone())
        .await
        .expect("recalled");
    let (shop, stranger) = (app("shop"), app("stranger"));
    let why = || "it moves house".to_owned();
    notifier.disable(&shop, why()).await.expect("disabled");
    let result = format!("{:?}", tell(&notifier).await);
    assert!(result.contains("it moves house"), "{result}");
    let seen = serde_json::to_value(status(&notifier)).expect("writable");
    assert_eq!(seen["state"], "disabled");
    assert_eq!(seen["why"], "it moves house");
    assert_eq!(seen["format"], "template");
    assert_eq!(seen["host"], server.address.to_string());
    assert!(!seen.to_string().contains("hidden"), "{seen}");
    notebook.broken.store(true, Ordering::Relaxed);
    let forgetful = EndpointRefusal::Forgetful("no ink".to_owned());
    assert_eq!(notifier.enable(&shop).await, Err(forgetful));
    assert!(notebook.page("shop").is_some());
    notebook.broken.store(false, Ordering::Relaxed);
    // It is enabled all the same, and the next delivery has it written down.
    assert_eq!(untimed(tell(&notifier).await), acknowledged(200));
    assert_eq!(notebook.page("shop"), None);
    assert_eq!(server.requests().len(), 1);
    let unknown = Err(EndpointRefusal::Unknown(stranger.clone()));
    assert_eq!(notifier.enable(&stranger).await, unknown);
    assert_eq!(notifier.disable(&stranger, why()).await, unknown);
}

#[tokio::test]
async fn a_switch_at_one_node_is_felt_at_the_others() {
    let server = Server::start(answers(&[200])).await;
    let notebook = Arc::new(Notebook::default());
    let (one, other) = (shop(&server, ""), shop(&server, ""));
    for node in [&one, &other] {
        node.remember_in(notebook.clone()).await.expect("recalled");
        node.follow().await.expect("read");
    }
    let why = "it moves house".to_owned();
    one.disable(&app("shop"), why).await.expect("disabled");
    other.follow().await.expect("read");
    let result = format!("{:?}", tell(&other).await);
    assert!(result.contains("it moves house"), "{result}");
    // And back, from the node that had it from the first.
    other.enable(&app("shop")).await.expect("enabled");
    assert_eq!(notebook.page("shop"), None);
    one.follow().await.expect("read");
    assert_eq!(untimed(tell(&one).await), acknowledged(200));
}
