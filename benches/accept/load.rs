//! The load: keep-alive connections, each with one request out at a time, on one thread. It writes
//! prepared bytes and reads only what HTTP needs, to leave the machine to the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// What came of one phase.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

const HEAD: &str = "POST /v1/transactions HTTP/1.1\r\nHost: teller\r\nContent-Type: application/json\r\nContent-Length: ";
/// Around an id this makes a body of 200 bytes.
const BODY_BEFORE: &str = "{\"id\":\"";
const BODY_AFTER: &str = "\",\"amount\":{\"value\":250000,\"currency\":\"TZS\"},\"payload\":{\"phone\":\"255700000000\",\
                          \"reference\":\"invoice 2026/11/000042\",\"description\":\"Electricity, November\"}}";

/// Loads the server at `address` for `phase`.
pub(super) fn run(
    address: SocketAddr,
    connections: usize,
    phase: Duration,
) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let end = began + phase;
        let clients: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(client(address, end)))
            .collect();
        let mut latencies_us = Vec::new();
        for client in clients {
            latencies_us.extend(client.await??);
        }
        let took = began.elapsed();
        latencies_us.sort_unstable();
        let at = |share: f64| {
            let index = (share * latencies_us.len().saturating_sub(1) as f64) as usize;
            f64::from(latencies_us.get(index).copied().unwrap_or(0)) / 1000.0
        };
        let per_second = latencies_us.len() as f64 / took.as_secs_f64();
        Ok(Measured {
            per_second,
            p50_ms: at(0.50),
            p99_ms: at(0.99),
        })
    })
}

async fn client(address: SocketAddr, end: Instant) -> anyhow::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies_us = Vec::with_capacity(64 * 1024);
    let mut request = Vec::with_capacity(512);
    let mut answer = vec![0; 4096];
    while Instant::now() < end {
        prepare(&mut request, Uuid::new_v4());
        let began = Instant::now();
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut answer).await?;
        latencies_us.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies_us)
}

fn prepare(request: &mut Vec<u8>, id: Uuid) {
    let mut text = Uuid::encode_buffer();
    let id = id.hyphenated().encode_lower(&mut text);
    let length = BODY_BEFORE.len() + id.len() + BODY_AFTER.len();
    request.clear();
    request.extend_from_slice(HEAD.as_bytes());
    request.extend_from_slice(length.to_string().as_bytes());
    request.extend_from_slice(b"\r\n\r\n");
    request.extend_from_slice(BODY_BEFORE.as_bytes());
    request.extend_from_slice(id.as_bytes());
    request.extend_from_slice(BODY_AFTER.as_bytes());
}

/// Reads one whole answer; anything but 202 ends the benchmark.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        filled += read;
        let Some(head) = buffer[..filled]
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        else {
            continue;
        };
        let text = std::str::from_utf8(&buffer[..head])?;
        if !text.starts_with("HTTP/1.1 202") {
            bail!(
                "the server answered {}",
                text.lines().next().unwrap_or_default()
            );
        }
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())
                .flatten()
        });
        if filled >= head + 4 + length.context("an answer without Content-Length")? {
            return Ok(());
        }
    }
}
