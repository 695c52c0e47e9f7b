//! What other nodes took in for transactions of ours: webhooks that wait as letters, and transactions
//! that were accepted without us. One task of each node fetches them for the partitions that it owns.
//!
//! ```text
//!   another node ── post, accept ──▶ the store ◀── looked at every 500 ms, and at once when it rings
//!                                        │
//!                        letters ──▶ evidence ──▶ durable ──▶ discarded
//!                        newcomers ─▶ the actors
//! ```
//!
//! The bell only makes it quick. A letter is discarded after what it says is durable and never before; a
//! node that loses the partition in between leaves it to the next owner, to whom a repetition says
//! nothing new, because the event's id stands in the transaction's history.

mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use self::turns::Turns;
use super::evidence::Evidence;
use super::{Doors, Problem};
use crate::ports::{Letter, Shared, Tenants, Tenure};
use crate::transaction::{Key, PARTITIONS};

/// How often each partition is looked at when nothing rings: the longest that what was taken in
/// elsewhere waits if a ring is lost.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Partitions looked at at once: enough to fill a pipeline, few enough to leave the connection to others.
const PARTITIONS_AT_ONCE: usize = 32;
/// Letters fetched at once of one partition; whoever has delivered them all asks again at once.
const LETTERS_AT_ONCE: usize = 64;
/// Newcomers asked for at once of one partition, at first. Doubled while more are there than that.
const NEWCOMERS_AT_FIRST: usize = 256;
/// Newcomers asked for at once of one partition, at most.
const NEWCOMERS_MAX: usize = 16_384;
/// A newcomer that nobody has written to after this long is named to the actors again. It may wait for
/// a gate, and then that changes nothing; or its activation has failed.
const NAMED_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// The pause of a partition where something went wrong: a journal that is away is not asked in a busy
/// loop, and a letter that can't be delivered now is not tried twice a second.
const TROUBLE_PAUSE: Duration = Duration::from_secs(2);

/// Lines about trouble in the log, one in this time at most.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Says that something has come for a partition. Rings are not counted, only remembered.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<BTreeSet<u32>>,
    notify: Notify,
}

