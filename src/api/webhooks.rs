//! The providers' door. Order of work: size → verify → dedupe → durable → 200 (field practice), and
//! exactly what the profile says that the provider wants to hear.
//! How an event finds its transaction, or waits for it, is told in [`evidence`](super::evidence).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::evidence::Evidence;
use super::{Doors, Problem, body, forward};
use crate::actors::messages::Call;
use crate::ports::{IncomingWebhook, Owner, Provider, Subject, WebhookEvent, WebhookRejected};
use crate::transaction::{AppId, Key};

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
    doors: &web::Data<Doors>,
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
    let (name, body) = (provider.name(), String::from_utf8_lossy(&body));
    let work = async {
        // One after the other: a batch is acknowledged only when all of it is durable, and what was
        // done before a failure is known again when the batch comes again.
        for event in &reading.events {
            match event {
                WebhookEvent::Evidence {
                    subject,
                    event_id,
                    report,
                } => {
                    let evidence = Evidence {
                        doors,
                        provider: name,
                        event_id,
                        report,
                        received_at: doors.house.clock.now().wall,
                        body: &body,
                        fetched_from: None,
                    };
                    evidence.take(subject).await?;
                }
                WebhookEvent::Hint { subject } => hint(doors, name, subject).await,
            }
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

/// A hint costs no commit, and a look-up only within the hints' share of the inquiry budget. One that
/// finds no room is not worth keeping: the armed inquiry asks anyway.
async fn hint(doors: &web::Data<Doors>, provider: &str, subject: &Subject) {
    let house = &doors.house;
    let keys: Vec<Key> = match subject {
        Subject::Attempt { key, .. } => vec![key.clone()],
        Subject::Ours { id, .. } => {
            let key = |app: &AppId| Key {
                app: app.clone(),
                id: *id,
            };
            doors.apps.iter().map(key).collect()
        }
        Subject::Theirs { reference } => {
            let room = house.gate(provider).is_some_and(|gate| gate.take_hint());
            if !room {
                return;
            }
            let found = house.journal.referred(provider, reference).await;
            found.ok().flatten().into_iter().collect()
        }
    };
    for key in keys {
        tracing::info!(%key, provider, "webhook without proof, taken as a hint");
        if house.ownership.owner(key.partition()) == Owner::Here {
            let provider = provider.to_owned();
            let _ = house.router.send(key, Call::Hint { provider });
        } else {
            forward::pass_on(doors, key, provider);
        }
    }
}
