//! `teller demo`: the whole, played through on real processes, with a SIGKILL in the middle, and
//! audited at the end against the provider's ledger and what the app was told.

pub mod audit;
pub mod customer;
pub mod observer;
mod report;
pub mod stage;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use super::FAILED;
use crate::adapters::provider::{ClientSettings, client};
use audit::{Promise, Verdict};
use customer::Progress;
use report::Show;
use stage::Stage;

/// How often the stage is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Without a change in the counts for this long in unscaled time, the demo gives up: three ghost
/// windows, which is longer than any healthy transaction stays silent.
const STALL_UNSCALED_S: f64 = 360.0;
/// … and never sooner than this.
const STALL_MIN: Duration = Duration::from_secs(20);

/// What the demo can be told.
#[derive(Args)]
pub(super) struct DemoArguments {
    /// How many transactions.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    transactions: u32,
    /// How many a second, in real time.
    #[arg(long, default_value_t = 40.0)]
    rate: f64,
    /// By how much the provider's and teller's times are divided.
    #[arg(long, default_value_t = 20.0)]
    time_scale: f64,
    /// What the provider's draws derive from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stay up afterwards and print the URLs.
    #[arg(long)]
    keep: bool,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn demo(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    if !(arguments.rate > 0.0 && arguments.rate <= 10_000.0) {
        bail!(
            "--rate has to be more than 0 and at most 10000; it is {}",
            arguments.rate
        );
    }
    if !(arguments.time_scale >= 1.0 && arguments.time_scale <= 100.0) {
        // Over 100 the ghost window shrinks to the length of a restart.
        bail!(
            "--time-scale has to be 1 to 100; it is {}",
            arguments.time_scale
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(play(arguments))
}

async fn play(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let total = arguments.transactions as usize;
    let http = http_client()?;
    let program = std::env::current_exe().context("the program can't find itself")?;
    let mut stage = Stage::set(program, arguments.time_scale, arguments.seed).await?;
    let mut show = Show::start(total);
    show.say(&format!(
        "teller {}  provider {}  app {}",
        stage.teller_url, stage.provider_url, stage.app_url
    ));
    let played = perform(arguments, &http, &mut stage, &mut show).await;
    show.end();
    let (verdict, restarts) = match played {
        Ok(played) => played,
        Err(error) => {
            eprintln!("the logs are in {}", stage.directory().display());
            stage.strike(true).await?;
            return Err(error);
        }
    };
    if arguments.json {
        report::print_json(&verdict, restarts)?;
    } else {
        report::print_table(&verdict, restarts, began.elapsed())?;
    }
    if arguments.keep {
        eprintln!(
            "still up: teller {}, provider {}, app {}",
            stage.teller_url, stage.provider_url, stage.app_url
        );
        eprintln!("files in {}; Ctrl-C ends it", stage.directory().display());
        tokio::signal::ctrl_c().await?;
    }
    let clean = verdict.is_clean();
    if !clean {
        eprintln!("the logs are in {}", stage.directory().display());
    }
    stage.strike(!clean).await?;
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// Sends, kills in the middle, waits for the end, audits.
async fn perform(
    arguments: &DemoArguments,
    http: &reqwest::Client,
    stage: &mut Stage,
    show: &mut Show,
) -> anyhow::Result<(Verdict, u32)> {
    let total = arguments.transactions as usize;
    let progress = Arc::new(Progress::default());
    let sending = customer::send_all(
        http.clone(),
        stage.teller_url.clone(),
        0..total,
        arguments.rate,
        Arc::clone(&progress),
    );
    let mut sending = tokio::spawn(sending);
    let mut promises: Option<Vec<Promise>> = None;
    let mut restarts = 0;
    let mut stall = Stall::new(arguments.time_scale);
    loop {
        if restarts == 0 && progress.answered.load(Ordering::Relaxed) * 2 >= total {
            stage.kill_teller().await?;
            show.say("killed teller with SIGKILL; starting it again");
            stage.start_teller().await?;
            restarts += 1;
        }
        if !stage.teller_runs() {
            bail!("teller stopped by itself");
        }
        let counts = observer::counts(http, &stage.teller_url)
            .await
            .unwrap_or_default();
        show.update(progress.sent.load(Ordering::Relaxed), &counts);
        if promises.is_none() && sending.is_finished() {
            promises = Some((&mut sending).await??);
        }
        if let Some(promises) = &promises
            && report::ended(&counts) >= total
            && let Some(verdict) = audit_now(http, stage, promises).await?
        {
            return Ok((verdict, restarts));
        }
        if stall.is_over(&counts) {
            show.say("nothing has changed for three ghost windows; the audit says what is missing");
            let promises = promises.unwrap_or_default();
            return Ok((full_audit(http, stage, &promises).await?, restarts));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The verdict, once the app has heard of everything too.
async fn audit_now(
    http: &reqwest::Client,
    stage: &Stage,
    promises: &[Promise],
) -> anyhow::Result<Option<Verdict>> {
    let verdict = full_audit(http, stage, promises).await?;
    Ok((verdict.untold == 0).then_some(verdict))
}

/// The client with which the demo's customer and audit speak.
///
/// # Errors
/// When no client can be made.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    let connect_time_out = Duration::from_secs(5);
    Ok(client(ClientSettings {
        connect_time_out,
        pool_idle_per_host: 64,
        speaks_tls: false,
    })?)
}

/// Asks everybody and compares.
///
/// # Errors
/// When somebody does not answer.
pub async fn full_audit(
    http: &reqwest::Client,
    stage: &Stage,
    promises: &[Promise],
) -> anyhow::Result<Verdict> {
    let claims = observer::claims(http, &stage.teller_url, promises).await?;
    let ledger = observer::ledger(http, &stage.provider_url).await?;
    let notifications = observer::notifications(http, &stage.app_url).await?;
    Ok(audit::audit(
        promises,
        &claims,
        &ledger,
        &notifications,
        &stage::words(),
    ))
}

/// Notices that nothing changes any more.
struct Stall {
    patience: Duration,
    last: observer::Counts,
    since: Instant,
}

impl Stall {
    fn new(time_scale: f64) -> Self {
        let patience = Duration::from_secs_f64(STALL_UNSCALED_S / time_scale).max(STALL_MIN);
        Self {
            patience,
            last: observer::Counts::new(),
            since: Instant::now(),
        }
    }

    fn is_over(&mut self, counts: &observer::Counts) -> bool {
        if self.last != *counts {
            self.last.clone_from(counts);
            self.since = Instant::now();
        }
        self.since.elapsed() > self.patience
    }
}
