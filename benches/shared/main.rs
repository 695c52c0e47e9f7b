//! Durable acceptances per second over a store of the network, beside the embedded journal in the same
//! run, and beside what `redis-benchmark` gets out of that very server with as many writes in as deep a
//! pipeline.
//!
//! The store is a `redis-server` on this machine with `appendonly yes` and `appendfsync always`, in the
//! directory for temporary files (`TMPDIR`), which should be on the same disk as `--dir`. An acceptance is one Function call; how many
//! writing commands it makes, and how many calls come in one read of the server, is taken from the
//! server's own counters during the run, and `redis-benchmark` is then given the same: plain `SET`s of as
//! many bytes, so deep in the pipeline, over as many connections.
//!
//! `cargo bench --bench shared [-- --rounds 5 --seconds 4 --dir DIRECTORY]`

#![allow(clippy::print_stdout, reason = "a benchmark's figures are its output")]

#[path = "../accept/disk.rs"]
mod disk;
#[path = "../accept/load.rs"]
mod load;
#[path = "../../tests/it/support/redis.rs"]
mod redis_server;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use teller::app::Application;
use teller::config::{Config, Overrides};

use redis_server::{Server, info};

/// Connections of the load generator.
const CONNECTIONS: usize = 64;
/// Workers of each server: one per core of the machine that the comparison was made for.
const WORKERS: usize = 2;
/// Connections of teller that write.
const WRITERS: usize = 2;
/// The writing commands of one acceptance by its owner: the records, the snapshot, the position, and the
/// indexes of status and of what is open.
const WRITES_PER_ACCEPTANCE: f64 = 5.0;
/// A server has to own everything within this long.
const READY_WITHIN: Duration = Duration::from_secs(30);

struct Settings {
    rounds: usize,
    phase: Duration,
    directory: PathBuf,
}

/// What one round brought, in acceptances a second.
struct Round {
    embedded: f64,
    shared: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Calls in one read of the server.
    depth: f64,
    /// Bytes of one call.
    bytes: f64,
    /// `SET`s a second.
    sets: f64,
}

fn main() -> anyhow::Result<()> {
    let settings = settings()?;
    disk::refuse_memory(&settings.directory)?;
    let fsync = disk::fsync_time(&settings.directory)?;
    println!(
        "disk: fsync of one 4 KiB page takes {:.2} ms (median of 31); {CONNECTIONS} connections",
        fsync.as_secs_f64() * 1000.0
    );
    // Its files lie in the directory for temporary ones, which has to be on a disk too.
    let store = Server::redis(&[]);
    disk::refuse_memory(store.dir())?;
    let provider = silent_provider()?;
    let embedded = teller(&settings.directory, "embedded", &provider, "")?;
    let on_store = format!(
        "[redis]\nurl = \"{}\"\nconnections = {WRITERS}\n[cluster]\nnode = \"bench\"\nlisten = \"127.0.0.1:0\"\n\
         secret = {{ file = \"nodes.key\" }}\n",
        store.url()
    );
    let shared = teller(&settings.directory, "shared", &provider, &on_store)?;
    let mut rounds = Vec::new();
    for number in 0..=settings.rounds {
        let round = round(&settings, &store, embedded, shared)?;
        println!(
            "round {number}: embedded {:.0}/s, over the store {:.0}/s, {:.0} SET/s {:.0} deep{}",
            round.embedded,
            round.shared,
            round.sets,
            round.depth,
            if number == 0 {
                " (warm-up, not counted)"
            } else {
                ""
            }
        );
        if number > 0 {
            rounds.push(round);
        }
    }
    report(&rounds);
    Ok(())
}

fn round(
    settings: &Settings,
    store: &Server,
    embedded: SocketAddr,
    shared: SocketAddr,
) -> anyhow::Result<Round> {
    let alone = load::run(embedded, CONNECTIONS, settings.phase)?;
    let before = Counters::of(store);
    let together = load::run(shared, CONNECTIONS, settings.phase)?;
    let after = Counters::of(store);
    let calls = after.calls - before.calls;
    let depth = (calls / (after.reads - before.reads)).max(1.0);
    let bytes = (after.bytes_in - before.bytes_in) / calls;
    let sets = redis_benchmark(store, depth.round() as u32, bytes as u32, settings.phase)?;
    Ok(Round {
        embedded: alone.per_second,
        shared: together.per_second,
        p50_ms: together.p50_ms,
        p99_ms: together.p99_ms,
        depth,
        bytes,
        sets,
    })
}

/// What the server has counted.
struct Counters {
    calls: f64,
    reads: f64,
    bytes_in: f64,
}

