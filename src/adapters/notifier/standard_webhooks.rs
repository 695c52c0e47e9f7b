//! Notifications in the form of Standard Webhooks v1: a JSON body, and a signature over its id, time
//! and bytes by every secret that is valid.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::adapters::provider::Secret;
use crate::ports::Notification;
use crate::transaction::{Amount, Status, Timestamp};

/// Lengths that a key may have, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Written before a key in base64.
const KEY_PREFIX: &str = "whsec_";
/// Characters of the reason that are told: with them the body stays far below the 20 kB that the
/// standard allows, whatever has to be escaped in it.
const REASON_MAX_CHARS: usize = 1_000;

/// Reads a secret as it is written in a file or variable.
///
/// # Errors
/// What is wrong with it, without any of it.
pub(super) fn read_secret(text: &str) -> Result<Secret, String> {
    let key = text
        .trim()
        .strip_prefix(KEY_PREFIX)
        .ok_or_else(|| format!("expected a secret that begins with {KEY_PREFIX}"))?;
    let key = STANDARD
        .decode(key)
        .map_err(|_| format!("what follows {KEY_PREFIX} is no base64"))?;
    if KEY_BYTES.contains(&key.len()) {
        Ok(Secret::new(key))
    } else {
        Err(format!(
            "the key has {} bytes, expected {} to {}",
            key.len(),
            KEY_BYTES.start(),
            KEY_BYTES.end()
        ))
    }
}

/// The value of `webhook-signature`: one signature per secret, the newest first.
pub(super) fn signature(secrets: &[Secret], id: &str, timestamp_s: i64, body: &str) -> String {
    let signed: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose())
                .expect("HMAC takes a key of any length");
            mac.update(format!("{id}.{timestamp_s}.").as_bytes());
            mac.update(body.as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
    signed.join(" ")
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: String,
    app: &'a str,
    provider: &'a str,
    status: Status,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The body: the same bytes at every delivery of the same news.
pub(super) fn body(notification: &Notification) -> Result<String, serde_json::Error> {
    let notice = &notification.notice;
    let resolution = notification.resolution.as_ref();
    serde_json::to_string(&Body {
        kind: format!("transaction.{}", notice.status.as_str()),
        timestamp: notice.since,
        data: Data {
            id: notification.key.id.to_string(),
            app: notification.key.app.as_str(),
            provider: &notification.request.provider,
            status: notice.status,
            version: notice.version,
            amount: notification.request.amount.as_ref(),
            source: resolution.map(|resolution| resolution.source.as_str()),
            reason: resolution
                .map(|resolution| resolution.why.chars().take(REASON_MAX_CHARS).collect()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_match_the_standard_s_vectors() {
        for (secret, id, timestamp_s, body, expected) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secret = read_secret(secret).expect("a secret");
            assert_eq!(signature(&[secret], id, timestamp_s, body), expected);
        }
    }

    #[test]
    fn every_valid_secret_signs_while_they_rotate() {
        let secrets = [1_u8, 2].map(|byte| Secret::new(vec![byte; 32]));
        let both = signature(&secrets, "m", 1, "{}");
        let each: Vec<String> = secrets
            .iter()
            .map(|one| signature(std::slice::from_ref(one), "m", 1, "{}"))
            .collect();
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn a_wrong_secret_is_described_without_being_shown() {
        for (text, expected) in [
            ("sesame", "begins with whsec_"),
            ("whsec_s@same", "no base64"),
            ("whsec_c2VzYW1l", "has 6 bytes, expected 24 to 64"),
        ] {
            let said = read_secret(text).expect_err("wrong");
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("same") && !said.contains("c2V"), "{said}");
        }
        let longest = format!("whsec_{}", STANDARD.encode([7_u8; 64]));
        assert!(read_secret(&format!("{longest}\n")).is_ok());
        let longer = format!("whsec_{}", STANDARD.encode([7_u8; 65]));
        assert!(read_secret(&longer).is_err());
    }
}
