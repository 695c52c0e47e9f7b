//! The providers' door. Order of work: size → verify → dedupe → durable → 200 (field practice), and
//! exactly what the profile says that the provider wants to hear.
//!
//! A webhook needs no transaction to be there: what nobody is known for is kept, durably, and claimed
//! by the transaction as soon as it learns the provider's reference. The door keeps first and then
//! looks again; the transaction writes its reference first and then looks; so whichever comes first,
//! one of them sees the other.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::{Doors, Problem, body};
use crate::actors::messages::{Call, Found, WebhookTaken};
use crate::ports::{
    AppendError, IncomingWebhook, Kept, Provider, Subject, WebhookEvent, WebhookRejected,
};
use crate::transaction::{Key, Report, TransactionId};

/// Header lines of a webhook that are looked at, at most. Servers refuse more than about a hundred.
const HEADERS_MAX: usize = 128;

/// `POST|PUT /webhooks/{provider}[/{token}]`.
pub(super) async fn receive(
    doors: web::Data<Doors>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = request.match_info().get("provider").unwrap_or_default();
    let provider = doors
        .house
        .providers
        .get(name)
        .ok_or_else(|| doors.no_provider(name))?;
    let token = request.match_info().get("token");
    take(&doors, provider.as_ref(), token, &request, payload).await
}

/// `POST|PUT /webhook`, while there is one provider.
pub(super) async fn receive_from_the_only_provider(
    doors: web::Data<Doors>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let provider = doors
        .house
        .providers
        .only()
        .ok_or_else(Problem::several_providers)?;
    take(&doors, provider.as_ref(), None, &request, payload).await
}

async fn take(
    doors: &Doors,
    provider: &dyn Provider,
    token: Option<&str>,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read(
        request,
        payload,
        doors.bounds.webhook_bytes,
        doors.bounds.body_deadline,
    )
    .await?;
    let headers: Vec<(&str, &[u8])> = request
        .headers()
        .iter()
        .take(HEADERS_MAX)
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let url = format!("{}{}", doors.public_url, request.uri());
    let reading = provider
        .read_webhook(&IncomingWebhook {
            method: request.method().as_str(),
            url: &url,
            token,
            headers: &headers,
            body: &body,
        })
        .map_err(|rejected| refuse(provider.name(), rejected))?;
    let arrival = Arrival {
        doors,
        provider: provider.name(),
        body: &body,
    };
    let work = async {
        // One after the other: a batch is acknowledged only when all of it is durable, and what was
        // done before a failure is known again when the batch comes again.
        for event in reading.events {
            arrival.event(event).await?;
        }
        Ok::<(), Problem>(())
    };
    tokio::time::timeout(doors.bounds.commit_deadline, work)
        .await
        .map_err(|_| Problem::unconfirmed())??;
    let answer = reading.acknowledgement;
    // The profile allows 2xx only, all of which are statuses.
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    Ok(if answer.body.is_empty() {
        response.finish()
    } else {
        response.content_type(answer.content_type).body(answer.body)
    })
}

fn refuse(provider: &str, rejected: WebhookRejected) -> Problem {
    tracing::info!(provider, %rejected, "webhook refused");
    match rejected {
        WebhookRejected::NoneExpected => Problem::unknown_provider(provider),
        WebhookRejected::Method => Problem::webhook_method(),
        WebhookRejected::MediaType(expected) => Problem::webhook_media_type(expected),
        WebhookRejected::NotSigned(_) => Problem::webhook_not_signed(),
        WebhookRejected::Unreadable(why) => Problem::unreadable_webhook(why),
    }
}

/// A webhook on its way to its transactions.
struct Arrival<'a> {
    doors: &'a Doors,
    provider: &'a str,
    body: &'a [u8],
}

