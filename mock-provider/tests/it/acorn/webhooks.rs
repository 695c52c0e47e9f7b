//! Batches of signed events: what is in them, how they are acknowledged, how they go wrong.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mock_provider::acorn::{BATCH_EVENTS, DeliverTo, Faults, SANDBOX_WEBHOOK_KEY, State};
use mock_provider::ledger::WebhookKind;
use sha2::Sha256;

use super::*;

const OK: Reply = Reply(202, "OK");

async fn shop_with(receiver: &Receiver, options: Options) -> Shop {
    shop(Options {
        webhook_url: Some(format!("{}/hook", receiver.url)),
        ..options
    })
    .await
}

/// The events of all batches so far, with whether their signature is right.
fn events(receiver: &Receiver) -> Vec<(Value, bool)> {
    let batches = receiver.got().into_iter();
    batches
        .flat_map(|(_, batch)| batch["events"].as_array().expect("events").clone())
        .map(|item| {
            let genuine = item["signature"] == signature(&item["event"]);
            (item["event"].clone(), genuine)
        })
        .collect()
}

/// The signature as the documentation has it, made with nothing of acorn's.
fn signature(event: &Value) -> String {
    let key: Vec<u8> = (0..SANDBOX_WEBHOOK_KEY.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&SANDBOX_WEBHOOK_KEY[at..at + 2], 16).expect("hex"))
        .collect();
    let charge = &event["charge"];
    let parts = [
        &event["uid"],
        &event["kind"],
        &charge["id"],
        &charge["state"],
        &charge["amount"],
        &charge["currency"],
    ];
    let text = parts.map(|part| part.as_str().unwrap_or("")).join(":");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// The states that were told of an order, in their order.
fn told(receiver: &Receiver, order: &str) -> Vec<String> {
    events(receiver)
        .into_iter()
        .filter(|(event, genuine)| *genuine && event["metadata"]["order"] == order)
        .map(|(event, _)| {
            event["charge"]["state"]
                .as_str()
                .expect("a word")
                .to_owned()
        })
        .collect()
}

async fn wait_for_events(receiver: &Receiver, count: usize) -> Vec<(Value, bool)> {
    eventually("events", || async {
        Some(events(receiver)).filter(|events| events.len() >= count)
    })
    .await
}

#[tokio::test]
async fn each_event_of_a_batch_is_signed_on_its_own() {
    let receiver = Receiver::answering(OK).await;
    let shop = shop_with(
        &receiver,
        Options {
            other_kinds: 1.0,
            ..options()
        },
    )
    .await;
    let script = json!({"hold_after_ms": 500, "reverse_after_ms": 5_000});
    let id = id_in(&shop.pay_scripted("o", &script).await);
    let events = wait_for_events(&receiver, 6).await;
    assert!(events.iter().all(|(_, genuine)| *genuine), "{events:?}");
    let mut states = told(&receiver, "o");
    states.sort_unstable();
    assert_eq!(states, ["on_hold", "paid", "reversed"]);
    let strangers: BTreeSet<_> = events
        .iter()
        .filter_map(|(event, _)| event["kind"].as_str())
        .collect();
    assert!(strangers.is_subset(&["charge.updated", "payout.created", "ping"].into()));
    assert!(strangers.len() > 1, "{strangers:?}");
    let (event, _) = &events
        .iter()
        .find(|(event, _)| event["charge"]["state"] == "paid")
        .expect("it was paid");
    let uid = &event["uid"];
    let expected = json!({
        "uid": uid,
        "kind": "charge.updated",
        "charge": {"id": id, "state": "paid", "amount": "12.50", "currency": "eur"},
        "metadata": {"order": "o"},
    });
    assert_eq!(*event, expected);
    let entry = &shop.entries("o")[0];
    assert!(entry.events.iter().any(|event| *uid == event.uid));
    for (path, batch) in receiver.got() {
        assert_eq!(path, "/hook");
        assert!(
            batch["batch_id"]
                .as_str()
                .is_some_and(|id| id.starts_with("bat_"))
        );
    }
    receiver.stop().await;
}

