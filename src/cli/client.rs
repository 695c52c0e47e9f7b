//! The commands that ask a running teller.

use std::env::VarError;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;

use super::{FAILED, ListArguments, NodesArguments, ServerArguments, StatusArguments};
use crate::adapters::provider::{ClientSettings, client};

/// A running teller answers within its own deadlines, which are shorter than this.
const TIME_OUT: Duration = Duration::from_secs(15);
/// The environment's variable with the key. A flag would show it to everybody who lists processes.
const KEY_VARIABLE: &str = "TELLER_KEY";

pub(super) fn status(arguments: &StatusArguments) -> anyhow::Result<ExitCode> {
    let query: Vec<_> = arguments
        .app
        .iter()
        .map(|app| ("app", app.as_str()))
        .collect();
    let path = ["v1", "actors", &arguments.id];
    let Some(status) = get(&arguments.server, &path, &query)? else {
        return Ok(ExitCode::from(FAILED));
    };
    let mut out = std::io::stdout();
    if arguments.server.json {
        writeln!(out, "{status:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |name: &str| status[name].as_str().unwrap_or("-").to_owned();
    writeln!(
        out,
        "{}  {} ({})",
        text("id"),
        text("status"),
        status["state"]["name"].as_str().unwrap_or("-")
    )?;
    writeln!(out, "  version   {}", status["version"])?;
    writeln!(out, "  provider  {}", text("provider"))?;
    if let Some(node) = status["node"].as_str() {
        writeln!(
            out,
            "  node      {node} (partition {})",
            status["partition"]
        )?;
    }
    if let Some(why) = status["not_final_because"].as_str() {
        writeln!(out, "  because   {why}")?;
    }
    if let Some(why) = status["resolution"]["why"].as_str() {
        writeln!(
            out,
            "  outcome   {} ({why})",
            status["resolution"]["outcome"].as_str().unwrap_or("-")
        )?;
    }
    writeln!(
        out,
        "  next      {} {}",
        text("next"),
        status["next_at"].as_str().unwrap_or("")
    )?;
    for attempt in status["attempts"].as_array().into_iter().flatten() {
        let (started, fate) = (
            attempt["started_at"].as_str().unwrap_or("-"),
            attempt["fate"].as_str().unwrap_or("-"),
        );
        writeln!(
            out,
            "  attempt {} {fate}, started {started}",
            attempt["attempt"]
        )?;
    }
    if let Some(notification) = status["notification"].as_object() {
        let field = |name: &str| {
            notification
                .get(name)
                .map_or("-".to_owned(), |value| value.to_string().replace('"', ""))
        };
        writeln!(
            out,
            "  app       {} of {}, {} failed",
            field("delivery"),
            field("status"),
            field("failures")
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let limit = arguments.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    let optional = [
        ("status", &arguments.status),
        ("provider", &arguments.provider),
        ("app", &arguments.app),
        ("cursor", &arguments.cursor),
    ];
    query.extend(
        optional
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
    );
    let Some(page) = get(&arguments.server, &["v1", "transactions"], &query)? else {
        return Ok(ExitCode::from(FAILED));
    };
    let mut out = std::io::stdout();
    if arguments.server.json {
        writeln!(out, "{page:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    for row in page["data"].as_array().into_iter().flatten() {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        writeln!(
            out,
            "{}  {:<9}  {:<11}  {}  {}",
            text("id"),
            text("status"),
            text("state"),
            text("provider"),
            text("changed_at")
        )?;
    }
    if let Some(next) = page["next_cursor"].as_str() {
        eprintln!("more: --cursor {next}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn nodes(arguments: &NodesArguments) -> anyhow::Result<ExitCode> {
    let Some(answer) = get(&arguments.server, &["v1", "nodes"], &[])? else {
        return Ok(ExitCode::from(FAILED));
    };
    let mut out = std::io::stdout();
    if arguments.server.json {
        writeln!(out, "{answer:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    for row in answer["data"].as_array().into_iter().flatten() {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let is = |name: &str| row[name].as_bool().unwrap_or_default();
        writeln!(
            out,
            "{}{:<20}  {:<6}  {:<8}  {:>3} partitions  {}  {}",
            if is("here") { '*' } else { ' ' },
            text("node"),
            if is("alive") { "alive" } else { "silent" },
            text("release"),
            row["partitions_owned"],
            text("url"),
            text("partitions"),
        )?;
    }
    if let Some(unowned) = answer["unowned"].as_u64().filter(|count| *count > 0) {
        eprintln!("{unowned} partitions are owned by nobody just now");
    }
    if let Some(trouble) = answer["here"]["trouble"].as_str() {
        eprintln!("the node that answers is in trouble: {trouble}");
    }
    Ok(ExitCode::SUCCESS)
}

fn http_client(speaks_tls: bool) -> reqwest::Result<reqwest::Client> {
    client(ClientSettings {
        connect_time_out: TIME_OUT,
        pool_idle_per_host: 1,
        speaks_tls,
    })
}

/// The key to show, as a header that no log prints.
fn key(server: &ServerArguments) -> anyhow::Result<Option<HeaderValue>> {
    let (text, whence) = match &server.key_file {
        Some(file) => {
            let shown = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("--key-file {shown} can't be read"))?;
            (text, shown)
        }
        None => match std::env::var(KEY_VARIABLE) {
            Ok(text) => (text, KEY_VARIABLE.to_owned()),
            Err(VarError::NotPresent) => return Ok(None),
            Err(VarError::NotUnicode(_)) => bail!("{KEY_VARIABLE} is no text"),
        },
    };
    let mut header = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
        .map_err(|_| anyhow::anyhow!("{whence} holds no key: a key is one line"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// The JSON behind a path; an error answer is told on stderr and is `None`.
fn get(
    server: &ServerArguments,
    path: &[&str],
    query: &[(&str, &str)],
) -> anyhow::Result<Option<Value>> {
    let mut url = reqwest::Url::parse(&server.url)
        .with_context(|| format!("--url {:?} is no URL", server.url))?;
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(path),
        Err(()) => bail!("--url {:?} can't have a path", server.url),
    };
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let key = key(server)?;
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let client = http_client(url.scheme() == "https")?;
            let mut request = client.get(url).timeout(TIME_OUT);
            if let Some(key) = key {
                request = request.header(AUTHORIZATION, key);
            }
            let response = request
                .send()
                .await
                .with_context(|| format!("no teller answers at {}", server.url))?;
            let status = response.status();
            let text = response.text().await?;
            anyhow::Ok((status, text))
        })?;
    let (status, text) = answer;
    let body: Value = serde_json::from_str(&text)
        .with_context(|| format!("{status}, and not JSON; is this teller?"))?;
    if !status.is_success() {
        eprintln!(
            "teller: {}",
            body["detail"].as_str().unwrap_or("the request failed")
        );
        if server.json {
            writeln!(std::io::stdout(), "{body:#}")?;
        }
        return Ok(None);
    }
    Ok(Some(body))
}
