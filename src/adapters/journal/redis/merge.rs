//! Many indexes, each in the order of positions, read as one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use redis::Pipeline;

use super::answers::next;
use super::link::Link;
use crate::ports::JournalError;

/// Rows that an index is asked for at first. It doubles with every further question.
const FIRST_CHUNK: usize = 4;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

/// The rows of several indexes, in order.
pub(super) struct Merge {
    order: Order,
    sources: Vec<Source>,
    /// The first row of each source that has one, by how soon it comes.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Source {
    index: String,
    /// Rows beyond this position have not been asked for; `None` before the first question.
    from: Option<u64>,
    chunk: usize,
    rows: VecDeque<(u64, String)>,
    ended: bool,
}

impl Merge {
    /// The rows of these indexes beyond a position.
    pub(super) fn new(
        order: Order,
        indexes: impl Iterator<Item = String>,
        from: Option<u64>,
    ) -> Self {
        let source = |index| Source {
            index,
            from,
            chunk: FIRST_CHUNK,
            rows: VecDeque::new(),
            ended: false,
        };
        Self {
            order,
            sources: indexes.map(source).collect(),
            heads: BinaryHeap::new(),
        }
    }

    /// The next rows, as many as wanted; fewer at the end only.
    pub(super) async fn take(
        &mut self,
        link: &Link,
        wanted: usize,
    ) -> Result<Vec<(u64, String)>, JournalError> {
        let mut taken = Vec::new();
        while taken.len() < wanted {
            // Whatever an empty source would bring next may come before all others.
            let share = wanted / self.sources.len().max(1) + 1;
            self.refill(link, share).await?;
            let Some(Reverse((_, at))) = self.heads.pop() else {
                break;
            };
            let source = &mut self.sources[at];
            if let Some(row) = source.rows.pop_front() {
                taken.push(row);
            }
            if let Some((position, _)) = source.rows.front() {
                let rank = rank(self.order, *position);
                self.heads.push(Reverse((rank, at)));
            }
        }
        Ok(taken)
    }

    /// Asks each source that has nothing at hand, if it may have more.
    async fn refill(&mut self, link: &Link, share: usize) -> Result<(), JournalError> {
        let empty = |source: &Source| source.rows.is_empty() && !source.ended;
        let asked: Vec<usize> = (0..self.sources.len())
            .filter(|&at| empty(&self.sources[at]))
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::with_capacity(asked.len());
        for &at in &asked {
            let source = &mut self.sources[at];
            source.chunk = source.chunk.max(share);
            source.ask(self.order, &mut pipeline);
        }
        let mut answers = link.query(pipeline).await?.into_iter();
        for at in asked {
            let rows: Vec<(String, String)> = next(&mut answers)?;
            let source = &mut self.sources[at];
            source.ended = rows.len() < source.chunk;
            source.chunk *= 2;
            for (name, score) in rows {
                let wrong = |_| JournalError(format!("{score:?} is no position"));
                source
                    .rows
                    .push_back((position(&score).map_err(wrong)?, name));
            }
            source.from = source.rows.back().map(|row| row.0).or(source.from);
            if let Some((position, _)) = source.rows.front() {
                self.heads.push(Reverse((rank(self.order, *position), at)));
            }
        }
        Ok(())
    }
}

impl Source {
    fn ask(&self, order: Order, pipeline: &mut Pipeline) {
        let from = self.from.map(|position| format!("({position}"));
        let ask = match order {
            Order::OldestFirst => {
                let from = from.as_deref().unwrap_or("-inf");
                let ask = pipeline.cmd("ZRANGEBYSCORE").arg(&self.index);
                ask.arg(from).arg("+inf")
            }
            Order::NewestFirst => {
                let from = from.as_deref().unwrap_or("+inf");
                let ask = pipeline.cmd("ZREVRANGEBYSCORE").arg(&self.index);
                ask.arg(from).arg("-inf")
            }
        };
        ask.arg("WITHSCORES").arg("LIMIT").arg(0).arg(self.chunk);
    }
}

/// A score as the position that it is: a whole number below 2^53, which some servers write with an
/// exponent.
fn position(score: &str) -> Result<u64, std::num::ParseFloatError> {
    if let Ok(position) = score.parse() {
        return Ok(position);
    }
    score.parse::<f64>().map(|number| number as u64)
}

/// Lower comes sooner.
fn rank(order: Order, position: u64) -> u64 {
    match order {
        Order::OldestFirst => position,
        Order::NewestFirst => u64::MAX - position,
    }
}
