//! Keys, as the program makes and takes them; and doors that stay shut to other machines without.

use serde_json::{Value, json};

use crate::support::{Process, Rig, app_key, new_id, operator_key, put, run, run_with};

#[tokio::test]
async fn a_new_key_is_printed_once_with_the_line_that_lets_it_in() {
    let whose = [vec!["--app", "shop"], vec!["--operator"]];
    let mut made = Vec::new();
    for whose in &whose {
        let output = run(&[&["key", "new"][..], whose].concat()).await;
        assert!(output.status.success(), "{output:?}");
        let key = String::from_utf8(output.stdout).expect("text");
        let line = String::from_utf8(output.stderr).expect("text");
        let key = key.trim_end_matches('\n').to_owned();
        assert!(!key.contains(char::is_whitespace) && key.starts_with("tlr_"));
        assert!(!line.contains(&key), "the key itself is not configured");
        let table: toml::Table = line.parse().expect("what stderr says is TOML");
        made.push((key, table));
    }
    let (app, operator) = (&made[0], &made[1]);
    let rig = Rig::start_with(|setup| {
        put(&mut setup.config, "app.keys", app.1["keys"].clone());
        put(&mut setup.config, "operators", operator.1.clone());
    })
    .await;
    let id = new_id();
    rig.client.with_key(&app.0).paid(&id, json!({})).await;
    let seen = rig.client.with_key(&operator.0).inspect(&id).await;
    assert_eq!(seen["id"], json!(id));
    for wrong in [
        &["key", "new"][..],
        &["key", "new", "--app", "shop", "--operator"],
        &["key", "new", "--app", "No Shop"],
    ] {
        let output = run(wrong).await;
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{output:?}"
        );
    }
}

#[tokio::test]
async fn status_and_list_take_the_key_from_a_file_or_the_environment() {
    let (shop, fuel, operator) = (app_key("shop"), app_key("fuel"), operator_key());
    let rig = Rig::start_with(|setup| {
        setup.let_in(&[("shop", &shop), ("fuel", &fuel)], &operator);
    })
    .await;
    let id = new_id();
    rig.client.with_key(&fuel.text).paid(&id, json!({})).await;
    let file = rig.dir.path().join("operator.key");
    std::fs::write(&file, format!("{}\n", operator.text)).expect("writable");
    let (file, url) = (file.display().to_string(), rig.client.url.clone());
    let status = ["status", &id, "--url", &url, "--json"];
    let by_file = [&status[..], &["--app", "fuel", "--key-file", &file]].concat();
    let by_variable = [&status[..], &["--app", "fuel"]].concat();
    for output in [
        run(&by_file).await,
        run_with(&by_variable, &[("TELLER_KEY", &operator.text)]).await,
        run_with(&by_variable, &[("TELLER_KEY_FILE", &file)]).await,
    ] {
        assert!(output.status.success(), "{output:?}");
        let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            (&status["id"], &status["app"]),
            (&json!(id), &json!("fuel"))
        );
    }
    let list = [
        "list",
        "--url",
        &url,
        "--key-file",
        &file,
        "--app",
        "shop",
        "--json",
    ];
    let listed = run(&list).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed["data"], json!([]));
    for (output, expected) in [
        (run(&status).await, "send your key"),
        (
            run_with(&status, &[("TELLER_KEY", "tlr_operator_x_y")]).await,
            "not known here",
        ),
        (
            run_with(&status, &[("TELLER_KEY", &operator.text)]).await,
            "say which by ?app=, of shop, fuel",
        ),
        (
            run(&[&status[..], &["--key-file", "/nowhere/key"]].concat()).await,
            "/nowhere/key can't be read",
        ),
    ] {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains(&operator.text), "{said}");
    }
}

#[tokio::test]
async fn doors_without_keys_stay_shut_to_other_machines_unless_that_is_meant() {
    let rig = Rig::set_up(|_| {}).await;
    let everywhere = ["--listen", "0.0.0.0:0"];
    let refusal = Process::serve_with(&rig.config_file(), &everywhere, &[]).await;
    let refusal = refusal.err().expect("it is refused");
    assert_eq!(refusal.code, Some(1), "{refusal:?}");
    for word in ["0.0.0.0:0", "teller key new", "--i-accept-open-doors"] {
        assert!(refusal.said.contains(word), "{word}: {refusal:?}");
    }
    let meant = ["--listen", "0.0.0.0:0", "--i-accept-open-doors"];
    let accepted = Process::serve_with(&rig.config_file(), &meant, &[]).await;
    accepted.expect("it was meant").crash().await;
    let text = std::fs::read_to_string(rig.config_file()).expect("readable");
    std::fs::write(rig.config_file(), format!("open_doors = true\n{text}")).expect("writable");
    let accepted = Process::serve_with(&rig.config_file(), &everywhere, &[]).await;
    accepted.expect("it was meant").crash().await;
    let mut config: toml::Table = text.parse().expect("TOML");
    let keys: toml::Table = app_key("shop").line().parse().expect("TOML");
    put(&mut config, "app.keys", keys["keys"].clone());
    std::fs::write(rig.config_file(), config.to_string()).expect("writable");
    let accepted = Process::serve_with(&rig.config_file(), &everywhere, &[]).await;
    let accepted = accepted.expect("nobody comes in without a key");
    accepted.crash().await;
}

#[tokio::test]
async fn logs_name_the_key_and_never_show_it() {
    let (app, operator) = (app_key("shop"), operator_key());
    let rig = Rig::set_up(|setup| setup.let_in(&[("shop", &app)], &operator)).await;
    let loud = [("RUST_LOG", "debug")];
    let teller = Process::serve_with(&rig.config_file(), &[], &loud).await;
    let teller = teller.expect("it starts");
    let id = new_id();
    teller.client.with_key(&app.text).paid(&id, json!({})).await;
    let act = teller.client.with_key(&operator.text);
    act.act(&id, "inquire", &json!({"why": "a customer asks"}))
        .await;
    let wrong = app_key("shop");
    let wrong_client = teller.client.with_key(&wrong.text);
    wrong_client
        .get("/v1/transactions")
        .await
        .expect_problem(401, "unknown_key");
    teller.terminate().await;
    let said = teller.wait().await.said;
    assert!(
        said.contains("\"role\":\"operator\"") && said.contains(&operator.config.id.to_string()),
        "{said}"
    );
    for key in [&app, &operator, &wrong] {
        let secret = key.text.splitn(4, '_').last().expect("a secret");
        assert!(!said.contains(secret), "{said}");
    }
}
