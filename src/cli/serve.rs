//! `teller serve`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::supervisor::Supervisor;
use super::{JOURNAL_FAILED, ServeArguments};
use crate::app::{Application, Ended};
use crate::config::Config;
use crate::telemetry;

pub(super) fn serve(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let _flushes_at_the_end = telemetry::start();
    let config = Config::load(&arguments.config.config, arguments.overrides())?;
    actix_web::rt::System::new().block_on(async {
        let application = Application::build(&config).await?;
        // A parent reads the port here when it asked for a free one.
        let mut stdout = std::io::stdout();
        writeln!(stdout, "listening on http://{}", application.address())?;
        stdout.flush()?;
        let router = application.house().router.clone();
        let supervisor = Supervisor::find(router, application.address())?;
        if let Some(supervisor) = supervisor.clone() {
            actix_web::rt::spawn(supervisor.attend());
        }
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be caught")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be caught")?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if let Some(supervisor) = supervisor {
                supervisor.stops();
            }
        };
        match application.run_until(stop).await? {
            Ended::Drained => Ok(ExitCode::SUCCESS),
            Ended::JournalFailed(why) => {
                eprintln!(
                    "teller: the journal failed: {why}. Nothing was acknowledged that is not durable. Mend the disk, \
                     then start teller again: it recovers by itself."
                );
                Ok(ExitCode::from(JOURNAL_FAILED))
            }
        }
    })
}
