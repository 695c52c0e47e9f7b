//! Real Redis and Valkey servers for tests: one alone, with a replica, a Sentinel set, a Cluster.
//!
//! Each has a directory and ports of its own and dies with its handle. They are as durable as teller
//! asks for: `appendonly yes`, `appendfsync always`, `maxmemory-policy noeviction`. A server whose
//! binary is missing fails the test; nothing is skipped.
//!
//! The file is a module of two crates, of the integration tests and of the library's own.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each of the crates that share this file uses a part of it"
)]

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{RedisResult, Value};

#[path = "cluster.rs"]
mod cluster;
#[path = "redis_sets.rs"]
mod sets;

#[allow(unused_imports, reason = "each crate uses a part of it")]
pub use {
    cluster::Cluster,
    sets::{MASTER_NAME, SentinelSet},
};

/// After so long a server counts as never started, and a condition as never met.
const DEADLINE: Duration = Duration::from_secs(30);
/// The pause between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long one command of a test waits for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Attempts to find ports that nobody takes meanwhile.
const PORT_TRIES: usize = 20;

/// Which program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `redis-server`, 7.0 or later.
    Redis,
    /// `valkey-server`.
    Valkey,
}

impl Kind {
    /// Both, for tests that hold for either.
    pub const ALL: [Self; 2] = [Self::Redis, Self::Valkey];

    fn program(self) -> PathBuf {
        let (variable, name) = match self {
            Self::Redis => ("TELLER_TEST_REDIS", "redis-server"),
            Self::Valkey => ("TELLER_TEST_VALKEY", "valkey-server"),
        };
        std::env::var_os(variable).map_or_else(|| name.into(), PathBuf::from)
    }
}

/// A running server. Dropping it kills it and removes its files.
pub struct Server {
    kind: Kind,
    port: u16,
    args: Vec<String>,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Server {
    /// A `redis-server` with further arguments.
    pub fn redis(args: &[&str]) -> Self {
        Self::start(Kind::Redis, args)
    }

    /// A `valkey-server` with further arguments.
    pub fn valkey(args: &[&str]) -> Self {
        Self::start(Kind::Valkey, args)
    }

    /// A server of this kind. Later arguments win over earlier ones and over the usual ones.
    pub fn start(kind: Kind, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|&one| one.to_owned()).collect();
        Self::begin(kind, |port, dir| {
            let mut all = durable(port, dir);
            all.extend(args.iter().cloned());
            all
        })
    }

    /// A replica of this server, in step with it.
    pub fn replica(&self, args: &[&str]) -> Self {
        let port = self.port.to_string();
        let all = [&["--replicaof", "127.0.0.1", port.as_str()], args].concat();
        let replica = Self::start(self.kind, &all);
        eventually("a replica in step", || {
            info(&replica, "master_link_status") == "up" && info(self, "connected_slaves") != "0"
        });
        replica
    }

    /// Starts a server whose arguments depend on its port and directory; takes another port if
    /// somebody else was quicker.
    fn begin(kind: Kind, arguments: impl Fn(u16, &Path) -> Vec<String>) -> Self {
        for _ in 0..PORT_TRIES {
            let port = free_port();
            let dir = tempfile::tempdir().expect("a temporary directory");
            let args = arguments(port, dir.path());
            let mut server = Self {
                kind,
                port,
                args,
                dir,
                child: None,
            };
            if server.spawn() {
                return server;
            }
            let said = server.log();
            assert!(
                said.contains("already in use"),
                "{kind:?} did not start:\n{said}"
            );
        }
        panic!("no free ports for {kind:?}");
    }

