//! Idempotency: what a second request with the same key meets, after every kind of first answer.

use mock_provider::acorn::{GHOST_WINDOW_MS, State};
use mock_provider::ledger::{Answer, Course};

use super::*;

#[tokio::test]
async fn a_repetition_gets_the_stored_answer() {
    let shop = shop(options()).await;
    let first = shop.pay("o").await;
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let id = id_in(&first);
    eventually("it is settled", || async {
        let state = shop.inquire(&id).await.json()["charge"]["state"].take();
        (state != "processing").then_some(())
    })
    .await;
    let again = shop.pay("o").await;
    assert_eq!(
        (again.code, again.text.as_str()),
        (201, first.text.as_str())
    );
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(
        again.json()["charge"]["state"],
        "processing",
        "as it was stored"
    );

    let other = send(shop.request("o", &charge("another order"))).await;
    assert_eq!((other.code, error_in(&other)), (422, json!("key_reuse")));
    let [entry] = &shop.acorn.ledger().executions[..] else {
        panic!("one execution");
    };
    assert_eq!(entry.repetitions, 2);
    let stats = shop.acorn.stats().charges;
    assert_eq!((stats.entered, stats.replayed, stats.key_reuse), (1, 1, 1));
}

#[tokio::test]
async fn ten_at_once_are_executed_once() {
    let shop = shop(options()).await;
    let script = json!({"answer_after_ms": 20_000});
    shop.acorn.set_script("o", &script).expect("well-formed");
    let requests: Vec<_> = (0..10)
        .map(|_| tokio::spawn(send(shop.request("o", &charge("o")))))
        .collect();
    let mut codes = Vec::new();
    for request in requests {
        codes.push(request.await.expect("no panic").code);
    }
    codes.sort_unstable();
    let taken = codes.iter().filter(|code| **code == 201).count();
    assert!(
        taken >= 1 && codes.iter().all(|code| matches!(code, 201 | 409)),
        "{codes:?}"
    );
    assert_eq!(shop.entries("o").len(), 1);
}

#[tokio::test]
async fn the_same_payment_under_another_key_is_executed_again() {
    let shop = shop(options()).await;
    shop.pay("o").await;
    assert_eq!(send(shop.request("another", &charge("o"))).await.code, 201);
    let executed = shop.entries("o").iter().filter(|e| e.executed).count();
    assert_eq!(executed, 2, "acorn knows keys, not orders");
}

#[tokio::test]
async fn a_lost_answer_was_executed_exactly_once() {
    let shop = shop(options()).await;
    for answer in ["close", "reset", "garbage", "error_500"] {
        let script = json!({"answer": answer, "answer_after_ms": 0, "settle_after_ms": 0});
        shop.acorn.set_script(answer, &script).expect("well-formed");
        let got = try_send(shop.request(answer, &charge(answer))).await;
        match answer {
            "error_500" => assert_eq!(got.expect("an answer").code, 500),
            "garbage" => assert!(!got.expect("an answer").text.starts_with("{\"")),
            _ => assert!(got.is_err(), "{answer}"),
        }
        let again = shop.pay(answer).await;
        assert_eq!(again.code, 201, "{answer}");
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let [entry] = &shop.entries(answer)[..] else {
            panic!("one execution of {answer}");
        };
        assert_eq!((entry.executed, entry.outcome), (true, Some(State::Paid)));
        assert_eq!(entry.charge, Some(id_in(&again)));
    }
}

#[tokio::test]
async fn a_ghost_appears_within_the_window_and_answers_for_its_key() {
    let shop = shop(options()).await;
    let faults = json!({"ghost": 1.0});
    post(&shop.acorn.url, "/admin/faults", &faults).await;
    let first = shop.pay("o").await;
    assert_eq!(first.code, 504);
    assert!(
        serde_json::from_str::<Value>(&first.text).is_err(),
        "it is no JSON"
    );
    let [entry] = &shop.entries("o")[..] else {
        panic!("one execution");
    };
    assert_eq!(
        (entry.course, entry.answer),
        (Course::Ghost, Answer::Timeout)
    );
    let window_ms = GHOST_WINDOW_MS / 100;
    let exists_at_ms = entry.exists_at_ms.expect("a ghost");
    assert!((entry.received_at_ms..=entry.received_at_ms + window_ms).contains(&exists_at_ms));
    let id = entry.charge.clone().expect("its id");
    let replay = eventually("the ghost", || async {
        let again = shop.pay("o").await;
        if again.code == 409 {
            assert_eq!(error_in(&again), "request_in_progress");
            return None;
        }
        Some(again)
    })
    .await;
    assert_eq!((replay.code, id_in(&replay)), (201, id.clone()));
    let state = entry.outcome.expect("decided").as_str();
    assert_eq!(replay.json()["charge"]["state"], state, "directly settled");
    assert_eq!(shop.inquire(&id).await.json()["charge"]["state"], state);
    assert_eq!(shop.entries("o").len(), 1);
}

#[tokio::test]
async fn a_lost_one_is_executed_by_a_repetition_after_the_window() {
    let shop = shop(options()).await;
    let script = json!([{"answer": "timeout", "answer_after_ms": 100}, {}]);
    assert_eq!(shop.pay_scripted("o", &script).await.code, 504);
    assert_eq!(shop.entries("o")[0].course, Course::Lost);
    let taken = eventually("the end of the window", || async {
        Some(shop.pay("o").await).filter(|again| again.code != 409)
    })
    .await;
    assert_eq!(taken.code, 201);
    assert!(!taken.headers.contains_key("idempotent-replayed"));
    let executed: Vec<_> = shop.entries("o").iter().map(|e| e.executed).collect();
    assert_eq!(executed, [false, true]);
    let entries = shop.entries("o");
    let waited_ms = entries[1].received_at_ms - entries[0].received_at_ms;
    assert!(waited_ms + 5 >= GHOST_WINDOW_MS / 100, "{waited_ms} ms");
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_window() {
    let shop = shop(Options {
        key_window_s: 60,
        ..options()
    })
    .await;
    let first = shop.pay("o").await;
    let second = eventually("the end of the window", || async {
        let again = shop.pay("o").await;
        Some(again).filter(|again| !again.headers.contains_key("idempotent-replayed"))
    })
    .await;
    assert_eq!(second.code, 201);
    assert_ne!(id_in(&first), id_in(&second), "executed a second time");
    assert_eq!(shop.acorn.ledger().of_key("o").count(), 2);
}
