//! How one node shows another that a request comes from a node, and on whose behalf:
//!
//! ```text
//!   Authorization: Teller-Node <claims>.<tag>        both base64url
//!   claims  JSON: {"to": url of the node that is meant, "body": SHA-256, "for": who asked at first}
//!   tag     HMAC-SHA256 by the shared secret over method, path and query, claims, and every header
//!           that is carried on; each with its length before it, so that nothing shifts between them
//! ```
//!
//! All that the receiver acts upon is under the tag, the body through its hash, so that a stranger is
//! turned away before a byte of the body is read. The claims name the receiver: an envelope that was
//! caught on its way opens no other node.
//!
//! An envelope does not expire. The clocks of nodes may differ by minutes, so a time limit would have
//! to be so wide that it stops nobody who listens on the wire, and would turn a wrong clock into an
//! outage. Whoever can listen between the nodes sees every answer anyway; what stops them is a network
//! of the nodes' own, or TLS between them. An act that is repeated is judged by the transaction's
//! state like any other.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::Caller;
use crate::api::keys::KeyId;
use crate::transaction::AppId;

/// The scheme in `Authorization`.
const SCHEME: &str = "Teller-Node ";
/// What is signed begins with this: the same secret used for anything else gives no envelope.
const CONTEXT: &[u8] = b"teller node to node, 1";
/// Bytes of a secret, at least: what people type is guessed, what they draw is longer.
const SECRET_MIN_BYTES: usize = 16;
/// Secrets that are valid at once, at most: the present one, the next, and one to spare.
const SECRETS_MAX: usize = 4;
/// Bytes of the header, at most. An envelope has about 400.
const AUTHORIZATION_MAX_BYTES: usize = 4_096;

/// The secrets that all nodes share. The first one signs, every one opens.
///
/// They are exchanged in three steps, each on every node before the next: the new one is added at the
/// end, then put first, then the old one is taken out.
#[derive(Clone)]
pub struct NodeSecrets(Vec<Vec<u8>>);

impl fmt::Debug for NodeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeSecrets({} of them)", self.0.len())
    }
}

impl NodeSecrets {
    /// Checks that they can protect something.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them; never what they are.
    pub fn new(secrets: Vec<Vec<u8>>) -> Result<Self, String> {
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(format!(
                "the nodes share 1 to {SECRETS_MAX} secrets; there are {}",
                secrets.len()
            ));
        }
        if let Some(short) = secrets
            .iter()
            .find(|secret| secret.len() < SECRET_MIN_BYTES)
        {
            return Err(format!(
                "a secret that nodes share has {SECRET_MIN_BYTES} bytes at least, and this one has {}; `openssl rand \
                 -base64 32` makes a good one",
                short.len()
            ));
        }
        Ok(Self(secrets))
    }

    /// The header that proves this message, on behalf of `passport`, to the node at `to`.
    pub(super) fn seal(
        &self,
        message: &Message<'_>,
        to: &str,
        passport: &Passport,
        body: &[u8],
    ) -> String {
        let claims = Claims {
            to: to.to_owned(),
            body: digest(body),
            passport: passport.clone(),
        };
        let claims = serde_json::to_vec(&claims).expect("texts and plain enums are always JSON");
        let claims = URL_SAFE_NO_PAD.encode(claims);
        // There is one secret at least.
        let tag = self
            .0
            .first()
            .map(|secret| message.mac(secret, &claims).finalize().into_bytes());
        let tag = URL_SAFE_NO_PAD.encode(tag.unwrap_or_default());
        format!("{SCHEME}{claims}.{tag}")
    }

    /// What a header claims, if one of the secrets made it for this message and for the node at `here`.
    /// The body has to be compared with [`Claims::is_of`] afterwards.
    pub(super) fn open(
        &self,
        message: &Message<'_>,
        here: &str,
        authorization: &str,
    ) -> Option<Claims> {
        if authorization.len() > AUTHORIZATION_MAX_BYTES {
            return None;
        }
        let (claims, tag) = authorization.strip_prefix(SCHEME)?.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        // All are tried, each in constant time, so that the time taken doesn't tell which one it was.
        let genuine = self.0.iter().fold(false, |found, secret| {
            found | message.mac(secret, claims).verify_slice(&tag).is_ok()
        });
        if !genuine {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        (claims.to == here).then_some(claims)
    }
}