    /// Starts the process, and says whether it answers in the end.
    fn spawn(&mut self) -> bool {
        let program = self.kind.program();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))
            .expect("a writable directory");
        let mut command = Command::new(&program);
        command.args(&self.args).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let child = command.stdout(log).spawn().unwrap_or_else(|error| {
            assert_ne!(
                error.kind(),
                ErrorKind::NotFound,
                "{} is missing; run scripts/test, which installs it",
                program.display()
            );
            panic!("{}: {error}", program.display())
        });
        self.child = Some(child);
        let end = Instant::now() + DEADLINE;
        loop {
            if self.ended() {
                return false;
            }
            if self.answers() {
                return true;
            }
            assert!(Instant::now() < end, "never answered:\n{}", self.log());
            sleep(LOOK_AGAIN);
        }
    }

    /// Whether it serves. Somebody else's server may answer at its port too, while this one is about
    /// to say that the port is taken; and one that still reads its files answers some questions.
    fn answers(&self) -> bool {
        let own_dir = match self.try_command(&["CONFIG", "GET", "dir"]) {
            Ok(answer) => format!("{answer:?}").contains(&*self.dir.path().to_string_lossy()),
            // It was told to ask for a name, or is a Sentinel, which has no such command.
            Err(error) => {
                error.code() == Some("NOAUTH") || self.args.iter().any(|one| one == "--sentinel")
            }
        };
        let serves = |error: redis::RedisError| error.code() == Some("NOAUTH");
        own_dir && self.try_command(&["PING"]).map_or_else(serves, |_| true)
    }

    fn ended(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Where it listens, without encryption.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The same, host and port only.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its directory, for the files that tests give it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops it in its tracks (SIGSTOP): it holds its connections and answers nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            let id = child.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &id]).status();
            assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
        }
    }

    /// Ends it without warning (SIGKILL). Its files stay.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way it is gone and collected afterwards.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again after [`Self::kill`], with the same files and port, and waits until it answers.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.spawn(), "did not start again:\n{}", self.log());
    }

    /// Ends it without warning, and starts it again with nothing of what it had.
    pub fn restart_empty(&mut self) {
        self.kill();
        let files = self.dir.path().join("appendonlydir");
        std::fs::remove_dir_all(files).expect("it had written something");
        self.restart();
    }

    /// One command over a connection of its own.
    ///
    /// # Panics
    /// When it is refused.
    pub fn command(&self, args: &[&str]) -> Value {
        let answer = self.try_command(args);
        answer.unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// One command over a connection of its own, blocking.
    ///
    /// # Errors
    /// What the server or the connection says.
    pub fn try_command(&self, args: &[&str]) -> RedisResult<Value> {
        loop {
            let answer = self.ask(args, ANSWER_WITHIN);
            // Another test's child has ended: its signal interrupts a read that has a time limit.
            let interrupted = |error: &redis::RedisError| error.to_string().contains("os error 4");
            if !answer.as_ref().is_err_and(interrupted) {
                return answer;
            }
        }
    }

    /// Whether it answers within so many milliseconds.
    ///
    /// # Errors
    /// What the connection says instead.
    pub fn answers_within(&self, millis: u64) -> RedisResult<()> {
        let answer = self.ask(&["PING"], Duration::from_millis(millis));
        answer.map(|_| ())
    }

    fn ask(&self, args: &[&str], within: Duration) -> RedisResult<Value> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(within)?;
        connection.set_read_timeout(Some(within))?;
        let mut command = redis::cmd(args[0]);
        command.arg(&args[1..]).query(&mut connection)
    }

    /// The number that a command answers.
    pub fn number(&self, args: &[&str]) -> i64 {
        redis::from_redis_value(self.command(args)).expect("a number")
    }

    /// The text that a command answers; empty for none.
    pub fn text(&self, args: &[&str]) -> String {
        let text: Option<String> = redis::from_redis_value(self.command(args)).expect("a text");
        text.unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn durable(port: u16, dir: &Path) -> Vec<String> {
    let (port, dir) = (port.to_string(), dir.to_string_lossy());
    let pairs: [(&str, &str); 10] = [
        ("--port", &port),
        ("--bind", "127.0.0.1"),
        ("--dir", &dir),
        ("--appendonly", "yes"),
        ("--appendfsync", "always"),
        ("--maxmemory-policy", "noeviction"),
        ("--save", ""),
        // A replica that comes back catches up without the pause that saves work in a large house.
        ("--repl-diskless-sync-delay", "0"),
        ("--repl-ping-replica-period", "1"),
        ("--enable-debug-command", "yes"),
    ];
    let words = pairs.iter().flat_map(|(name, value)| [*name, *value]);
    words.map(str::to_owned).collect()
}

/// A field of `INFO`; empty while the server doesn't answer.
pub fn info(server: &Server, field: &str) -> String {
    let Ok(answer) = server.try_command(&["INFO"]) else {
        return String::new();
    };
    let text: String = redis::from_redis_value(answer).expect("INFO is a text");
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then(|| value.trim().to_owned())
    });
    value.unwrap_or_default()
}

/// A port that nobody listens on, below those that systems give away by themselves: it is still free
/// when a killed server comes back.
pub fn free_port() -> u16 {
    const FIRST: u64 = 10_000;
    const PORTS: u64 = 22_000;
    loop {
        let draw = RandomState::new().build_hasher().finish();
        let port = u16::try_from(FIRST + draw % PORTS).expect("below 32,768");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "never happened: {what}");
        sleep(LOOK_AGAIN);
    }
}
