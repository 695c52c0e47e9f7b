//! The council of nodes over Redis or Valkey: leases, cards and shares, judged by one function library
//! in the server and by the server's own clock.
//!
//! ```text
//!   <prefix>:{p17}:lease       hash   node, url, epoch, claim, until (ms); never expires, never deleted
//!   <prefix>:{meta}:nodes      hash   node's id → when it announced itself (ms), its card
//!   <prefix>:{meta}:share:<p>  hash   node's id → its part, until (ms), number of the request
//! ```
//!
//! A claim or a renewal counts only after as many replicas have it as the journal wants for a record,
//! asked on the connection that wrote it: so no lease is kept alive at a primary that was replaced and
//! doesn't know it. Each partition is a call of its own, all of them in one pipeline.

mod answers;
mod line;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Pipeline, Value};
use uuid::Uuid;

pub use line::{Connect, connect_to};

use answers::{Complaint, lease, nodes, number, primary, share};
use line::Line;

use crate::ports::{Assembly, Council, JournalError, NodeCard, Promise, Tenure};
use crate::transaction::{PARTITIONS, Timestamp};

/// How claims and renewals are confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confirmation {
    /// How many replicas have to have it; 0 asks for none.
    pub replicas: u32,
    /// How long they are waited for. Below the time in which the keeper wants an answer, a sixth of
    /// the lease.
    pub within: Duration,
    /// Whether they, and the primary, have to have it on disk too: only where the server has `WAITAOF`.
    pub on_disk: bool,
}

/// The council as a Redis or Valkey server keeps it. Cheap to clone.
#[derive(Clone)]
pub struct RedisCouncil {
    inner: Arc<Inner>,
}

struct Inner {
    line: Line,
    prefix: String,
    confirmation: Confirmation,
    /// Numbers the requests for shares: what arrives late is older.
    serial: AtomicU64,
}

impl RedisCouncil {
    /// A council whose keys begin with `prefix`, over connections of its own that `connect` makes. It
    /// connects when it is first asked, and again after anything went wrong.
    #[must_use]
    pub fn new(connect: Connect, prefix: &str, confirmation: Confirmation) -> Self {
        Self {
            inner: Arc::new(Inner {
                line: Line::new(connect),
                prefix: prefix.to_owned(),
                confirmation,
                serial: AtomicU64::new(0),
            }),
        }
    }

    /// Asks in a future that needs nothing of `self`.
    fn ask<T: Send + 'static>(
        &self,
        pipeline: Pipeline,
        read: impl FnOnce(&Inner, Vec<Value>) -> Result<T, Complaint> + Send + 'static,
    ) -> Promise<Result<T, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let asked = inner.line.send(&pipeline).await;
            let answer = asked.and_then(|answers| read(&inner, answers));
            if answer.is_err() {
                // It may be a primary that has been replaced: the next connection goes to the present one.
                inner.line.doubt().await;
            }
            answer.map_err(|complaint| JournalError(complaint.to_string()))
        })
    }
}

impl Inner {
    fn lease(&self, partition: u32) -> String {
        format!("{}:{{p{partition}}}:lease", self.prefix)
    }

    fn nodes(&self) -> String {
        format!("{}:{{meta}}:nodes", self.prefix)
    }

    fn share(&self, provider: &str) -> String {
        format!("{}:{{meta}}:share:{provider}", self.prefix)
    }

    /// A call of a function of one key.
    fn call(&self, pipeline: &mut Pipeline, function: &str, key: String, args: &[&str]) {
        let function = self.line.function(function);
        pipeline
            .cmd("FCALL")
            .arg(function)
            .arg(1)
            .arg(key)
            .arg(args);
    }

    /// The question whose answer says whether what was written is confirmed.
    fn ask_for_confirmation(&self, pipeline: &mut Pipeline) {
        let Confirmation {
            replicas,
            within,
            on_disk,
        } = self.confirmation;
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        if on_disk {
            // Asked in one breath with the claim, a replica would answer before its fsync, and say the rest a
            // second later. Once it has answered the WAIT, that fsync is done.
            pipeline.cmd("WAIT").arg(replicas).arg(within_ms);
            pipeline.cmd("WAITAOF").arg(1).arg(replicas).arg(within_ms);
        } else if replicas > 0 {
            pipeline.cmd("WAIT").arg(replicas).arg(within_ms);
        }
    }

    /// Looks at what they answered.
    fn check_confirmation(&self, answers: &[Value]) -> Result<(), Complaint> {
        let wanted = i64::from(self.confirmation.replicas);
        let got = match answers {
            [] => return Ok(()),
            [.., Value::Array(pair)] if pair.len() == 2 => {
                if number(&pair[0])? < 1 {
                    return Err(Complaint::NotOnDisk);
                }
                number(&pair[1])?
            }
            [one, ..] => number(one)?,
        };
        if got < wanted {
            return Err(Complaint::Unconfirmed { wanted, got });
        }
        Ok(())
    }
}

