//! What is refused before anything goes out, and where it may go.

use super::*;

#[test]
fn setting_up_names_the_key_and_not_its_value() {
    let refused = |table: &str| {
        let config = config("shop", table, "");
        HttpNotifier::new(config, Clock::system())
            .expect_err("refused")
            .to_string()
    };
    let standard = "url = 'http://a.example/'\nformat = 'standard_webhooks'";
    let said = refused(&format!(
        "{standard}\nsecrets = [{{ env = 'TELLER_TEST_NEVER_SET' }}]"
    ));
    assert_eq!(
        said,
        "app shop: notify.secrets: TELLER_TEST_NEVER_SET is not set"
    );
    let said = refused(&format!(
        "{standard}\nsecrets = [{{ file = '/nowhere/at/all' }}]"
    ));
    assert_eq!(
        said,
        "app shop: notify.secrets: /nowhere/at/all can't be read"
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "open sesame").expect("written");
    let said = refused(&format!(
        "{standard}\nsecrets = [{{ file = '{}' }}]",
        file.path().display()
    ));
    assert!(
        said.contains("begins with whsec_") && !said.contains("sesame"),
        "{said}"
    );
    let said = refused("url = 'http://a.example/'\nbody = '{{ idd }}'");
    assert_eq!(
        said,
        "app shop: notify.body: there is no `idd` to print here; did you mean `id`?"
    );
}

#[tokio::test]
async fn an_app_is_reached_only_where_it_is_allowed() {
    let by_name = |server: &Server, allow: &str| {
        let url = format!("url = 'http://localhost:{}/hidden'", server.address.port());
        notifier(config("shop", &url, &format!("allow = [{allow}]")))
    };
    let server = Server::start([Act::Answer(answer(200, "", ""))]).await;
    for elsewhere in ["", "'10.0.0.0/8'", "'localhost.example'"] {
        let result = by_name(&server, elsewhere)
            .notify(notification(Status::Completed))
            .await;
        let DeliveryResult::Failed { why, .. } = result else {
            panic!("it went out to this machine: {result:?}");
        };
        assert!(
            why.contains("every address of localhost is in a forbidden range (loopback): allow it with notify.allow"),
            "{why}"
        );
        assert!(!why.contains("hidden"), "{why}");
    }
    assert_eq!(server.connections(), 0);
    for allow in ["'127.0.0.0/8'", "'localhost'"] {
        let server = Server::start([Act::Answer(answer(200, "", ""))]).await;
        let result = by_name(&server, allow)
            .notify(notification(Status::Completed))
            .await;
        assert_eq!(untimed(result), acknowledged(200), "{allow}");
    }
}

#[tokio::test]
async fn printing_a_notifier_shows_no_secret() {
    let server = Server::start([]).await;
    let shown = format!("{:?}", standard_app(&server, &[KEY]));
    assert!(
        shown.contains("shop") && shown.contains("Shared(…)"),
        "{shown}"
    );
    assert!(
        !shown.contains(&STANDARD.encode(KEY)) && !shown.contains("7, 7"),
        "{shown}"
    );
}

#[tokio::test]
async fn each_app_has_its_own_schedule_and_a_stranger_none() {
    let server = Server::start([]).await;
    let url = format!("url = '{}'", server.url());
    let mut both = config("shop", &url, "schedule = ['0s', '10s']");
    both.apps
        .extend(config("bar", &url, "schedule = ['1s']\njitter = 0.0").apps);
    both.time_scale = 2.0;
    let notifier = notifier(both);
    let schedule_ms = |app: &str| {
        let policy = notifier.policy(&AppId::parse(app).expect("legal"))?;
        Some(
            policy
                .schedule
                .iter()
                .map(Duration::as_millis)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(schedule_ms("shop"), Some(vec![0, 5_000]));
    assert_eq!(schedule_ms("bar"), Some(vec![500]));
    assert_eq!(schedule_ms("stranger"), None);
}
