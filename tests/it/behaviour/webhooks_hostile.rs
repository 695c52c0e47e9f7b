//! Ten thousand webhooks from somebody who means harm: none of them changes a transaction, and none
//! makes teller answer with a server's error.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use crate::support::{Client, Rig, Setup, new_id, put};

const KEY: &str = "the key that only the provider has";
const WEBHOOKS: u64 = 10_000;
/// Connections of the attacker.
const AT_ONCE: usize = 16;

/// SplitMix64: the same webhooks at every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % sides
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = usize::try_from(self.throw(all.len() as u64)).expect("an index");
        &all[at]
    }
}

fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any length");
    mac.update(body);
    mac.finalize()
        .into_bytes()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
}

struct Hostile {
    kind: &'static str,
    method: Method,
    content_type: &'static str,
    signatures: Vec<String>,
    body: Vec<u8>,
}

/// One webhook. `replayed` are genuine ones that were taken before; only these, and bodies that say
/// nothing that can be read, are rightly signed.
fn hostile(dice: &mut Dice, ids: &[String], replayed: &[Vec<u8>]) -> Hostile {
    let id = dice.one_of(ids).clone();
    let word = *dice.one_of(&["completed", "declined", "pending", "refunded"]);
    let honest = json!({"id": id, "status": word, "event": format!("e{}", dice.throw(u64::MAX))});
    let text = honest.to_string().into_bytes();
    let mut one = Hostile {
        kind: "forged, unsigned",
        method: Method::POST,
        content_type: "application/json",
        signatures: Vec::new(),
        body: text.clone(),
    };
    match dice.throw(16) {
        0 => {}
        1 => {
            one.kind = "forged, another's signature";
            one.signatures = vec![sign(dice.one_of(replayed).as_slice())];
        }
        2 => {
            one.kind = "forged, a flipped digit";
            let mut signature = sign(&text).into_bytes();
            let at = usize::try_from(dice.throw(64)).expect("an index");
            signature[at] = if signature[at] == b'0' { b'1' } else { b'0' };
            one.signatures = vec![String::from_utf8(signature).expect("hex")];
        }
        3 => {
            one.kind = "a changed byte";
            one.signatures = vec![sign(&text)];
            let at = usize::try_from(dice.throw(text.len() as u64)).expect("an index");
            one.body[at] ^= 1;
        }
        4 => {
            one.kind = "replayed";
            one.body.clone_from(dice.one_of(replayed));
            one.signatures = vec![sign(&one.body)];
        }
        5 => {
            one.kind = "truncated";
            one.signatures = vec![sign(&text)];
            let length = usize::try_from(dice.throw(text.len() as u64)).expect("an index");
            one.body.truncate(length);
        }
        6 => {
            one.kind = "two signatures";
            one.signatures = vec![sign(&text), sign(b"something else")];
        }
        7 => {
            one.kind = "odd signatures";
            let long = "a".repeat(10_000);
            let odd = ["", " ", "sha256=", "00", "zz", "\u{fc}", long.as_str()];
            one.signatures = vec![(*dice.one_of(&odd)).to_owned()];
        }
        8 => {
            one.kind = "wrong types";
            let odd = [
                json!(5),
                json!(null),
                json!([id]),
                json!({"id": id}),
                json!(true),
                json!(""),
            ];
            one.body = json!({"id": dice.one_of(&odd), "status": word})
                .to_string()
                .into();
            one.signatures = vec![sign(&one.body)];
        }
        9 => {
            one.kind = "deep nesting";
            let depth = 100 + usize::try_from(dice.throw(40_000)).expect("a depth");
            let open = if dice.throw(2) == 0 { "[" } else { "{\"id\":" };
            one.body = open.repeat(depth).into_bytes();
            one.signatures = vec![sign(&one.body)];
        }
        10 => {
            one.kind = "huge numbers";
            let digits = "9".repeat(1 + usize::try_from(dice.throw(5_000)).expect("a length"));
            one.body = format!("{{\"id\": {digits}e{digits}, \"status\": -{digits}}}").into_bytes();
            one.signatures = vec![sign(&one.body)];
        }
        11 => {
            one.kind = "duplicate keys";
            one.body = format!(
                "{{\"id\":\"{id}\",\"id\":\"x\",\"status\":\"completed\",\"event\":\"d\"}}"
            )
            .into_bytes();
            one.signatures = vec![sign(&one.body)];
        }
        12 => {
            one.kind = "bad UTF-8";
            one.body = [b"{\"id\":\"".as_slice(), &[0xff, 0xc0, 0x80], b"\"}"].concat();
            one.signatures = vec![sign(&one.body)];
        }
        13 => {
            one.kind = "another form";
            one.content_type = *dice.one_of(&[
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
                "",
            ]);
            one.signatures = vec![sign(&text)];
        }
        14 => {
            one.kind = "too large";
            one.body = vec![b' '; 256 * 1024 + 1];
            one.signatures = vec![sign(&one.body)];
        }
        _ => {
            one.kind = "another method";
            one.method = dice
                .one_of(&[Method::GET, Method::DELETE, Method::PATCH])
                .clone();
        }
    }
    one
}

