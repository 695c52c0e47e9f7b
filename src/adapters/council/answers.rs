//! Reads what the server answers.

use std::time::Duration;

use redis::{RedisError, Value};
use uuid::Uuid;

use crate::ports::{Lease, NodeCard, Tenure};

/// How much of an unreadable answer is shown.
const SHOWN_CHARS: usize = 120;
/// What `master_replid2` is while the server has followed nobody.
const NO_ID: &str = "0000000000000000000000000000000000000000";

/// Why the server's answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Complaint {
    /// It refused, or didn't answer.
    #[error("the store of the cluster can't be used: {0}")]
    Store(#[from] RedisError),
    /// One of several servers is not waited for.
    #[error("the primary at {0} does not answer in time")]
    Silent(String),
    /// Nobody knows which of several servers has it.
    #[error("{0}")]
    Nowhere(String),
    /// Too few replicas have it.
    #[error(
        "{got} of {wanted} replicas have confirmed a lease, which therefore doesn't count; check the replicas \
         (INFO replication), or lower `replicas`"
    )]
    Unconfirmed {
        /// How many were asked for.
        wanted: i64,
        /// How many said yes.
        got: i64,
    },
    /// The primary itself has not written it to disk in time.
    #[error(
        "a lease was not on the primary's disk in time, and therefore doesn't count; check its disk"
    )]
    NotOnDisk,
    /// It is none that the library gives.
    #[error("the store of the cluster answered something else than {expected}: {shown}")]
    Unreadable {
        /// What was expected.
        expected: &'static str,
        /// What came.
        shown: String,
    },
}

impl Complaint {
    pub(super) fn unreadable(expected: &'static str, value: &Value) -> Self {
        let shown = format!("{value:?}").chars().take(SHOWN_CHARS).collect();
        Self::Unreadable { expected, shown }
    }
}

/// A number.
pub(super) fn number(value: &Value) -> Result<i64, Complaint> {
    redis::from_redis_value_ref(value).map_err(|_| Complaint::unreadable("a number", value))
}

fn text(value: &Value) -> Result<String, Complaint> {
    redis::from_redis_value_ref(value).map_err(|_| Complaint::unreadable("a text", value))
}

/// A server's time in milliseconds.
pub(super) fn time(value: &Value) -> Result<i64, Complaint> {
    let time: Result<(i64, i64), _> = redis::from_redis_value_ref(value);
    let (seconds, micros) = time.map_err(|_| Complaint::unreadable("a time", value))?;
    Ok(seconds * 1000 + micros / 1000)
}

/// Whether a partition was claimed, and its epoch.
pub(super) fn claimed(value: &Value) -> Result<(bool, u64), Complaint> {
    let pair: Result<(i64, u64), _> = redis::from_redis_value_ref(value);
    let (claimed, epoch) = pair.map_err(|_| Complaint::unreadable("a claim", value))?;
    Ok((claimed == 1, epoch))
}

/// The server's time in milliseconds, and all nodes with the time since they announced themselves. A
/// card that another release wrote so that it can't be read here is passed over.
pub(super) fn nodes(value: &Value) -> Result<(i64, Vec<(NodeCard, Duration)>), Complaint> {
    let unreadable = || Complaint::unreadable("the nodes", value);
    let words: Vec<String> = redis::from_redis_value_ref(value).map_err(|_| unreadable())?;
    let [now, pairs @ ..] = words.as_slice() else {
        return Err(unreadable());
    };
    let now = now.parse().map_err(|_| unreadable())?;
    let node = |pair: &[String]| {
        let [ago, card] = pair else { return None };
        let ago = Duration::from_millis(ago.parse().ok()?);
        Some((serde_json::from_str(card).ok()?, ago))
    };
    Ok((now, pairs.chunks(2).filter_map(node).collect()))
}

/// The lease of a partition from its fields; `None` if it was never claimed.
pub(super) fn lease(
    partition: u32,
    value: &Value,
    now_ms: i64,
) -> Result<Option<Lease>, Complaint> {
    let unreadable = || Complaint::unreadable("a lease", value);
    let fields: Vec<Option<String>> =
        redis::from_redis_value_ref(value).map_err(|_| unreadable())?;
    let [node, epoch, claim, until] = fields.as_slice() else {
        return Err(unreadable());
    };
    let (Some(node), Some(epoch), Some(claim), Some(until)) = (node, epoch, claim, until) else {
        return Ok(None);
    };
    let until: i64 = until.parse().map_err(|_| unreadable())?;
    let claim = match claim.as_str() {
        "" => Uuid::nil(),
        claim => claim.parse().map_err(|_| unreadable())?,
    };
    let epoch = epoch.parse().map_err(|_| unreadable())?;
    Ok(Some(Lease {
        partition,
        node: (!node.is_empty()).then(|| node.clone()),
        tenure: Tenure { epoch, claim },
        left: Duration::from_millis(u64::try_from(until - now_ms).unwrap_or(0)),
    }))
}

/// Who the primary is, from its `INFO`: its process, and its history if it has ever followed another.
///
/// The same process that was never demoted has forgotten nothing. Its replication id alone would say
/// more than that: it changes when the first replica comes, too.
pub(super) fn primary(server: &Value, replication: &Value) -> Result<String, Complaint> {
    let (server, replication) = (text(server)?, text(replication)?);
    let run = field(&server, "run_id");
    let run = run.ok_or_else(|| Complaint::unreadable("a run id", &Value::Nil))?;
    let followed = field(&replication, "master_replid2").is_some_and(|id| id != NO_ID);
    let history = field(&replication, "master_replid").filter(|_| followed);
    Ok(format!("{run} {}", history.unwrap_or("-")))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then_some(value.trim())
    })
}

/// The part that was granted.
pub(super) fn share(value: &Value) -> Result<f64, Complaint> {
    let granted = text(value)?;
    let part = granted.split(' ').next().and_then(|part| part.parse().ok());
    part.ok_or_else(|| Complaint::unreadable("a share", value))
}
