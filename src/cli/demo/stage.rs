//! The stage: teller, the reference provider and the reference app as real processes on free ports,
//! with a temporary directory.

use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::audit::Words;

/// A process has to say where it listens within this long.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// The provider's status limit lies this much over teller's budget, as a provider's real limit does
/// over what its customers dare to use: calls that leave evenly do not arrive evenly.
const STATUS_LIMIT_HEADROOM: f64 = 1.2;
/// The budget of `providers/reference.toml`, inquiries per unscaled second.
const INQUIRY_BUDGET_PER_S: f64 = 5.0;

const PROFILE: &str = include_str!("../../../providers/reference.toml");

/// Everything that runs.
pub struct Stage {
    directory: PathBuf,
    program: PathBuf,
    teller: Option<Child>,
    _provider: Child,
    _app: Child,
    /// Where teller is, also after a restart.
    pub teller_url: String,
    /// Where the provider is.
    pub provider_url: String,
    /// Where the app is.
    pub app_url: String,
}

impl Stage {
    /// Starts all three from one program, which is teller's own.
    ///
    /// # Errors
    /// Which of them did not start, and where its log is.
    pub async fn set(program: PathBuf, time_scale: f64, seed: u64) -> anyhow::Result<Self> {
        let directory =
            std::env::temp_dir().join(format!("teller-demo-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("{} can't be made", directory.display()))?;
        let address = free_address()?;
        let teller_url = format!("http://{address}");
        let limit = INQUIRY_BUDGET_PER_S * STATUS_LIMIT_HEADROOM;
        let (scale, seed, limit) = (time_scale.to_string(), seed.to_string(), limit.to_string());
        let provider = [
            "mock-provider",
            "--port",
            "0",
            "--time-scale",
            &scale,
            "--seed",
            &seed,
            "--status-limit",
            &limit,
        ];
        let (provider, provider_url) = start(&program, &directory, "provider", provider).await?;
        let app = [
            "mock-provider",
            "app",
            "--port",
            "0",
            "--teller",
            &teller_url,
        ];
        let (app, app_url) = start(&program, &directory, "app", app).await?;
        std::fs::write(directory.join("reference.toml"), PROFILE)?;
        std::fs::write(
            directory.join("teller.toml"),
            configuration(&address, time_scale, &provider_url, &app_url),
        )?;
        let mut stage = Self {
            directory,
            program,
            teller: None,
            _provider: provider,
            _app: app,
            teller_url,
            provider_url,
            app_url,
        };
        stage.start_teller().await?;
        Ok(stage)
    }

    /// Starts teller, at the same address and on the same data as before.
    ///
    /// # Errors
    /// When it does not listen in time.
    pub async fn start_teller(&mut self) -> anyhow::Result<()> {
        let config = self.directory.join("teller.toml");
        let arguments = [
            OsStr::new("serve"),
            OsStr::new("--config"),
            config.as_os_str(),
        ];
        let (teller, _) = start(&self.program, &self.directory, "teller", arguments).await?;
        self.teller = Some(teller);
        Ok(())
    }

    /// SIGKILL: no goodbye, no flush.
    ///
    /// # Errors
    /// When the system refuses the signal.
    pub async fn kill_teller(&mut self) -> anyhow::Result<()> {
        if let Some(mut teller) = self.teller.take() {
            teller.start_kill()?;
            teller.wait().await?;
        }
        Ok(())
    }

    /// Whether teller still runs.
    #[must_use]
    pub fn teller_runs(&mut self) -> bool {
        self.teller
            .as_mut()
            .is_some_and(|teller| matches!(teller.try_wait(), Ok(None)))
    }

    /// Where the logs, the configuration and the journal are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Ends everything and removes the directory, unless somebody will want to look at it.
    ///
    /// # Errors
    /// When the directory can't be removed.
    pub async fn strike(mut self, keep_files: bool) -> anyhow::Result<()> {
        self.kill_teller().await?;
        if !keep_files {
            std::fs::remove_dir_all(&self.directory)?;
        }
        Ok(())
    }
}

/// The words that the demo's configuration gives to the app.
#[must_use]
pub fn words() -> Words {
    Words {
        completed: "accepted".to_owned(),
        declined: "declined".to_owned(),
        failed: "not_executed".to_owned(),
    }
}

fn configuration(address: &str, time_scale: f64, provider_url: &str, app_url: &str) -> String {
    let Words {
        completed,
        declined,
        failed,
    } = words();
    format!(
        r#"listen = "{address}"
data_dir = "data"
time_scale = {time_scale:?}

[app]
name = "demo"

[app.notify]
format = "template"
method = "PUT"
url = "{app_url}/transaction"
allow = ["127.0.0.1"]
words = {{ completed = "{completed}", declined = "{declined}", failed = "{failed}" }}

[[provider]]
profile = "reference.toml"
base_url = "{provider_url}"
"#
    )
}

/// An address that nothing listens on now. teller needs one that stays the same over its restart,
/// because the provider's webhooks go there.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Starts this program with `arguments` and waits for the line in which it says where it listens.
async fn start<S: AsRef<OsStr>>(
    program: &Path,
    directory: &Path,
    name: &str,
    arguments: impl IntoIterator<Item = S>,
) -> anyhow::Result<(Child, String)> {
    let log = directory.join(format!("{name}.log"));
    let log_file = File::options().create(true).append(true).open(&log)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{name} can't be started"))?;
    let stdout = child
        .stdout
        .take()
        .context("the child's stdout was asked for as a pipe")?;
    let mut lines = BufReader::new(stdout).lines();
    let said = tokio::time::timeout(START_DEADLINE, async {
        while let Some(line) = lines.next_line().await? {
            if let Some(url) = line.strip_prefix("listening on ") {
                return Ok(url.to_owned());
            }
        }
        bail!("{name} stopped before it listened; see {}", log.display())
    });
    let url = said
        .await
        .with_context(|| format!("{name} did not start in time; see {}", log.display()))??;
    Ok((child, url))
}
