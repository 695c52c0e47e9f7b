//! The doors: apps, providers' webhooks, operators.
//!
//! Handlers only translate: a request becomes a call to a transaction's actor, its answer becomes
//! JSON. Every error is problem+json and is worded in [`problem`] alone.

mod auth;
mod binding;
pub mod body;
mod endpoints;
mod evidence;
pub mod forward;
mod health;
mod history;
mod idempotency;
mod inbox;
mod intake;
pub mod keys;
pub mod letters;
mod nodes;
mod operators;
mod prefer;
mod problem;
mod review;
pub mod routing;
mod transactions;
mod view;
mod webhooks;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::Resource;
use actix_web::web::{self, ServiceConfig};

pub use auth::{Access, Caller, in_a_span};
pub use problem::Problem;

use forward::Neighbours;
use routing::Routes;

use crate::actors::House;
use crate::ports::{ClusterView, Endpoints};
use crate::transaction::AppId;

/// Bounds of the doors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DoorBounds {
    /// Bytes of a request's body, at most.
    pub body_bytes: usize,
    /// Bytes of a webhook's body, at most.
    pub webhook_bytes: usize,
    /// A body has to be whole after this long, however slowly it drips.
    pub body_deadline: Duration,
    /// An acceptance, act or webhook that the journal has not confirmed after this long gets 503.
    pub commit_deadline: Duration,
}

impl Default for DoorBounds {
    fn default() -> Self {
        Self {
            // A payment's request is under 2 KiB; the rest is room for payloads.
            body_bytes: 64 * 1024,
            // Batches of notifications run to some 100 KiB.
            webhook_bytes: 256 * 1024,
            // 64 KiB at the speed of a bad phone line (100 kbit/s) take 5 s.
            body_deadline: Duration::from_secs(10),
            // A healthy commit takes milliseconds; clients give up after 10 to 30 s.
            commit_deadline: Duration::from_secs(10),
        }
    }
}

/// What the handlers share.
pub struct Doors {
    /// The actors and what they share.
    pub house: Arc<House>,
    /// The apps, one at least.
    pub apps: Vec<AppId>,
    /// Where providers reach the webhooks, without a slash at the end.
    pub public_url: String,
    /// How callers show who they are.
    pub access: Access,
    /// Which provider takes what names none.
    pub routes: Routes,
    /// Providers that are gone for good.
    pub retired: BTreeSet<String>,
    /// Where apps are told.
    pub endpoints: Arc<dyn Endpoints>,
    /// The way to the other nodes, where there are any.
    pub neighbours: Option<Neighbours>,
    /// What is known of them.
    pub cluster: Option<Arc<dyn ClusterView>>,
    /// The bounds.
    pub bounds: DoorBounds,
}

impl Doors {
    /// The app, if there is only one.
    #[must_use]
    pub fn only_app(&self) -> Option<&AppId> {
        match self.apps.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What a webhook is answered whose provider is not configured.
    #[must_use]
    pub fn no_provider(&self, name: &str) -> Problem {
        if self.retired.contains(name) {
            Problem::retired_provider(name)
        } else {
            Problem::unknown_provider(name)
        }
    }
}

/// Mounts every door.
pub fn mount(config: &mut ServiceConfig, doors: web::Data<Doors>) {
    let by_command = "/v1/transactions/{id}/{command:cancel|inquire|resubmit|resolve|redeliver}";
    config
        .app_data(doors)
        .service(
            door(web::resource("/v1/transactions"))
                .route(web::post().to(transactions::submit))
                .route(web::get().to(transactions::list)),
        )
        .service(door(web::resource("/transaction")).route(web::post().to(transactions::submit)))
        .service(
            door(web::resource("/v1/transactions/{id}")).route(web::get().to(transactions::read)),
        )
        .service(
            door(web::resource("/v1/transactions/{id}/events"))
                .route(web::get().to(history::events)),
        )
        .service(door(web::resource(by_command)).route(web::post().to(operators::act)))
        .service(door(web::resource("/v1/actors")).route(web::get().to(operators::actors)))
        .service(door(web::resource("/v1/actors/{id}")).route(web::get().to(operators::actor)))
        .service(door(web::resource("/v1/providers")).route(web::get().to(operators::providers)))
        .service(door(web::resource("/v1/nodes")).route(web::get().to(nodes::list)))
        .service(door(web::resource("/v1/review")).route(web::get().to(review::review)))
        .service(door(web::resource("/v1/inbox")).route(web::get().to(inbox::list)))
        .service(
            door(web::resource(
                "/v1/inbox/{provider}/{event_id}/{command:dismiss}",
            ))
            .route(web::post().to(inbox::dismiss)),
        )
        .service(door(web::resource("/v1/endpoints")).route(web::get().to(endpoints::list)))
        .service(
            door(web::resource(
                "/v1/endpoints/{app}/{command:enable|disable}",
            ))
            .route(web::post().to(endpoints::switch)),
        )
        .service(
            door(web::resource([
                "/webhooks/{provider}",
                "/webhooks/{provider}/{token}",
            ]))
            .route(web::post().to(webhooks::receive))
            .route(web::put().to(webhooks::receive)),
        )
        .service(
            door(web::resource("/webhook"))
                .route(web::post().to(webhooks::receive_from_the_only_provider))
                .route(web::put().to(webhooks::receive_from_the_only_provider)),
        )
        .service(door(web::resource("/livez")).route(web::get().to(health::live)))
        .service(door(web::resource("/readyz")).route(web::get().to(health::ready)))
        .default_service(web::to(problem::no_such_path));
}

/// A path that answers 405 to the methods that it is not given.
fn door(resource: Resource) -> Resource {
    resource.default_service(web::to(problem::method_not_allowed))
}
