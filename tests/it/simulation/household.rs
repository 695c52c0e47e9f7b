//! The apps: they post, some of them twice, and again until they hear that it was taken; they are
//! told, and some deliveries fail, with or without having been heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use teller::actors::messages::Accepted;
use teller::actors::router::Router;
use teller::clock::Clock;
use teller::ports::{Notification, Notifier, Promise};
use teller::transaction::{
    Acceptance, AppId, DeliveryResult, Key, NotifyPolicy, Policy, Status, Timestamp,
};
use tokio::sync::Notify;

use super::seed::Seed;
use super::virtual_provider::world_ms;
use crate::core::fixture::{BEGINNING, acceptance};

/// A delivery's way there and back.
const DELIVERY_TAKES: Duration = Duration::from_millis(5);
/// An app's pause before it posts again what was not taken.
const POST_AGAIN_AFTER: Duration = Duration::from_millis(1_000);

/// How the apps behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// The share of requests that are posted twice at the same moment.
    pub(crate) doubled: f64,
    /// The share of deliveries that fail; of these, half were heard all the same.
    pub(crate) deaf: f64,
}

/// The apps' side of the world.
pub(crate) struct Household {
    state: Mutex<State>,
    manners: Manners,
    /// Somebody heard an outcome.
    pub(crate) heard: Notify,
}

struct State {
    seed: Seed,
    /// In the order of their arrival.
    arrivals: Vec<Arrival>,
    told: BTreeMap<Key, Told>,
    taken: usize,
    new: BTreeMap<Key, u32>,
    turned_away: u64,
}

/// A request, and when the app first posts it.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) n: u128,
    pub(crate) at_ms: u64,
    taken: bool,
    doubled: bool,
}

/// What an app knows.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) version: u64,
    pub(crate) status: Status,
    /// When that became so.
    pub(crate) since_ms: u64,
    /// Deliveries heard.
    pub(crate) times: u32,
}

impl Household {
    /// Transactions 1 to `count`, which arrive `per_second` on average.
    pub(crate) fn new(seed: u64, count: usize, per_second: f64, manners: Manners) -> Arc<Self> {
        let mut waits = Seed::new(seed, "arrivals");
        let mut at_ms = 0.0;
        let mut arrivals = Vec::with_capacity(count);
        for n in 1..=count as u128 {
            at_ms += waits.wait_ms(per_second);
            arrivals.push(Arrival {
                n: u128::from(seed) << 64 | n,
                at_ms: at_ms as u64,
                taken: false,
                doubled: waits.happens(manners.doubled),
            });
        }
        let state = State {
            seed: Seed::new(seed, "deliveries"),
            arrivals,
            told: BTreeMap::new(),
            taken: 0,
            new: BTreeMap::new(),
            turned_away: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            manners,
            heard: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.lock().arrivals.clone()
    }

    pub(crate) fn told(&self, key: &Key) -> Option<Told> {
        self.lock().told.get(key).cloned()
    }

    /// Whether every request was taken and every app knows an outcome.
    pub(crate) fn is_content(&self) -> bool {
        let state = self.lock();
        state.taken == state.arrivals.len() && state.told.len() == state.arrivals.len()
    }

    /// How often `key` was answered as new: more than once breaks law 7.
    pub(crate) fn times_new(&self, key: &Key) -> u32 {
        self.lock().new.get(key).copied().unwrap_or_default()
    }

    /// Posts that were answered with "not now".
    pub(crate) fn turned_away(&self) -> u64 {
        self.lock().turned_away
    }

    fn answered(&self, index: usize, key: &Key, new: bool) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.arrivals[index].taken, true) {
            state.taken += 1;
        }
        if new {
            *state.new.entry(key.clone()).or_default() += 1;
        }
    }

    /// Posts everything that has not been taken yet, each at its time, until it is taken.
    pub(crate) async fn post_all(self: Arc<Self>, router: Router, policy: Policy, clock: Clock) {
        for (index, arrival) in self.arrivals().into_iter().enumerate() {
            if arrival.taken {
                continue;
            }
            let now_ms = world_ms(clock);
            if arrival.at_ms > now_ms {
                tokio::time::sleep(Duration::from_millis(arrival.at_ms - now_ms)).await;
            }
            let mut acceptance = acceptance(arrival.n, &policy);
            let mut request = (*acceptance.request).clone();
            request.submit_by =
                Timestamp::from_millis(BEGINNING + arrival.at_ms as i64) + policy.submit_within;
            acceptance.request = Arc::new(request);
            for _ in 0..=usize::from(arrival.doubled) {
                let post = Arc::clone(&self).post(index, acceptance.clone(), router.clone());
                actix::spawn(post);
            }
        }
    }

    async fn post(self: Arc<Self>, index: usize, acceptance: Acceptance, router: Router) {
        loop {
            match router.accept(acceptance.clone()).await {
                Ok(Accepted::New(_)) => return self.answered(index, &acceptance.key, true),
                Ok(Accepted::Replayed(_)) => return self.answered(index, &acceptance.key, false),
                Ok(Accepted::OtherPayload) => panic!("the same request, taken for another"),
                Ok(Accepted::Unavailable(_) | Accepted::Elsewhere) | Err(_) => {
                    self.lock().turned_away += 1;
                    tokio::time::sleep(POST_AGAIN_AFTER).await;
                }
            }
        }
    }

    fn hear(&self, notification: &Notification) -> DeliveryResult {
        let mut state = self.lock();
        let deaf = state.seed.happens(self.manners.deaf);
        if !deaf || state.seed.happens(0.5) {
            let notice = &notification.notice;
            let since_ms = notice.since.as_millis() - BEGINNING;
            let before = state.told.get(&notification.key);
            let told = Told {
                version: notice.version,
                status: notice.status,
                since_ms: u64::try_from(since_ms).unwrap_or_default(),
                times: before.map_or(0, |told| told.times) + 1,
            };
            // An older version may come late; the app keeps the newest, as the version tells it.
            if before.is_none_or(|before| before.version <= told.version) {
                state.told.insert(notification.key.clone(), told);
            }
        }
        if deaf {
            return DeliveryResult::failed("no answer");
        }
        DeliveryResult::Acknowledged {
            status: Some(200),
            took: Some(DELIVERY_TAKES),
        }
    }
}

/// One process's way to the apps.
pub(crate) struct Post {
    pub(crate) household: Arc<Household>,
    /// When every app is told.
    pub(crate) policy: Option<NotifyPolicy>,
}

impl Notifier for Post {
    fn policy(&self, _: &AppId) -> Option<NotifyPolicy> {
        self.policy.clone()
    }

    fn notify(&self, notification: Notification) -> Promise<DeliveryResult> {
        let household = Arc::clone(&self.household);
        Box::pin(async move {
            tokio::time::sleep(DELIVERY_TAKES).await;
            let result = household.hear(&notification);
            household.heard.notify_one();
            result
        })
    }
}
