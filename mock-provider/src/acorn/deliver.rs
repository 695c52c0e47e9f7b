//! Delivery: events are collected into batches, and each batch is delivered until it is acknowledged.

use std::time::Duration;

use actix_web::rt;
use actix_web::web::Data;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use uuid::Uuid;

use super::charging::{Origin, Taken, name};
use super::event::{Item, Told, of_another_kind, of_charge};
use super::ledger::{Delivery, EventQueued};
use super::options::DeliverTo;
use super::outbox::Put;
use super::state::Acorn;
use super::told::PlannedEvent;
use crate::clock::epoch_ms;
use crate::ledger::WebhookKind;
use crate::model::Dice;

/// How long the receiver may take to answer, real time.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// How many deliveries may be on their way at once. More wait.
pub(super) const MAX_IN_FLIGHT: usize = 64;

/// The HTTP status of an acknowledgement.
const ACKNOWLEDGED: u16 = 202;

/// Its body, white space around it aside.
const ACKNOWLEDGEMENT: &[u8] = b"OK";

/// How much of an answer is read: an acknowledgement is two bytes.
const MAX_ANSWER_BYTES: usize = 1_024;

/// How many changes of one charge have a uid of their own; none has more than four.
const CHANGES: u64 = 16;

/// What forges events in place of the account's key.
const FORGERS_KEY: &[u8] = b"guessed";

/// Tells what was planned, each event as a task of its own.
pub(super) fn schedule(acorn: &Data<Acorn>, taken: &Taken) {
    for event in taken.plan.life.iter().flat_map(|life| &life.events) {
        let at_ms = taken.at_ms.saturating_add(event.after_ms);
        let (origin, event) = (taken.origin.clone(), event.clone());
        rt::spawn(tell(acorn.clone(), origin, event, at_ms));
    }
}

async fn tell(acorn: Data<Acorn>, origin: Origin, event: PlannedEvent, at_ms: u64) {
    acorn.clock.sleep_until(at_ms).await;
    let Some((item, url)) = acorn.event_due(&origin, &event) else {
        return;
    };
    if event.kind == WebhookKind::Forged {
        deliver(acorn, url, vec![item], 1).await;
    } else if acorn.put(&url, item) {
        let collected_at_ms = acorn.clock.now_ms() + acorn.options.batch_every_ms;
        acorn.clock.sleep_until(collected_at_ms).await;
        for (url, items) in acorn.collect() {
            let attempts = acorn.options.retry_attempts;
            rt::spawn(deliver(acorn.clone(), url, items, attempts));
        }
    }
}

/// Delivers one batch, the same bytes each time, until it is acknowledged or was delivered so often.
async fn deliver(acorn: Data<Acorn>, url: Url, items: Vec<Item>, attempts: u32) {
    let batch_id = format!("bat_{}", Uuid::new_v4().simple());
    let uids: Vec<_> = items.iter().map(|item| item.uid.clone()).collect();
    let events: Vec<Value> = items.into_iter().map(|item| item.json).collect();
    let body = json!({"batch_id": batch_id, "events": events}).to_string();
    let mut delay_ms = acorn.options.retry_first_ms;
    let mut attempt = 1;
    let acknowledged = loop {
        let (at_ms, answer) = {
            let _slot = acorn.slots.acquire().await;
            (epoch_ms(), send(&acorn, &url, body.clone()).await)
        };
        let acknowledged = matches!(answer, Some((_, true)));
        acorn.delivered(Delivery {
            at_ms,
            batch_id: batch_id.clone(),
            attempt,
            uids: uids.clone(),
            answer: answer.map(|(code, _)| code),
            acknowledged,
        });
        if acknowledged || attempt >= attempts {
            break acknowledged;
        }
        let again_at_ms = acorn.clock.now_ms().saturating_add(delay_ms);
        acorn.clock.sleep_until(again_at_ms).await;
        delay_ms = delay_ms
            .saturating_mul(2)
            .min(acorn.options.retry_longest_ms);
        attempt += 1;
    };
    acorn.settled(uids.len(), acknowledged);
}

