//! A webhook that can be changed, and the twins of a good one that have to fail.

use serde_json::Value;

use super::super::{
    SignatureFault, SignatureScheme, SignatureTable, Signed, Verified, VerifyingKeys,
};
use crate::transaction::Timestamp;

/// A webhook that owns its parts.
#[derive(Clone)]
pub(super) struct Webhook {
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) body: Vec<u8>,
    pub(super) now_s: i64,
    pub(super) item: Option<Value>,
}

impl Webhook {
    pub(super) fn new(body: impl Into<Vec<u8>>) -> Self {
        Self {
            headers: Vec::new(),
            method: "POST".to_owned(),
            url: "https://pay.example/webhooks/acme".to_owned(),
            body: body.into(),
            now_s: 1_700_000_000,
            item: None,
        }
    }

    pub(super) fn at(mut self, now_s: i64) -> Self {
        self.now_s = now_s;
        self
    }

    pub(super) fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    pub(super) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| header != name);
        self
    }

    /// With another value in place of the header's.
    pub(super) fn changed(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).with(name, value)
    }

    pub(super) fn header(&self, name: &str) -> Vec<u8> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.expect("it has the header").1.clone()
    }
}

/// A compiled scheme with its keys.
pub(super) struct Door {
    pub(super) scheme: SignatureScheme,
    pub(super) keys: VerifyingKeys,
}

impl Door {
    #[track_caller]
    pub(super) fn new(profile: &str, secrets: &[&str]) -> Self {
        let scheme = scheme(profile).expect("a good profile");
        let keys = secrets.iter().map(|secret| scheme.key(secret));
        let keys = keys.collect::<Result<Vec<_>, _>>().expect("good secrets");
        let keys = VerifyingKeys::new(keys).expect("a good number of them");
        Self { scheme, keys }
    }

    pub(super) fn verify(&self, webhook: &Webhook) -> Result<Verified, SignatureFault> {
        let headers: Vec<(&str, &[u8])> = webhook
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        let signed = Signed {
            headers: &headers,
            method: &webhook.method,
            url: &webhook.url,
            body: &webhook.body,
            now: Timestamp::from_millis(webhook.now_s * 1000),
        };
        self.scheme
            .verify(&self.keys, &signed, webhook.item.as_ref())
    }

    /// The word for what is wrong with it.
    #[track_caller]
    pub(super) fn fault(&self, webhook: &Webhook) -> &'static str {
        self.verify(webhook).expect_err("it must not pass").word()
    }
}

/// Reads and compiles a `[webhook.signature]`.
pub(super) fn scheme(profile: &str) -> Result<SignatureScheme, String> {
    let table: SignatureTable =
        toml::from_str(profile).map_err(|error| error.message().to_owned())?;
    SignatureScheme::compile(&table)
}

/// A good webhook of a scheme whose signature stands in a header.
pub(super) struct Vector<'a> {
    pub(super) profile: &'a str,
    pub(super) secret: &'a str,
    /// A secret of the same form, which has not signed it.
    pub(super) other: &'a str,
    pub(super) webhook: Webhook,
    /// The header with the signature.
    pub(super) header: &'a str,
    /// Two characters of the signature's encoding that never stand for the same bits.
    pub(super) letters: [u8; 2],
    /// What a changed body is called.
    pub(super) changed_body: &'static str,
}

impl Vector<'_> {
    /// It passes, and none of its twins does.
    #[track_caller]
    pub(super) fn holds(&self) {
        let door = Door::new(self.profile, &[self.secret]);
        door.verify(&self.webhook)
            .expect("the vector itself passes");
        self.bytes(&door);
        self.keys();
        self.header(&door);
        if door.scheme.has_timestamp() {
            self.time(&door);
        }
    }

    #[track_caller]
    fn bytes(&self, door: &Door) {
        for at in 0..self.webhook.body.len() {
            let mut twin = self.webhook.clone();
            twin.body[at] ^= 1;
            assert_eq!(
                door.fault(&twin),
                self.changed_body,
                "byte {at} of the body"
            );
        }
        let mut longer = self.webhook.clone();
        longer.body.push(b' ');
        assert_eq!(door.fault(&longer), self.changed_body);
        let value = self.webhook.header(self.header);
        for at in 0..value.len() {
            let mut twin = value.clone();
            let [one, other] = self.letters;
            twin[at] = if value[at] == one { other } else { one };
            let twin = self.webhook.clone().changed(self.header, twin);
            assert!(
                door.verify(&twin).is_err(),
                "character {at} of the signature"
            );
        }
    }

    #[track_caller]
    fn keys(&self) {
        let (old, new) = (self.secret, self.other);
        assert_eq!(
            Door::new(self.profile, &[new]).fault(&self.webhook),
            "mismatch"
        );
        for active in [[old, new], [new, old]] {
            let verified = Door::new(self.profile, &active).verify(&self.webhook);
            assert!(verified.is_ok(), "while secrets rotate");
        }
        let spaced = format!("  {old}\n");
        let verified = Door::new(self.profile, &[&spaced]).verify(&self.webhook);
        assert!(verified.is_ok(), "as read from a file");
    }

    #[track_caller]
    fn header(&self, door: &Door) {
        let (header, good) = (self.header, self.webhook.header(self.header));
        assert_eq!(door.fault(&self.webhook.clone().without(header)), "missing");
        assert_eq!(
            door.fault(&self.webhook.clone().with(header, &good)),
            "duplicated"
        );
        let longer = [good.as_slice(), b"AAAA"].concat();
        let (head, tail) = good.split_at(good.len() - 9);
        let spaced = [head, b" ", tail].concat();
        let not_ascii = [good.as_slice(), b"\xff"].concat();
        let huge = good.repeat(10_000);
        for wrong in [
            &b""[..],
            b"!!!",
            &longer,
            &spaced,
            &not_ascii,
            &huge,
            b"\0",
            b"=",
        ] {
            let twin = self.webhook.clone().changed(header, wrong);
            let fault = door.verify(&twin).expect_err("no signature");
            assert!(
                matches!(
                    fault.word(),
                    "malformed" | "missing" | "mismatch" | "unknown_version"
                ),
                "{fault}"
            );
            let shown = fault.to_string();
            assert!(!shown.contains(&*String::from_utf8_lossy(&good)), "{shown}");
        }
    }

    #[track_caller]
    fn time(&self, door: &Door) {
        let at = |by: i64| {
            let now_s = self.webhook.now_s + by;
            self.webhook.clone().at(now_s)
        };
        for by in [-300, 300] {
            assert!(door.verify(&at(by)).is_ok(), "{by} s");
        }
        assert_eq!(door.fault(&at(301)), "stale");
        assert_eq!(door.fault(&at(-301)), "future");
    }
}
