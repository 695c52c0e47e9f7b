//! Charges from the form to the end, and what is refused.

use mock_provider::acorn::{Decline, Faults, State};
use mock_provider::ledger::{Answer, Course};
use sha2::{Digest, Sha256};

use super::*;

#[tokio::test]
async fn a_charge_has_an_id_of_its_own_and_echoes_what_was_nested() {
    let shop = shop(options()).await;
    let mut fields = charge("o-1");
    fields.push(("metadata[cart][id]", "7"));
    fields.push(("customer[name]", "Zoë & Co"));
    fields.push(("callback_url", "http://127.0.0.1:1/secret-token"));
    shop.acorn
        .set_script("o-1", &json!({"settle_after_ms": 2_000}))
        .expect("well-formed");
    let got = send(shop.request("key-1", &fields)).await;
    let id = id_in(&got);
    assert!(id.starts_with("ch_"), "{id}");
    let mut expected = json!({
        "charge": {
            "id": id,
            "state": "processing",
            "amount": "12.50",
            "currency": "eur",
            "source": {"type": "mobile_money", "phone": "+254700000001"},
            "metadata": {"order": "o-1", "cart": {"id": "7"}},
            "customer": {"name": "Zoë & Co"},
        },
        "error": null,
    });
    assert_eq!((got.code, got.json()), (201, expected.clone()));

    shop.until(&id, "paid").await;
    expected["charge"]["state"] = json!("paid");
    let seen = shop.inquire(&id).await;
    assert_eq!((seen.code, seen.json()), (200, expected));
    for ours in ["key-1", "o-1"] {
        let got = shop.inquire(ours).await;
        assert_eq!((got.code, error_in(&got)), (404, json!("not_found")));
    }

    let [entry] = &shop.entries("o-1")[..] else {
        panic!("one execution");
    };
    assert_eq!((entry.key.as_str(), entry.execution), ("key-1", 1));
    assert_eq!(entry.charge.as_deref(), Some(id.as_str()));
    assert_eq!((entry.executed, entry.outcome), (true, Some(State::Paid)));
    assert_eq!((entry.course, entry.answer), (Course::Answered, Answer::Ok));
    assert_eq!(entry.payload["customer"]["name"], "Zoë & Co");
    assert!(entry.decided_at_ms > entry.exists_at_ms);
    let ledger = shop.acorn.ledger();
    assert_eq!(ledger.of_charge(&id), Some(entry));
    assert_eq!(ledger.of_key("key-1").count(), 1);
    let text = get(&shop.acorn.url, "/admin/ledger").await;
    assert_eq!(text.json(), json!(ledger));
    assert!(!text.text.contains("secret-token"));
}

/// Amount, currency → whether it is taken.
#[tokio::test]
async fn amounts_have_the_decimals_of_their_currency() {
    let shop = shop(options()).await;
    for (amount, currency, code, error) in [
        ("12.50", "eur", 201, Value::Null),
        ("1000", "jpy", 201, Value::Null),
        ("1.250", "kwd", 201, Value::Null),
        ("1000.00", "jpy", 400, json!("invalid_amount")),
        ("1.25", "kwd", 400, json!("invalid_amount")),
        ("12.5", "eur", 400, json!("invalid_amount")),
        ("12.50", "EUR", 400, json!("invalid_currency")),
    ] {
        let mut fields = charge_with("amount", amount);
        fields.retain(|(name, _)| *name != "currency");
        fields.push(("currency", currency));
        let got = send(shop.request(&format!("{amount}{currency}"), &fields)).await;
        assert_eq!(
            (got.code, error_in(&got)),
            (code, error),
            "{amount} {currency}"
        );
        if code == 201 {
            assert_eq!(got.json()["charge"]["amount"], amount);
            assert_eq!(got.json()["charge"]["currency"], currency);
        }
    }
    assert_eq!(shop.acorn.ledger().executions.len(), 3);
    assert_eq!(shop.acorn.stats().charges.malformed, 4);
}

