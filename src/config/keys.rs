//! The keys of apps and operators as `teller.toml` has them, and the making of new ones.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};

use super::AppConfig;
use crate::api::Access;
use crate::api::keys::{self, KeyHash, KeyId, Keys, Role};

/// Keys of one app, or of the operators, at most: one per client or person, and two of each while
/// they are exchanged.
pub const KEYS_MAX: usize = 100;
/// Bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// Random bytes in the id of a new key: ten characters that no other key of a teller has.
const ID_BYTES: usize = 5;

/// One key that opens doors: its id, and the hash of its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyConfig {
    /// Its name, in logs and in the history of what its holder did.
    pub id: KeyId,
    /// The SHA-256 of its text.
    pub hash: KeyHash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(deserialize_with = "id")]
    id: KeyId,
    #[serde(deserialize_with = "hash")]
    sha256: KeyHash,
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
    KeyId::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyHash, D::Error> {
    KeyHash::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl<'de> Deserialize<'de> for KeyConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        Ok(Self {
            id: table.id,
            hash: table.sha256,
        })
    }
}

/// Who may come in: everybody while there is one app and no key at all, else who has a key.
pub(super) fn access(
    origin: &str,
    apps: &[AppConfig],
    operators: &[KeyConfig],
) -> anyhow::Result<Access> {
    if let ([only], []) = (apps, operators)
        && only.keys.is_empty()
    {
        return Ok(Access::Open(only.name.clone()));
    }
    let mut keys = Keys::default();
    for app in apps {
        if app.keys.is_empty() {
            let reason = if apps.len() > 1 {
                "there are several apps, and only keys tell them apart"
            } else {
                "there are operators' keys, and then every door needs one"
            };
            bail!(
                "{origin}: app {}: keys: there is none, and it needs one, because {reason}; `teller key new --app {}` \
                 makes one",
                app.name,
                app.name
            );
        }
        let whose = format!("app {}", app.name);
        add(
            &mut keys,
            origin,
            &whose,
            &Role::App(app.name.clone()),
            &app.keys,
        )?;
    }
    add(&mut keys, origin, "operators", &Role::Operator, operators)?;
    Ok(Access::Keys(keys))
}

fn add(
    keys: &mut Keys,
    origin: &str,
    whose: &str,
    role: &Role,
    configured: &[KeyConfig],
) -> anyhow::Result<()> {
    if configured.len() > KEYS_MAX {
        bail!(
            "{origin}: {whose}: keys: {KEYS_MAX} at most; there are {}",
            configured.len()
        );
    }
    for key in configured {
        if !keys.add(key.id.clone(), role.clone(), key.hash) {
            bail!(
                "{origin}: {whose}: keys: the id \"{}\" stands there twice; an id names one key in the whole file",
                key.id
            );
        }
    }
    Ok(())
}

/// A key that was just made. It has no `Debug`: what holds its text is not for logs.
pub struct NewKey {
    /// The key itself: to be handed to its holder, and kept nowhere else.
    pub text: String,
    /// What is configured of it.
    pub config: KeyConfig,
}

impl NewKey {
    /// Draws a key from the system's generator.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn draw(role: &Role) -> anyhow::Result<Self> {
        let id: [u8; ID_BYTES] = random()?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = KeyId::parse(&id).map_err(anyhow::Error::msg)?;
        let secret: [u8; SECRET_BYTES] = random()?;
        let text = keys::write(role, &id, &URL_SAFE_NO_PAD.encode(secret));
        let hash = KeyHash::of(&text);
        Ok(Self {
            text,
            config: KeyConfig { id, hash },
        })
    }

    /// The line for `teller.toml`, which may be shown.
    #[must_use]
    pub fn line(&self) -> String {
        let KeyConfig { id, hash } = &self.config;
        format!("keys = [{{ id = \"{id}\", sha256 = \"{hash}\" }}]")
    }
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}
