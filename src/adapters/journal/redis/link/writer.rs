//! A connection that writes: groups of whatever arrived while the last one was out, each confirmed
//! before anybody in it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::connect::{Connected, Connector};
use super::standing::Standing;
use super::ties::Ties;
use super::trouble::{Refusal, Trouble};
use crate::adapters::journal::redis::library::Library;

/// Writes in one group, at most: a few milliseconds of the server's time.
const GROUP_JOBS: usize = 512;
/// Bytes in one group, at most.
const GROUP_BYTES: usize = 4 << 20;
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
    /// Whether it is to be remembered once it is confirmed.
    pub(super) is_new: bool,
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
    ties: Arc<Ties>,
    /// Of the server that has all of it; see [`super::primary`].
    generation: u64,
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
        ties: Arc<Ties>,
    ) -> Self {
        Self {
            number,
            jobs,
            connector,
            standing,
            queued_bytes,
            ties,
            generation: 0,
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
        if connected.generation != self.generation {
            let again = self.ties.memory(self.number).again();
            if let Err(why) = self.restore(&mut connected, again).await {
                return Left::Lost(why);
            }
            self.generation = connected.generation;
        }
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
            let arrived = self.ties.memory(self.number).arrivals();
            if !arrived.is_empty()
                && let Err(why) = self.restore(&mut connected, arrived).await
            {
                // All of it once more, over the next connection.
                self.generation = 0;
                group.into_iter().for_each(|job| job.refuse(&why));
                return Left::Lost(why);
            }
            if let Err(why) = self.write(&mut connected, group).await {
                return Left::Lost(why);
            }
        }
    }

    /// Writes again what another server may have lost.
    async fn restore(
        &mut self,
        connected: &mut Connected,
        writes: Vec<(Vec<Cmd>, &'static Library)>,
    ) -> Result<(), String> {
        let mut writes = writes.into_iter();
        let (mut repeated, mut restored) = (0, 0);
        loop {
            let mut answers = Vec::new();
            let group = writes.by_ref().take(GROUP_JOBS);
            let group: Vec<Job> = group
                .map(|(commands, library)| {
                    let (answer, answered) = oneshot::channel();
                    answers.push(answered);
                    Job {
                        commands,
                        library,
                        bytes: 0,
                        answer,
                        is_new: false,
                    }
                })
                .collect();
            if group.is_empty() {
                break;
            }
            self.write(connected, group).await?;
            for mut answer in answers {
                // Each job of a group has been answered by now.
                let Ok(result) = answer.try_recv() else {
                    continue;
                };
                let values = result.map_err(|trouble| trouble.to_string())?;
                repeated += 1;
                restored += usize::from(values.iter().any(is_restored));
            }
        }
        if restored > 0 {
            let writer = self.number;
            tracing::warn!(
                writer,
                repeated,
                restored,
                "the server had lost confirmed records"
            );
        }
        Ok(())
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
            command.arg(self.ties.probe()).arg("");
        }
        let (values, confirmed) = connected
            .send(self.connector.options(), &[&command], write)
            .await?;
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
            // It answers, and the map of slots will follow.
            Some(Refusal::Elsewhere(_)) => {
                self.ties.moved();
                self.standing.say(self.number, None);
                Ok(())
            }
            Some(Refusal::NoFunction) => Ok(()),
        }
    }

    /// Writes a group and answers everybody in it. Sends again what needed a library that the server
    /// has lost.
    async fn write(&mut self, connected: &mut Connected, group: Vec<Job>) -> Result<(), String> {
        let mut group = group;
        for _ in 0..LOADS {
            let commands: Vec<&Cmd> = group.iter().flat_map(|job| &job.commands).collect();
            let (values, confirmed) = match connected
                .send(self.connector.options(), &commands, true)
                .await
            {
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
        &mut self,
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
                let result = confirmed.clone().map_err(Trouble::Unconfirmed);
                self.answer(job, result.map(|()| its));
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
                // It is another primary's to have it.
                Refusal::Elsewhere(_) if !job.is_new => {
                    job.settle(Ok(its));
                    continue;
                }
                Refusal::Elsewhere(why) => {
                    self.ties.moved();
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

    /// Answers a job, and remembers what it wrote once that is confirmed.
    fn answer(&mut self, job: Job, result: Result<Vec<Value>, Trouble>) {
        if job.is_new && result.is_ok() {
            let mut memory = self.ties.memory(self.number);
            memory.remember(job.commands, job.library, job.bytes);
        }
        // Whoever has stopped listening doesn't hear it; it is written all the same.
        drop(job.answer.send(result));
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
            let (values, _) = connected
                .send(self.connector.options(), &[&load], false)
                .await?;
            if let Some(Value::ServerError(error)) = values.first() {
                let why = error.details().unwrap_or_default();
                return Err(format!("Functions can't be loaded: {} {why}", error.code()));
            }
            names.push(name);
        }
        Ok(())
    }
}

/// Whether a step had been lost, and is there again.
fn is_restored(value: &Value) -> bool {
    matches!(value, Value::BulkString(text) if text == b"restored")
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
