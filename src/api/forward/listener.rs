//! The listener for other nodes: the doors that need a transaction's owner, what a node tells of
//! itself, and hints. Nobody else comes in, and nothing else is here.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use tracing::Instrument;

use super::envelope::{Claims, Message};
use super::{carry, hints};
use crate::api::{Caller, Doors, body, endpoints, history, operators, problem, transactions};

/// The mark of a request that came from another node.
#[derive(Clone, Debug)]
pub(in crate::api) struct Hop {
    /// Who asked at first; `None` where it is the node itself.
    pub(in crate::api) caller: Option<Caller>,
}

/// Whether a request came from another node.
pub(in crate::api) fn is_hop(request: &HttpRequest) -> bool {
    request.extensions().get::<Hop>().is_some()
}

/// Mounts what other nodes may use. Everything else is 404 to a node, and everything is 401, without
/// a word of why, to whoever can't show that it is one.
pub fn mount_for_nodes(config: &mut ServiceConfig, doors: web::Data<Doors>) {
    let by_command = "/v1/transactions/{id}/{command:cancel|inquire|resubmit|resolve|redeliver}";
    config.app_data(doors).service(
        web::scope("")
            .wrap(from_fn(only_nodes))
            .route("/v1/transactions/{id}", web::get().to(transactions::read))
            .route(
                "/v1/transactions/{id}/events",
                web::get().to(history::events),
            )
            .route(by_command, web::post().to(operators::act))
            .route("/v1/actors", web::get().to(operators::actors))
            .route("/v1/actors/{id}", web::get().to(operators::actor))
            .route("/v1/providers", web::get().to(operators::providers))
            .route("/v1/endpoints", web::get().to(endpoints::list))
            .route(hints::PATH, web::post().to(hints::take))
            .default_service(web::to(problem::no_such_path)),
    );
}

/// Lets in what a node has sealed, with the caller for whom it asks.
async fn only_nodes(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, actix_web::Error> {
    let Some(hop) = opened(&mut request).await else {
        tracing::warn!(
            path = request.path(),
            "something that is no node was turned away at the nodes' listener"
        );
        let refused = request.into_response(HttpResponse::Unauthorized().finish());
        return Ok(refused.map_into_right_body());
    };
    let span = hop
        .caller
        .as_ref()
        .map_or_else(tracing::Span::none, Caller::span);
    request.extensions_mut().insert(hop);
    let answer = next.call(request).instrument(span).await?;
    Ok(answer.map_into_left_body())
}

/// The hop, if the envelope is genuine and the body is the one that was sealed.
async fn opened(request: &mut ServiceRequest) -> Option<Hop> {
    let claims = claims(request.request())?;
    let bounds = request.app_data::<web::Data<Doors>>()?.bounds;
    let (head, payload) = request.parts_mut();
    let payload = web::Payload::from_request(head, payload)
        .into_inner()
        .ok()?;
    let body = body::read(head, payload, bounds.body_bytes, bounds.body_deadline)
        .await
        .ok()?;
    if !claims.is_of(&body) {
        return None;
    }
    request.set_payload(Payload::from(body));
    Some(Hop {
        caller: claims.passport.caller(),
    })
}

fn claims(request: &HttpRequest) -> Option<Claims> {
    let doors = request.app_data::<web::Data<Doors>>()?;
    let neighbours = doors.neighbours.as_ref()?;
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let authorization = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let headers = carry::carried(request.headers());
    let message = Message {
        method: request.method().as_str(),
        target: request.uri().path_and_query()?.as_str(),
        headers: &headers,
    };
    neighbours
        .secrets
        .open(&message, &neighbours.here, authorization)
}
