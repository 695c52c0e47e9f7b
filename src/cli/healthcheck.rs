//! `teller healthcheck`: whether a running teller should be sent requests, for container engines and load
//! balancers that can only run a command. It is in the image because nothing else is: no shell, no curl.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Url};
use serde_json::Value;

use super::{FAILED, HealthcheckArguments};
use crate::adapters::provider::{ClientSettings, client};

/// The whole check, connecting included. A teller that is well answers within a millisecond; engines give a
/// check some seconds before they count it as failed, and the reason should be told before that.
const TIME_OUT: Duration = Duration::from_secs(3);

pub(super) fn healthcheck(arguments: &HealthcheckArguments) -> anyhow::Result<ExitCode> {
    let url = place(&arguments.url, arguments.live)?;
    let asker = asker(url.scheme() == "https")?;
    let health = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(ask(&asker, url));
    match health {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(why) => {
            eprintln!("teller: {why}");
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// What is asked: a URL with a path as it is, so that other servers can be checked too, else teller's own
/// doors for this.
fn place(url: &str, live: bool) -> anyhow::Result<Url> {
    let mut place = Url::parse(url).with_context(|| format!("--url {url:?} is no URL"))?;
    if !matches!(place.scheme(), "http" | "https") {
        bail!("--url {url:?} is neither http nor https");
    }
    match (place.path(), live) {
        ("/", true) => place.set_path("/livez"),
        ("/", false) => place.set_path("/readyz"),
        (path, true) => bail!("--url has the path {path:?}, and --live asks /livez; leave one out"),
        (_, false) => {}
    }
    Ok(place)
}

/// A client for one health check after the other.
pub(super) fn asker(speaks_tls: bool) -> reqwest::Result<Client> {
    client(ClientSettings {
        connect_time_out: TIME_OUT,
        pool_idle_per_host: 1,
        speaks_tls,
    })
}

/// Asks; the error is one line that says why not.
pub(super) async fn ask(asker: &Client, url: Url) -> Result<(), String> {
    let shown = url.to_string();
    let asked = async {
        let response = asker.get(url).send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok::<_, reqwest::Error>((status, text))
    };
    let answer = tokio::time::timeout(TIME_OUT, asked).await;
    match answer {
        Ok(Ok((status, _))) if status.is_success() => Ok(()),
        Ok(Ok((status, text))) => {
            let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            let why = body["detail"].as_str().unwrap_or("no reason is given");
            Err(format!("{shown} answers {status}: {why}"))
        }
        Ok(Err(error)) if error.is_timeout() => Err(late(&shown)),
        Ok(Err(error)) => Err(format!("nobody answers at {shown}: {}", root(&error))),
        Err(_) => Err(late(&shown)),
    }
}

fn late(url: &str) -> String {
    format!("{url} has not answered within {} s", TIME_OUT.as_secs())
}

/// What lies at the bottom of an error: reqwest's own words only say that sending failed.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_asks_tellers_own_doors() {
        let asked = |url: &str, live| place(url, live).map(String::from);
        for (url, live, expected) in [
            (
                "http://127.0.0.1:8080",
                false,
                "http://127.0.0.1:8080/readyz",
            ),
            (
                "http://127.0.0.1:8080/",
                true,
                "http://127.0.0.1:8080/livez",
            ),
            (
                "http://mock:4000/healthz",
                false,
                "http://mock:4000/healthz",
            ),
        ] {
            assert_eq!(asked(url, live).expect("legal"), expected);
        }
        for (url, live, expected) in [
            ("127.0.0.1", false, "is no URL"),
            ("redis://store:6379", false, "neither http nor https"),
            ("http://mock:4000/healthz", true, "leave one out"),
        ] {
            let refused = asked(url, live).expect_err("refused").to_string();
            assert!(refused.contains(expected), "{url}: {refused}");
        }
    }
}
