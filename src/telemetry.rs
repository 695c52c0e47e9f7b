//! Logs: one line per thing that happened, with fields; for people on a terminal, JSON otherwise.
//!
//! Lines are written by a thread of their own from a bounded queue, so that a slow terminal or pipe
//! never holds a worker. Lines that find the queue full are dropped and counted by its writer.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that may wait for the writer: a second's worth at full load, some 16 MB.
const LINES_WAITING: usize = 64_000;

/// Starts logging to stderr. Keep the guard: dropping it flushes what waits.
pub fn start() -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING)
        .lossy(true)
        .finish(std::io::stderr());
    // actix-http reports every connection that a client tore, as an error; that is the normal case here.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_http=off,actix_server=warn"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // A second start, as tests may do, leaves the first one in place.
    let _ = if std::io::stderr().is_terminal() {
        lines.with_target(false).compact().try_init()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    };
    guard
}