/// States and versions, and what each has recorded.
async fn snapshot(rig: &Rig, ids: &[String]) -> Vec<Value> {
    let mut all = Vec::new();
    for id in ids {
        let view = rig.client.read(id).await;
        all.push(json!({"id": id, "status": view["status"], "version": view["version"]}));
    }
    all
}

/// In doubt, and not asked about while the test runs.
fn ask_late(setup: &mut Setup) {
    setup.time_scale = 1.0;
    put(&mut setup.profile, "ghost.window", "10h");
    put(&mut setup.profile, "schedule.inquiry_gaps", 1);
    put(&mut setup.profile, "schedule.review_after", "20h");
    put(&mut setup.profile, "limits.breaker_failures", 1_000);
}

#[tokio::test]
async fn ten_thousand_hostile_webhooks_change_nothing_and_break_nothing() {
    let keys = TempDir::new().expect("a temporary directory");
    let key_file = keys.path().join("webhook.key");
    std::fs::write(&key_file, KEY).expect("writable");
    let rig = Rig::start_with(|setup| {
        ask_late(setup);
        setup.sign_webhooks(&key_file);
    })
    .await;
    let (mut ids, mut replayed) = (Vec::new(), Vec::new());
    for at in 0..20 {
        let id = new_id();
        let unclear = json!({"answer": "error_500", "answer_after_ms": 1, "executed": true});
        rig.client.paid(&id, unclear).await;
        rig.client.wait_until_state(&id, "unknown").await;
        // Half of them end, by a genuine webhook; the others stay in doubt.
        if at % 2 == 0 {
            let body = json!({"id": id, "status": "completed", "event": format!("genuine-{at}")});
            let body = body.to_string().into_bytes();
            let genuine = Hostile {
                kind: "genuine",
                method: Method::POST,
                content_type: "application/json",
                signatures: vec![sign(&body)],
                body: body.clone(),
            };
            assert_eq!(send(&rig, &genuine).await, 200);
            rig.client.wait_until_final(&id).await;
            replayed.push(body);
        }
        ids.push(id);
    }
    let before = snapshot(&rig, &ids).await;

    let mut dice = Dice(2026);
    let mut all: Vec<Hostile> = (0..WEBHOOKS)
        .map(|_| hostile(&mut dice, &ids, &replayed))
        .collect();
    let mut taken = 0;
    while !all.is_empty() {
        let some = all.split_off(all.len().saturating_sub(AT_ONCE));
        let answers = futures_util::future::join_all(some.iter().map(|one| send(&rig, one))).await;
        for (one, status) in some.iter().zip(answers) {
            let expected: &[u16] = match one.kind {
                "replayed" => &[200],
                "deep nesting" | "huge numbers" | "bad UTF-8" | "wrong types"
                | "duplicate keys" => &[400],
                "another form" => &[415],
                "too large" => &[413],
                "another method" => &[405],
                _ => &[401],
            };
            assert!(expected.contains(&status), "{}: HTTP {status}", one.kind);
            taken += 1;
        }
    }
    assert_eq!(taken, WEBHOOKS);
    assert_eq!(snapshot(&rig, &ids).await, before);
    let inbox = rig.client.get("/v1/inbox").await.json();
    assert_eq!(inbox["data"], json!([]));
}

async fn send(rig: &Rig, one: &Hostile) -> u16 {
    let request = rig
        .client
        .request(one.method.clone(), "/webhooks/reference");
    let mut request = request.body(one.body.clone());
    if !one.content_type.is_empty() {
        request = request.header("content-type", one.content_type);
    }
    for signature in &one.signatures {
        request = request.header("x-signature", signature.as_bytes());
    }
    Client::send(request).await.status
}
