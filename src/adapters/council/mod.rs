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
mod ways;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use uuid::Uuid;

pub use line::{Connect, connect_to};
pub use ways::Ways;

use answers::{Complaint, lease, nodes, number, primary, share, time};
use line::{function, is_elsewhere};
use ways::{Lines, OneWay, Part};

use crate::ports::{Assembly, Council, JournalError, NodeCard, Promise, Renewal, Tenure};
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
    lines: Lines,
    prefix: String,
    confirmation: Confirmation,
    /// Numbers the requests for shares: what arrives late is older.
    serial: AtomicU64,
    /// Who each server was when it answered last.
    seen: Mutex<BTreeMap<String, String>>,
}

impl RedisCouncil {
    /// A council whose keys begin with `prefix`, over connections of its own that `connect` makes. It
    /// connects when it is first asked, and again after anything went wrong.
    #[must_use]
    pub fn new(connect: Connect, prefix: &str, confirmation: Confirmation) -> Self {
        let lines = Lines::new(Arc::new(OneWay(connect)), None);
        Self::over(lines, prefix, confirmation)
    }

    /// The same over several servers, each of which may take so long to answer: less than the keeper
    /// waits for all of them, a sixth of the lease.
    #[must_use]
    pub fn spread(
        ways: Arc<dyn Ways>,
        prefix: &str,
        confirmation: Confirmation,
        patience: Duration,
    ) -> Self {
        Self::over(Lines::new(ways, Some(patience)), prefix, confirmation)
    }

    fn over(lines: Lines, prefix: &str, confirmation: Confirmation) -> Self {
        Self {
            inner: Arc::new(Inner {
                lines,
                prefix: prefix.to_owned(),
                confirmation,
                serial: AtomicU64::new(0),
                seen: Mutex::default(),
            }),
        }
    }