/// What is under the tag beside the claims.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) method: &'a str,
    /// Path and query, as they stand in the request's first line.
    pub(super) target: &'a str,
    /// The headers that are carried on, names in small letters, in a fixed order.
    pub(super) headers: &'a [(&'static str, Vec<u8>)],
}

impl Message<'_> {
    fn mac(&self, secret: &[u8], claims: &str) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret)
            .expect("HMAC takes a key of any length");
        let mut put = |part: &[u8]| {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        };
        put(CONTEXT);
        put(self.method.as_bytes());
        put(self.target.as_bytes());
        put(claims.as_bytes());
        for (name, value) in self.headers {
            put(name.as_bytes());
            put(value);
        }
        mac
    }
}

/// What an envelope says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    to: String,
    body: String,
    /// Who asked at first.
    #[serde(rename = "for")]
    pub(super) passport: Passport,
}

impl Claims {
    /// Whether this is the body that was sealed.
    pub(super) fn is_of(&self, body: &[u8]) -> bool {
        self.body == digest(body)
    }
}

/// On whose behalf a node speaks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum Passport {
    /// An app's, by this key of its.
    App {
        /// Which.
        app: AppId,
        /// Its key's id.
        key: String,
    },
    /// An operator's.
    Operator {
        /// The key's id.
        key: String,
    },
    /// Of anybody, while there are no keys.
    Open {
        /// The only app.
        app: AppId,
    },
    /// Its own.
    Node,
}

impl Passport {
    pub(super) fn of(caller: &Caller) -> Self {
        match caller {
            Caller::App { app, key } => Self::App {
                app: app.clone(),
                key: key.to_string(),
            },
            Caller::Operator { key } => Self::Operator {
                key: key.to_string(),
            },
            Caller::Open(app) => Self::Open { app: app.clone() },
        }
    }

    /// Who asked at first; `None` where it is the node itself.
    pub(super) fn caller(&self) -> Option<Caller> {
        Some(match self {
            Self::App { app, key } => Caller::App {
                app: app.clone(),
                key: KeyId::parse(key).ok()?,
            },
            Self::Operator { key } => Caller::Operator {
                key: KeyId::parse(key).ok()?,
            },
            Self::Open { app } => Caller::Open(app.clone()),
            Self::Node => return None,
        })
    }
}

