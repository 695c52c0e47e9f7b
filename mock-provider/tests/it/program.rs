//! The program: what a parent process reads, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::support::{client, get, send};

/// A child that doesn't outlive a failing test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program and reads its first line.
fn start(args: &[&str]) -> (Program, BufReader<impl Read>, String) {
    let mut program = Program(
        Command::new(env!("CARGO_BIN_EXE_mock-provider"))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program is built"),
    );
    let mut out = BufReader::new(program.0.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    (program, out, line.trim_end().to_owned())
}

#[tokio::test]
async fn the_provider_says_where_it_listens_and_stops_when_told() {
    let (mut program, mut out, line) = start(&["--port", "0", "--seed", "9", "--time-scale", "5"]);
    let url = line
        .strip_prefix("listening on ")
        .expect("the promised line");
    let ledger = get(url, "/ledger").await.json();
    assert_eq!(
        (&ledger["seed"], &ledger["time_scale"]),
        (&9.into(), &5.0.into())
    );

    let pid = program.0.id().to_string();
    let told = Command::new("sh")
        .args(["-c", "kill -TERM \"$0\"", &pid])
        .status()
        .expect("a shell");
    assert!(told.success());
    assert!(program.0.wait().expect("it ends").success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "", "one line and no more");
}

#[tokio::test]
async fn the_app_is_a_subcommand() {
    let args = [
        "app",
        "--port",
        "0",
        "--teller",
        "http://127.0.0.1:9",
        "--print-url",
    ];
    let (_program, _out, url) = start(&args);
    assert_eq!(get(&url, "/notifications").await.text, "[]");
}

#[tokio::test]
async fn the_app_takes_its_key_from_a_file() {
    let teller = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let teller_url = format!("http://{}", teller.local_addr().expect("bound"));
    let file = std::env::temp_dir().join(format!("mock-app-key-{}", std::process::id()));
    std::fs::write(&file, "tlr_app_swordfish\n").expect("writable");
    let path = file.to_str().expect("UTF-8");
    let args = ["app", "--port", "0", "--teller", &teller_url, "--print-url"];
    let with_key = [&args[..], &["--bearer-file", path]].concat();
    let (_program, _out, url) = start(&with_key);
    let asked = tokio::spawn(send(client().post(format!("{url}/transaction"))));
    let head = tokio::task::spawn_blocking(move || {
        let (connection, _) = teller.accept().expect("the app asks");
        let mut lines = BufReader::new(connection).lines();
        let head = lines.by_ref().map(|line| line.expect("text"));
        head.take_while(|line| !line.is_empty()).collect::<Vec<_>>()
    });
    let head = head.await.expect("it is read");
    assert!(
        head.contains(&"authorization: Bearer tlr_app_swordfish".to_owned()),
        "{head:?}"
    );
    assert_eq!(
        asked.await.expect("answered").code,
        502,
        "it was hung up on"
    );
    std::fs::remove_file(&file).expect("it was written");
    let refused = Command::new(env!("CARGO_BIN_EXE_mock-provider"))
        .args(args)
        .args(["--bearer-file", path])
        .output()
        .expect("the program is built");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains(path), "{said}");
}

#[tokio::test]
async fn acorn_is_a_subcommand() {
    let args = [
        "acorn",
        "--port",
        "0",
        "--print-url",
        "--seed",
        "9",
        "--faults",
        r#"{"ghost": 0.5}"#,
        "--token-failures",
        "1",
        "--deliver-to",
        "request",
    ];
    let (_program, _out, url) = start(&args);
    assert_eq!(get(&url, "/admin/ledger").await.json()["seed"], 9);
    let token = client().post(format!("{url}/oauth/token"));
    assert_eq!(send(token).await.code, 503);
}

#[test]
fn a_wrong_flag_is_an_error() {
    let status = Command::new(env!("CARGO_BIN_EXE_mock-provider"))
        .args(["--time-scale", "0", "--port", "0"])
        .stderr(Stdio::null())
        .status()
        .expect("the program is built");
    assert!(!status.success());
}
