//! Inquiries: the limit, scripted answers and faults.

use super::*;

#[tokio::test]
async fn too_many_inquiries_are_limited_and_then_blocked() {
    let shop = shop(Options {
        time_scale: 1.0,
        status_limit: Some(0.01),
        ..options()
    })
    .await;
    let mut seen = Vec::new();
    for _ in 0..14 {
        let got = shop.inquire("ch_1").await;
        assert_eq!(got.headers.contains_key("retry-after"), got.code != 404);
        seen.push((got.code, error_in(&got)));
    }
    let mut expected = vec![(404, json!("not_found"))];
    expected.extend(vec![(429, json!("rate_limited")); 11]);
    expected.extend(vec![(403, json!("blocked")); 2]);
    assert_eq!(seen, expected);
    let ledger = shop.acorn.ledger();
    assert_eq!((ledger.inquiries, ledger.blocked), (14, 2));
    assert_eq!(shop.pay("o").await.code, 201, "only inquiries are limited");
}

#[tokio::test]
async fn inquiries_fail_on_request() {
    let shop = shop(options()).await;
    let script = json!({"get": [500, 429]});
    let id = id_in(&shop.pay_scripted("o", &script).await);
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(shop.inquire(&id).await.code);
    }
    assert_eq!(codes, [500, 429, 200]);
    post(&shop.acorn.url, "/admin/faults", &json!({"get_500": 1})).await;
    assert_eq!(shop.inquire(&id).await.code, 500);
}