fn digest(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://10.0.0.2:9090";

    fn secrets(texts: &[&str]) -> NodeSecrets {
        let secrets = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        NodeSecrets::new(secrets).expect("long enough")
    }

    fn old() -> NodeSecrets {
        secrets(&["the secret of last year"])
    }

    fn headers(prefer: &str) -> Vec<(&'static str, Vec<u8>)> {
        vec![("prefer", prefer.as_bytes().to_vec())]
    }

    fn message<'a>(headers: &'a [(&'static str, Vec<u8>)]) -> Message<'a> {
        Message {
            method: "POST",
            target: "/v1/transactions/7/cancel?app=shop",
            headers,
        }
    }

    fn operator() -> Passport {
        Passport::Operator {
            key: "night-shift".to_owned(),
        }
    }

    #[test]
    fn what_one_node_seals_another_opens() {
        let headers = headers("wait=5");
        for passport in [
            operator(),
            Passport::App {
                app: AppId::parse("shop").expect("legal"),
                key: "k1".to_owned(),
            },
            Passport::Open {
                app: AppId::parse("shop").expect("legal"),
            },
            Passport::Node,
        ] {
            let sealed = old().seal(&message(&headers), HERE, &passport, b"{}");
            let claims = old().open(&message(&headers), HERE, &sealed);
            let claims = claims.expect("genuine");
            assert_eq!(claims.passport, passport);
            assert!(claims.is_of(b"{}"));
            assert!(!claims.is_of(b"{\"while_open\":true}"));
            match passport.caller() {
                Some(caller) => assert_eq!(Passport::of(&caller), passport),
                None => assert_eq!(passport, Passport::Node),
            }
        }
    }

    #[test]
    fn nothing_under_the_tag_can_be_altered() {
        let sent = headers("wait=5");
        let sealed = old().seal(&message(&sent), HERE, &operator(), b"{}");
        let opens = |message: &Message<'_>, here: &str, sealed: &str| {
            old().open(message, here, sealed).is_some()
        };
        assert!(opens(&message(&sent), HERE, &sealed));
        let altered = [
            Message {
                method: "GET",
                ..message(&sent)
            },
            Message {
                target: "/v1/transactions/7/resolve?app=shop",
                ..message(&sent)
            },
            Message {
                target: "/v1/transactions/7/cancel?app=other",
                ..message(&sent)
            },
            Message {
                headers: &[],
                ..message(&sent)
            },
            Message {
                headers: &headers("wait=6"),
                ..message(&sent)
            },
            // The same bytes, cut elsewhere.
            Message {
                method: "POST/v1",
                target: "/transactions/7/cancel?app=shop",
                ..message(&sent)
            },
        ];
        for message in altered {
            assert!(!opens(&message, HERE, &sealed), "{message:?}");
        }
        assert!(!opens(&message(&sent), "http://10.0.0.3:9090", &sealed));
    }

    #[test]
    fn another_caller_is_a_forgery() {
        let headers = headers("wait=5");
        let app = Passport::App {
            app: AppId::parse("shop").expect("legal"),
            key: "k1".to_owned(),
        };
        let of_app = old().seal(&message(&headers), HERE, &app, b"{}");
        let of_operator = old().seal(&message(&headers), HERE, &operator(), b"{}");
        let part = |sealed: &str, n: usize| {
            let parts = sealed.strip_prefix(SCHEME).expect("the scheme");
            parts.split('.').nth(n).expect("two parts").to_owned()
        };
        let forged = format!("{SCHEME}{}.{}", part(&of_operator, 0), part(&of_app, 1));
        assert!(old().open(&message(&headers), HERE, &forged).is_none());
        for nonsense in [
            "",
            "Teller-Node ",
            "Teller-Node .",
            "Teller-Node e30.",
            "Bearer x.y",
            &of_operator[..of_operator.len() - 4],
            &of_operator.replace(SCHEME, ""),
            &"Teller-Node a.b".repeat(1_000),
        ] {
            assert!(
                old().open(&message(&headers), HERE, nonsense).is_none(),
                "{nonsense}"
            );
        }
    }

    #[test]
    fn secrets_are_exchanged_without_a_gap() {
        let headers = headers("wait=5");
        let (was, next) = ("the secret of last year", "the secret of this year");
        let steps = [
            secrets(&[was]),
            secrets(&[was, next]),
            secrets(&[next, was]),
            secrets(&[next]),
        ];
        for pair in steps.windows(2) {
            for (from, to) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                let sealed = from.seal(&message(&headers), HERE, &operator(), b"");
                assert!(to.open(&message(&headers), HERE, &sealed).is_some());
            }
        }
        let sealed = steps[0].seal(&message(&headers), HERE, &operator(), b"");
        assert!(steps[3].open(&message(&headers), HERE, &sealed).is_none());
    }

    #[test]
    fn weak_secrets_are_refused_and_none_is_shown() {
        for weak in [vec![], vec![b"swordfish".to_vec()], vec![vec![1; 32]; 5]] {
            let why = NodeSecrets::new(weak).expect_err("weak");
            assert!(!why.contains("swordfish"), "{why}");
        }
        assert_eq!(format!("{:?}", old()), "NodeSecrets(1 of them)");
    }
}
