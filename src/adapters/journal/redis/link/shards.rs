//! A Cluster: connections to each of its primaries, and the map of slots that says which is for what.
//!
//! - The map is read from all nodes that answer, and the one of the highest epoch counts: a node that
//!   was cut off has an older one. It is read every second, and when a node says that a slot has moved.
//! - A slot that went from one living primary to another took its data along. If the old one is no
//!   primary any more, its place was taken, and its last writes may be lost: what this process
//!   remembers of them is written again, before anything else goes there.
//! - While a slot is on its way nothing of it is written; what is read is asked at both ends.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::chart::Chart;
use super::connect::Connector;
use super::primary::{Primary, Seen};
use super::slots::{SlotMap, pointed_to, slot_of, slot_of_command};
use super::ties::Ties;
use super::trouble::Trouble;
use super::trunk::Trunk;
use crate::adapters::journal::redis::keys::Keys;
use crate::adapters::journal::redis::library::Library;
use crate::adapters::journal::redis::options::{Address, Options, Place};
use crate::ports::{JournalError, JournalHealth, Promise};

/// Between two looks at the map, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks, at least, however often nodes say that slots have moved.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How long a node may take to show its map.
const MAP_WITHIN: Duration = Duration::from_millis(500);
/// Primaries that are connected to, at most: each is a thread and some connections.
const PRIMARIES_MAX: usize = 256;

/// See the [module](self).
pub(super) struct Shards {
    options: Options,
    keys: Keys,
    /// The slot of what has no key.
    home: u16,
    seeds: Vec<Address>,
    connector: Connector,
    chart: RwLock<Arc<Chart>>,
    /// Why there is no map yet.
    why_not: RwLock<String>,
    moved: Arc<Notify>,
}

impl Shards {
    /// Starts the thread that reads the map. It ends with the last handle.
    pub(super) fn start(options: Options) -> std::io::Result<Arc<Self>> {
        let seeds = match &options.place {
            Place::Cluster { seeds } => seeds.clone(),
            Place::Server(_) | Place::Sentinels { .. } => Vec::new(),
        };
        let keys = Keys::new(&options.prefix);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shards = Arc::new(Self {
            home: slot_of(keys.meta().as_bytes()),
            keys,
            seeds,
            connector: Connector::new(options.clone(), Arc::new(Primary::default())),
            options,
            chart: RwLock::default(),
            why_not: RwLock::new("the Cluster's slots are not known yet".to_owned()),
            moved: Arc::new(Notify::new()),
        });
        let watched = Arc::downgrade(&shards);
        std::thread::Builder::new()
            .name("journal-slots".to_owned())
            .spawn(move || runtime.block_on(watch(&watched)))?;
        Ok(shards)
    }

