//! Durable acceptances per second of the real server over HTTP, beside two ceilings in one run:
//! a bare actix-web endpoint with the same body, and the same server on a raw append-only file.
//!
//! Everything shares one machine: the load generator too, on a thread of its own, so the ratios are
//! what counts and the absolute figures are not. Submissions are held by a provider that lets one call
//! out and never answers it. The three servers are loaded in turn, round after round, in an order that
//! changes, and the medians over the rounds are printed.
//!
//! `cargo bench --bench accept [-- --rounds 7 --seconds 4 --rows 1000000 --dir DIRECTORY]`

#![allow(clippy::print_stdout, reason = "a benchmark's figures are its output")]

mod disk;
mod load;
mod servers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use load::Measured;
use servers::{Contender, Servers};

/// What can be set.
struct Settings {
    rounds: usize,
    phase: Duration,
    rows: usize,
    directory: PathBuf,
    /// Loads one server alone, for a profiler.
    only: Option<Contender>,
}

/// Connections of the load generator, as the comparison was defined.
const CONNECTIONS: usize = 64;

fn main() -> anyhow::Result<()> {
    let settings = settings()?;
    disk::refuse_memory(&settings.directory)?;
    let fsync = disk::fsync_time(&settings.directory)?;
    println!(
        "disk: fsync of one 4 KiB page takes {:.2} ms (median of 31)",
        fsync.as_secs_f64() * 1000.0
    );
    let servers = Servers::start(&settings.directory, settings.rows)?;
    println!(
        "{} rows archived; {CONNECTIONS} connections, {} rounds of {} s each",
        settings.rows,
        settings.rounds,
        settings.phase.as_secs()
    );
    let mut measured: Vec<[Measured; 3]> = Vec::new();
    // A first round warms caches and connections and is not counted.
    for round in 0..=settings.rounds {
        let mut results = [
            Measured::default(),
            Measured::default(),
            Measured::default(),
        ];
        for turn in 0..3 {
            let contender = Contender::ALL[(turn + round) % 3];
            if settings.only.is_none_or(|only| only == contender) {
                results[contender as usize] =
                    load::run(servers.address(contender), CONNECTIONS, settings.phase)?;
                servers.settle(contender)?;
            }
        }
        let [bare, raw, teller] = &results;
        println!(
            "round {round}: bare {:.0}/s, raw file {:.0}/s, teller {:.0}/s{}",
            bare.per_second,
            raw.per_second,
            teller.per_second,
            if round == 0 {
                " (warm-up, not counted)"
            } else {
                ""
            }
        );
        if round > 0 {
            measured.push(results);
        }
    }
    report(&measured);
    Ok(())
}

fn report(rounds: &[[Measured; 3]]) {
    for contender in Contender::ALL {
        let of = |value: fn(&Measured) -> f64| {
            median(rounds.iter().map(|round| value(&round[contender as usize])))
        };
        println!(
            "{:<9} {:>8.0}/s  p50 {:>6.2} ms  p99 {:>6.2} ms",
            contender.name(),
            of(|measured| measured.per_second),
            of(|measured| measured.p50_ms),
            of(|measured| measured.p99_ms)
        );
    }
    let ratio = |to: Contender| {
        median(rounds.iter().map(|round| {
            round[Contender::Teller as usize].per_second / round[to as usize].per_second
        }))
    };
    println!("ratio to bare endpoint: {:.2}", ratio(Contender::Bare));
    println!(
        "ratio to raw file journal: {:.2}",
        ratio(Contender::RawFile)
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn settings() -> anyhow::Result<Settings> {
    let mut settings = Settings {
        rounds: 7,
        phase: Duration::from_secs(4),
        rows: 1_000_000,
        directory: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-accept"),
        only: None,
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
            "--rows" => settings.rows = value.parse()?,
            "--dir" => settings.directory = value.into(),
            "--only" => {
                settings.only = Contender::ALL
                    .into_iter()
                    .find(|contender| contender.name() == value)
            }
            other => {
                bail!("{other} is not known; there is --rounds, --seconds, --rows, --dir, --only")
            }
        }
    }
    Ok(settings)
}
