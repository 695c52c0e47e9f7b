//! Bodies that arrive badly: torn, closed or dripping.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use tokio::time::Sleep;

use crate::ledger::Answer;

/// How long the first half of a torn answer gets to leave the machine, real time: what is still in
/// the server's buffer when the connection is torn is never sent.
const FLUSH: Duration = Duration::from_millis(20);

/// The pause between two bytes of a dripping answer, unscaled.
pub(crate) const DRIP_GAP_MS: u64 = 100;

/// How a body goes out.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Half of it, then the connection is torn.
    Torn,
    /// Nothing of it, nor of the head: the connection is closed.
    Closed,
    /// One byte, a pause, the next byte.
    Drip(Duration),
}

/// A body with a declared length that it may not live up to.
struct BadBody {
    bytes: Bytes,
    declared: u64,
    pace: Pace,
    pause: Option<Pin<Box<Sleep>>>,
}

/// What the server sees instead of the rest of the body.
#[derive(Debug)]
struct Torn;

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("torn as requested")
    }
}

impl std::error::Error for Torn {}

impl BadBody {
    fn new(mut bytes: Bytes, pace: Pace) -> Self {
        let declared = bytes.len() as u64;
        if matches!(pace, Pace::Torn) {
            bytes.truncate(bytes.len() / 2);
        }
        Self {
            bytes,
            declared,
            pace,
            pause: None,
        }
    }

    fn next_part(&mut self) -> Option<Result<Bytes, Torn>> {
        match self.pace {
            // An error before the first part is met while the head is still in the buffer, and the
            // buffer goes down with the connection.
            Pace::Closed => Some(Err(Torn)),
            Pace::Torn if self.bytes.is_empty() => Some(Err(Torn)),
            Pace::Torn => {
                self.pause = Some(Box::pin(tokio::time::sleep(FLUSH)));
                Some(Ok(std::mem::take(&mut self.bytes)))
            }
            Pace::Drip(_) if self.bytes.is_empty() => None,
            Pace::Drip(gap) => {
                self.pause = Some(Box::pin(tokio::time::sleep(gap)));
                Some(Ok(self.bytes.split_to(1)))
            }
        }
    }
}

impl MessageBody for BadBody {
    type Error = Torn;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.declared)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        Poll::Ready(this.next_part())
    }
}

/// Answers with this body, or spoils it as `answer` says; the pause of a drip is real time.
pub(crate) async fn tell(
    mut usual: HttpResponseBuilder,
    body: String,
    answer: Answer,
    drip_gap: Duration,
) -> HttpResponse {
    match answer {
        Answer::Ok | Answer::Timeout | Answer::Error500 | Answer::Refuse503 | Answer::Refuse429 => {
            usual.body(body)
        }
        Answer::Reset => usual.body(BadBody::new(body.into(), Pace::Torn)),
        Answer::Garbage => usual.body("<html>everything is fine"),
        Answer::Drip => usual.body(BadBody::new(body.into(), Pace::Drip(drip_gap))),
        Answer::Hang => std::future::pending().await,
        Answer::Close => closed(),
    }
}

/// The connection closed in place of an answer.
pub(crate) fn closed() -> HttpResponse {
    HttpResponse::Ok().body(BadBody::new(
        Bytes::from_static(b"never sent"),
        Pace::Closed,
    ))
}