#[tokio::test]
async fn only_202_with_ok_acknowledges() {
    let receiver = Receiver::answering(OK).await;
    receiver.answer_next(&[
        Reply(200, "OK"),
        Reply(202, "ok"),
        Reply(202, ""),
        Reply(500, "OK"),
    ]);
    let shop = shop_with(
        &receiver,
        Options {
            retry_longest_ms: 2_000,
            ..options()
        },
    )
    .await;
    shop.pay("o").await;
    eventually("the acknowledgement", || async {
        (shop.acorn.stats().webhooks.acknowledged == 1).then_some(())
    })
    .await;
    let got = receiver.got();
    assert_eq!(got.len(), 5);
    assert!(
        got.iter().all(|delivery| *delivery == got[0]),
        "the same each time"
    );
    let deliveries = shop.acorn.ledger().deliveries;
    let seen: Vec<_> = deliveries
        .iter()
        .map(|d| (d.attempt, d.answer, d.acknowledged))
        .collect();
    assert_eq!(
        seen,
        [
            (1, Some(200), false),
            (2, Some(202), false),
            (3, Some(202), false),
            (4, Some(500), false),
            (5, Some(202), true),
        ]
    );
    // 1, 2, 2 and 2 s, a hundred times as fast; a busy machine makes them longer, never shorter.
    let waits = deliveries.windows(2).map(|two| two[1].at_ms - two[0].at_ms);
    for (wait_ms, least_ms) in waits.zip([10, 20, 20, 20]) {
        assert!(wait_ms + 2 >= least_ms, "{wait_ms} ms of {least_ms}");
    }
    receiver.stop().await;
}

#[tokio::test]
async fn a_batch_is_given_up() {
    let receiver = Receiver::answering(Reply(500, "")).await;
    let shop = shop_with(
        &receiver,
        Options {
            retry_attempts: 3,
            ..options()
        },
    )
    .await;
    shop.pay("o").await;
    eventually("it is given up", || async {
        (shop.acorn.stats().webhooks.given_up == 1).then_some(())
    })
    .await;
    assert_eq!(receiver.got().len(), 3);
    receiver.stop().await;
}

#[tokio::test]
async fn a_batch_holds_so_many_events_and_no_more() {
    let receiver = Receiver::answering(OK).await;
    // Collected for longer than the charges take, however busy the machine is.
    let shop = shop_with(
        &receiver,
        Options {
            batch_every_ms: 300_000,
            ..options()
        },
    )
    .await;
    let count = BATCH_EVENTS + 5;
    let script = json!({"answer_after_ms": 0, "settle_after_ms": 0});
    for n in 0..count {
        shop.pay_scripted(&format!("o-{n}"), &script).await;
    }
    wait_for_events(&receiver, count).await;
    let batches = receiver.got().into_iter();
    let sizes: Vec<_> = batches
        .map(|(_, batch)| batch["events"].as_array().expect("events").len())
        .collect();
    assert!(sizes.iter().all(|size| *size <= BATCH_EVENTS), "{sizes:?}");
    assert!(sizes.contains(&BATCH_EVENTS), "{sizes:?}");
    receiver.stop().await;
}

#[tokio::test]
async fn events_go_to_the_account_or_to_the_request_s_address() {
    let receiver = Receiver::answering(OK).await;
    let callback = format!("{}/of-the-request", receiver.url);
    for (deliver_to, path) in [
        (DeliverTo::Account, "/hook"),
        (DeliverTo::Request, "/of-the-request"),
    ] {
        let shop = shop_with(
            &receiver,
            Options {
                deliver_to,
                ..options()
            },
        )
        .await;
        let before = receiver.got().len();
        let fields = charge_with("callback_url", &callback);
        assert_eq!(send(shop.request("k", &fields)).await.code, 201);
        let got = receiver.wait_for(before + 1).await;
        assert_eq!(got[before].0, path);
        shop.acorn.stop().await;
    }
    receiver.stop().await;
}

#[tokio::test]
async fn the_address_changes_while_it_runs() {
    let receiver = Receiver::answering(OK).await;
    let shop = shop(options()).await;
    let id = id_in(&shop.pay_scripted("a", &json!({})).await);
    shop.until(&id, "paid").await;
    eventually("there is nowhere to go", || async {
        (shop.acorn.stats().webhooks.dropped == 1).then_some(())
    })
    .await;
    shop.acorn
        .set_webhook_url(Some(&receiver.url))
        .expect("a URL");
    shop.pay("b").await;
    wait_for_events(&receiver, 1).await;
    assert_eq!(told(&receiver, "a").len() + told(&receiver, "b").len(), 1);
    let elsewhere = json!({"url": format!("{}/2", receiver.url)});
    assert_eq!(
        post(&shop.acorn.url, "/admin/webhook-url", &elsewhere)
            .await
            .code,
        200
    );
    shop.pay("c").await;
    assert_eq!(receiver.wait_for(2).await[1].0, "/2");
    assert!(shop.acorn.set_webhook_url(Some("nowhere")).is_err());
    receiver.stop().await;
}

