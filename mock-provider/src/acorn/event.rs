//! Events: what they say, and how each is signed on its own.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::charge::State;
use crate::model::Dice;

/// The kind of event that tells of a charge.
pub const CHARGE_UPDATED: &str = "charge.updated";

/// What an event tells of a charge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) id: &'a str,
    pub(crate) state: State,
    pub(crate) amount: &'a str,
    pub(crate) currency: &'a str,
    pub(crate) metadata: Option<&'a Value>,
}

/// One item of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) uid: String,
    /// The event and its signature.
    pub(crate) json: Value,
}

/// An event of a charge, signed with `key`.
pub(crate) fn of_charge(key: &[u8], uid: String, told: Told<'_>) -> Item {
    let Told {
        id,
        state,
        amount,
        currency,
        metadata,
    } = told;
    let signature = sign(
        key,
        &format!("{uid}:{CHARGE_UPDATED}:{id}:{state}:{amount}:{currency}"),
    );
    let metadata = metadata.cloned().unwrap_or_else(|| Map::new().into());
    let event = json!({
        "uid": uid,
        "kind": CHARGE_UPDATED,
        "charge": {"id": id, "state": state, "amount": amount, "currency": currency},
        "metadata": metadata,
    });
    item(uid, &event, &signature)
}

/// An event that nobody asked for; the fields that it lacks are signed as empty.
pub(crate) fn of_another_kind(key: &[u8], dice: &mut Dice) -> Item {
    let uid = format!("evt_{}", Uuid::new_v4().simple());
    let event = if dice.chance(0.5) {
        json!({"uid": uid, "kind": "ping"})
    } else {
        let payout = json!({"id": format!("po_{}", dice.below(1 << 32)), "state": "scheduled"});
        json!({"uid": uid, "kind": "payout.created", "payout": payout})
    };
    let kind = event["kind"].as_str().unwrap_or_default();
    let signature = sign(key, &format!("{uid}:{kind}::::"));
    item(uid, &event, &signature)
}

fn item(uid: String, event: &Value, signature: &str) -> Item {
    Item {
        uid,
        json: json!({"event": event, "signature": signature}),
    }
}

/// Base64 of the HMAC-SHA256 of `text`.
fn sign(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::{State, Told, of_charge};

    /// Computed with `openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64`.
    #[test]
    fn the_signature_is_the_documented_one() {
        let told = Told {
            id: "ch_1",
            state: State::Paid,
            amount: "12.50",
            currency: "eur",
            metadata: None,
        };
        let item = of_charge(&[0x0f; 32], "evt_1".to_owned(), told);
        assert_eq!(
            item.json["signature"],
            "K5MFyjkMdz5pFrTSJ7oPe8XmYcnyp/kQChp6RtOLCns="
        );
        assert_eq!(item.json["event"]["charge"]["amount"], "12.50");
    }
}