impl Counters {
    fn of(store: &Server) -> Self {
        let number = |field: &str| info(store, field).parse().unwrap_or(0.0);
        let stats = store.text(&["INFO", "commandstats"]);
        let calls = stats
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_fcall:calls="))
            .and_then(|rest| rest.split(',').next()?.parse().ok());
        Self {
            calls: calls.unwrap_or(0.0),
            reads: number("total_reads_processed"),
            bytes_in: number("total_net_input_bytes"),
        }
    }
}

/// `SET`s a second of random keys, with values that make a command as long as one of teller's calls.
fn redis_benchmark(store: &Server, depth: u32, bytes: u32, phase: Duration) -> anyhow::Result<f64> {
    let run = |count: u64| -> anyhow::Result<f64> {
        let output = Command::new("redis-benchmark")
            .args(["-p", &store.port().to_string()])
            .args(["-c", &WRITERS.to_string(), "-P", &depth.to_string()])
            .args(["-d", &bytes.to_string(), "-n", &count.to_string()])
            .args(["-r", "1000000", "-t", "set", "--csv"])
            .output()
            .context("redis-benchmark is missing; it comes with redis-server's tools")?;
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().find(|line| line.starts_with("\"SET\""));
        let rate = line.and_then(|line| line.split(',').nth(1)?.trim_matches('"').parse().ok());
        rate.with_context(|| format!("redis-benchmark said: {text}"))
    };
    // A short run says how many fill the phase.
    let rate = run(50_000)?;
    run((rate * phase.as_secs_f64()) as u64)
}

fn report(rounds: &[Round]) {
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    println!(
        "embedded        {:>8.0} acceptances/s",
        of(&|round| round.embedded)
    );
    println!(
        "over the store  {:>8.0} acceptances/s  p50 {:.2} ms  p99 {:.2} ms",
        of(&|round| round.shared),
        of(&|round| round.p50_ms),
        of(&|round| round.p99_ms)
    );
    println!(
        "redis-benchmark {:>8.0} SET/s, {:.0} deep, {:.0} bytes each",
        of(&|round| round.sets),
        of(&|round| round.depth),
        of(&|round| round.bytes)
    );
    println!(
        "ratio to embedded: {:.2}",
        of(&|round| round.shared / round.embedded)
    );
    println!(
        "ratio to redis-benchmark, {WRITES_PER_ACCEPTANCE} writes an acceptance: {:.2}",
        of(&|round| round.shared * WRITES_PER_ACCEPTANCE / round.sets)
    );
    println!(
        "ratio to redis-benchmark, one write an acceptance: {:.2}",
        of(&|round| round.shared / round.sets)
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A whole teller that accepts and whose one submission is never answered.
fn teller(directory: &Path, name: &str, provider: &str, more: &str) -> anyhow::Result<SocketAddr> {
    let directory = directory.join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/providers/reference.toml");
    let held = std::fs::read_to_string(profile)?
        .replace("submissions_at_once = 2000", "submissions_at_once = 1");
    std::fs::write(directory.join("held.toml"), held)?;
    for key in ["nodes.key", "token.key"] {
        std::fs::write(directory.join(key), key.repeat(8))?;
    }
    let text = format!(
        "listen = \"127.0.0.1:0\"\nworkers = {WORKERS}\ndata_dir = \"data\"\n[app]\nname = \"bench\"\n\
         [[provider]]\nprofile = \"held.toml\"\nbase_url = \"{provider}\"\n\
         [webhooks]\ntoken_secret_files = [\"token.key\"]\n\
         [bounds]\nopen_transactions = 50000000\nmax_unfolded = 2000000\n{more}"
    );
    let config = Config::parse(&text, &directory.join("teller.toml"), Overrides::default())?;
    let (started, address) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let application = Application::build(&config).await?;
            started.send(application.address())?;
            application.run_until(std::future::pending()).await?;
            anyhow::Ok(())
        })
    });
    let address = address
        .recv_timeout(READY_WITHIN)
        .with_context(|| format!("{name} did not start"))?;
    wait_until_ready(address)?;
    Ok(address)
}

fn wait_until_ready(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let end = std::time::Instant::now() + READY_WITHIN;
        loop {
            let answer = reqwest::get(format!("http://{address}/readyz")).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(std::time::Instant::now() < end, "never ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

/// Takes connections and never answers, so that one submission is out and all others wait.
fn silent_provider() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let held: Vec<_> = listener.incoming().collect();
        drop(held);
    });
    Ok(format!("http://{address}"))
}

fn settings() -> anyhow::Result<Settings> {
    let mut settings = Settings {
        rounds: 5,
        phase: Duration::from_secs(4),
        directory: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-shared"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--bench" {
            continue;
        }
        let value = arguments
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--rounds" => settings.rounds = value.parse()?,
            "--seconds" => settings.phase = Duration::from_secs(value.parse()?),
            "--dir" => settings.directory = value.into(),
            other => bail!("{other} is not known; there is --rounds, --seconds, --dir"),
        }
    }
    Ok(settings)
}