#[tokio::test]
async fn events_are_doubled_disordered_or_never_come() {
    let receiver = Receiver::answering(OK).await;
    let shop = shop_with(&receiver, options()).await;
    for webhook in ["none", "duplicate", "disorder"] {
        let script = json!({"hold_after_ms": 500, "webhook": webhook});
        shop.pay_scripted(webhook, &script).await;
    }
    wait_for_events(&receiver, 6).await;
    assert_eq!(told(&receiver, "none"), [""; 0]);
    let disorder = &shop.entries("disorder")[0];
    let order: Vec<_> = disorder.events.iter().map(|event| event.state).collect();
    assert_eq!(order, [State::Paid, State::OnHold]);
    let mut twice = told(&receiver, "duplicate");
    twice.sort_unstable();
    assert_eq!(twice, ["on_hold", "on_hold", "paid", "paid"]);
    let doubled = events(&receiver).into_iter();
    let uids: BTreeSet<_> = doubled
        .filter(|(event, _)| event["metadata"]["order"] == "duplicate")
        .map(|(event, _)| event["uid"].to_string())
        .collect();
    assert_eq!(uids.len(), 2, "a second delivery has the uid of the first");
    receiver.stop().await;
}

#[tokio::test]
async fn faults_lose_double_and_delay_events() {
    let receiver = Receiver::answering(OK).await;
    let shop = shop_with(&receiver, options()).await;
    for (order, faults, kinds) in [
        (
            "lost",
            Faults {
                webhook_lost: 1.0,
                ..Faults::default()
            },
            vec![],
        ),
        (
            "doubled",
            Faults {
                webhook_duplicate: 1.0,
                ..Faults::default()
            },
            vec![WebhookKind::Duplicate, WebhookKind::Genuine],
        ),
        (
            "late",
            Faults {
                webhook_late: 1.0,
                ..Faults::default()
            },
            vec![WebhookKind::Genuine],
        ),
    ] {
        shop.acorn.set_faults(faults).expect("probabilities");
        shop.pay(order).await;
        let entry = eventually(order, || async {
            let entry = shop.entries(order).pop()?;
            (entry.events.len() == kinds.len()).then_some(entry)
        })
        .await;
        let mut seen: Vec<_> = entry.events.iter().map(|event| event.kind).collect();
        seen.sort_by_key(|kind| *kind == WebhookKind::Genuine);
        assert_eq!(seen, kinds);
        if order == "late" {
            let late_ms = entry.events[0].at_ms - entry.decided_at_ms.expect("decided");
            assert!(late_ms + 5 >= 6_000, "{late_ms} ms");
        }
    }
    receiver.stop().await;
}

#[tokio::test]
async fn an_event_may_come_before_the_answer() {
    let receiver = Receiver::answering(OK).await;
    let shop = shop_with(&receiver, options()).await;
    shop.acorn
        .set_script(
            "o",
            &json!({"answer_after_ms": 300_000, "webhook": "early"}),
        )
        .expect("well-formed");
    let request = tokio::spawn(send(shop.request("o", &charge("o"))));
    let events = wait_for_events(&receiver, 1).await;
    assert!(!request.is_finished(), "the answer is still to come");
    let id = events[0].0["charge"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(shop.inquire(&id).await.json()["charge"]["state"], "paid");
    let answer = request.await.expect("no panic");
    assert_eq!((answer.code, id_in(&answer)), (201, id));
    assert_eq!(answer.json()["charge"]["state"], "paid");

    let faults = Faults {
        webhook_early: 1.0,
        ..Faults::default()
    };
    shop.acorn.set_faults(faults).expect("probabilities");
    let answer = shop.pay("drawn").await.json();
    let outcome = shop.entries("drawn")[0].outcome.expect("decided");
    assert_eq!(answer["charge"]["state"], outcome.as_str());
    receiver.stop().await;
}

#[tokio::test]
async fn forged_events_lie_and_have_a_wrong_signature() {
    let receiver = Receiver::answering(Reply(401, "")).await;
    let shop = shop_with(&receiver, options()).await;
    shop.pay_scripted("o", &json!({"webhook": "forged"})).await;
    let events = wait_for_events(&receiver, 1).await;
    let (event, genuine) = &events[0];
    assert!(!genuine);
    assert_eq!(event["charge"]["state"], "rejected", "it was paid");
    eventually("it isn't tried again", || async {
        (shop.acorn.stats().webhooks.given_up == 1).then_some(())
    })
    .await;
    assert_eq!(receiver.got().len(), 1);
    receiver.stop().await;
}
