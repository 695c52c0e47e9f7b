//! What servers and connections complain of, in plain words, and what it means for a write.

use redis::{RedisError, ServerError};

use crate::ports::AppendError;

/// Why a write was not acknowledged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    /// Nothing was written.
    #[error("{0}")]
    Refused(String),
    /// It may have been written.
    #[error("{0}")]
    Unconfirmed(String),
}

impl From<Trouble> for AppendError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(why) => Self::Unavailable(why),
            Trouble::Unconfirmed(why) => Self::Unconfirmed(why),
        }
    }
}

/// What a server's refusal means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// The Function isn't there: its library has to be loaded.
    NoFunction,
    /// It takes no writes now; nothing was written. The connection is as good as before.
    Now(String),
    /// The same, and another server may be the one to ask.
    Here(String),
    /// The slot is another node's of its Cluster, or on its way to one; nothing was written. What is
    /// asked of other slots goes on.
    Elsewhere(String),
    /// Something went wrong within the command.
    Within(String),
}

impl Refusal {
    pub(super) fn of(error: &ServerError) -> Self {
        let details = error.details().unwrap_or_default();
        let said = format!("{} {details}", error.code());
        let said = said.trim();
        match error.code() {
            "OOM" => Self::Now(
                "its memory is full; raise maxmemory, or trim what is finished".to_owned(),
            ),
            "NOREPLICAS" => Self::Now(
                "it has fewer replicas in step than its min-replicas-to-write asks for".to_owned(),
            ),
            "MISCONF" => Self::Now(format!("it can't write its own files: {said}")),
            "BUSY" => Self::Now("it is busy with a script that does not end".to_owned()),
            "NOPERM" => Self::Now(format!("its ACL forbids teller something: {said}")),
            "CLUSTERDOWN" => Self::Now(format!("its Cluster is not whole: {said}")),
            "LOADING" => Self::Here("it is still loading its files".to_owned()),
            "READONLY" => Self::Here("it is a replica, which takes no writes".to_owned()),
            "MASTERDOWN" => Self::Here("it is a replica that has lost its primary".to_owned()),
            "NOAUTH" | "WRONGPASS" => Self::Here("it asks for another password".to_owned()),
            "MOVED" => Self::Elsewhere(format!("another node of its Cluster has the slot: {said}")),
            "ASK" | "TRYAGAIN" => {
                Self::Elsewhere(format!("the slot is on its way to another node: {said}"))
            }
            _ if said.contains("Function not found") => Self::NoFunction,
            _ => Self::Within(said.to_owned()),
        }
    }
}

/// A failed connection or answer, in plain words. What it says holds no secret: the URL is not in it.
pub(super) fn of_connection(error: &RedisError) -> String {
    let refused = "refuses connections";
    if error.is_connection_refusal() {
        refused.to_owned()
    } else if error.is_timeout() {
        "does not answer in time".to_owned()
    } else if error.is_connection_dropped() {
        "has closed the connection".to_owned()
    } else {
        let detail = error.detail().unwrap_or_default();
        format!("{} {detail}", error.category()).trim().to_owned()
    }
}
