//! What is made of each answer, and of none.

use super::*;

#[tokio::test]
async fn only_2xx_acknowledges() {
    let failed = |why: &str, retry_after_s: Option<u64>| DeliveryResult::Failed {
        why: why.to_owned(),
        retry_after: retry_after_s.map(Duration::from_secs),
        status: why.split([' ', ';']).find_map(|word| word.parse().ok()),
        took: None,
    };
    let elsewhere = Server::start([]).await;
    let location = format!("location: {}/x\r\n", elsewhere.url());
    for (bytes, expected) in [
        (answer(200, "", "no"), acknowledged(200)),
        (answer(299, "", ""), acknowledged(299)),
        (answer(200, "", &"x".repeat(100_000)), acknowledged(200)),
        (answer(410, "", ""), DeliveryResult::Gone { took: None }),
        (
            answer(307, &location, ""),
            failed(
                "the app answered HTTP 307; redirects are not followed",
                None,
            ),
        ),
        (
            answer(404, "", ""),
            failed("the app answered HTTP 404", None),
        ),
        (
            answer(429, "retry-after: 30\r\n", ""),
            failed("the app answered HTTP 429", Some(30)),
        ),
        (
            answer(503, "retry-after: 90\r\n", ""),
            failed("the app answered HTTP 503", Some(90)),
        ),
        (
            answer(502, "retry-after: 5\r\n", ""),
            failed("the app answered HTTP 502", Some(5)),
        ),
        (
            answer(504, "", ""),
            failed("the app answered HTTP 504", None),
        ),
        (
            answer(500, "retry-after: 90\r\n", "secret"),
            failed("the app answered HTTP 500", None),
        ),
    ] {
        let server = Server::start([Act::Answer(bytes)]).await;
        let result = reference_app(&server)
            .notify(notification(Status::Completed))
            .await;
        assert_eq!(untimed(result), expected);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn what_breaks_is_a_failure_that_names_no_url() {
    for (act, expected) in [
        (Act::Close, "the connection broke"),
        (Act::Reset, "the connection broke"),
        (
            Act::AnswerAndClose(b"nonsense\r\n\r\n".to_vec()),
            "the connection broke",
        ),
        (Act::Hang, "no answer in time"),
    ] {
        let server = Server::start([act]).await;
        let url = format!("url = '{}/hidden-token'", server.url());
        let mut config = config("shop", &url, "");
        config.time_scale = 20.0;
        let result = notifier(config)
            .notify(notification(Status::Completed))
            .await;
        let DeliveryResult::Failed {
            why,
            retry_after: None,
            status: None,
            took: Some(took),
        } = result
        else {
            panic!("{expected}: {result:?}");
        };
        assert!(why.contains(expected), "{why}");
        // Nothing in the app's 20 s, which are one here.
        let waited = took.as_millis() >= 1_000;
        assert_eq!(waited, expected == "no answer in time", "{why}");
        assert!(
            !why.contains("hidden-token") && !why.contains("127.0.0.1"),
            "{why}"
        );
        assert!(server.requests().len() <= 1);
    }
    let nobody = notifier(config(
        "shop",
        "url = 'http://127.0.0.1:1/hidden-token'",
        "",
    ));
    let result = format!("{:?}", nobody.notify(notification(Status::Completed)).await);
    assert!(
        result.contains("no connection") && !result.contains("hidden"),
        "{result}"
    );
}
