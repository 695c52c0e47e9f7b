//! A thread that serves HTTP.
//!
//! The server gets a thread and a runtime of its own, so that it can be started from any runtime
//! (or none), is not slowed by a test that blocks its thread, and sees real time even where the
//! caller's time is paused.

use std::net::{IpAddr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use anyhow::Context;
use tokio::sync::oneshot;

/// The largest body that is read: a payment with its payload is a few KiB.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long an idle connection is kept. Longer than a client's usual pool time, so that no client
/// meets a connection that closes under its hands: such faults come on request only.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// What the server's thread reports once: the bound address and how to stop it, or why not.
type Started = anyhow::Result<(SocketAddr, ServerHandle)>;

/// A running HTTP server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Binds, serves what `configure` describes, and returns once connections are accepted.
    pub(crate) async fn start<F>(
        name: &str,
        ip: IpAddr,
        port: u16,
        configure: F,
    ) -> anyhow::Result<Self>
    where
        F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        let (started, starting) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve((ip, port).into(), configure, started))
            .context("starting the server's thread")?;
        let (address, handle) = starting
            .await
            .context("the server's thread ended before it served")??;
        Ok(Self {
            address,
            handle,
            thread: Some(thread),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops at once: open connections are closed, the port is free afterwards.
    pub(crate) async fn stop(mut self) {
        self.handle.stop(false).await;
        if let Some(thread) = self.thread.take() {
            // The thread is ending by itself; joining it elsewhere keeps the caller's runtime free.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The command is sent by the call; only the confirmation would have to be awaited.
        drop(self.handle.stop(false));
    }
}

fn serve<F>(address: SocketAddr, configure: F, started: oneshot::Sender<Started>)
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error).context("building the server's runtime"));
            return;
        }
    };
    runtime.block_on(async move {
        match bind(address, configure) {
            Ok((bound, server)) => {
                // Nobody listening any more means nobody wants the server.
                if started.send(Ok((bound, server.handle()))).is_ok()
                    && let Err(error) = server.await
                {
                    tracing::error!(%error, "the HTTP server failed");
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    });
}

/// Binds; connections are accepted from now on, and served once the server is polled.
fn bind<F>(address: SocketAddr, configure: F) -> anyhow::Result<(SocketAddr, Server)>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let server = HttpServer::new(move || App::new().configure(configure.clone()))
        .workers(1)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .bind(address)
        .with_context(|| format!("listening on {address}"))?;
    let bound = server.addrs();
    let bound = bound.first().context("the server is bound to no address")?;
    Ok((*bound, server.run()))
}
