//! When a request's first byte could have left.
//!
//! hyper asks a request's body for its first piece only once a connection stands, right after it
//! has put the head into its buffer and before it flushes either. A body that was never asked is
//! therefore a request of which no byte was written, and the moment of the first question is the
//! moment from which the provider may know of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::clock::Clock;
use crate::ports::{NotPermitted, SendPermission};
use crate::transaction::Mono;

/// No moment of the monotonic clock: it would be reached after half a billion years.
const NEVER: u64 = u64::MAX;

/// Knows when the body that it was made with was first asked for.
#[derive(Clone, Debug)]
pub(super) struct Probe(Arc<Seen>);

#[derive(Debug)]
struct Seen {
    first_asked: AtomicU64,
    withheld: OnceLock<NotPermitted>,
}

impl Probe {
    /// When the first byte could have left; `None` if none did.
    pub(super) fn sent_at(&self) -> Option<Mono> {
        match self.0.first_asked.load(Ordering::Acquire) {
            NEVER => None,
            millis => Some(Mono::from_millis(millis)),
        }
    }

    /// Why the body was not permitted to go when it was asked for, and so kept the whole request back.
    pub(super) fn withheld(&self) -> Option<NotPermitted> {
        self.0.withheld.get().copied()
    }
}

/// A request's body that notes the time when it is first asked for. It gives its bytes once, so that
/// no layer below can send them twice; and only while it is permitted. Else hyper drops the connection with
/// the head still in its buffer.
#[derive(Debug)]
pub(super) struct ProbedBody {
    left: Option<Bytes>,
    clock: Clock,
    permission: SendPermission,
    probe: Probe,
}

impl ProbedBody {
    /// A body of these bytes, and the probe that watches it. Not for empty bodies: those are never
    /// asked for.
    pub(super) fn new(bytes: Bytes, clock: Clock, permission: SendPermission) -> (Self, Probe) {
        let probe = Probe(Arc::new(Seen {
            first_asked: AtomicU64::new(NEVER),
            withheld: OnceLock::new(),
        }));
        let body = Self {
            left: Some(bytes),
            clock,
            permission,
            probe: probe.clone(),
        };
        (body, probe)
    }
}

impl Body for ProbedBody {
    type Data = Bytes;
    type Error = NotPermitted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NotPermitted>>> {
        if self.left.is_some()
            && let Err(why) = self.permission.check()
        {
            // The first refusal stays.
            let _ = self.probe.0.withheld.set(why);
            return Poll::Ready(Some(Err(why)));
        }
        let now = self.clock.mono().as_millis();
        // A later question must not move the moment.
        let _ = self.probe.0.first_asked.compare_exchange(
            NEVER,
            now,
            Ordering::Release,
            Ordering::Relaxed,
        );
        Poll::Ready(self.left.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.as_ref().is_none_or(Bytes::is_empty)
    }

    /// Exact, so that hyper states a length instead of sending chunks.
    fn size_hint(&self) -> SizeHint {
        let left = self.left.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
    }
}
