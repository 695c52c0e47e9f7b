//! kill -9 of the real binary at random moments with a hundred transactions in flight, over real
//! sockets, each time followed by the audit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use teller::cli::demo::audit::Promise;
use teller::cli::demo::customer::{Progress, send_all};
use teller::cli::demo::stage::Stage;
use teller::cli::demo::{full_audit, http_client};
use uuid::Uuid;

/// Lanes run side by side, each with its own teller, provider and app …
const LANES: u64 = 4;
/// … and in each the binary is killed this often, on the same data: twenty random moments in all.
const KILLS_PER_LANE: usize = 5;
/// Sent within a quarter of a second, and answered by the provider only after as long at least, so
/// that about all of them are in flight when the blow falls.
const IN_FLIGHT: usize = 100;
const PER_SECOND: f64 = 400.0;
/// At this scale the ghost window is 3 s. A restart takes some 0.2 s, so the window is longer than
/// any pause that this test makes.
const TIME_SCALE: f64 = 40.0;
/// The blow falls within this long after the first request: while requests come in, are out, time
/// out (0.75 s) and are inquired about.
const BLOW_WITHIN_MS: u128 = 1_500;
/// Everything has to be final and told within this long after a blow. Three lost attempts in a row
/// take 10 s; this is for a machine that does ten other things.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn nothing_is_lost_doubled_wrong_or_untold_by_twenty_kills() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let lanes: Vec<_> = (1..=LANES).map(|seed| tokio::spawn(lane(seed))).collect();
        for (lane, seed) in lanes.into_iter().zip(1_u64..) {
            lane.await
                .expect("a lane does not panic")
                .unwrap_or_else(|error| panic!("lane {seed}: {error:#}"));
        }
    });
}

async fn lane(seed: u64) -> anyhow::Result<()> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_teller"));
    let http = http_client()?;
    let mut stage = Stage::set(program, TIME_SCALE, seed).await?;
    let mut promises: Vec<Promise> = Vec::new();
    for blow in 0..KILLS_PER_LANE {
        let numbers = blow * IN_FLIGHT..(blow + 1) * IN_FLIGHT;
        let url = stage.teller_url.clone();
        let sending = tokio::spawn(send_all(
            http.clone(),
            url,
            numbers,
            PER_SECOND,
            Arc::new(Progress::default()),
        ));
        let moment =
            Duration::from_millis(u64::try_from(Uuid::new_v4().as_u128() % BLOW_WITHIN_MS)?);
        tokio::time::sleep(moment).await;
        stage.kill_teller().await?;
        stage.start_teller().await?;
        promises.extend(sending.await??);
        let context = || {
            format!(
                "blow {blow} after {moment:?}, files in {}",
                stage.directory().display()
            )
        };
        settle(&http, &stage, &promises)
            .await
            .with_context(context)?;
    }
    stage.strike(false).await
}

/// Waits until the audit is clean. What must never be is not waited for: it fails at once.
async fn settle(http: &reqwest::Client, stage: &Stage, promises: &[Promise]) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLE_DEADLINE;
    loop {
        let verdict = full_audit(http, stage, promises).await?;
        ensure!(
            verdict.lost == 0 && verdict.executed_twice == 0,
            "{verdict:?}"
        );
        if verdict.is_clean() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not clean in time: {verdict:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