/// The answer's HTTP status and whether it acknowledges; `None` = no answer.
async fn send(acorn: &Acorn, url: &Url, body: String) -> Option<(u16, bool)> {
    let request = acorn
        .client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    let answer = async {
        let mut response = request.send().await?;
        let code = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        let says_ok = body.trim_ascii() == ACKNOWLEDGEMENT;
        Ok::<_, reqwest::Error>((code, code == ACKNOWLEDGED && says_ok))
    };
    answer
        .await
        // The address may carry a token, so it stays out of the log.
        .inspect_err(|error| tracing::info!(error = %error_text(error), "batch without an answer"))
        .ok()
}

fn error_text(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "timed out".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "no whole answer".to_owned()
    }
}

impl Acorn {
    /// Makes an event a record and says what is delivered and whereto, if there is an address.
    fn event_due(&self, origin: &Origin, event: &PlannedEvent) -> Option<(Item, Url)> {
        let mut inner = self.lock();
        let charge = inner.charges.get(&origin.charge)?;
        let told = Told {
            id: &origin.charge,
            state: event.state,
            amount: &charge.amount,
            currency: &charge.currency,
            metadata: charge.nested.get("metadata"),
        };
        let nth = u64::from(origin.execution) * CHANGES + event.nth as u64;
        let (purpose, key): (_, &[u8]) = match event.kind {
            WebhookKind::Forged => ("forged event", FORGERS_KEY),
            _ => ("event", &self.webhook_key),
        };
        let uid = name("evt", purpose, self.options.seed, &origin.key, nth);
        let item = of_charge(key, uid, told);
        let callback = charge.callback.as_ref();
        let callback = callback.filter(|_| self.options.deliver_to == DeliverTo::Request);
        let url = callback.or(inner.webhook_url.as_ref()).cloned();
        if url.is_none() {
            inner.stats.webhooks.dropped += 1;
        }
        let url = url?;
        inner.stats.webhooks.events += 1;
        if let Some(entry) = inner.entries.get_mut(origin.index) {
            entry.events.push(EventQueued {
                at_ms: epoch_ms(),
                uid: item.uid.clone(),
                state: event.state,
                kind: event.kind,
            });
        }
        Some((item, url))
    }

    /// Puts an event into the outbox, at times with one that nobody asked for, and says whether a
    /// collection is due.
    fn put(&self, url: &Url, item: Item) -> bool {
        let mut dice = Dice::new(self.options.seed, "other_kinds", &item.uid, 1);
        let stranger = dice
            .chance(self.options.other_kinds)
            .then(|| of_another_kind(&self.webhook_key, &mut dice));
        let mut inner = self.lock();
        inner.stats.webhooks.events += u64::from(stranger.is_some());
        let mut due = false;
        for item in [Some(item), stranger].into_iter().flatten() {
            match inner.outbox.put(url, item) {
                Put::First => due = true,
                Put::Queued => {}
                Put::Full => inner.stats.webhooks.dropped += 1,
            }
        }
        due
    }

    fn collect(&self) -> Vec<(Url, Vec<Item>)> {
        self.lock().outbox.collect()
    }

    fn delivered(&self, delivery: Delivery) {
        let mut inner = self.lock();
        inner.stats.webhooks.deliveries += 1;
        inner.stats.webhooks.batches += u64::from(delivery.attempt == 1);
        let bytes = delivery.uids.iter().map(String::len).sum();
        if inner.deliveries.has_room_for(bytes) {
            inner.deliveries.push(delivery, bytes);
        }
    }

    /// So many events need no more deliveries.
    fn settled(&self, events: usize, acknowledged: bool) {
        let mut inner = self.lock();
        inner.outbox.settled(events);
        let stats = &mut inner.stats.webhooks;
        if acknowledged {
            stats.acknowledged += 1;
        } else {
            stats.given_up += 1;
        }
    }
}
