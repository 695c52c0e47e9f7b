//! The servers that have the council's keys: one, or, in a Cluster, each those of its slots.
//!
//! Each is asked on a connection of its own, all at once, and each fails alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::time::timeout;

use super::answers::Complaint;
use super::line::{Connect, Line};
use crate::ports::{JournalError, Promise};

/// Where keys are, and how to get there.
pub trait Ways: Send + Sync {
    /// The name of the server that has a key.
    ///
    /// # Errors
    /// Why nobody knows.
    fn way(&self, key: &str) -> Result<String, JournalError>;

    /// Connects to the server of this name.
    fn connect(&self, way: &str) -> Promise<RedisResult<MultiplexedConnection>>;

    /// Something went wrong on the way: it may be another's by now.
    fn look_again(&self);
}

/// The one way to a single primary.
pub(super) struct OneWay(pub(super) Connect);

impl Ways for OneWay {
    fn way(&self, _: &str) -> Result<String, JournalError> {
        Ok(String::new())
    }

    fn connect(&self, _: &str) -> Promise<RedisResult<MultiplexedConnection>> {
        (self.0)()
    }

    fn look_again(&self) {}
}

/// What one server has answered.
pub(super) struct Part {
    pub(super) way: String,
    /// Which of the questions it was asked.
    pub(super) places: Vec<usize>,
    /// The answers to them, and to what every server is asked afterwards.
    pub(super) answers: Result<(Vec<Value>, Vec<Value>), Complaint>,
}

/// The connections.
pub(super) struct Lines {
    ways: Arc<dyn Ways>,
    lines: Mutex<BTreeMap<String, Arc<Line>>>,
    /// How long one of several servers may take; `None` if there is only one.
    patience: Option<Duration>,
}

impl Lines {
    pub(super) fn new(ways: Arc<dyn Ways>, patience: Option<Duration>) -> Self {
        Self {
            ways,
            lines: Mutex::default(),
            patience,
        }
    }

    /// Whether there are several servers.
    pub(super) fn are_several(&self) -> bool {
        self.patience.is_some()
    }

    /// Asks each question of the server that has its key, and all of them what comes after. A server
    /// that was silent at the last announcement is asked at the next announcement only.
    pub(super) async fn ask(
        &self,
        questions: &[(String, Cmd)],
        afterwards: &Pipeline,
        announcement: bool,
    ) -> Vec<Part> {
        let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut nowhere = Vec::new();
        for (place, (key, _)) in questions.iter().enumerate() {
            match self.ways.way(key) {
                Ok(way) => parts.entry(way).or_default().push(place),
                Err(JournalError(why)) => nowhere.push((place, why)),
            }
        }
        if announcement {
            self.locked().retain(|way, _| parts.contains_key(way));
        }
        let asked = parts.into_iter().map(|(way, places)| async move {
            let line = self.line(&way);
            let mut pipeline = Pipeline::with_capacity(places.len() + afterwards.len());
            for &place in &places {
                pipeline.add_command(questions[place].1.clone());
            }
            for command in afterwards.cmd_iter() {
                pipeline.add_command(command.clone());
            }
            let answers = self.send(&way, &line, &pipeline, announcement).await;
            let answers = answers.map(|mut answers| {
                let after = answers.split_off(places.len().min(answers.len()));
                (answers, after)
            });
            Part {
                way,
                places,
                answers,
            }
        });
        let mut answered = join_all(asked).await;
        answered.extend(nowhere.into_iter().map(|(place, why)| Part {
            way: String::new(),
            places: vec![place],
            answers: Err(Complaint::Nowhere(why)),
        }));
        answered
    }

    async fn send(
        &self,
        way: &str,
        line: &Line,
        pipeline: &Pipeline,
        announcement: bool,
    ) -> Result<Vec<Value>, Complaint> {
        let Some(patience) = self.patience else {
            return line.send(pipeline).await;
        };
        let silent = || Complaint::Silent(way.to_owned());
        if line.is_silent() && !announcement {
            return Err(silent());
        }
        let sent = timeout(patience, line.send(pipeline)).await;
        let answers = sent.map_err(|_| silent()).flatten();
        if announcement && line.heard(answers.is_ok()) {
            match &answers {
                Ok(_) => tracing::info!(way, "a primary answers the council again"),
                Err(why) => {
                    tracing::warn!(way, %why, "a primary does not answer the council");
                }
            }
        }
        answers
    }

    /// What was answered was of no use: the next question goes over another connection.
    pub(super) async fn doubt(&self, way: &str) {
        let line = self.locked().get(way).cloned();
        if let Some(line) = line {
            line.doubt().await;
        }
        self.ways.look_again();
    }

    /// Keys may be elsewhere by now.
    pub(super) fn look_again(&self) {
        self.ways.look_again();
    }

    fn line(&self, way: &str) -> Arc<Line> {
        let mut lines = self.locked();
        if let Some(line) = lines.get(way) {
            return Arc::clone(line);
        }
        let (ways, name) = (Arc::clone(&self.ways), way.to_owned());
        let connect: Connect = Arc::new(move || ways.connect(&name));
        let line = Arc::new(Line::new(connect));
        lines.insert(way.to_owned(), Arc::clone(&line));
        line
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Line>>> {
        // Every change under the lock is whole.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
