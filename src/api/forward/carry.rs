//! One request on its way to another node, and the answer on its way back.

use std::pin::Pin;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use futures_util::Stream;

use super::Neighbours;
use super::envelope::{Message, Passport};

/// The headers of a request that its door looks at, and the trace. Everything else stays behind.
const CARRIED: [&str; 7] = [
    "accept",
    "content-type",
    "if-match",
    "if-none-match",
    "last-event-id",
    "prefer",
    "traceparent",
];
/// The headers of an answer that mean something to a client.
const PASSED_BACK: [&str; 10] = [
    "allow",
    "cache-control",
    "content-type",
    "etag",
    "location",
    "preference-applied",
    "retry-after",
    "www-authenticate",
    "x-accel-buffering",
    "link",
];
/// An answer that has begun and then is silent for this long has lost its sender: events have a
/// heartbeat every 15 s, everything else comes in one piece.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// A request to another node.
pub(super) struct Errand<'a> {
    /// The node's URL, without a slash at the end.
    pub(super) to: &'a str,
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: &'a str,
    /// Of [`CARRIED`].
    pub(super) headers: Vec<(&'static str, Vec<u8>)>,
    pub(super) passport: Passport,
    pub(super) body: Bytes,
    /// Until the answer's head.
    pub(super) answer_within: Duration,
}

/// Resolves when an answer is not worth waiting for any more.
type Gone = Pin<Box<dyn Future<Output = ()>>>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreached {
    /// The request never got there.
    #[error("the node was not reached: {0}")]
    Surely(String),
    /// It may have got there.
    #[error("the node did not answer: {0}")]
    Perhaps(String),
}

/// The headers to carry on, in the order of their names; what stands twice, twice.
pub(super) fn carried(headers: &HeaderMap) -> Vec<(&'static str, Vec<u8>)> {
    let all = CARRIED.into_iter().flat_map(|name| {
        let values = headers.get_all(name);
        values.map(move |value| (name, value.as_bytes().to_vec()))
    });
    all.collect()
}

impl Neighbours {
    /// Sends the request, sealed, and waits for the head of the answer.
    pub(super) async fn carry(&self, errand: Errand<'_>) -> Result<reqwest::Response, Unreached> {
        let unsendable = |what: &str| Unreached::Surely(format!("{what} can't be sent"));
        let url = format!("{}{}", errand.to, errand.target);
        let url = reqwest::Url::parse(&url).map_err(|_| unsendable("its URL"))?;
        // What is signed is what goes out: a URL's parser may have written it otherwise.
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut headers = errand.headers;
        if !headers.iter().any(|(name, _)| *name == "accept") {
            // The client would add it, after the sealing.
            headers.insert(0, ("accept", b"*/*".to_vec()));
        }
        let message = Message {
            method: errand.method.as_str(),
            target: &target,
            headers: &headers,
        };
        let sealed = self
            .secrets
            .seal(&message, errand.to, &errand.passport, &errand.body);
        let method = reqwest::Method::from_bytes(errand.method.as_str().as_bytes())
            .map_err(|_| unsendable("its method"))?;
        let mut request = reqwest::Request::new(method, url);
        let fields = request.headers_mut();
        for (name, value) in headers {
            let value = reqwest::header::HeaderValue::from_bytes(&value)
                .map_err(|_| unsendable("a header"))?;
            fields.append(name, value);
        }
        let mut authorization = reqwest::header::HeaderValue::from_str(&sealed)
            .map_err(|_| unsendable("its envelope"))?;
        authorization.set_sensitive(true);
        fields.insert(reqwest::header::AUTHORIZATION, authorization);
        if !errand.body.is_empty() || errand.method != Method::GET {
            *request.body_mut() = Some(errand.body.into());
        }
        match tokio::time::timeout(errand.answer_within, self.http.execute(request)).await {
            // A caller's rights are checked before and after, never by 401: it is this node itself that
            // was not believed, which is no news for a client.
            Ok(Ok(answer)) if answer.status() == reqwest::StatusCode::UNAUTHORIZED => {
                Err(Unreached::Surely(
                    "it does not believe that this is a node: do all nodes share a secret, and is each reached by \
                     the URL that it advertises?"
                        .to_owned(),
                ))
            }
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_connect() => {
                Err(Unreached::Surely("no connection".to_owned()))
            }
            Ok(Err(error)) => Err(Unreached::Perhaps(error.without_url().to_string())),
            Err(_) => Err(Unreached::Perhaps("the time is over".to_owned())),
        }
    }
}

/// Hands another node's answer on, piece by piece as it comes, and breaks it off when `gone` resolves:
/// another node speaks for the transaction from then on.
pub(super) fn pass_back(
    answer: reqwest::Response,
    gone: impl Future<Output = ()> + 'static,
) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for name in PASSED_BACK {
        for value in answer.headers().get_all(name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                response.append_header((HeaderName::from_static(name), value));
            }
        }
    }
    if status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT {
        return response.finish();
    }
    match answer.content_length() {
        Some(length) => response.body(SizedStream::new(length, pieces(answer, gone))),
        None => response.streaming(pieces(answer, gone)),
    }
}

/// The whole body of an answer, if it comes whole and has no more than this many bytes.
pub(super) async fn whole(mut answer: reqwest::Response, max_bytes: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.ok()? {
        if body.len() + piece.len() > max_bytes {
            return None;
        }
        body.extend_from_slice(&piece);
    }
    Some(body)
}

/// The body of an answer. One that breaks off ends with an error, so that the client sees that it is
/// not whole.
fn pieces(
    answer: reqwest::Response,
    gone: impl Future<Output = ()> + 'static,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + 'static {
    let next = |(mut answer, mut gone): (reqwest::Response, Gone)| async move {
        let piece = tokio::time::timeout(SILENCE_MAX, answer.chunk());
        let piece = tokio::select! {
            piece = piece => match piece {
                Ok(Ok(piece)) => Ok(piece?),
                Ok(Err(error)) => Err(std::io::Error::other(error.without_url())),
                Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
            },
            () = &mut gone => Err(std::io::ErrorKind::ConnectionAborted.into()),
        };
        Some((piece, (answer, gone)))
    };
    Box::pin(futures_util::stream::unfold(
        (answer, Box::pin(gone) as Gone),
        next,
    ))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_what_a_door_looks_at_is_carried_on() {
        let request = TestRequest::default()
            .append_header(("Prefer", "wait=5"))
            .append_header(("Prefer", "respond-async"))
            .append_header(("Authorization", "Bearer tlr_app_k_s"))
            .append_header(("Cookie", "a=b"))
            .append_header(("If-Match", "\"v3\""))
            .to_http_request();
        let carried = carried(request.headers());
        let carried: Vec<(&str, &str)> = carried
            .iter()
            .map(|(name, value)| (*name, std::str::from_utf8(value).expect("a text")))
            .collect();
        assert_eq!(
            carried,
            [
                ("if-match", "\"v3\""),
                ("prefer", "wait=5"),
                ("prefer", "respond-async"),
            ]
        );
    }
}
