//! The providers' door. Order of work: size → verify → dedupe → durable → 200 (field practice), and
//! exactly 200.

use actix_web::{HttpRequest, HttpResponse, web};

use super::transactions::within;
use super::{Doors, Problem, body};
use crate::actors::messages::{Call, WebhookTaken};
use crate::ports::{
    AppendError, IncomingWebhook, Provider, Unmatched, WebhookReading, WebhookRejected,
};
use crate::transaction::Key;

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
        .ok_or_else(|| Problem::unknown_provider(name))?;
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
    body::expect_json(request)?;
    let body = body::read(
        request,
        payload,
        doors.bounds.webhook_bytes,
        doors.bounds.body_deadline,
    )
    .await?;
    match provider.read_webhook(&IncomingWebhook { token, body: &body }) {
        Ok(WebhookReading::Evidence {
            key,
            attempt,
            event_id,
            report,
        }) => {
            let delivered = doors.house.router.webhook(
                key,
                provider.name(),
                attempt,
                Some(event_id.clone()),
                report,
            );
            match within(doors.bounds.commit_deadline, delivered).await? {
                WebhookTaken::Yes => {}
                WebhookTaken::Unknown => keep(doors, provider.name(), event_id, &body).await?,
                WebhookTaken::Unavailable(why) => return Err(Problem::unavailable(why)),
            }
        }
        Ok(WebhookReading::Hint { id }) => {
            let key = Key {
                app: doors.app.clone(),
                id,
            };
            tracing::info!(%key, provider = provider.name(), "webhook without proof, taken as a hint");
            // A hint that finds no room is not worth keeping: the armed inquiry asks anyway.
            let _ = doors.house.router.send(
                key,
                Call::Hint {
                    provider: provider.name().to_owned(),
                },
            );
        }
        Err(WebhookRejected::Unreadable(why)) => return Err(Problem::unreadable_webhook(why)),
    }
    Ok(HttpResponse::Ok().finish())
}

/// A trusted webhook for something that we don't know is kept, durably, before it is acknowledged.
async fn keep(doors: &Doors, provider: &str, event_id: String, body: &[u8]) -> Result<(), Problem> {
    let unmatched = Unmatched {
        provider: provider.to_owned(),
        event_id,
        received_at: doors.house.clock.now().wall,
        body: String::from_utf8_lossy(body).into_owned(),
    };
    tracing::warn!(provider, event_id = %unmatched.event_id, "trusted webhook for an unknown transaction, kept");
    doors
        .house
        .journal
        .keep_unmatched(unmatched)
        .await
        .map_err(|error| match error {
            AppendError::Unavailable(why) => Problem::unavailable(why),
            other @ (AppendError::Exists | AppendError::VersionConflict) => {
                Problem::unavailable(other.to_string())
            }
        })
}
