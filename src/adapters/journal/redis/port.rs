//! The journal as the actors see it.

use std::future::ready;
use std::sync::Arc;

use redis::{Cmd, Value};

use super::super::{MAX_KEPT_FOR, MAX_NOTES, finds, follows, no_room_for, notable, too_many_notes};
use super::answers::{key, read, said};
use super::library::JOURNAL;
use super::retention::unreadable;
use super::{Inner, RedisJournal, lists, written};
use crate::ports::{
    Append, AppendError, Binding, Committed, Expect, InboxPage, InboxQuery, Journal, JournalError,
    JournalHealth, Kept, ListQuery, OpenPage, Page, Promise, ProviderReference, Summary,
};
use crate::transaction::Statement;
use crate::transaction::{Key, PARTITIONS, Record, Timestamp, TransactionId};

/// The lane of what belongs to no partition: notes and the inbox.
pub(super) const BESIDE: u32 = PARTITIONS;
/// Webhooks that one call removes from the inbox, at most: a few milliseconds of the server's time.
const EXPIRED_TOGETHER: u64 = 500;

impl Journal for RedisJournal {
    fn append(&self, append: Append) -> Promise<Result<Committed, AppendError>> {
        let inner = Arc::clone(&self.inner);
        let step = match inner.step(append) {
            Ok(step) => step,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let generation = inner.link.generation();
        let lane = step.key.partition();
        let sent = inner.link.write(lane, &JOURNAL, step.commands);
        Box::pin(async move {
            let mut values = sent.await?;
            let last = values.split_off(step.references.len());
            let sequence =
                said(Ok(last))?.done(|| AppendError::Full("it is too much".to_owned()))?;
            inner.learn(generation, &step.key, step.references, values);
            Ok(Committed { sequence })
        })
    }

    fn load(&self, key: &Key) -> Promise<Result<Option<Vec<Record>>, JournalError>> {
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        Box::pin(async move {
            let mut ask = redis::cmd("LRANGE");
            ask.arg(inner.link.keys().records(&key)).arg(0).arg(-1);
            let lines = written::lines(read(inner.link.ask(ask).await?)?);
            if lines.is_empty() {
                return Ok(None);
            }
            written::read_records(&key, &lines).map(Some)
        })
    }

    fn open(
        &self,
        partition: Option<u32>,
        after: u64,
        limit: usize,
    ) -> Promise<Result<OpenPage, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let here = || inner.clock.now().wall;
            lists::open(&inner.link, here, partition, after, limit).await
        })
    }

    fn list(&self, query: ListQuery) -> Promise<Result<Page, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { lists::list(&inner.link, &query).await })
    }

    fn bind(&self, binding: Binding) -> Promise<Result<(), AppendError>> {
        let Binding { derived, to, at } = binding;
        let text = match written::Bound::write(to, at) {
            Ok(text) => text,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let keys = self.inner.link.keys();
        let partition = derived.partition();
        let mut call = JOURNAL.call("teller_bind", &keys.records(&derived));
        call.arg(keys.partition(partition));
        call.arg(derived.to_string()).arg(text);
        self.write(partition, call, || AppendError::Exists)
    }

    fn bound_to(&self, derived: &Key) -> Promise<Result<Option<TransactionId>, JournalError>> {
        let (inner, derived) = (Arc::clone(&self.inner), derived.clone());
        Box::pin(async move {
            let base = inner.link.keys().partition(derived.partition());
            let mut ask = redis::cmd("HGET");
            ask.arg(base + "b").arg(derived.to_string());
            let text: Option<Vec<u8>> = read(inner.link.ask(ask).await?)?;
            let bound = text.map(|text| written::Bound::read(&text)).transpose()?;
            Ok(bound.map(|bound| bound.to))
        })
    }

    fn keep(&self, kept: Kept) -> Promise<Result<(), AppendError>> {
        let provider = kept.provider.clone();
        match self.inner.keeping(kept) {
            Ok(call) => self.write(BESIDE, call, move || no_room_for(&provider)),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn referred(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Option<Key>, JournalError>> {
        if !finds(reference) {
            return Box::pin(ready(Ok(None)));
        }
        let inner = Arc::clone(&self.inner);
        let (base, name) = inner.link.keys().reference(provider, reference);
        Box::pin(async move {
            let mut ask = redis::cmd("HGET");
            ask.arg(base + "ref").arg(name);
            let owner: Option<String> = read(inner.link.ask(ask).await?)?;
            owner.map(|name| key(&name)).transpose()
        })
    }

    fn kept_for(
        &self,
        provider: &str,
        reference: &str,
    ) -> Promise<Result<Vec<Kept>, JournalError>> {
        if !finds(reference) {
            return Box::pin(ready(Ok(Vec::new())));
        }
        let inner = Arc::clone(&self.inner);
        let index = format!("{}for:{provider}\0{reference}", inner.link.keys().inbox());
        Box::pin(async move {
            let mut ask = redis::cmd("ZRANGE");
            ask.arg(index).arg(0).arg(MAX_KEPT_FOR - 1);
            let names: Vec<String> = read(inner.link.ask(ask).await?)?;
            inner.kept(&names).await
        })
    }

    fn release(
        &self,
        provider: &str,
        event_id: &str,
        statement: Option<&Statement>,
    ) -> Promise<Result<(), AppendError>> {
        let journal = self.clone();
        let event = format!("{provider}\0{event_id}");
        let (provider, statement) = (provider.to_owned(), statement.cloned());
        Box::pin(async move {
            let named = match statement {
                Some(statement) => journal.inner.kept_as(event, &statement).await,
                None => journal.inner.kept_of(&provider, &event).await,
            };
            let inbox = journal.inner.link.keys().inbox();
            let mut call = JOURNAL.call("teller_release", &format!("{inbox}kept"));
            call.arg(inbox).arg(named.map_err(unreadable)?);
            let released = journal.write(BESIDE, call, || AppendError::VersionConflict);
            released.await
        })
    }

    fn inbox(&self, query: InboxQuery) -> Promise<Result<InboxPage, JournalError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.inbox_page(query).await })
    }

    fn expire_kept(&self, before: Timestamp) -> Promise<Result<u64, AppendError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let inbox = inner.link.keys().inbox();
            let mut total = 0;
            loop {
                let mut call = JOURNAL.call("teller_expire", &format!("{inbox}kept"));
                call.arg(&inbox)
                    .arg(before.as_millis())
                    .arg(EXPIRED_TOGETHER);
                let answer = inner.link.write(BESIDE, &JOURNAL, vec![call]).await;
                let removed = said(answer)?.done(|| AppendError::VersionConflict)?;
                total += removed;
                if removed < EXPIRED_TOGETHER {
                    return Ok(total);
                }
            }
        })
    }

    fn note(&self, name: &str, value: Option<String>) -> Promise<Result<(), AppendError>> {
        if let Err(error) = notable(name, value.as_deref()) {
            return Box::pin(ready(Err(error)));
        }
        let meta = self.inner.link.keys().meta();
        let mut call = JOURNAL.call("teller_note", &format!("{meta}notes"));
        call.arg(meta).arg(name).arg(MAX_NOTES).arg(value);
        self.write(BESIDE, call, too_many_notes)
    }

    fn noted(&self, prefix: &str) -> Promise<Result<Vec<(String, String)>, JournalError>> {
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.to_owned());
        Box::pin(async move {
            let mut ask = redis::cmd("HGETALL");
            ask.arg(inner.link.keys().meta() + "notes");
            let mut notes: Vec<(String, String)> = read(inner.link.ask(ask).await?)?;
            notes.retain(|(name, _)| name.starts_with(&prefix));
            notes.sort_unstable();
            Ok(notes)
        })
    }

    /// Whatever is confirmed can be asked for at once.
    fn folded_through(&self) -> u64 {
        u64::MAX
    }

    fn health(&self) -> JournalHealth {
        self.inner.link.health()
    }
}

