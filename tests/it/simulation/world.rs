//! A world: one seed, one provider, one household, one disk, and as many lives of teller's process as
//! it takes.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use teller::actors::gate::pump::pump;
use teller::actors::messages::NamedBy;
use teller::actors::registry::Registry;
use teller::actors::router::Router;
use teller::actors::{Bounds, Ground, House};
use teller::clock::Clock;
use teller::ports::{Alone, Limits, Ownership, Provider, Providers};
use teller::transaction::{NotifyPolicy, Policy, Timestamp, TransactionId};
use uuid::Uuid;

use super::disk::{Disk, Slowness};
use super::held::HeldBack;
use super::household::{Household, Manners, Post};
use super::seed::Seed;
use super::virtual_provider::{Books, Course, VirtualProvider, world_ms};
use crate::core::fixture::{self, BEGINNING, s};

/// How a world is made.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) transactions: usize,
    pub(crate) per_second: f64,
    pub(crate) manners: Manners,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) bounds: Bounds,
    /// How slow the disk is.
    pub(crate) disk: Slowness,
    /// How long it takes at most from the beginning of a call to its first byte: a token is fetched, a
    /// connection made.
    pub(crate) prepares_ms: u64,
    /// When the node may begin no call, because its lease is not renewed.
    pub(crate) held_ms: Range<u64>,
    /// The share of restarts before which the machine is booted again.
    pub(crate) reboots: f64,
    /// When the provider can't be reached.
    pub(crate) provider_down_ms: Range<u64>,
    /// What the provider does instead of what the model draws.
    pub(crate) course: Option<Course>,
    /// How long the provider remembers a request and answers its repetition with what became of it;
    /// `None`: it executes it again.
    pub(crate) remembers: Option<Duration>,
    /// The share of answers that are lost on their way, though the provider did what it was asked.
    pub(crate) torn_answers: f64,
    /// Which partitions teller may act for.
    pub(crate) ownership: Arc<dyn Ownership>,
}

impl Plan {
    /// The reference behaviour and a gate wide enough that nobody queues.
    pub(crate) fn reference(seed: u64, transactions: usize) -> Self {
        let mut policy = fixture::policy();
        policy.notify = Some(NotifyPolicy {
            schedule: [0, 5, 30, 60, 300, 300, 300, 300, 600, 600].map(s).to_vec(),
            jitter: 0.2,
            tells_review: false,
        });
        Self {
            seed,
            transactions,
            per_second: 200.0,
            manners: Manners {
                doubled: 0.0,
                deaf: 0.0,
            },
            policy,
            limits: Limits {
                submissions_at_once: 1_000_000,
                submissions_per_second: None,
                inquiries_per_second: 1_000_000.0,
                inquiry_burst: 1_000_000,
                inquiries_at_once: 1_000_000,
                // One POST in ten times out, and of a million transactions some stand in a long row.
                breaker_failures: 1_000,
                breaker_pause: s(10),
            },
            bounds: Bounds::default(),
            disk: Slowness::steady(Duration::ZERO),
            prepares_ms: 0,
            held_ms: 0..0,
            reboots: 1.0,
            provider_down_ms: 0..0,
            course: None,
            remembers: None,
            torn_answers: 0.0,
            ownership: Arc::new(Alone),
        }
    }
}

/// What outlives teller's process.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) books: Arc<Books>,
    pub(crate) household: Arc<Household>,
    pub(crate) disk: Arc<Disk>,
    /// The boots of the machine so far.
    boots: Mutex<(Seed, u128)>,
    laws_broken: AtomicU64,
    appends_refused: AtomicU64,
}

