//! Commands in one pipeline, with the question whether enough replicas have them.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::time::timeout;

use super::connect::Connected;
use super::trouble::of_connection;
use crate::adapters::journal::redis::options::Options;

/// How long the server may take for a group, beside what replicas may take: for one that has stopped.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
impl Connected {
    /// Sends commands in one pipeline, and asks for their confirmation in the same breath. An error
    /// means that the connection is of no use any more.
    pub(super) async fn send(
        &mut self,
        options: &Options,
        commands: &[&Cmd],
        writes: bool,
    ) -> Result<(Vec<Value>, Result<(), String>), String> {
        let mut pipeline = Pipeline::with_capacity(commands.len() + 1);
        pipeline.ignore_errors();
        for &command in commands {
            pipeline.add_command(command.clone());
        }
        let (replicas, within) = (options.replicas, options.confirm_within);
        let confirms = writes && replicas > 0;
        let disks = confirms && self.waits_for_disks;
        if confirms {
            let millis = within.as_millis().to_string();
            pipeline.cmd("WAIT").arg(replicas).arg(&millis);
            // Asked in one breath with the write, a replica would answer before its fsync, and say the
            // rest a second later. Once it has answered the WAIT, that fsync is done.
            if disks {
                pipeline.cmd("WAITAOF").arg(1).arg(replicas).arg(&millis);
            }
        }
        let ask = pipeline.query_async::<Vec<Value>>(&mut self.connection);
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
