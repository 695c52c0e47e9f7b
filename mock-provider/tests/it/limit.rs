//! The limit on inquiries, over HTTP.

use mock_provider::server::{self, Options};

use crate::support::*;

#[tokio::test]
async fn too_many_inquiries_are_limited_and_then_blocked() {
    // Slow enough, in unscaled and in real time, that no token and no end of the block comes along
    // while the test asks.
    let provider = server::start(Options {
        time_scale: 1.0,
        status_limit: Some(0.01),
        ..options()
    })
    .await
    .expect("a free port");
    let mut codes = Vec::new();
    for _ in 0..15 {
        let got = get(&provider.url, "/transaction/a").await;
        if matches!(got.code, 429 | 403) {
            let seconds: u64 = got.headers["retry-after"]
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .expect("whole seconds");
            assert!((1..=100).contains(&seconds), "{seconds}");
        }
        codes.push(got.code);
    }
    let mut expected = vec![404];
    expected.extend([429; 11]);
    expected.extend([403; 3]);
    assert_eq!(codes, expected);

    let inquiries = provider.stats().inquiries;
    assert_eq!((inquiries.limited, inquiries.blocked), (11, 3));
    let ledger = provider.ledger();
    assert_eq!((ledger.inquiries, ledger.blocked), (15, 3));
    let accepted = post_scripted(&provider, "a", serde_json::json!({})).await;
    assert_eq!(accepted.code, 200, "only inquiries are limited");
}

#[tokio::test]
async fn a_block_ends() {
    // A block lasts 60 s, at this scale 0.3 s.
    let provider = server::start(Options {
        time_scale: 200.0,
        status_limit: Some(0.01),
        ..options()
    })
    .await
    .expect("a free port");
    eventually("a block", || async {
        (get(&provider.url, "/transaction/a").await.code == 403).then_some(())
    })
    .await;
    eventually("its end", || async {
        (get(&provider.url, "/transaction/a").await.code == 404).then_some(())
    })
    .await;
}