impl RedisJournal {
    /// Sends a call that writes, and waits for its confirmation.
    pub(super) fn write(
        &self,
        lane: u32,
        call: Cmd,
        full: impl FnOnce() -> AppendError + Send + 'static,
    ) -> Promise<Result<(), AppendError>> {
        let sent = self.inner.link.write(lane, &JOURNAL, vec![call]);
        Box::pin(async move { said(sent.await)?.done(full).map(|_| ()) })
    }
}

/// A step on its way.
struct Step {
    key: Key,
    /// First those that claim references, last the step.
    commands: Vec<Cmd>,
    /// What was claimed, as [`super::known`] remembers it.
    references: Vec<String>,
}

/// The providers of a transaction that its attempt with this reference did not go to, and none of its
/// attempts that go by the same text. Releases before filed all of them under the last provider.
fn foreign_to<'a>(
    one: &'a ProviderReference,
    summary: &'a Summary,
) -> impl Iterator<Item = &'a str> {
    let is_theirs = |provider: &String| {
        let mut all = summary.references.iter();
        all.any(|its| its.provider == *provider && its.reference == one.reference)
    };
    let others = summary.providers.iter();
    others
        .filter(move |provider| !is_theirs(provider))
        .map(String::as_str)
}

impl Inner {
    /// What an append has to send.
    fn step(&self, append: Append) -> Result<Step, AppendError> {
        let Append {
            key,
            expect,
            tenure,
            records,
            summary,
        } = append;
        follows(expect, &records)?;
        let (keys, partition) = (self.link.keys(), key.partition());
        let name = key.to_string();
        let (mut commands, mut references) = (Vec::new(), Vec::new());
        let generation = self.link.generation();
        let mut say = |function: &str, provider: &str, reference: &str| {
            let (base, field) = keys.reference(provider, reference);
            let known = format!("{name}\0{function}\0{field}");
            if self.known.has(generation, &known) || references.contains(&known) {
                return;
            }
            let mut call = JOURNAL.call(function, &format!("{base}ref"));
            call.arg(base).arg(field).arg(&name);
            commands.push(call);
            references.push(known);
        };
        for one in summary
            .references
            .iter()
            .filter(|one| finds(&one.reference))
        {
            for other in foreign_to(one, &summary) {
                say("teller_unrefer", other, &one.reference);
            }
            say("teller_refer", &one.provider, &one.reference);
        }
        let (epoch, claim) = tenure.map_or_else(Default::default, |tenure| {
            (tenure.epoch.to_string(), tenure.claim.to_string())
        });
        let expected = match expect {
            Expect::Absent => 0,
            Expect::Version(version) => version,
        };
        // Both are of the same clock, whichever node's it is.
        let due_in = summary.due_at.map(|due| due.since(summary.changed_at));
        let due_in = due_in.map_or_else(String::new, |span| span.as_millis().to_string());
        let mut call = JOURNAL.call("teller_append", &keys.records(&key));
        call.arg(keys.partition(partition))
            .arg(&name)
            .arg(partition);
        call.arg(epoch).arg(claim).arg(expected);
        call.arg(summary.status.as_str());
        call.arg(u8::from(summary.open))
            .arg(u8::from(summary.needs_review));
        call.arg(due_in).arg(written::summary(summary)?);
        call.arg(written::records(&records)?);
        commands.push(call);
        Ok(Step {
            key,
            commands,
            references,
        })
    }

    /// The references of a confirmed step are known from now on, whosever they are.
    fn learn(&self, generation: u64, key: &Key, references: Vec<String>, owners: Vec<Value>) {
        for (reference, owner) in references.into_iter().zip(owners) {
            let owner: String = redis::from_redis_value(owner).unwrap_or_default();
            if owner != key.to_string() {
                tracing::warn!(owner, other = %key, "two transactions have the same reference of their provider");
            }
            self.known.learn(generation, reference);
        }
    }
}
