//! The program's commands about profiles: recorded cases, explanations, warnings.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::run;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("providers")
        .join(path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a file into a folder of the test's own.
fn file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("writable");
    path.display().to_string()
}

async fn try_reference(arguments: &[&str]) -> Output {
    let profile = shipped("reference.toml").display().to_string();
    run(&[&["provider", "try", profile.as_str()], arguments].concat()).await
}

#[tokio::test]
async fn recorded_cases_are_shown_and_compared() {
    let cases = shipped("cases/reference.toml").display().to_string();
    let output = try_reference(&["--case", &cases]).await;
    let said = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}{}",
        text(&output.stderr)
    );
    assert!(
        said.contains(
            "ok       completed at once\n           completed by [[submit.outcome]] row 1\n"
        ),
        "{said}"
    );
    assert!(
        said.contains(" cases: ") && said.contains(" 0 differ"),
        "{said}"
    );
    assert!(!said.contains("no case is about"), "{said}");
}

#[tokio::test]
async fn a_case_that_comes_otherwise_fails_the_command() {
    let folder = TempDir::new().expect("a directory");
    let cases = "about = 'x'\n[[case]]\nname = 'wrong'\nanswer = 'submit'\nstatus = 504\nexpect = { finding = 'declined' }\n";
    let cases = file(&folder, "cases.toml", cases);
    let output = try_reference(&["--case", &cases]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("differs  wrong\n") && said.contains("! finding: expected declined\n"),
        "{said}"
    );
    assert!(
        said.contains("no case is about the request of [inquiry]\n"),
        "{said}"
    );

    let output = try_reference(&["--case", &cases, "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["cases"][0]["verdict"], "differs");
    assert_eq!(report["cases"][0]["line"], 2);

    let unreadable = file(
        &folder,
        "bad.toml",
        "about = 'x'\n[[case]]\nnme = 'wrong'\n",
    );
    let output = try_reference(&["--case", &unreadable]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("bad.toml, line 3: ") && said.contains("did you mean `name`?"),
        "{said}"
    );
}

#[tokio::test]
async fn one_answer_is_read_without_a_file_of_cases() {
    let folder = TempDir::new().expect("a directory");
    let body = file(&folder, "body.json", r#"{"status":"declined"}"#);
    let output = try_reference(&[
        "--answer",
        "inquiry",
        "--status",
        "200",
        "--body-file",
        &body,
    ])
    .await;
    assert_eq!(
        text(&output.stdout),
        "declined by [[inquiry.outcome]] row 2\nword \"declined\"\n"
    );
    let output = try_reference(&["--answer", "submit", "--status", "504", "--json"]).await;
    let evidence: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(evidence["evidence"][1], "word \"504\"");
}

/// A configuration with the reference profile at `base_url`.
fn config(folder: &TempDir, base_url: &str) -> String {
    let profile = shipped("reference.toml");
    let text = format!(
        "[app]\nname = 'shop'\n[[provider]]\nprofile = '{}'\nbase_url = '{base_url}'\n",
        profile.display()
    );
    file(folder, "teller.toml", &text)
}

#[tokio::test]
async fn a_provider_is_explained() {
    let folder = TempDir::new().expect("a directory");
    let config = config(&folder, "http://127.0.0.1:4000");
    let explain = |name: &'static str| {
        let config = config.clone();
        async move { run(&["check-config", "--config", &config, "--explain", name]).await }
    };
    let output = explain("reference").await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(said.starts_with("PROVIDER REFERENCE\n"), "{said}");
    assert!(
        said.contains("POST http://127.0.0.1:4000/transaction\n"),
        "{said}"
    );
    let output = explain("refrence").await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("no provider \"refrence\"; did you mean \"reference\"?"),
        "{said}"
    );
}

#[tokio::test]
async fn warnings_are_told_and_can_be_denied() {
    let folder = TempDir::new().expect("a directory");
    let doubtful = config(&folder, "http://provider.example.com");
    for (arguments, code) in [(&[][..], 0), (&["--deny-warnings"][..], 1)] {
        let arguments = [&["check-config", "--config", doubtful.as_str()], arguments].concat();
        let output = run(&arguments).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("teller: warning: provider reference: base_url: http://provider.example.com is plain HTTP"), "{said}");
    }
    let sound = config(&folder, "http://127.0.0.1:4000");
    let output = run(&[
        "check-config",
        "--config",
        sound.as_str(),
        "--deny-warnings",
    ])
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
