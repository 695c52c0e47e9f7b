//! A teller in this process, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use teller::actors::House;
use teller::app::{Application, Ended};
use teller::config::Config;
use tokio::sync::oneshot;

/// A running teller. Dropping it stops it.
pub(crate) struct Teller {
    pub(crate) house: Arc<House>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<Ended>>>,
}

impl Teller {
    /// Starts one and waits until it listens.
    pub(crate) async fn start(config: Config) -> Self {
        let (started, start) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let application = Application::build(&config).await?;
                // The test may have given up; then there is nobody to stop this teller but itself.
                let _ = started.send(application.house());
                let stop = async move {
                    let _ = stopped.await;
                };
                application.run_until(stop).await
            })
        });
        match start.await {
            Ok(house) => Self {
                house,
                stop: Some(stop),
                thread: Some(thread),
            },
            Err(_) => panic!("teller did not start: {:?}", thread.join()),
        }
    }

    /// Drains, stops, and says how it ended.
    pub(crate) async fn stop(mut self) -> Ended {
        self.stop.take();
        let thread = self.thread.take().expect("it was started");
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .expect("joining does not panic")
            .expect("teller does not panic")
            .expect("teller drains")
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop.take();
    }
}
