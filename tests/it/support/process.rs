//! The program itself, as an operator runs it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Client, DEADLINE, eventually};

/// The partitions that there are.
const ALL: u64 = 256;
const TELLER: &str = env!("CARGO_BIN_EXE_teller");

/// A running `teller serve`. Dropping it kills it.
pub(crate) struct Process {
    pub(crate) client: Client,
    child: Child,
    said: Arc<Mutex<String>>,
}

/// How a command ended that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Process {
    /// Starts the program and waits until it listens.
    ///
    /// # Errors
    /// What it said if it ended instead.
    pub(crate) async fn serve(config: &Path) -> Result<Self, Refusal> {
        let mut command = Command::new(TELLER);
        command.arg("serve").arg("--config").arg(config);
        command.env_remove("RUST_LOG");
        Self::spawn(command).await
    }

    /// The same with further arguments and with variables in its environment.
    pub(crate) async fn serve_with(
        config: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, Refusal> {
        let mut command = Command::new(TELLER);
        command.arg("serve").arg("--config").arg(config);
        command.args(arguments).env_remove("RUST_LOG");
        command.envs(variables.iter().copied());
        Self::spawn(command).await
    }

    /// The same at another address than the configured one.
    pub(crate) async fn serve_at(config: &Path, listen: &str) -> Result<Self, Refusal> {
        let mut command = Command::new(TELLER);
        command
            .arg("serve")
            .arg("--config")
            .arg(config)
            .args(["--listen", listen])
            .env_remove("RUST_LOG");
        Self::spawn(command).await
    }

    /// The same as [`Self::serve`], with files that can't grow beyond so many blocks of 512 bytes: a full disk.
    pub(crate) async fn serve_on_full_disk(config: &Path, blocks: u32) -> Result<Self, Refusal> {
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" serve --config \"$1\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(TELLER).arg(config);
        command.env_remove("RUST_LOG");
        Self::spawn(command).await
    }

    async fn spawn(mut command: Command) -> Result<Self, Refusal> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the program can be started");
        let said = Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().expect("piped");
        let listener = Arc::clone(&said);
        let listening = tokio::spawn(async move {
            let mut part = [0_u8; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut part).await {
                let text = String::from_utf8_lossy(&part[..count]).into_owned();
                listener
                    .lock()
                    .expect("nobody panics in it")
                    .push_str(&text);
            }
        });
        let stdout = child.stdout.take().expect("piped");
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(DEADLINE, lines.next_line()).await;
        let first = first.expect("it says something, or ends").expect("text");
        let url = first
            .as_deref()
            .and_then(|line| line.strip_prefix("listening on "));
        match url {
            Some(url) => {
                let process = Self {
                    client: Client::new(url),
                    child,
                    said,
                };
                process.wait_until_it_owns_everything().await;
                Ok(process)
            }
            None => {
                let status = wait(&mut child).await;
                let _ = listening.await;
                let said = said.lock().expect("nobody panics in it").clone();
                Err(Refusal {
                    code: status.code(),
                    said,
                })
            }
        }
    }

    /// A node among several listens before it owns anything, and after a crash its former self's leases
    /// have to end first. One that is alone owns everything at once; what is asked for a key is not
    /// asked here.
    async fn wait_until_it_owns_everything(&self) {
        eventually("it owns everything", || async {
            let nodes = self.client.get("/v1/nodes").await;
            let held = (nodes.status == 200).then(|| nodes.json()["here"]["held"].as_u64());
            (held.flatten().unwrap_or(ALL) == ALL).then_some(())
        })
        .await;
    }

    /// What it has written to stderr so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("nobody panics in it").clone()
    }

    /// SIGTERM.
    pub(crate) async fn terminate(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(status.expect("kill can be started").success());
    }

    /// SIGKILL: a crash.
    pub(crate) async fn crash(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Waits until it ends, and says how and with which words.
    pub(crate) async fn wait(mut self) -> Refusal {
        let status = wait(&mut self.child).await;
        // What was still in the pipe.
        tokio::task::yield_now().await;
        Refusal {
            code: status.code(),
            said: self.said(),
        }
    }
}

async fn wait(child: &mut Child) -> ExitStatus {
    let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
    ended.expect("it ends").expect("it can be waited for")
}

/// Runs a command to its end.
pub(crate) async fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    run_with(arguments, &[]).await
}

/// The same with variables in its environment.
pub(crate) async fn run_with<S: AsRef<OsStr>>(
    arguments: &[S],
    variables: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(TELLER);
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await;
    output.expect("it ends").expect("it can be started")
}