    fn chart(&self) -> Arc<Chart> {
        let chart = self.chart.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&chart)
    }

    /// Why nobody has a slot.
    fn why_not(&self) -> String {
        if !self.chart().trunks.is_empty() {
            return "no primary of the Cluster has the slot now".to_owned();
        }
        let why = self.why_not.read().unwrap_or_else(PoisonError::into_inner);
        why.clone()
    }

    pub(super) fn trunks(&self) -> Vec<Arc<Trunk>> {
        let chart = self.chart();
        let trunks = chart.trunks.iter();
        trunks.map(|(_, trunk)| Arc::clone(trunk)).collect()
    }

    pub(super) fn look_again(&self) {
        self.moved.notify_one();
    }

    /// Writes what goes to one primary together; what goes to the next one follows once that is
    /// confirmed.
    pub(super) fn write(
        self: &Arc<Self>,
        lane: u32,
        library: &'static Library,
        mut commands: Vec<Cmd>,
    ) -> Promise<Result<Vec<Value>, Trouble>> {
        let chart = self.chart();
        let number_for = |command: &Cmd| chart.number_for(command, self.home);
        let Some(number) = commands.first().and_then(number_for) else {
            let why = self.why_not();
            return Box::pin(std::future::ready(Err(Trouble::Refused(why))));
        };
        let same = |command: &&Cmd| number_for(command) == Some(number);
        let first = commands.iter().take_while(same).count();
        let rest = commands.split_off(first);
        let sent = chart.trunks[number].1.write(lane, library, commands);
        if rest.is_empty() {
            return sent;
        }
        let shards = Arc::clone(self);
        Box::pin(async move {
            let mut values = sent.await?;
            values.extend(shards.write(lane, library, rest).await?);
            Ok(values)
        })
    }

    /// Asks each primary for its part, all at once, and puts the answers in the order of the questions.
    pub(super) async fn query(&self, pipeline: Pipeline) -> Result<Vec<Value>, JournalError> {
        let chart = self.chart();
        let mut parts: Vec<Vec<usize>> = vec![Vec::new(); chart.trunks.len()];
        let commands: Vec<&Cmd> = pipeline.cmd_iter().collect();
        for (at, command) in commands.iter().enumerate() {
            let number = chart.number_for(command, self.home);
            let number = number.ok_or_else(|| JournalError(self.why_not()))?;
            parts[number].push(at);
        }
        let parts = chart.trunks.iter().zip(parts);
        let asked = parts.filter(|(_, part)| !part.is_empty());
        let asked = asked.map(|((address, trunk), part)| {
            let mut pipeline = Pipeline::with_capacity(part.len());
            for &at in &part {
                pipeline.add_command(commands[at].clone());
            }
            async move { (address, part, trunk.query(pipeline).await) }
        });
        let mut values = vec![Value::Nil; commands.len()];
        for (address, part, answers) in join_all(asked).await {
            let complain = |JournalError(why)| JournalError(format!("{address}: {why}"));
            for (at, answer) in part.into_iter().zip(answers.map_err(complain)?) {
                values[at] = match redirected(&answer, address) {
                    Some((other, asking)) => {
                        self.look_again();
                        follow(&chart, &other, asking, commands[at]).await?
                    }
                    None => answer,
                };
            }
        }
        Ok(values)
    }

    pub(super) fn whereabouts(&self, key: &str) -> Result<String, JournalError> {
        let chart = self.chart();
        let primary = chart.map.primary(slot_of(key.as_bytes()));
        let name = primary.map(ToString::to_string);
        name.ok_or_else(|| JournalError(self.why_not()))
    }

    pub(super) async fn connect_for(
        &self,
        name: &str,
        answer_max: Duration,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let chart = self.chart();
        let mut trunks = chart.trunks.iter();
        match trunks.find(|(address, _)| address.to_string() == name) {
            Some((_, trunk)) => trunk.connect_for(answer_max).await,
            None => {
                let why = format!("{name} is no primary of the Cluster any more");
                Err((redis::ErrorKind::Io, "no connection", why).into())
            }
        }
    }

    /// Serving while any primary takes writes: what is another's waits for it, and only that.
    pub(super) fn health(&self) -> JournalHealth {
        let chart = self.chart();
        let mut troubles = Vec::new();
        for (address, trunk) in &chart.trunks {
            match trunk.health() {
                JournalHealth::Unreachable(why) => troubles.push(format!("{address}: {why}")),
                _ => return JournalHealth::Serving,
            }
        }
        let why = if troubles.is_empty() {
            self.why_not()
        } else {
            troubles.join("; ")
        };
        JournalHealth::Unreachable(why)
    }

    pub(super) fn is_whole(&self) -> bool {
        let chart = self.chart();
        let serves = |(_, trunk): &(_, Arc<Trunk>)| trunk.health() == JournalHealth::Serving;
        let covered = |tag: String| chart.to(slot_of(tag.as_bytes())).is_some();
        self.keys.tags().all(covered) && chart.trunks.iter().all(serves)
    }

    pub(super) fn primary(&self) -> Seen {
        let chart = self.chart();
        let texts = chart.trunks.iter();
        let texts: Vec<String> = texts.map(|(_, trunk)| trunk.primary().text).collect();
        Seen {
            text: texts.join(", "),
            generation: self.generation(),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.chart().generation()
    }

    /// Reads the map, and follows it if it is another.
    async fn look(&self) {
        match self.read_map().await {
            Ok(map) if map != self.chart().map => {
                if let Err(why) = self.follow_map(map) {
                    tracing::error!(%why, "no connections to a primary of the Cluster");
                }
            }
            Ok(_) => {}
            Err(why) => {
                let mut known = self.why_not.write().unwrap_or_else(PoisonError::into_inner);
                *known = format!("the Cluster's slots are not known: {why}");
            }
        }
    }

    /// The map of the highest epoch, of all nodes that show theirs.
    async fn read_map(&self) -> Result<SlotMap, String> {
        let chart = self.chart();
        let over = |(address, trunk): &(Address, Arc<Trunk>)| {
            let (address, trunk) = (address.clone(), Arc::clone(trunk));
            async move {
                let answer = timeout(MAP_WITHIN, trunk.query(questions())).await;
                let values = answer.map_err(|_| "does not answer in time".to_owned())?;
                shown(&values.map_err(|JournalError(why)| why)?, &address)
            }
        };
        let answers = join_all(chart.trunks.iter().map(over)).await;
        let mut why = "no node is configured".to_owned();
        let mut best: Option<(u64, SlotMap)> = None;
        for answer in answers {
            match answer {
                Ok(shown) if best.as_ref().is_none_or(|best| shown.0 > best.0) => {
                    best = Some(shown);
                }
                Ok(_) => {}
                Err(complaint) => why = complaint,
            }
        }
        if let Some((_, map)) = best {
            return Ok(map);
        }
        for address in self.seeds.iter().chain(&chart.map.nodes) {
            let ask = async {
                let mut connection = self.connector.open(address).await?;
                let values = questions().query_async::<Vec<Value>>(&mut connection).await;
                let values = values.map_err(|error| super::trouble::of_connection(&error))?;
                shown(&values, address)
            };
            match timeout(MAP_WITHIN, ask).await {
                Ok(Ok((_, map))) => return Ok(map),
                Ok(Err(complaint)) => why = format!("{address} {complaint}"),
                Err(_) => why = format!("{address} does not answer in time"),
            }
        }
        Err(why)
    }

    /// Connects to whoever is new, hands on what was remembered of whoever has lost its place, and only
    /// then sends anybody there.
    fn follow_map(&self, map: SlotMap) -> std::io::Result<()> {
        let old = self.chart();
        let mut trunks = Vec::new();
        for address in map.primaries().into_iter().take(PRIMARIES_MAX) {
            let here = |tag: &String| map.primary(slot_of(tag.as_bytes())) == Some(address);
            let Some(tag) = self.keys.tags().find(here) else {
                continue;
            };
            let probe = tag + "probe";
            let trunk = if let Some(trunk) = old.at(address) {
                trunk.ties().set_probe(probe);
                Arc::clone(trunk)
            } else {
                tracing::info!(%address, "a primary of the Cluster");
                let options = Options {
                    place: Place::Server(address.clone()),
                    ..self.options.clone()
                };
                let moved = Arc::clone(&self.moved);
                let ties = Ties::new(options.connections, probe, moved);
                Arc::new(Trunk::start(options, Arc::new(ties))?)
            };
            trunks.push((address.clone(), trunk));
        }
        let mut chart = Chart {
            map,
            trunks,
            retired: old.retired,
        };
        for (address, trunk) in &old.trunks {
            if !chart.map.primaries().contains(&address) {
                tracing::warn!(%address, "it is no primary of the Cluster any more");
                hand_on(trunk, &chart);
            }
            if chart.at(address).is_none() {
                chart.retired += trunk.generation() + 1;
            }
        }
        *self.chart.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(chart);
        Ok(())
    }
}

