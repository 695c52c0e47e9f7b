//! Every error that the doors answer, as RFC 9457 problem+json. The texts stand here and nowhere
//! else: what is wrong, with which field, and the way out.

mod caller;
mod paths;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use uuid::Uuid;

use caller::Challenge;
pub(super) use paths::{method_not_allowed, no_such_path};

use crate::actors::router::Unanswered;
use crate::transaction::{Ignored, Refusal};

/// What a client is told to wait when teller can't say better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One error, ready to be sent.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    challenge: Option<Challenge>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FieldError {
    pub(super) detail: String,
    /// A JSON pointer into the body, or `header:Name`, `query:name`.
    pub(super) pointer: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'a str,
    trace_id: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            allow: None,
            challenge: None,
        }
    }

    fn at(mut self, pointer: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            detail: self.detail.clone(),
            pointer: pointer.into(),
        });
        self
    }

    fn retry(mut self) -> Self {
        self.retry_after = Some(RETRY_AFTER);
        self
    }

    // ---- the request ---------------------------------------------------------------------------------

    pub(super) fn malformed_json(detail: impl fmt::Display) -> Self {
        let detail = format!("the body is not JSON: {detail}");
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            "The body is not JSON",
            detail,
        )
    }

    pub(super) fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_field",
            "A field is not as it should be",
            detail,
        )
        .at(pointer)
    }

    pub(super) fn no_identity() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "no_identity",
            "The request has neither an id nor an idempotency key",
            "give the transaction an \"id\" (a UUID that stays the same when the request is repeated), or send an \
             Idempotency-Key header: without one of them a repeated request would pay twice",
        )
        .at("/id")
    }

    pub(super) fn body_incomplete(detail: impl fmt::Display) -> Self {
        let detail = format!("the body ended early or could not be read: {detail}");
        Self::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "The body is not whole",
            detail,
        )
    }

    pub(super) fn body_too_slow(deadline: Duration) -> Self {
        let detail = format!(
            "the body was not whole after {} s; send it again",
            deadline.as_secs()
        );
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "The body came too slowly",
            detail,
        )
    }

    pub(super) fn body_too_large(limit_bytes: usize) -> Self {
        let detail = format!("the body has more than {limit_bytes} bytes, which is the limit here");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body is too large",
            detail,
        )
    }

    pub(super) fn not_json_type(found: Option<&str>) -> Self {
        let found = found.map_or_else(
            || "none is given".to_owned(),
            |found| format!("it is {found:?}"),
        );
        let detail = format!("Content-Type has to be application/json; {found}");
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body is not declared as JSON",
            detail,
        )
        .at("header:Content-Type")
    }

    // ---- the transaction -----------------------------------------------------------------------------

    pub(super) fn other_payload(id: impl fmt::Display) -> Self {
        let detail = format!(
            "transaction {id} was accepted with another request; it is unchanged. To ask for something else use a new \
             id; to repeat the first request send it exactly as it was"
        );
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "other_payload",
            "This id belongs to another request",
            detail,
        )
        .at("/id")
    }

    pub(super) fn key_of_another(id: impl fmt::Display) -> Self {
        let detail =
            format!("this Idempotency-Key was used before and belongs to transaction {id}");
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key_of_another_transaction",
            "This idempotency key belongs to another transaction",
            detail,
        )
        .at("header:Idempotency-Key")
    }

    pub(super) fn unknown_transaction(id: impl fmt::Display) -> Self {
        let detail = format!("no transaction {id} was ever accepted");
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown_transaction",
            "No such transaction",
            detail,
        )
    }

    pub(super) fn refused(ignored: &Ignored) -> Self {
        let (status, code) = match ignored {
            Ignored::Refused(Refusal::VersionMismatch { .. }) => {
                (StatusCode::PRECONDITION_FAILED, "version_mismatch")
            }
            Ignored::Refused(Refusal::MayBeExecuted { .. }) => {
                (StatusCode::CONFLICT, "may_be_executed")
            }
            Ignored::Refused(Refusal::AlreadyFinal { .. }) => {
                (StatusCode::CONFLICT, "already_final")
            }
            Ignored::Refused(Refusal::NeverSent) => (StatusCode::CONFLICT, "never_sent"),
            Ignored::Refused(Refusal::NoInquiry) => (StatusCode::CONFLICT, "no_inquiry"),
            Ignored::Refused(Refusal::AlreadyQueued) => (StatusCode::CONFLICT, "already_queued"),
            Ignored::Refused(Refusal::NothingToTell) => (StatusCode::CONFLICT, "nothing_to_tell"),
            Ignored::Refused(Refusal::BeingTold) => (StatusCode::CONFLICT, "delivery_out"),
            Ignored::Refused(Refusal::StillOpen { .. }) => (StatusCode::CONFLICT, "still_open"),
            Ignored::Duplicate | Ignored::Late | Ignored::Stale | Ignored::Uninformative => {
                (StatusCode::CONFLICT, "nothing_to_do")
            }
        };
        Self::new(status, code, "This can't be done now", ignored.to_string())
    }

    // ---- operators -----------------------------------------------------------------------------------

    pub(super) fn unknown_endpoint(detail: String) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown_endpoint",
            "Nobody is told there",
            detail,
        )
    }

    // ---- webhooks ------------------------------------------------------------------------------------

    pub(super) fn unknown_provider(name: &str) -> Self {
        let detail = format!("no provider {name:?} is configured");
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown_provider",
            "No such provider",
            detail,
        )
    }

    pub(super) fn retired_provider(name: &str) -> Self {
        let detail =
            format!("the provider {name:?} is not used here any more; send no further webhooks");
        Self::new(
            StatusCode::GONE,
            "retired_provider",
            "This provider is retired",
            detail,
        )
    }

    pub(super) fn several_providers() -> Self {
        let detail = "several providers are configured: use /webhooks/{provider}";
        Self::new(
            StatusCode::NOT_FOUND,
            "several_providers",
            "The webhook does not say whose it is",
            detail,
        )
    }

    pub(super) fn webhook_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Another method is expected",
            "this provider's profile expects its webhooks with another method",
        )
    }

    pub(super) fn webhook_media_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Another form of body is expected",
            format!("this provider's webhooks have Content-Type: {expected}"),
        )
    }

    /// Says nothing of what was expected: whoever can't sign has no use for it.
    pub(super) fn webhook_not_signed() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_signed",
            "The signature doesn't hold",
            "a signature is missing, wrong or too old",
        )
    }

    pub(super) fn unreadable_webhook(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "unreadable_webhook",
            "The webhook can't be read",
            detail,
        )
    }

    // ---- teller --------------------------------------------------------------------------------------

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "teller can't do this now",
            detail,
        )
        .retry()
    }

    pub(super) fn unconfirmed() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unconfirmed",
            "The journal has not confirmed it yet",
            "whether it is durable is not known yet; repeat the same request with the same id, that is safe",
        )
        .retry()
    }

    pub(super) fn moving() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "moving",
            "The transaction is on its way to another node",
            "nobody can speak for this transaction just now, and nothing was done; repeat the same request after the \
             time that Retry-After names",
        )
        .retry()
    }

    pub(super) fn owner_unreachable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "owner_unreachable",
            "The transaction's node does not answer",
            "another node speaks for this transaction and could not be reached; another one takes over within seconds \
             if it is gone. Nothing was done; repeat the same request after the time that Retry-After names",
        )
        .retry()
    }

    pub(super) fn not_ready(why: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "This node takes no requests now",
            why,
        )
        .retry()
    }
}

impl From<Unanswered> for Problem {
    fn from(unanswered: Unanswered) -> Self {
        let code = match unanswered {
            Unanswered::Overloaded => "overloaded",
            Unanswered::NotServing => "not_serving",
            Unanswered::Interrupted => "interrupted",
        };
        let detail =
            format!("{unanswered}; repeat the same request after the time that Retry-After names");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            "teller can't do this now",
            detail,
        )
        .retry()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let trace_id = Uuid::now_v7().simple().to_string();
        let body = Body {
            r#type: format!("urn:teller:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            instance: format!("urn:teller:occurrence:{trace_id}"),
            code: self.code,
            trace_id,
            errors: &self.errors,
        };
        tracing::debug!(status = body.status, code = self.code, trace_id = %body.trace_id, "problem");
        let mut response = HttpResponse::build(self.status);
        response.insert_header((
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        ));
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_secs().to_string()));
        }
        if let Some(challenge) = self.challenge {
            response.insert_header((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge.as_str()),
            ));
        }
        if let Some(allow) = self.allow {
            response.insert_header((
                HeaderName::from_static("allow"),
                HeaderValue::from_static(allow),
            ));
        }
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}