impl Arrival<'_> {
    async fn event(&self, event: WebhookEvent) -> Result<(), Problem> {
        match event {
            WebhookEvent::Evidence {
                subject,
                event_id,
                report,
            } => self.evidence(subject, event_id, report).await,
            WebhookEvent::Hint { subject } => {
                self.hint(subject).await;
                Ok(())
            }
        }
    }

    /// Evidence is durable before this is over: with its transaction, or kept for it.
    async fn evidence(
        &self,
        subject: Subject,
        event_id: String,
        report: Report,
    ) -> Result<(), Problem> {
        let (named, attempt) = match &subject {
            Subject::Attempt { key, attempt } => (Some(key.clone()), Some(*attempt)),
            Subject::Ours { id, attempt } => (self.owner(*id).await?, *attempt),
            Subject::Theirs { .. } => (None, None),
        };
        if let Some(key) = named
            && self.deliver(key, attempt, &event_id, &report).await?
        {
            return Ok(());
        }
        let reference = report.provider_reference.clone();
        // Whoever is found by the provider's id is not whom our own reference named, so the attempt that
        // it names is none of theirs: that follows from the provider's id, too.
        if let Some(reference) = &reference
            && let Some(key) = self.referred(reference).await?
            && self.deliver(key, None, &event_id, &report).await?
        {
            return Ok(());
        }
        let attempt = attempt.filter(|_| reference.is_none());
        self.keep(attempt, &event_id, &report).await?;
        // It may have become known while this was being kept.
        let Some(reference) = reference else {
            return Ok(());
        };
        if let Some(key) = self.referred(&reference).await?
            && self.deliver(key, None, &event_id, &report).await?
        {
            self.doors
                .house
                .journal
                .release(self.provider, &event_id)
                .await
                .map_err(|error| unavailable(&error))?;
        }
        Ok(())
    }

    /// Whether the transaction is there and has it.
    async fn deliver(
        &self,
        key: Key,
        attempt: Option<u32>,
        event_id: &str,
        report: &Report,
    ) -> Result<bool, Problem> {
        let event_id = Some(event_id.to_owned());
        let router = &self.doors.house.router;
        let delivered = router.webhook(key, self.provider, attempt, event_id, report.clone());
        match delivered.await? {
            WebhookTaken::Yes => Ok(true),
            WebhookTaken::Unknown => Ok(false),
            WebhookTaken::Elsewhere => Err(Problem::unconfirmed()),
            WebhookTaken::Unavailable(why) => Err(Problem::unavailable(why)),
        }
    }

    /// The transaction with this id. Ids are unique within an app only: one that two apps use for the
    /// same provider belongs to neither, for one of them might have chosen it to get the other's
    /// webhooks.
    async fn owner(&self, id: TransactionId) -> Result<Option<Key>, Problem> {
        let key = |app: &crate::transaction::AppId| Key {
            app: app.clone(),
            id,
        };
        if let [only] = self.doors.apps.as_slice() {
            return Ok(Some(key(only)));
        }
        let mut owners = Vec::new();
        for app in &self.doors.apps {
            let key = key(app);
            match self.doors.house.router.read(key.clone()).await? {
                Found::Here(transaction) if transaction.attributed(self.provider, None).is_ok() => {
                    owners.push(key);
                }
                Found::Here(_) | Found::Nowhere => {}
                Found::Unavailable(why) => return Err(Problem::unavailable(why)),
            }
        }
        if owners.len() > 1 {
            tracing::error!(%id, provider = self.provider, "two apps have a transaction with this id; its webhook is kept for a person");
        }
        Ok((owners.len() == 1).then(|| owners.remove(0)))
    }

    async fn referred(&self, reference: &str) -> Result<Option<Key>, Problem> {
        let journal = &self.doors.house.journal;
        let found = journal.referred(self.provider, reference).await;
        found.map_err(|error| Problem::unavailable(error.to_string()))
    }

    async fn keep(
        &self,
        attempt: Option<u32>,
        event_id: &str,
        report: &Report,
    ) -> Result<(), Problem> {
        let kept = Kept {
            provider: self.provider.to_owned(),
            event_id: event_id.to_owned(),
            references: report.provider_reference.iter().cloned().collect(),
            received_at: self.doors.house.clock.now().wall,
            attempt,
            report: report.clone(),
            body: String::from_utf8_lossy(self.body).into_owned(),
        };
        tracing::info!(
            provider = self.provider,
            event_id,
            "webhook for something not known yet, kept"
        );
        let journal = &self.doors.house.journal;
        journal
            .keep(kept)
            .await
            .map_err(|error| unavailable(&error))
    }

    /// A hint costs no commit, and a look-up only within the hints' share of the inquiry budget. One
    /// that finds no room is not worth keeping: the armed inquiry asks anyway.
    async fn hint(&self, subject: Subject) {
        let house = &self.doors.house;
        let keys: Vec<Key> = match subject {
            Subject::Attempt { key, .. } => vec![key],
            Subject::Ours { id, .. } => {
                let key = |app: &crate::transaction::AppId| Key {
                    app: app.clone(),
                    id,
                };
                self.doors.apps.iter().map(key).collect()
            }
            Subject::Theirs { reference } => {
                let room = house
                    .gate(self.provider)
                    .is_some_and(|gate| gate.take_hint());
                if !room {
                    return;
                }
                let found = house.journal.referred(self.provider, &reference).await;
                found.ok().flatten().into_iter().collect()
            }
        };
        for key in keys {
            tracing::info!(%key, provider = self.provider, "webhook without proof, taken as a hint");
            let provider = self.provider.to_owned();
            let _ = house.router.send(key, Call::Hint { provider });
        }
    }
}

fn unavailable(error: &AppendError) -> Problem {
    Problem::unavailable(error.to_string())
}
