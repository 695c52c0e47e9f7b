//! Who asks, and which doors that opens.
//!
//! ```text
//!                      no keys configured     app's key            operator's key     neither
//!   ask for, cancel    open                   its own              cancel any         401
//!   read, list         open                   its own, else 404    any                401
//!   operators' doors   open                   403                  open               401
//!   webhooks, health   open                   open                 open               open
//! ```
//!
//! An id is unique within one app only, so an operator names the app by `?app=` where there are
//! several.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::Deserialize;
use tracing::Instrument;

use super::forward::Hop;
use super::keys::{KeyId, Keys, Role};
use super::{Doors, Problem, intake};
use crate::transaction::{AppId, Key};

/// How callers show who they are.
#[derive(Clone, Debug)]
pub enum Access {
    /// Not at all: there is one app, and whoever reaches a door may use it.
    Open(AppId),
    /// Each by a key.
    Keys(Keys),
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// An app, by its key.
    App {
        /// Which.
        app: AppId,
        /// Its key's id.
        key: KeyId,
    },
    /// A person, by an operator's key.
    Operator {
        /// The key's id.
        key: KeyId,
    },
    /// Anybody, while there are no keys; they mean the only app.
    Open(AppId),
}

/// A caller who may use the operators' doors.
pub(super) struct Operator(pub(super) Caller);

/// The query by which an app is named.
#[derive(Deserialize)]
struct Named {
    app: Option<String>,
}

impl Access {
    /// Who sends this request.
    fn identify(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        let keys = match self {
            Self::Open(app) => return Ok(Caller::Open(app.clone())),
            Self::Keys(keys) => keys,
        };
        let mut values = request.headers().get_all(header::AUTHORIZATION);
        let value = values.next().ok_or_else(Problem::no_key)?;
        if values.next().is_some() {
            return Err(Problem::unknown_key());
        }
        let (scheme, key) = value
            .to_str()
            .ok()
            .and_then(|value| value.trim().split_once(' '))
            .ok_or_else(Problem::no_key)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::no_key());
        }
        let (id, role) = keys.find(key.trim()).ok_or_else(Problem::unknown_key)?;
        Ok(match role {
            Role::App(app) => Caller::App {
                app: app.clone(),
                key: id.clone(),
            },
            Role::Operator => Caller::Operator { key: id.clone() },
        })
    }
}

/// Handles a request within a span that says by which key it came. What is not known by a key is
/// refused at the door that needs one, not here: health and webhooks need none.
///
/// # Errors
/// What the door answers.
pub async fn in_a_span(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let span = match Caller::of(request.request()) {
        Ok(Caller::Open(_)) | Err(_) => tracing::Span::none(),
        Ok(caller) => {
            let span = caller.span();
            request.extensions_mut().insert(caller);
            span
        }
    };
    next.call(request).instrument(span).await
}

impl Caller {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let extensions = request.extensions();
        // A node's own errands have no caller, and must not become anybody's by a key or its lack.
        if let Some(hop) = extensions.get::<Hop>() {
            return hop.caller.clone().ok_or_else(Problem::no_key);
        }
        if let Some(known) = extensions.get::<Self>() {
            return Ok(known.clone());
        }
        drop(extensions);
        match request.app_data::<web::Data<Doors>>() {
            Some(doors) => doors.access.identify(request),
            None => Err(Problem::no_key()),
        }
    }

    pub(super) fn span(&self) -> tracing::Span {
        match self {
            Self::App { app, key } => {
                tracing::info_span!("request", role = "app", %app, %key)
            }
            Self::Operator { key } => tracing::info_span!("request", role = "operator", %key),
            Self::Open(_) => tracing::Span::none(),
        }
    }

    /// The app that asks for a transaction.
    pub(super) fn asking(&self) -> Result<&AppId, Problem> {
        match self {
            Self::App { app, .. } | Self::Open(app) => Ok(app),
            Self::Operator { .. } => Err(Problem::wrong_role(
                "an operator's key asks for no transactions; the app that wants one uses its own key",
            )),
        }
    }

    /// Checks that the operators' doors are open to this caller.
    pub(super) fn expect_operator(&self) -> Result<(), Problem> {
        match self {
            Self::Operator { .. } | Self::Open(_) => Ok(()),
            Self::App { .. } => Err(Problem::wrong_role(
                "this door is the operators'; an app's key does not open it",
            )),
        }
    }

    /// The transaction that the request means by `id`.
    pub(super) fn key(
        &self,
        doors: &Doors,
        request: &HttpRequest,
        id: &str,
    ) -> Result<Key, Problem> {
        let id = intake::id(id, "path:id")?;
        let named = web::Query::<Named>::from_query(request.query_string())
            .map_err(|error| Problem::invalid_field("query", error.to_string()))?
            .into_inner()
            .app;
        let named = named.as_deref().map(app_name).transpose()?;
        let app = match (self, named) {
            (Self::App { app, .. } | Self::Open(app), None) => app.clone(),
            // Whether somebody else has such a transaction is none of this caller's business.
            (Self::App { app, .. } | Self::Open(app), Some(named)) if *app != named => {
                return Err(Problem::unknown_transaction(id));
            }
            (_, Some(named)) => named,
            (Self::Operator { .. }, None) => doors
                .only_app()
                .cloned()
                .ok_or_else(|| Problem::app_not_named(&doors.apps))?,
        };
        Ok(Key { app, id })
    }

    /// The app that a list is about, given the one that its query names; `None` for all of them.
    pub(super) fn listing(&self, named: Option<&str>) -> Result<Option<AppId>, Problem> {
        let named = named.map(app_name).transpose()?;
        match self {
            Self::Operator { .. } | Self::Open(_) => Ok(named),
            Self::App { app, .. } if named.as_ref().is_none_or(|named| named == app) => {
                Ok(Some(app.clone()))
            }
            Self::App { app, .. } => Err(Problem::wrong_role(format!(
                "an app's key lists its own transactions; leave app out, or say app={app}"
            ))),
        }
    }

    /// Who acts, for the transaction's history: what they call themselves, and by which key they came.
    pub(super) fn signed(&self, by: Option<String>) -> Option<String> {
        let (role, key) = match self {
            Self::Open(_) => return by,
            Self::App { key, .. } => ("app", key),
            Self::Operator { key } => ("operator", key),
        };
        Some(match by {
            Some(by) => format!("{by} ({role} key {key})"),
            None => format!("{role} key {key}"),
        })
    }
}

fn app_name(text: &str) -> Result<AppId, Problem> {
    AppId::parse(text).map_err(|why| Problem::invalid_field("query:app", why))
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Caller::of(request).and_then(|caller| {
            caller.expect_operator()?;
            Ok(Self(caller))
        }))
    }
}