impl Council for RedisCouncil {
    fn announce(&self, card: &NodeCard) -> Promise<Result<Assembly, JournalError>> {
        let mut pipeline = redis::pipe();
        let inner = &self.inner;
        // A card is text and numbers: it can't fail to become JSON.
        let text = serde_json::to_string(card).unwrap_or_default();
        inner.call(&mut pipeline, "announce", inner.nodes(), &[&card.id, &text]);
        pipeline.cmd("INFO").arg("server");
        pipeline.cmd("INFO").arg("replication");
        for partition in 0..PARTITIONS {
            let key = inner.lease(partition);
            let fields = ["node", "epoch", "claim", "until"];
            pipeline.cmd("HMGET").arg(key).arg(&fields);
        }
        self.ask(pipeline, |_, answers| {
            let [announced, server, replication, leases @ ..] = answers.as_slice() else {
                return Err(Complaint::unreadable(
                    "an announcement",
                    &Value::Array(answers),
                ));
            };
            let (now_ms, nodes) = nodes(announced)?;
            let leases = (0..PARTITIONS).zip(leases);
            let leases = leases
                .filter_map(|(partition, fields)| lease(partition, fields, now_ms).transpose());
            Ok(Assembly {
                now: Timestamp::from_millis(now_ms),
                primary: primary(server, replication)?,
                nodes,
                leases: leases.collect::<Result<_, _>>()?,
            })
        })
    }

    fn leave(&self, node: &str) -> Promise<Result<(), JournalError>> {
        let mut pipeline = redis::pipe();
        let inner = &self.inner;
        inner.call(&mut pipeline, "leave", inner.nodes(), &[node]);
        self.ask(pipeline, |_, _| Ok(()))
    }

    fn claim(
        &self,
        card: &NodeCard,
        partitions: &[u32],
        lease: Duration,
    ) -> Promise<Result<Vec<(u32, Tenure)>, JournalError>> {
        let mut pipeline = redis::pipe();
        let length = lease.as_millis().to_string();
        let claims: Vec<(u32, Uuid)> = partitions
            .iter()
            .map(|partition| (*partition, Uuid::new_v4()))
            .collect();
        for (partition, claim) in &claims {
            let (key, claim) = (self.inner.lease(*partition), claim.to_string());
            let args = [&card.id, &card.url, &claim, &length];
            let args = args.map(String::as_str);
            self.inner.call(&mut pipeline, "claim", key, &args);
        }
        self.inner.ask_for_confirmation(&mut pipeline);
        self.ask(pipeline, move |inner, answers| {
            let (judged, confirmed) = answers.split_at(claims.len().min(answers.len()));
            let mut claimed = Vec::new();
            for ((partition, claim), answer) in claims.into_iter().zip(judged) {
                let (is_ours, epoch) = answers::claimed(answer)?;
                if is_ours {
                    claimed.push((partition, Tenure { epoch, claim }));
                }
            }
            if !claimed.is_empty() {
                inner.check_confirmation(confirmed)?;
            }
            Ok(claimed)
        })
    }

    fn renew(
        &self,
        held: &[(u32, Tenure)],
        lease: Duration,
    ) -> Promise<Result<Vec<u32>, JournalError>> {
        let mut pipeline = redis::pipe();
        let length = lease.as_millis().to_string();
        for (partition, tenure) in held {
            let (epoch, claim) = (tenure.epoch.to_string(), tenure.claim.to_string());
            let key = self.inner.lease(*partition);
            let args = [epoch.as_str(), &claim, &length];
            self.inner.call(&mut pipeline, "renew", key, &args);
        }
        self.inner.ask_for_confirmation(&mut pipeline);
        let partitions: Vec<u32> = held.iter().map(|(partition, _)| *partition).collect();
        self.ask(pipeline, move |inner, answers| {
            let (judged, confirmed) = answers.split_at(partitions.len().min(answers.len()));
            let mut lost = Vec::new();
            for (partition, answer) in partitions.iter().zip(judged) {
                if number(answer)? == 0 {
                    lost.push(*partition);
                }
            }
            if lost.len() < partitions.len() {
                inner.check_confirmation(confirmed)?;
            }
            Ok(lost)
        })
    }

    fn give_up(&self, held: &[(u32, Tenure)]) -> Promise<Result<(), JournalError>> {
        let mut pipeline = redis::pipe();
        for (partition, tenure) in held {
            let (epoch, claim) = (tenure.epoch.to_string(), tenure.claim.to_string());
            let key = self.inner.lease(*partition);
            self.inner
                .call(&mut pipeline, "give_up", key, &[&epoch, &claim]);
        }
        self.ask(pipeline, |_, _| Ok(()))
    }

    fn lease_share(
        &self,
        node: &str,
        provider: &str,
        wanted: f64,
        lease: Duration,
    ) -> Promise<Result<f64, JournalError>> {
        let mut pipeline = redis::pipe();
        let inner = &self.inner;
        let serial = inner.serial.fetch_add(1, Ordering::Relaxed);
        let (wanted, serial) = (wanted.to_string(), serial.to_string());
        let length = lease.as_millis().to_string();
        let args = [node, &wanted, &length, &serial];
        inner.call(&mut pipeline, "share", inner.share(provider), &args);
        self.ask(pipeline, |_, answers| match answers.as_slice() {
            [granted] => share(granted),
            _ => Err(Complaint::unreadable("a share", &Value::Array(answers))),
        })
    }
}
