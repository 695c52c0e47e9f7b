//! A connection that writes: groups of whatever arrived while the last one was out, each confirmed
//! before anybody in it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::connect::{Connected, Connector};
use super::standing::Standing;
use super::trouble::{Refusal, Trouble, of_connection};
use crate::adapters::journal::redis::keys::Keys;
use crate::adapters::journal::redis::library::Library;

/// Writes in one group, at most: a few milliseconds of the server's time.
const GROUP_JOBS: usize = 512;
/// Bytes in one group, at most.
const GROUP_BYTES: usize = 4 << 20;
/// How long the server may take for a group, beside what replicas may take: for one that has stopped.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often an idle connection is looked at, and one in trouble is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The first pause before connecting again; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause before connecting again: how long a server that is back may go unnoticed.
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How often a group is sent again because the server has lost a library, at most.
const LOADS: usize = 3;

/// Commands that are answered together.
pub(super) struct Job {
    pub(super) commands: Vec<Cmd>,
    pub(super) library: &'static Library,
    pub(super) bytes: usize,
    pub(super) answer: oneshot::Sender<Result<Vec<Value>, Trouble>>,
}

impl Job {
    /// Answers that nothing was written. Whoever has stopped listening doesn't hear it.
    pub(super) fn refuse(self, why: &str) {
        self.settle(Err(Trouble::Refused(why.to_owned())));
    }

    fn settle(self, result: Result<Vec<Value>, Trouble>) {
        drop(self.answer.send(result));
    }
}

pub(super) struct Writer {
    number: usize,
    jobs: mpsc::Receiver<Job>,
    connector: Arc<Connector>,
    standing: Arc<Standing>,
    queued_bytes: Arc<AtomicUsize>,
    /// The key that a probe writes.
    probe: String,
}

/// Why a connection is left.
enum Left {
    /// Nobody writes any more.
    Closed,
    /// It doesn't work, or leads to the wrong server.
    Lost(String),
}

impl Writer {
    pub(super) fn new(
        number: usize,
        jobs: mpsc::Receiver<Job>,
        connector: Arc<Connector>,
        standing: Arc<Standing>,
        queued_bytes: Arc<AtomicUsize>,
        keys: &Keys,
    ) -> Self {
        Self {
            number,
            jobs,
            connector,
            standing,
            queued_bytes,
            probe: keys.meta() + "probe",
        }
    }