/// Gives what a primary had confirmed lately to whoever has its slots now.
fn hand_on(from: &Trunk, chart: &Chart) {
    for writer in 0..from.ties().memories() {
        for (_, to) in &chart.trunks {
            let goes = |command: &Cmd| {
                let trunk = slot_of_command(command).and_then(|slot| chart.to(slot));
                trunk.is_some_and(|trunk| Arc::ptr_eq(trunk, to))
            };
            let writes = from.ties().memory(writer).handed_on(goes);
            to.ties().memory(writer).take_in(writes);
        }
    }
}

/// Where an answer points to, and whether that node has to be told that the slot is on its way.
fn redirected(answer: &Value, asked: &Address) -> Option<(Address, bool)> {
    let Value::ServerError(error) = answer else {
        return None;
    };
    let asking = match error.code() {
        "MOVED" => false,
        "ASK" => true,
        _ => return None,
    };
    Some((pointed_to(error.details()?, asked)?, asking))
}

/// Asks a command of the node that another has pointed to.
async fn follow(
    chart: &Chart,
    to: &Address,
    asking: bool,
    command: &Cmd,
) -> Result<Value, JournalError> {
    let unknown = || JournalError(format!("{to} has the slot, and is not connected yet"));
    let trunk = chart.at(to).ok_or_else(unknown)?;
    let mut pipeline = Pipeline::with_capacity(2);
    if asking {
        pipeline.cmd("ASKING");
    }
    pipeline.add_command(command.clone());
    let answer = trunk.query(pipeline).await?.pop();
    answer.ok_or_else(|| JournalError("the server answered nothing".to_owned()))
}

fn questions() -> Pipeline {
    let mut questions = redis::pipe();
    questions.ignore_errors();
    questions.cmd("CLUSTER").arg("INFO");
    questions.cmd("CLUSTER").arg("SLOTS");
    questions
}

/// The epoch and the map that a node shows.
fn shown(values: &[Value], address: &Address) -> Result<(u64, SlotMap), String> {
    let unreadable = || "shows no map of slots".to_owned();
    let [info, slots] = values else {
        return Err(unreadable());
    };
    if let Value::ServerError(error) = info {
        let details = error.details().unwrap_or_default();
        return Err(format!("shows no map of slots: {} {details}", error.code()));
    }
    let info: String = redis::from_redis_value_ref(info).map_err(|_| unreadable())?;
    let epoch = info.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == "cluster_current_epoch").then_some(value.trim())
    });
    let epoch = epoch.and_then(|epoch| epoch.parse().ok());
    let map = SlotMap::read(slots, address).ok_or_else(unreadable)?;
    Ok((epoch.ok_or_else(unreadable)?, map))
}

/// Looks at the map for as long as anybody needs it.
async fn watch(shards: &Weak<Shards>) {
    loop {
        let moved = {
            let Some(shards) = shards.upgrade() else {
                return;
            };
            shards.look().await;
            Arc::clone(&shards.moved)
        };
        tokio::time::sleep(LOOK_PAUSE).await;
        // An end of the time is as good a reason to look as a word of somebody.
        let _ = timeout(LOOK_EVERY - LOOK_PAUSE, moved.notified()).await;
    }
}
