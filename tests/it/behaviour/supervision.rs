//! What a service manager or a container engine learns of the program: systemd's notifications, its watchdog,
//! and `teller healthcheck`.

use std::collections::VecDeque;
use std::path::PathBuf;

use serde_json::json;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::support::{
    DEADLINE, Process, Rig, eventually, new_id, put, reserve_port, run, run_with,
};

/// systemd's side of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    lines: VecDeque<String>,
}

impl Manager {
    fn listen(rig: &Rig) -> Self {
        let path = rig.dir.path().join("notify.sock");
        let socket = UnixDatagram::bind(&path).expect("a short path in a directory of its own");
        Self {
            socket,
            path,
            lines: VecDeque::new(),
        }
    }

    /// The next thing that it is told.
    async fn told(&mut self) -> String {
        while self.lines.is_empty() {
            let mut datagram = [0_u8; 4096];
            let received = timeout(DEADLINE, self.socket.recv(&mut datagram)).await;
            let length = received.expect("it is told something").expect("a datagram");
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            self.lines.extend(text.lines().map(str::to_owned));
        }
        self.lines.pop_front().expect("not empty")
    }

    /// What it is told up to and including this.
    async fn told_until(&mut self, line: &str) -> Vec<String> {
        let mut all = Vec::new();
        while all.last().is_none_or(|last| last != line) {
            all.push(self.told().await);
        }
        all
    }

    async fn start(&self, rig: &Rig, more: &[(&str, &str)]) -> Process {
        let socket = self.path.to_str().expect("UTF-8");
        let variables = [&[("NOTIFY_SOCKET", socket)], more].concat();
        let teller = Process::serve_with(&rig.config_file(), &[], &variables).await;
        teller.expect("it starts")
    }
}

async fn rig() -> Rig {
    Rig::set_up(|setup| put(&mut setup.config, "drain_timeout", "8s")).await
}

#[tokio::test]
async fn the_service_manager_learns_of_readiness_of_life_and_of_the_end() {
    let rig = rig().await;
    let mut manager = Manager::listen(&rig);
    let teller = manager.start(&rig, &[("WATCHDOG_USEC", "400000")]).await;
    let before = manager.told_until("READY=1").await;
    assert_eq!(teller.client.get("/readyz").await.status, 200, "{before:?}");
    assert!(
        !before.iter().any(|line| line == "WATCHDOG=1"),
        "a watchdog counts from readiness on: {before:?}"
    );
    for _ in 0..3 {
        manager.told_until("WATCHDOG=1").await;
    }
    // Something that is out for longer than a watchdog's patience, so that the drain lasts.
    let id = new_id();
    let script = json!({"answer_after_ms": 100_000, "answer": "hang"});
    teller.client.paid(&id, script).await;
    eventually("posted", || async { rig.posts(&id).pop() }).await;
    teller.terminate().await;
    let end = manager.told_until("STOPPING=1").await;
    assert!(
        !end.iter().any(|line| line.starts_with("STATUS=not ready")),
        "{end:?}"
    );
    assert_eq!(manager.told().await, "STATUS=draining");
    for _ in 0..3 {
        assert_eq!(manager.told().await, "WATCHDOG=1", "a drain is no hang");
    }
    assert_eq!(teller.wait().await.code, Some(0));
}

#[tokio::test]
async fn without_a_watchdog_only_the_turns_of_its_life_are_told() {
    let rig = rig().await;
    let mut manager = Manager::listen(&rig);
    let foreign = ("WATCHDOG_PID", "1");
    // Meant for another process, as after a wrapper's fork.
    let variables = [("WATCHDOG_USEC", "1000"), foreign];
    let teller = manager.start(&rig, &variables).await;
    let mut all = manager.told_until("STATUS=serving").await;
    teller.terminate().await;
    all.extend(manager.told_until("STATUS=draining").await);
    all.retain(|line| !line.starts_with("STATUS=not ready"));
    let expected = ["READY=1", "STATUS=serving", "STOPPING=1", "STATUS=draining"];
    assert_eq!(all, expected);
    assert_eq!(teller.wait().await.code, Some(0));
}

#[tokio::test]
async fn a_service_manager_that_is_gone_stops_nothing() {
    let rig = rig().await;
    let manager = Manager::listen(&rig);
    std::fs::remove_file(&manager.path).expect("it was there");
    let teller = manager.start(&rig, &[]).await;
    let id = new_id();
    teller.client.paid(&id, json!({})).await;
    rig.audit(&id).await;
    assert!(teller.said().contains("the service manager can't be told"));
}

// ---- teller healthcheck ------------------------------------------------------------------------------

#[tokio::test]
async fn healthcheck_tells_ready_from_draining_from_gone() {
    let rig = rig().await;
    let teller = Process::serve(&rig.config_file()).await.expect("it starts");
    let url = teller.client.url.clone();
    let check =
        async |more: &[&str]| run(&[&["healthcheck", "--url", &url][..], more].concat()).await;
    eventually("healthy", || async {
        check(&[]).await.status.success().then_some(())
    })
    .await;
    let by_variable = run_with(&["healthcheck"], &[("TELLER_URL", &url)]).await;
    assert_eq!(by_variable.status.code(), Some(0), "{by_variable:?}");
    assert!(by_variable.stdout.is_empty() && by_variable.stderr.is_empty());
    let id = new_id();
    let script = json!({"answer_after_ms": 200_000, "answer": "hang"});
    teller.client.paid(&id, script).await;
    eventually("posted", || async { rig.posts(&id).pop() }).await;
    teller.terminate().await;
    let draining = eventually("unready", || async {
        let checked = check(&[]).await;
        (!checked.status.success()).then_some(checked)
    })
    .await;
    let said = String::from_utf8_lossy(&draining.stderr).into_owned();
    assert_eq!(draining.status.code(), Some(1), "{said}");
    assert!(said.contains("503") && said.contains("draining"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(
        check(&["--live"]).await.status.code(),
        Some(0),
        "it drains, and lives"
    );
    assert_eq!(teller.wait().await.code, Some(0));
    let gone = check(&["--live"]).await;
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert_eq!(gone.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nobody answers at") && said.contains("refused"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test]
async fn healthcheck_does_not_wait_for_one_who_is_silent() {
    let port = reserve_port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.expect("it is free");
    let url = format!("http://127.0.0.1:{port}");
    let checked = run(&["healthcheck", "--url", &url]).await;
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("not answered within 3 s"), "{said}");
    drop(listener);
}
