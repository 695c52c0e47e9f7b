//! Reading a body: bounded in size and in time, so that a slow or half-open client holds nothing.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;

use super::Problem;

/// Reads a whole body.
///
/// # Errors
/// 408, 413 or 400 as a [`Problem`].
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    limit_bytes: usize,
    deadline: Duration,
) -> Result<Bytes, Problem> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit_bytes) {
        return Err(Problem::body_too_large(limit_bytes));
    }
    let reading = collect(payload, limit_bytes);
    tokio::time::timeout(deadline, reading)
        .await
        .unwrap_or_else(|_| Err(Problem::body_too_slow(deadline)))
}

async fn collect(mut payload: Payload, limit_bytes: usize) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(Problem::body_incomplete)?;
        if first.len() + rest.len() + chunk.len() > limit_bytes {
            return Err(Problem::body_too_large(limit_bytes));
        }
        // Most bodies come in one piece and need no copy.
        if first.is_empty() && rest.is_empty() {
            first = chunk;
        } else {
            rest.extend_from_slice(&first);
            first = Bytes::new();
            rest.extend_from_slice(&chunk);
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// Checks that the body is declared as JSON.
///
/// # Errors
/// 415 as a [`Problem`].
pub fn expect_json(request: &HttpRequest) -> Result<(), Problem> {
    let declared = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = declared
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        Ok(())
    } else {
        Err(Problem::not_json_type(declared))
    }
}
