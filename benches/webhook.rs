//! How long a provider waits for the acknowledgement of a signed webhook while apps post transactions
//! as fast as they can: senders cut off at seconds, the bar is 100 ms at the 99th percentile.
//!
//! Everything runs on one machine, the load too. Each webhook concludes a transaction that was just
//! accepted, so each is verified, decided and durable before it is answered. In every round the same
//! webhooks are also sent alone, which shows what the load costs.
//!
//! `cargo bench --bench webhook [-- --rounds 5 --seconds 4 --dir DIRECTORY]`

#![allow(clippy::print_stdout, reason = "a benchmark's figures are its output")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use teller::app::Application;
use teller::config::{Config, Overrides};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

const KEY: &str = "a key that signs webhooks";
/// Connections that post transactions.
const APPS: usize = 48;
/// Connections that send webhooks.
const SENDERS: usize = 16;
/// Accepted ids that wait for their webhook, at most; the rest never get one.
const WAITING_MAX: usize = 100_000;

type Ids = Arc<Mutex<Vec<Uuid>>>;

fn main() -> anyhow::Result<()> {
    let (mut rounds, mut phase) = (5, Duration::from_secs(4));
    let mut directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-webhook");
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--bench" {
            continue;
        }
        let value = arguments
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--rounds" => rounds = value.parse()?,
            "--seconds" => phase = Duration::from_secs(value.parse()?),
            "--dir" => directory = value.into(),
            other => bail!("{other} is not known; there is --rounds, --seconds, --dir"),
        }
    }
    let address = teller(&directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ids = Ids::default();
    let (mut loaded, mut alone) = (Vec::new(), Vec::new());
    // A first round warms caches and connections and is not counted.
    for round in 0..=rounds {
        let (posted, under_load) = runtime.block_on(run(address, &ids, APPS, phase))?;
        let (_, quiet) = runtime.block_on(run(address, &ids, 0, phase))?;
        println!(
            "round {round}: {posted:.0} acceptances/s; webhooks under load {under_load}; alone {quiet}{}",
            if round == 0 {
                " (warm-up, not counted)"
            } else {
                ""
            }
        );
        if round > 0 {
            loaded.push(under_load);
            alone.push(quiet);
        }
    }
    println!("under load, medians: {}", Measured::median(&loaded));
    println!("alone, medians:      {}", Measured::median(&alone));
    Ok(())
}

/// What came of one phase.
#[derive(Clone, Copy)]
struct Measured {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            per_second,
            p50_ms,
            p99_ms,
            longest_ms,
        } = self;
        write!(
            f,
            "{per_second:.0}/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, longest {longest_ms:.0} ms"
        )
    }
}

impl Measured {
    fn of(mut took: Vec<Duration>, phase: Duration) -> Self {
        took.sort_unstable();
        let at = |share: f64| {
            let index = (share * took.len().saturating_sub(1) as f64) as usize;
            took.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
        };
        Self {
            per_second: took.len() as f64 / phase.as_secs_f64(),
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            longest_ms: at(1.0),
        }
    }

    fn median(all: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| {
            let mut values: Vec<f64> = all.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        Self {
            per_second: of(|one| one.per_second),
            p50_ms: of(|one| one.p50_ms),
            p99_ms: of(|one| one.p99_ms),
            longest_ms: of(|one| one.longest_ms),
        }
    }
}

/// Runs both kinds of client for `phase`. Without apps the senders use up what was accepted before.
async fn run(
    address: SocketAddr,
    ids: &Ids,
    apps: usize,
    phase: Duration,
) -> anyhow::Result<(f64, Measured)> {
    let end = Instant::now() + phase;
    let apps: Vec<_> = (0..apps)
        .map(|_| tokio::spawn(app(address, Arc::clone(ids), end)))
        .collect();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| tokio::spawn(sender(address, Arc::clone(ids), end)))
        .collect();
    let (mut posted, mut took) = (0, Vec::new());
    for one in apps {
        posted += one.await??;
    }
    for one in senders {
        took.extend(one.await??);
    }
    Ok((
        posted as f64 / phase.as_secs_f64(),
        Measured::of(took, phase),
    ))
}

async fn app(address: SocketAddr, ids: Ids, end: Instant) -> anyhow::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut posted = 0;
    while Instant::now() < end {
        let id = Uuid::new_v4();
        let body = format!("{{\"id\":\"{id}\",\"payload\":{{\"phone\":\"255700000000\"}}}}");
        send(&mut stream, "/v1/transactions", "", &body, "202").await?;
        posted += 1;
        let mut ids = ids.lock().expect("nobody panics with it");
        if ids.len() < WAITING_MAX {
            ids.push(id);
        }
    }
    Ok(posted)
}

async fn sender(address: SocketAddr, ids: Ids, end: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut took = Vec::new();
    while Instant::now() < end {
        let id = ids.lock().expect("nobody panics with it").pop();
        let Some(id) = id else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let body = format!("{{\"id\":\"{id}\",\"status\":\"completed\",\"event\":\"{id}\"}}");
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any length");
        mac.update(body.as_bytes());
        let signature: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let began = Instant::now();
        let header = format!("x-signature: {signature}\r\n");
        send(&mut stream, "/webhooks/reference", &header, &body, "200").await?;
        took.push(began.elapsed());
    }
    Ok(took)
}

/// Sends one request and reads its whole answer; any other status than `expected` ends the benchmark.
async fn send(
    stream: &mut TcpStream,
    path: &str,
    headers: &str,
    body: &str,
    expected: &str,
) -> anyhow::Result<()> {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: teller\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&answer[..head])?.to_ascii_lowercase();
        if !text.starts_with(&format!("http/1.1 {expected}")) {
            bail!(
                "{path} was answered {}",
                text.lines().next().unwrap_or_default()
            );
        }
        let stated = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if answer.len() >= head + 4 + stated.unwrap_or(0_usize) {
            return Ok(());
        }
    }
}

/// A whole teller on the embedded journal, whose provider takes one submission and never answers it.
fn teller(directory: &Path) -> anyhow::Result<SocketAddr> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    std::fs::create_dir_all(directory)?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let provider = silent.local_addr()?;
    std::thread::spawn(move || {
        let held: Vec<_> = silent.incoming().collect();
        drop(held);
    });
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/providers/reference.toml");
    let profile = std::fs::read_to_string(profile)?
        .replace("submissions_at_once = 2000", "submissions_at_once = 1")
        .replace(
            "trust = \"token\"",
            "trust = \"signed\"\nsecret = \"key\"\nevent_id = \"{{ event.event }}\"\n\
             signature = { kind = \"hmac\", algorithm = \"sha256\", encoding = \"hex\", header = \"x-signature\" }",
        );
    let declared = "\n[secrets.key]\nabout = \"signs webhooks\"\n";
    std::fs::write(directory.join("signed.toml"), profile + declared)?;
    std::fs::write(directory.join("webhook.key"), KEY)?;
    let text = format!(
        "listen = \"127.0.0.1:0\"\nworkers = 2\ndata_dir = \"data\"\n[app]\nname = \"bench\"\n\
         [[provider]]\nprofile = \"signed.toml\"\nbase_url = \"http://{provider}\"\n\
         secrets = {{ key = {{ file = \"webhook.key\" }} }}\n[bounds]\nopen_transactions = 50000000\nmax_unfolded = 2000000\n"
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
    address
        .recv_timeout(Duration::from_secs(30))
        .context("the server did not start")
}
