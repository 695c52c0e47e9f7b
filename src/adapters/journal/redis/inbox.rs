//! Webhooks for what is not known yet: how each is named, found and shown.

use redis::{Cmd, Pipeline};

use super::super::{MAX_KEPT_PER_PROVIDER, MAX_LIST_ROWS, claimed_by, keepable};
use super::answers::{next, read};
use super::library::JOURNAL;
use super::{Inner, written};
use crate::ports::{AppendError, InboxPage, InboxQuery, JournalError, Kept};
use crate::transaction::Statement;

impl Inner {
    pub(super) fn keeping(&self, kept: Kept) -> Result<Cmd, AppendError> {
        keepable(&kept)?;
        let inbox = self.link.keys().inbox();
        let mut call = JOURNAL.call("teller_keep", &format!("{inbox}kept"));
        let (provider, event_id) = (&kept.provider, &kept.event_id);
        let name = format!("{provider}\0{event_id}\0{}", kept.statement());
        call.arg(inbox).arg(provider).arg(name);
        let references: Vec<String> = claimed_by(&kept.references).map(str::to_owned).collect();
        let received_at = kept.received_at.as_millis();
        call.arg(written::kept(kept)?).arg(received_at);
        call.arg(MAX_KEPT_PER_PROVIDER).arg(references);
        Ok(call)
    }

    /// The name of a kept webhook that states this, and its text where that matters. A release before named
    /// it by its event alone: what it has kept under that name is meant only if it states this.
    pub(super) async fn kept_as(
        &self,
        event: String,
        statement: &Statement,
    ) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        let mut named = vec![(format!("{event}\0{statement}"), Vec::new())];
        let mut ask = redis::cmd("HGET");
        ask.arg(self.link.keys().inbox() + "kept").arg(&event);
        let text: Option<Vec<u8>> = read(self.link.ask(ask).await?)?;
        if let Some(text) = text
            && written::read_kept(&text)?.statement() == *statement
        {
            named.push((event, text));
        }
        Ok(named)
    }

    /// The names of all that is kept of one event. It goes through all that is kept of its provider, which
    /// only a person's act is worth.
    pub(super) async fn kept_of(
        &self,
        provider: &str,
        event: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        let mut ask = redis::cmd("ZRANGE");
        let index = format!("{}of:{provider}", self.link.keys().inbox());
        ask.arg(index).arg(0).arg(-1);
        let mut names: Vec<String> = read(self.link.ask(ask).await?)?;
        names.retain(|name| {
            let rest = name.strip_prefix(event);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\0'))
        });
        Ok(names.into_iter().map(|name| (name, Vec::new())).collect())
    }

    /// What is kept under these names, in their order. What was released meanwhile is left out.
    pub(super) async fn kept(&self, names: &[String]) -> Result<Vec<Kept>, JournalError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("HMGET");
        ask.arg(self.link.keys().inbox() + "kept").arg(names);
        let texts: Vec<Option<Vec<u8>>> = read(self.link.ask(ask).await?)?;
        let texts = texts.into_iter().flatten();
        texts.map(|text| written::read_kept(&text)).collect()
    }

    pub(super) async fn inbox_page(&self, query: InboxQuery) -> Result<InboxPage, JournalError> {
        let limit = query.limit.clamp(1, MAX_LIST_ROWS);
        let inbox = self.link.keys().inbox();
        let index = match query.provider {
            Some(provider) => format!("{inbox}of:{provider}"),
            None => format!("{inbox}order"),
        };
        let before = query.cursor.map(|cursor| format!("({cursor}"));
        let before = before.unwrap_or_else(|| "+inf".to_owned());
        let mut pipeline = Pipeline::new();
        pipeline.cmd("ZCARD").arg(&index);
        pipeline
            .cmd("ZREVRANGEBYSCORE")
            .arg(&index)
            .arg(before)
            .arg("-inf")
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(limit + 1);
        let mut answers = self.link.query(pipeline).await?.into_iter();
        let total: u64 = next(&mut answers)?;
        let mut found: Vec<(String, u64)> = next(&mut answers)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|(_, position)| *position);
        let names: Vec<String> = found.into_iter().map(|(name, _)| name).collect();
        Ok(InboxPage {
            rows: self.kept(&names).await?,
            next: last.filter(|_| more),
            total,
        })
    }
}