    /// Asks in a future that needs nothing of `self`, and reads each server's part. Those that fail are
    /// left out, unless all do.
    fn ask<T: Send + 'static>(
        &self,
        questions: Vec<(String, Cmd)>,
        afterwards: Pipeline,
        mut read: impl FnMut(&Inner, &[usize], &[Value], &[Value]) -> Result<T, Complaint>
        + Send
        + 'static,
    ) -> Promise<Result<Vec<T>, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let parts = inner.lines.ask(&questions, &afterwards, false).await;
            let (mut found, mut complaint) = (Vec::new(), None);
            for Part {
                way,
                places,
                answers,
            } in parts
            {
                let part =
                    answers.and_then(|(answers, after)| read(&inner, &places, &answers, &after));
                match part {
                    Ok(part) => found.push(part),
                    Err(why) => {
                        // It may be a primary that has been replaced: the next connection goes to the
                        // present one.
                        inner.lines.doubt(&way).await;
                        complaint = Some(why);
                    }
                }
            }
            match complaint {
                Some(complaint) if found.is_empty() => Err(JournalError(complaint.to_string())),
                Some(_) | None => Ok(found),
            }
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

    /// Reads what the servers said to an announcement: the first answer of the first question's server,
    /// and the leases of all that have answered.
    async fn assemble(&self, parts: Vec<Part>) -> Result<Assembly, Complaint> {
        let (mut common, mut leases, mut seen) = (None, Vec::new(), BTreeMap::new());
        for Part {
            way,
            places,
            answers,
        } in parts
        {
            let is_common = places.first() == Some(&0);
            match answers.and_then(|(answers, after)| self.part(&places, &answers, &after)) {
                Ok((announced, found, who)) => {
                    common = common.or(announced);
                    leases.extend(found);
                    seen.insert(way, who);
                }
                Err(why) => {
                    self.lines.doubt(&way).await;
                    if is_common {
                        return Err(why);
                    }
                    // It is who it was, until somebody else answers.
                    let before = self.locked_seen().get(&way).cloned();
                    seen.extend(before.map(|who| (way, who)));
                }
            }
        }
        let texts: Vec<&str> = seen.values().map(String::as_str).collect();
        let primary = texts.join(", ");
        *self.locked_seen() = seen;
        let (now_ms, nodes) =
            common.ok_or_else(|| Complaint::unreadable("an announcement", &Value::Nil))?;
        leases.sort_by_key(|lease: &crate::ports::Lease| lease.partition);
        Ok(Assembly {
            now: Timestamp::from_millis(now_ms),
            primary,
            nodes,
            leases,
        })
    }

    fn part(
        &self,
        places: &[usize],
        answers: &[Value],
        after: &[Value],
    ) -> Result<Said, Complaint> {
        let [its_time, server, replication] = after else {
            return Err(Complaint::unreadable("an announcement", &Value::Nil));
        };
        let now_ms = time(its_time)?;
        let (mut announced, mut leases) = (None, Vec::new());
        for (place, answer) in places.iter().zip(answers) {
            match place.checked_sub(1).and_then(|one| u32::try_from(one).ok()) {
                None => announced = Some(nodes(answer)?),
                Some(_) if is_elsewhere(answer) => self.lines.look_again(),
                Some(partition) => leases.extend(lease(partition, answer, now_ms)?),
            }
        }
        Ok((announced, leases, primary(server, replication)?))
    }

    fn locked_seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The question whose answer says whether what was written is confirmed.
    fn confirming(&self) -> Pipeline {
        let Confirmation {
            replicas,
            within,
            on_disk,
        } = self.confirmation;
        let mut pipeline = redis::pipe();
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        if on_disk {
            // Asked in one breath with the claim, a replica would answer before its fsync, and say the rest a
            // second later. Once it has answered the WAIT, that fsync is done.
            pipeline.cmd("WAIT").arg(replicas).arg(within_ms);
            pipeline.cmd("WAITAOF").arg(1).arg(replicas).arg(within_ms);
        } else if replicas > 0 {
            pipeline.cmd("WAIT").arg(replicas).arg(within_ms);
        }
        pipeline
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

/// Of one server: what was announced, leases, who it is.
type Said = (
    Option<(i64, Vec<(NodeCard, Duration)>)>,
    Vec<crate::ports::Lease>,
    String,
);

/// A call of a function of one key, with that key.
fn call(name: &str, key: String, args: &[&str]) -> (String, Cmd) {
    let mut call = redis::cmd("FCALL");
    call.arg(function(name)).arg(1).arg(&key).arg(args);
    (key, call)
}

impl Council for RedisCouncil {
    fn announce(&self, card: &NodeCard) -> Promise<Result<Assembly, JournalError>> {
        let inner = Arc::clone(&self.inner);
        // A card is text and numbers: it can't fail to become JSON.
        let text = serde_json::to_string(card).unwrap_or_default();
        let mut questions = vec![call("announce", inner.nodes(), &[&card.id, &text])];
        for partition in 0..PARTITIONS {
            let key = inner.lease(partition);
            let mut ask = redis::cmd("HMGET");
            ask.arg(&key).arg(&["node", "epoch", "claim", "until"]);
            questions.push((key, ask));
        }
        let mut afterwards = redis::pipe();
        afterwards.cmd("TIME");
        afterwards.cmd("INFO").arg("server");
        afterwards.cmd("INFO").arg("replication");
        Box::pin(async move {
            let parts = inner.lines.ask(&questions, &afterwards, true).await;
            let assembly = inner.assemble(parts).await;
            assembly.map_err(|complaint| JournalError(complaint.to_string()))
        })
    }

    fn is_spread(&self) -> bool {
        self.inner.lines.are_several()
    }

    fn leave(&self, node: &str) -> Promise<Result<(), JournalError>> {
        let questions = vec![call("leave", self.inner.nodes(), &[node])];
        let left = self.ask(questions, redis::pipe(), |_, _, _, _| Ok(()));
        Box::pin(async move { left.await.map(|_| ()) })
    }

    fn claim(
        &self,
        card: &NodeCard,
        partitions: &[u32],
        lease: Duration,
    ) -> Promise<Result<Vec<(u32, Tenure)>, JournalError>> {
        let length = lease.as_millis().to_string();
        let claims: Vec<(u32, Uuid)> = partitions
            .iter()
            .map(|partition| (*partition, Uuid::new_v4()))
            .collect();
        let question = |(partition, claim): &(u32, Uuid)| {
            let (key, claim) = (self.inner.lease(*partition), claim.to_string());
            let args = [&card.id, &card.url, &claim, &length];
            call("claim", key, &args.map(String::as_str))
        };
        let questions = claims.iter().map(question).collect();
        let read = move |inner: &Inner, places: &[usize], answers: &[Value], after: &[Value]| {
            let mut claimed = Vec::new();
            for (&place, answer) in places.iter().zip(answers) {
                if is_elsewhere(answer) {
                    continue;
                }
                let (partition, claim) = claims[place];
                let (is_ours, epoch) = answers::claimed(answer)?;
                if is_ours {
                    claimed.push((partition, Tenure { epoch, claim }));
                }
            }
            if !claimed.is_empty() {
                inner.check_confirmation(after)?;
            }
            Ok(claimed)
        };
        let asked = self.ask(questions, self.inner.confirming(), read);
        Box::pin(async move { Ok(asked.await?.concat()) })
    }

    fn renew(
        &self,
        held: &[(u32, Tenure)],
        lease: Duration,
    ) -> Promise<Result<Renewal, JournalError>> {
        let length = lease.as_millis().to_string();
        let question = |(partition, tenure): &(u32, Tenure)| {
            let (epoch, claim) = (tenure.epoch.to_string(), tenure.claim.to_string());
            let key = self.inner.lease(*partition);
            call("renew", key, &[&epoch, &claim, &length])
        };
        let questions = held.iter().map(question).collect();
        let partitions: Vec<u32> = held.iter().map(|(partition, _)| *partition).collect();
        let read = move |inner: &Inner, places: &[usize], answers: &[Value], after: &[Value]| {
            let mut renewal = Renewal::default();
            for (&place, answer) in places.iter().zip(answers) {
                let partition = partitions[place];
                if is_elsewhere(answer) {
                    continue;
                }
                match number(answer)? {
                    0 => renewal.lost.push(partition),
                    _ => renewal.renewed.push(partition),
                }
            }
            if !renewal.renewed.is_empty() {
                inner.check_confirmation(after)?;
            }
            Ok(renewal)
        };
        let asked = self.ask(questions, self.inner.confirming(), read);
        Box::pin(async move {
            let mut whole = Renewal::default();
            for part in asked.await? {
                whole.renewed.extend(part.renewed);
                whole.lost.extend(part.lost);
            }
            Ok(whole)
        })
    }

    fn give_up(&self, held: &[(u32, Tenure)]) -> Promise<Result<(), JournalError>> {
        let question = |(partition, tenure): &(u32, Tenure)| {
            let (epoch, claim) = (tenure.epoch.to_string(), tenure.claim.to_string());
            let key = self.inner.lease(*partition);
            call("give_up", key, &[&epoch, &claim])
        };
        let questions = held.iter().map(question).collect();
        let given_up = self.ask(questions, redis::pipe(), |_, _, _, _| Ok(()));
        Box::pin(async move { given_up.await.map(|_| ()) })
    }

    fn lease_share(
        &self,
        node: &str,
        provider: &str,
        wanted: f64,
        lease: Duration,
    ) -> Promise<Result<f64, JournalError>> {
        let inner = &self.inner;
        let serial = inner.serial.fetch_add(1, Ordering::Relaxed);
        let (wanted, serial) = (wanted.to_string(), serial.to_string());
        let length = lease.as_millis().to_string();
        let args = [node, &wanted, &length, &serial];
        let questions = vec![call("share", inner.share(provider), &args)];
        let asked = self.ask(questions, redis::pipe(), |_, _, answers, _| match answers {
            [granted] => share(granted),
            _ => Err(Complaint::unreadable("a share", &Value::Nil)),
        });
        Box::pin(async move {
            let granted = asked.await?.pop();
            granted.ok_or_else(|| JournalError("the store granted nothing".to_owned()))
        })
    }
}