/// One process, from the inside.
pub(crate) struct Life {
    pub(crate) house: Arc<House>,
    pub(crate) clock: Clock,
    pub(crate) books: Arc<Books>,
    pub(crate) household: Arc<Household>,
    pub(crate) disk: Arc<Disk>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let household = Household::new(plan.seed, plan.transactions, plan.per_second, plan.manners);
        Self {
            books: Books::new(&plan),
            household,
            disk: Arc::new(Disk::new(plan.disk, plan.seed)),
            boots: Mutex::new((Seed::new(plan.seed, "boots"), 0)),
            laws_broken: AtomicU64::new(0),
            appends_refused: AtomicU64::new(0),
            plan,
        }
    }

    /// Runs one process from `boot_ms` until `script` ends, then drops it as it stands, calls in
    /// flight included. Says when that was.
    pub(crate) fn live<F: Future<Output = ()>>(
        &self,
        boot_ms: u64,
        script: impl FnOnce(Life) -> F,
    ) -> u64 {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime")
        };
        actix::System::with_tokio_rt(runtime).block_on(async {
            let life = self.move_in(boot_ms);
            let (clock, house) = (life.clock, Arc::clone(&life.house));
            script(life).await;
            let (laws, appends) = (house.invariant_violations(), house.appends_refused());
            self.laws_broken.fetch_add(laws, Ordering::Relaxed);
            self.appends_refused.fetch_add(appends, Ordering::Relaxed);
            world_ms(clock)
        })
    }

    /// Steps that broke a law, and appends that the disk refused because it held something else than the
    /// actor thought, over all lives.
    pub(crate) fn alarms(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.laws_broken), of(&self.appends_refused))
    }

    fn move_in(&self, boot_ms: u64) -> Life {
        let boot = Timestamp::from_millis(BEGINNING) + Duration::from_millis(boot_ms);
        let clock = Clock::following_tokio(boot).within_boot(self.boot());
        self.disk.handed_on();
        let provider: Arc<dyn Provider> = Arc::new(VirtualProvider {
            books: Arc::clone(&self.books),
            // How the apps are told is the notifier's to say.
            policy: Policy {
                notify: None,
                ..self.plan.policy.clone()
            },
            limits: self.plan.limits.clone(),
            prepares_ms: self.plan.prepares_ms,
            clock,
        });
        let ground = Ground {
            ownership: match self.plan.held_ms.is_empty() {
                true => Arc::clone(&self.plan.ownership),
                false => Arc::new(HeldBack {
                    clock,
                    held_ms: self.plan.held_ms.clone(),
                }),
            },
            ..Ground::alone(Arc::clone(&self.disk) as _)
        };
        let house = House::new(
            ground,
            Providers::new(vec![provider], "reference"),
            Arc::new(Post {
                household: Arc::clone(&self.household),
                policy: self.plan.policy.notify.clone(),
            }),
            clock,
            Router::new(1),
            self.plan.bounds,
            &[fixture::key(0).app],
        );
        Registry::start_shard(&house);
        for gate in house.gates() {
            actix::spawn(pump(Arc::clone(gate), house.router.clone()));
        }
        let (router, policy) = (house.router.clone(), self.plan.policy.clone());
        actix::spawn(Arc::clone(&self.household).post_all(router.clone(), policy, clock));
        actix::spawn(deliver_webhooks(Arc::clone(&self.books), router, clock));
        Life {
            house,
            clock,
            books: Arc::clone(&self.books),
            household: Arc::clone(&self.household),
            disk: Arc::clone(&self.disk),
        }
    }

    /// The name of the boot that the next process runs in.
    fn boot(&self) -> Uuid {
        let mut boots = self.boots.lock().unwrap_or_else(PoisonError::into_inner);
        let (dice, number) = &mut *boots;
        *number += u128::from(dice.happens(self.plan.reboots));
        Uuid::from_u128(*number)
    }

    /// One life, until everybody knows, or until the world has gone on for `at_most`.
    pub(crate) fn run(&self, at_most: Duration) -> u64 {
        self.live(0, |life| life.until_content(at_most))
    }
}

impl Life {
    /// Until every app knows an outcome, but not longer than `at_most`.
    pub(crate) async fn until_content(self, at_most: Duration) {
        let content = async {
            while !self.household.is_content() {
                self.household.heard.notified().await;
            }
            // What an app has heard it may still have to be told again, if its answer was lost.
            while !self.disk.is_quiet() {
                tokio::time::sleep(s(1)).await;
            }
        };
        // The audit says what is missing.
        let _ = tokio::time::timeout(at_most, content).await;
    }

    /// The number of milliseconds since the world began.
    pub(crate) fn now_ms(&self) -> u64 {
        world_ms(self.clock)
    }

    /// Waits until the world's clock says `at_ms`.
    pub(crate) async fn until(&self, at_ms: u64) {
        tokio::time::sleep(Duration::from_millis(at_ms.saturating_sub(self.now_ms()))).await;
    }
}

/// The provider sends each webhook once, to whoever is there.
async fn deliver_webhooks(books: Arc<Books>, router: Router, clock: Clock) {
    let boot_ms = world_ms(clock);
    loop {
        match books.next_webhook(world_ms(clock)) {
            // Nobody was there to take it.
            Ok(owed) if owed.at_ms < boot_ms => {}
            Ok(owed) => {
                let mut key = fixture::key(0);
                let id: Uuid = owed.reference.parse().expect("a reference is an id");
                key.id = TransactionId(id);
                // Whatever the answer is, it is never sent again.
                let _ = router
                    .webhook(
                        key,
                        "reference",
                        (NamedBy::OurReference, None),
                        Some(owed.event_id()),
                        owed.report(),
                    )
                    .await;
            }
            Err(next_ms) => {
                let wait =
                    next_ms.map(|at| Duration::from_millis(at.saturating_sub(world_ms(clock))));
                let next = async {
                    match wait {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = next => {}
                    () = books.owes.notified() => {}
                }
            }
        }
    }
}