impl Bell {
    /// Something has come for this partition.
    pub fn ring(&self, partition: u32) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.insert(partition);
        drop(rung);
        self.notify.notify_one();
    }

    async fn rung(&self) -> BTreeSet<u32> {
        self.notify.notified().await;
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

/// Fetches and delivers until the future is dropped, or at once if no other node shares the journal.
/// What rings the bell for a partition of ours is looked at without waiting for its turn.
pub async fn deliver(doors: web::Data<Doors>, tenants: Arc<dyn Tenants>, bell: Arc<Bell>) {
    let Some(shared) = doors.house.shared.clone() else {
        return;
    };
    let office = Office {
        doors,
        tenants,
        shared,
        complained: Mutex::default(),
    };
    let mut desks: BTreeMap<u32, Desk> = BTreeMap::new();
    let mut wanted = Turns::default();
    let mut out = FuturesUnordered::new();
    let mut busy: BTreeSet<u32> = BTreeSet::new();
    let mut turn = tokio::time::interval(LOOK_EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        while out.len() < PARTITIONS_AT_ONCE {
            let Some(partition) = wanted.next(|one| !busy.contains(&one)) else {
                break;
            };
            if let Some(desk) = office.desk(partition, desks.remove(&partition)) {
                busy.insert(partition);
                out.push(office.look(partition, desk));
            }
        }
        tokio::select! {
            Some((partition, desk)) = out.next(), if !out.is_empty() => {
                busy.remove(&partition);
                if desk.has_more {
                    wanted.extend([partition]);
                }
                desks.insert(partition, desk);
            }
            rung = bell.rung() => wanted.extend(rung),
            _ = turn.tick() => wanted.extend(0..PARTITIONS),
        }
    }
}

struct Office {
    doors: web::Data<Doors>,
    tenants: Arc<dyn Tenants>,
    shared: Arc<dyn Shared>,
    complained: Mutex<Option<Instant>>,
}

/// What is known of one partition under one tenure.
struct Desk {
    tenure: Tenure,
    /// Newcomers that were named to the actors, and when.
    named: HashMap<Key, Instant>,
    newcomers_at_once: usize,
    /// Not before this moment, because of trouble.
    rests_until: Option<Instant>,
    /// Whether more letters wait than were fetched.
    has_more: bool,
}

impl Office {
    /// The desk of a partition that is ours and may be looked at; nothing is kept of one that is not.
    fn desk(&self, partition: u32, known: Option<Desk>) -> Option<Desk> {
        let tenure = self.doors.house.ownership.tenure(partition)?;
        let desk = known.filter(|desk| desk.tenure == tenure);
        Some(desk.unwrap_or_else(|| Desk {
            tenure,
            named: HashMap::new(),
            newcomers_at_once: NEWCOMERS_AT_FIRST,
            rests_until: None,
            has_more: false,
        }))
    }

    async fn look(&self, partition: u32, mut desk: Desk) -> (u32, Desk) {
        desk.has_more = false;
        if desk.rests_until.is_some_and(|until| Instant::now() < until) {
            return (partition, desk);
        }
        desk.rests_until = None;
        let newcomers = self.newcomers(partition, &mut desk).await;
        let letters = self.letters(partition, &mut desk).await;
        if let Err(why) = newcomers.and(letters) {
            self.complain(partition, &why);
            desk.rests_until = Some(Instant::now() + TROUBLE_PAUSE);
            desk.has_more = false;
        }
        (partition, desk)
    }

    /// A store that is away is away for all partitions: one line stands for them.
    fn complain(&self, partition: u32, why: &Problem) {
        let mut complained = self
            .complained
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            *complained = Some(Instant::now());
            tracing::warn!(partition, %why, "what other nodes took in for this partition could not be fetched or delivered; it stays and is tried again");
        }
    }

    async fn newcomers(&self, partition: u32, desk: &mut Desk) -> Result<(), Problem> {
        let newcomers = self
            .shared
            .newcomers(partition, desk.newcomers_at_once)
            .await;
        let newcomers = newcomers.map_err(|error| Problem::unavailable(error.to_string()))?;
        // Those at the head may wait for a gate for long; those behind them must not wait with them.
        desk.newcomers_at_once = if newcomers.len() == desk.newcomers_at_once {
            (desk.newcomers_at_once * 2).min(NEWCOMERS_MAX)
        } else {
            NEWCOMERS_AT_FIRST.max(newcomers.len() + 1)
        };
        let now = Instant::now();
        let mut named = HashMap::with_capacity(newcomers.len());
        for key in newcomers {
            let at = desk.named.get(&key).copied();
            let at = at.filter(|at| now.duration_since(*at) < NAMED_AGAIN_AFTER);
            if at.is_some() || self.tenants.arrived(&key) {
                named.insert(key, at.unwrap_or(now));
            }
        }
        desk.named = named;
        Ok(())
    }

    /// Delivers what waits: of one transaction one after the other, of several at once, so that one that
    /// can't be delivered holds up nobody else's.
    async fn letters(&self, partition: u32, desk: &mut Desk) -> Result<(), Problem> {
        let letters = self.shared.letters(partition, LETTERS_AT_ONCE).await;
        let letters = letters.map_err(|error| Problem::unavailable(error.to_string()))?;
        let all_fetched = letters.len() < LETTERS_AT_ONCE;
        let mut by_key: BTreeMap<Key, Vec<Letter>> = BTreeMap::new();
        for (key, letter) in letters {
            by_key.entry(key).or_default().push(letter);
        }
        let delivered = by_key.into_iter().map(|(key, letters)| async move {
            for letter in letters {
                self.letter(partition, &key, &letter).await?;
            }
            Ok(())
        });
        let delivered: Result<Vec<()>, Problem> = join_all(delivered).await.into_iter().collect();
        delivered?;
        desk.has_more = !all_fetched;
        Ok(())
    }

    async fn letter(&self, partition: u32, key: &Key, letter: &Letter) -> Result<(), Problem> {
        let evidence = Evidence {
            doors: &self.doors,
            provider: &letter.provider,
            event_id: &letter.event_id,
            report: &letter.report,
            received_at: letter.received_at,
            body: &letter.body,
            fetched_from: Some(partition),
        };
        let work = async {
            evidence.take(&letter.subject).await?;
            let discarded = self.shared.discard(key, letter).await;
            discarded.map_err(|error| Problem::unavailable(error.to_string()))
        };
        tokio::time::timeout(self.doors.bounds.commit_deadline, work)
            .await
            .map_err(|_| Problem::unconfirmed())?
    }
}