    /// Writes until nobody is left who could.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.connector.connect().await {
                Ok(connected) => match self.serve(connected, &mut pause).await {
                    Left::Closed => return,
                    Left::Lost(why) => why,
                },
                Err(why) => why,
            };
            self.standing.say(self.number, Some(why.clone()));
            if !self.refuse_for(jittered(pause), &why).await {
                return;
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Refuses what comes, for so long. Says whether anybody is left.
    async fn refuse_for(&mut self, pause: Duration, why: &str) -> bool {
        let end = Instant::now() + pause;
        loop {
            match tokio::time::timeout_at(end, self.jobs.recv()).await {
                Ok(Some(job)) => {
                    self.taken(&job);
                    job.refuse(why);
                }
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Writes groups over a connection until it is lost.
    async fn serve(&mut self, mut connected: Connected, pause: &mut Duration) -> Left {
        // Whether it takes writes is found out by one.
        if let Err(why) = self.look(&mut connected, true).await {
            return Left::Lost(why);
        }
        loop {
            let in_trouble = self.standing.why_not(self.number).is_some();
            if !in_trouble {
                *pause = FIRST_PAUSE;
            }
            let first = match timeout(LOOK_EVERY, self.jobs.recv()).await {
                Ok(Some(job)) => job,
                Ok(None) => return Left::Closed,
                Err(_) => {
                    if self.connector.is_outdated(&connected) {
                        return Left::Lost("another server is the primary".to_owned());
                    }
                    if let Err(why) = self.look(&mut connected, in_trouble).await {
                        return Left::Lost(why);
                    }
                    continue;
                }
            };
            let group = self.collect(first);
            if self.connector.is_outdated(&connected) {
                let why = "another server is the primary";
                group.into_iter().for_each(|job| job.refuse(why));
                return Left::Lost(why.to_owned());
            }
            if let Err(why) = self.write(&mut connected, group).await {
                return Left::Lost(why);
            }
        }
    }

    /// The first, and what else has arrived.
    fn collect(&mut self, first: Job) -> Vec<Job> {
        let mut bytes = first.bytes;
        self.taken(&first);
        let mut group = vec![first];
        while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
            let Ok(job) = self.jobs.try_recv() else { break };
            self.taken(&job);
            bytes += job.bytes;
            group.push(job);
        }
        group
    }

    fn taken(&self, job: &Job) {
        self.queued_bytes.fetch_sub(job.bytes, Ordering::AcqRel);
    }

    /// Looks whether the server still answers, and whether it takes a write and confirms it.
    async fn look(&self, connected: &mut Connected, write: bool) -> Result<(), String> {
        let mut command = redis::cmd(if write { "SET" } else { "PING" });
        if write {
            command.arg(&self.probe).arg("");
        }
        let (values, confirmed) = self.send(connected, &[&command], write).await?;
        let refusal = values.first().and_then(refusal);
        match refusal {
            None => {
                if write {
                    self.standing.say(self.number, confirmed.err());
                }
                Ok(())
            }
            Some(Refusal::Now(why) | Refusal::Within(why)) => {
                self.standing.say(self.number, Some(why));
                Ok(())
            }
            Some(Refusal::Here(why)) => {
                self.connector.doubt();
                Err(why)
            }
            Some(Refusal::NoFunction) => Ok(()),
        }
    }

    /// Writes a group and answers everybody in it. Sends again what needed a library that the server
    /// has lost.
    async fn write(&self, connected: &mut Connected, group: Vec<Job>) -> Result<(), String> {
        let mut group = group;
        for _ in 0..LOADS {
            let commands: Vec<&Cmd> = group.iter().flat_map(|job| &job.commands).collect();
            let (values, confirmed) = match self.send(connected, &commands, true).await {
                Ok(answer) => answer,
                Err(why) => {
                    let unknown = Trouble::Unconfirmed(why.clone());
                    group
                        .into_iter()
                        .for_each(|job| job.settle(Err(unknown.clone())));
                    return Err(why);
                }
            };
            let (again, lost) = self.settle(group, values, &confirmed);
            if let Some(why) = lost {
                // Whoever reads there should look again too.
                self.connector.doubt();
                let refuse = |job: Job| job.refuse(&why);
                again.into_iter().for_each(refuse);
                return Err(why);
            }
            if again.is_empty() {
                return Ok(());
            }
            if let Err(why) = self.load(connected, &again).await {
                again.into_iter().for_each(|job| job.refuse(&why));
                return Err(why);
            }
            group = again;
        }
        let why = "the server loses the Functions that teller loads";
        group.into_iter().for_each(|job| job.refuse(why));
        Ok(())
    }

    /// Answers each job of a group. Returns those whose library is missing, and why the connection is
    /// of no use any more, if it isn't.
    fn settle(
        &self,
        group: Vec<Job>,
        values: Vec<Value>,
        confirmed: &Result<(), String>,
    ) -> (Vec<Job>, Option<String>) {
        let mut values = values.into_iter();
        let (mut again, mut lost, mut refused) = (Vec::new(), None, None);
        for job in group {
            let its: Vec<Value> = values.by_ref().take(job.commands.len()).collect();
            let refusals: Vec<Refusal> = its.iter().filter_map(refusal).collect();
            let all = refusals.len() == its.len();
            let Some(first) = refusals.into_iter().next() else {
                let unconfirmed = confirmed.clone().map_err(Trouble::Unconfirmed);
                job.settle(unconfirmed.map(|()| its));
                continue;
            };
            let (why, nothing) = match first {
                Refusal::NoFunction => {
                    again.push(job);
                    continue;
                }
                Refusal::Now(why) => {
                    refused = Some(why.clone());
                    (why, all)
                }
                Refusal::Here(why) => {
                    lost = Some(why.clone());
                    (why, all)
                }
                Refusal::Within(why) => (why, false),
            };
            job.settle(Err(if nothing {
                Trouble::Refused(why)
            } else {
                Trouble::Unconfirmed(why)
            }));
        }
        let trouble = refused.or_else(|| confirmed.clone().err());
        self.standing.say(self.number, trouble);
        (again, lost)
    }

    /// Loads the libraries that jobs need.
    async fn load(&self, connected: &mut Connected, jobs: &[Job]) -> Result<(), String> {
        let mut names = Vec::new();
        for library in jobs.iter().map(|job| job.library) {
            let name = library.function("");
            if names.contains(&name) {
                continue;
            }
            tracing::info!(library = name, "loading Functions into Redis");
            let load = library.load();
            let (values, _) = self.send(connected, &[&load], false).await?;
            if let Some(Value::ServerError(error)) = values.first() {
                let why = error.details().unwrap_or_default();
                return Err(format!("Functions can't be loaded: {} {why}", error.code()));
            }
            names.push(name);
        }
        Ok(())
    }

    /// Sends commands in one pipeline, and asks for their confirmation in the same breath. An error
    /// means that the connection is of no use any more.
    async fn send(
        &self,
        connected: &mut Connected,
        commands: &[&Cmd],
        writes: bool,
    ) -> Result<(Vec<Value>, Result<(), String>), String> {
        let mut pipeline = Pipeline::with_capacity(commands.len() + 1);
        pipeline.ignore_errors();
        for &command in commands {
            pipeline.add_command(command.clone());
        }
        let (replicas, within) = self.confirmation();
        let confirms = writes && replicas > 0;
        let disks = confirms && connected.waits_for_disks;
        if confirms {
            let millis = within.as_millis().to_string();
            pipeline.cmd("WAIT").arg(replicas).arg(&millis);
            // Asked in one breath with the write, a replica would answer before its fsync, and say the
            // rest a second later. Once it has answered the WAIT, that fsync is done.
            if disks {
                pipeline.cmd("WAITAOF").arg(1).arg(replicas).arg(&millis);
            }
        }
        let ask = pipeline.query_async::<Vec<Value>>(&mut connected.connection);
        let mut values = match timeout(ANSWER_WITHIN + within * 2, ask).await {
            Ok(Ok(values)) => values,
            Ok(Err(error)) => return Err(format!("Redis {}", of_connection(&error))),
            Err(_) => return Err("Redis does not answer in time".to_owned()),
        };
        let mut confirmed = Ok(());
        for _ in 0..u8::from(confirms) + u8::from(disks) {
            confirmed = confirmed.and(enough(values.pop(), replicas, within));
        }
        Ok((values, confirmed))
    }

    fn confirmation(&self) -> (u32, Duration) {
        let options = self.connector.options();
        (options.replicas, options.confirm_within)
    }
}

/// Whether the answer to a `WAIT` or a `WAITAOF` speaks of enough replicas.
fn enough(answer: Option<Value>, wanted: u32, within: Duration) -> Result<(), String> {
    let have = match answer {
        Some(Value::Int(replicas)) => replicas,
        Some(Value::Array(pair)) => match pair.as_slice() {
            [Value::Int(1..), Value::Int(replicas)] => *replicas,
            _ => 0,
        },
        Some(Value::ServerError(error)) => {
            let why = error.details().unwrap_or_default();
            return Err(format!("replicas were not asked: {} {why}", error.code()));
        }
        _ => 0,
    };
    if have >= i64::from(wanted) {
        return Ok(());
    }
    Err(format!(
        "{have} of {wanted} replicas have confirmed within {} ms",
        within.as_millis()
    ))
}

fn refusal(value: &Value) -> Option<Refusal> {
    match value {
        Value::ServerError(error) => Some(Refusal::of(error)),
        _ => None,
    }
}

/// Between half of a pause and all of it, so that nodes don't come back in one wave.
fn jittered(pause: Duration) -> Duration {
    let draw = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + f64::from(draw) / f64::from(u32::MAX) / 2.0)
}