#[tokio::test]
async fn malformed_requests_are_named_and_nothing_is_executed() {
    let shop = shop(options()).await;
    let long = "k".repeat(41);
    let longest = "k".repeat(40);
    for (key, fields, param) in [
        (long.as_str(), charge("o"), "x-request-id"),
        ("a key", charge("o"), "x-request-id"),
        ("k", charge_with("amount", "-1.00"), "amount"),
        ("k", charge_with("source[type]", "card"), "source[type]"),
        ("k", charge_with("source[phone]", "0700"), "source[phone]"),
        ("k", charge_with("metadata[order]", ""), "metadata[order]"),
        ("k", charge_with("callback_url", "nowhere"), "callback_url"),
    ] {
        let got = send(shop.request(key, &fields)).await;
        assert_eq!(got.code, 400, "{param}");
        assert_eq!(got.json()["error"]["param"], param);
    }
    let without_key = client()
        .post(format!("{}/v2/charges", shop.acorn.url))
        .bearer_auth(&shop.token);
    assert_eq!(send(as_form(without_key, &charge("o"))).await.code, 400);
    let as_json = client()
        .post(format!("{}/v2/charges", shop.acorn.url))
        .bearer_auth(&shop.token)
        .header("x-request-id", "k")
        .header("content-type", "application/json")
        .body(r#"{"amount": "12.50"}"#);
    assert_eq!(send(as_json).await.json()["error"]["param"], "content-type");
    let not_utf8 = shop.request("k", &[]).body("amount=%ff");
    assert_eq!(send(not_utf8).await.json()["error"]["param"], "body");
    let script = shop.request("k", &charge("o"));
    let script = send(script.header("x-mock-script", r#"{"state": "bust"}"#)).await;
    assert_eq!(error_in(&script), "invalid_script");
    assert_eq!(shop.acorn.ledger().executions, []);
    assert_eq!(send(shop.request(&longest, &charge("o"))).await.code, 201);
}

#[tokio::test]
async fn a_digest_is_checked_where_there_is_one_and_demanded_on_request() {
    let hex = |body: &[u8]| {
        let digest = Sha256::digest(body);
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let lenient = shop(options()).await;
    let strict = shop(Options {
        require_digest: true,
        ..options()
    })
    .await;
    for (shop, without) in [(&lenient, 201), (&strict, 400)] {
        assert_eq!(shop.pay("without").await.code, without);
        let request = || shop.request("with", &charge("with"));
        let built = request().build().expect("a request");
        let body = built.body().and_then(|body| body.as_bytes()).expect("text");
        let wrong = send(request().header("x-content-sha256", hex(b"another body"))).await;
        assert_eq!(
            (wrong.code, error_in(&wrong)),
            (400, json!("digest_mismatch"))
        );
        let right = hex(body);
        let right = send(request().header("x-content-sha256", right.to_uppercase())).await;
        assert_eq!(right.code, 201);
    }
}

#[tokio::test]
async fn refusals_at_the_door() {
    let shop = shop(options()).await;
    for (decline, why) in [
        ("insufficient_funds", Decline::InsufficientFunds),
        ("limit_exceeded", Decline::LimitExceeded),
    ] {
        let faults = json!({decline: 1.0});
        post(&shop.acorn.url, "/admin/faults", &faults).await;
        let got = shop.pay(decline).await;
        assert_eq!((got.code, error_in(&got)), (402, json!(decline)));
        assert_eq!(got.json()["charge"]["state"], "rejected");
        let seen = shop.inquire(&id_in(&got)).await.json();
        assert_eq!(seen["charge"]["state"], "rejected");
        let entry = &shop.entries(decline)[0];
        assert_eq!(
            (entry.outcome, entry.declined),
            (Some(State::Rejected), Some(why))
        );
        let again = shop.pay(decline).await;
        assert_eq!((again.code, again.json()), (402, got.json()));
        assert_eq!(again.headers["idempotent-replayed"], "true");
    }
    for (fault, code, error) in [
        ("refuse_503", 503, "maintenance"),
        ("refuse_429", 429, "rate_limited"),
    ] {
        post(&shop.acorn.url, "/admin/faults", &json!({fault: 1.0})).await;
        let got = shop.pay(fault).await;
        assert_eq!((got.code, error_in(&got)), (code, json!(error)));
        assert_eq!(got.headers.contains_key("retry-after"), code == 429);
        post(&shop.acorn.url, "/admin/faults", &json!({})).await;
        let mut other = charge(fault);
        other.push(("customer[name]", "the key is free for another body"));
        assert_eq!(send(shop.request(fault, &other)).await.code, 201);
        let seen: Vec<_> = shop
            .entries(fault)
            .iter()
            .map(|e| (e.execution, e.executed))
            .collect();
        assert_eq!(seen, [(1, false), (2, true)]);
    }
}

#[tokio::test]
async fn a_charge_is_held_rejected_or_reversed() {
    let shop = shop(options()).await;
    let held = json!({"state": "on_hold", "settle_after_ms": 500});
    let held = id_in(&shop.pay_scripted("held", &held).await);
    shop.until(&held, "on_hold").await;
    let rejected = json!({"state": "rejected", "hold_after_ms": 400});
    let rejected = id_in(&shop.pay_scripted("rejected", &rejected).await);
    shop.until(&rejected, "rejected").await;
    let reversed = json!({"reverse_after_ms": 5_000});
    let reversed = id_in(&shop.pay_scripted("reversed", &reversed).await);
    shop.until(&reversed, "reversed").await;
    let seen = |order| {
        let entry = shop.entries(order).pop().expect("one");
        (entry.outcome, entry.reversed)
    };
    assert_eq!(seen("held"), (None, false));
    assert_eq!(seen("rejected"), (Some(State::Rejected), false));
    assert_eq!(seen("reversed"), (Some(State::Paid), true));
}

#[tokio::test]
async fn the_same_seed_and_key_do_the_same_everywhere() {
    let faults = Faults {
        ghost: 0.2,
        lost: 0.2,
        answer_lost: 0.2,
        on_hold: 0.3,
        reversed: 0.3,
        ..Faults::default()
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let shop = shop(Options {
            time_scale: 10_000.0,
            faults: faults.clone(),
            ..options()
        })
        .await;
        for n in 0..40 {
            let order = format!("o-{n}");
            let _ = try_send(shop.request(&order, &charge(&order))).await;
        }
        let ledger = shop.acorn.ledger();
        let run: Vec<_> = ledger
            .executions
            .into_iter()
            .map(|e| (e.charge, e.course, e.answer, e.outcome, e.reversed))
            .collect();
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    for course in [Course::Answered, Course::Ghost, Course::Lost] {
        assert!(runs[0].iter().any(|entry| entry.1 == course), "{course:?}");
    }
}
