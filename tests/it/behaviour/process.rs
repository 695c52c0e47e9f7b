//! The program: its data directory, its end, its restart, and its commands.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Process, Rig, eventually, new_id, payment, put, run};

async fn serve(rig: &Rig) -> Process {
    Process::serve(&rig.config_file()).await.expect("it starts")
}

async fn rig() -> Rig {
    Rig::set_up(|setup| setup.tell_by_template(&["0s", "10s", "10s", "10s"])).await
}

/// For what is about the embedded journal's files.
async fn embedded() -> Rig {
    Rig::set_up(|setup| setup.embedded = true).await
}

async fn wait_until_ready(teller: &Process) {
    eventually("ready", || async {
        (teller.client.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}

// ---- its data directory ------------------------------------------------------------------------------

#[tokio::test]
async fn a_second_process_on_the_same_data_directory_is_refused() {
    let rig = embedded().await;
    let first = serve(&rig).await;
    let second = Process::serve_at(&rig.config_file(), "127.0.0.1:0").await;
    let refusal = second.err().expect("it is refused");
    assert_eq!(refusal.code, Some(1), "{refusal:?}");
    assert!(
        refusal.said.contains("in use by another teller"),
        "{refusal:?}"
    );
    let id = new_id();
    first.client.paid(&id, json!({})).await;
    rig.audit(&id).await;
}

#[tokio::test]
async fn a_file_that_is_not_tellers_is_refused_and_left_as_it_is() {
    let rig = embedded().await;
    std::fs::create_dir(rig.data_dir()).expect("writable");
    let file = rig.data_dir().join("journal.db");
    let foreign = rusqlite::Connection::open(&file).expect("a database");
    foreign
        .execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup');")
        .expect("writable");
    drop(foreign);
    for contents in [
        std::fs::read(&file).expect("readable"),
        b"shopping: milk, eggs".to_vec(),
    ] {
        std::fs::write(&file, &contents).expect("writable");
        let refusal = Process::serve(&rig.config_file())
            .await
            .err()
            .expect("it is refused");
        assert_eq!(refusal.code, Some(1), "{refusal:?}");
        assert!(refusal.said.contains("journal.db"), "{refusal:?}");
        assert_eq!(std::fs::read(&file).expect("readable"), contents);
        assert!(
            !rig.data_dir().join("archive.db").exists(),
            "nothing is made beside it"
        );
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_in_words() {
    let rig = rig().await;
    let _first = serve(&rig).await;
    let other = tempfile::TempDir::new().expect("a directory");
    let config = rig.config_file();
    let output = run(&[
        "serve".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data-dir".as_ref(),
        other.path().as_os_str(),
    ])
    .await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("can't listen on") && said.contains("another teller"),
        "{said}"
    );
}

// ---- its end -----------------------------------------------------------------------------------------

#[tokio::test]
async fn sigterm_drains_what_is_out_is_answered_or_unknown_and_ends_rightly_later() {
    let rig = Rig::set_up(|setup| {
        setup.time_scale = 10.0;
        put(&mut setup.config, "drain_timeout", "8s");
    })
    .await;
    let mut teller = serve(&rig).await;
    let (answered, unknown) = (new_id(), new_id());
    // Due within the drain's four seconds, and long after them.
    teller
        .client
        .paid(&answered, json!({"answer_after_ms": 20_000}))
        .await;
    teller
        .client
        .paid(
            &unknown,
            json!({"answer_after_ms": 34_000, "answer": "hang"}),
        )
        .await;
    for id in [&answered, &unknown] {
        eventually("posted", || async { rig.posts(id).pop() }).await;
    }
    teller.terminate().await;
    eventually("unready", || async {
        let answer = teller.client.get("/readyz").await;
        (answer.status == 503).then(|| answer.expect_problem(503, "not_ready"))
    })
    .await;
    let late = teller.client.pay(&new_id(), json!({})).await;
    if rig.is_shared() {
        assert_eq!(late.status, 202, "taken in for whoever owns it next");
    } else {
        late.expect_problem(503, "unavailable");
        assert!(late.header("retry-after").is_some());
    }
    assert_eq!(teller.client.get("/livez").await.status, 200);
    let ended = teller.wait().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    teller = serve(&rig).await;
    wait_until_ready(&teller).await;
    let view = teller.client.read(&answered).await;
    assert_eq!(
        (&view["status"], &view["outcome"]["source"]),
        (&json!("completed"), &json!("answer"))
    );
    let history = teller.client.history(&unknown).await;
    let stopped = history
        .iter()
        .any(|record| record["type"] == "answer_lost" || record["type"] == "answered");
    assert!(stopped, "{history:?}");
    for id in [&answered, &unknown] {
        rig.audit(id).await;
        assert_eq!(rig.posts(id).len(), 1);
    }
}

#[tokio::test]
async fn a_crash_loses_nothing_and_repeats_nothing() {
    let rig = rig().await;
    let mut teller = serve(&rig).await;
    let scripts = [
        json!({}),
        json!({"answer_after_ms": 20_000, "status": "declined"}),
        json!({"answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 100_000}),
        json!({"answer": "hang", "ghost_after_ms": 110_000}),
        json!([{"answer": "refuse_503"}, {"answer_after_ms": 20_000}]),
    ];
    let mut ids = Vec::new();
    for round in 0..3 {
        for script in &scripts {
            let id = new_id();
            teller.client.paid(&id, script.clone()).await;
            ids.push((id, script.clone()));
        }
        if round < 2 {
            teller.crash().await;
            teller = serve(&rig).await;
        }
    }
    for (id, script) in &ids {
        let view = rig.audit(id).await;
        let replay = teller
            .client
            .post("/v1/transactions", &payment(id, script.clone()))
            .await;
        assert_eq!(
            (replay.status, replay.is_replay()),
            (200, true),
            "{replay:?}"
        );
        let word = if view["status"] == "completed" {
            "accepted"
        } else {
            "declined"
        };
        let told = rig.wait_until_told(id, 1).await;
        assert!(
            told.iter().all(|told| told.status.as_deref() == Some(word)),
            "{told:?}"
        );
    }
}

// ---- its commands ------------------------------------------------------------------------------------

#[tokio::test]
async fn check_config_says_what_is_wrong_and_where() {
    let rig = rig().await;
    let good = std::fs::read_to_string(rig.config_file()).expect("readable");
    let output = check(&rig, &good).await;
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("provider reference (default)"),
        "{output:?}"
    );
    let cases = [
        (
            format!("{good}\n[boundz]\nlinger = \"1s\"\n"),
            "did you mean",
            "bounds",
        ),
        (
            good.replace("data_dir = ", "data_dri = "),
            "did you mean",
            "data_dir",
        ),
        (
            good.replace("drain_timeout = \"5s\"", "drain_timeout = \"5 sec\""),
            "expected a duration",
            "teller.toml, line",
        ),
        (
            good.replace("workers = 2", "workers = 0"),
            "1 to 256",
            "workers",
        ),
        (
            good.replace("profile = \"profile.toml\"", "profile = \"missing.toml\""),
            "can't be read",
            "missing.toml",
        ),
        (
            good.replace("failed = \"given_up\"", ""),
            "missing field `failed`",
            "teller.toml, line",
        ),
    ];
    for (text, expected, named) in cases {
        assert_ne!(text, good, "{expected}: the case changes nothing");
        let output = check(&rig, &text).await;
        assert_eq!(output.status.code(), Some(1), "{expected}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains(expected) && said.contains(named),
            "{expected}, {named}: {said}"
        );
        assert!(output.stdout.is_empty(), "complaints belong to stderr");
    }
    // What the file alone can't tell is found when the providers are set up.
    let output = check(&rig, &good.replace("time_scale = 50", "time_scale = 5000")).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.contains("time scale") && said.contains("5000"),
        "{said}"
    );
    let misspelt = good.replace("data_dir = ", "data_dri = ");
    let line = misspelt
        .lines()
        .position(|line| line.starts_with("data_dri"))
        .expect("there")
        + 1;
    let output = check(&rig, &misspelt).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!("teller.toml, line {line}")),
        "line {line}: {said}"
    );
}

async fn check(rig: &Rig, text: &str) -> Output {
    std::fs::write(rig.config_file(), text).expect("writable");
    run(&[
        "check-config".as_ref(),
        "--config".as_ref(),
        rig.config_file().as_os_str(),
    ])
    .await
}

#[tokio::test]
async fn status_and_list_print_data_to_stdout_and_complaints_to_stderr() {
    let rig = rig().await;
    let teller = serve(&rig).await;
    let id = new_id();
    teller.client.paid(&id, json!({})).await;
    rig.audit(&id).await;
    let url = ["--url", teller.client.url.as_str()];
    let status = run(&[&["status", &id, "--json"][..], &url].concat()).await;
    assert!(status.status.success(), "{status:?}");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON and nothing else");
    assert_eq!(
        (&status["id"], &status["status"]),
        (&json!(id), &json!("completed"))
    );
    let text = run(&[&["status", &id][..], &url].concat()).await;
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("completed"),
        "{text:?}"
    );
    eventually("listed", || async {
        let list = run(&[&["list", "--status", "completed", "--json"][..], &url].concat()).await;
        let list: Value = serde_json::from_slice(&list.stdout).expect("JSON and nothing else");
        (list["data"][0]["id"] == id).then_some(())
    })
    .await;
    let lines = run(&[&["list"][..], &url].concat()).await;
    assert!(
        String::from_utf8_lossy(&lines.stdout).contains(&id),
        "{lines:?}"
    );
    let missing = run(&[&["status", &new_id()][..], &url].concat()).await;
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert!(
        missing.stdout.is_empty() && !missing.stderr.is_empty(),
        "{missing:?}"
    );
    let wrong = run(&[&["list", "--status", "paid"][..], &url].concat()).await;
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("in_review"),
        "{wrong:?}"
    );
    let nobody = run(&["list", "--url", "http://127.0.0.1:9"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert!(
        String::from_utf8_lossy(&nobody.stderr).contains("no teller answers at"),
        "{nobody:?}"
    );
}
