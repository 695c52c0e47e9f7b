//! Where a secret is kept: in a file or in a variable of the environment, never in `teller.toml`.
//!
//! ```text
//!   api_key = { file = "mpesa.key" }
//!   api_key = [{ env = "MPESA_KEY" }, { file = "old.key", until = "2026-12-01T00:00:00Z" }]
//! ```

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::adapters::provider::Secret;
use crate::transaction::Timestamp;

/// Bytes of a secret, at most: four times the longest private key in use (RSA-4096 as PEM: 3.2 KB).
const SECRET_MAX_BYTES: u64 = 16 * 1024;
/// The bits of a file's mode that let others than its owner in.
const OTHERS: u32 = 0o077;

/// What is answered to anything else. It never repeats what was found: that may be the secret itself.
const EXPECTED: &str =
    "expected a secret's place, as { file = \"…\" } or as { env = \"…\" }, never the secret itself";

/// Where one secret is kept, and until when it is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretSource {
    place: Place,
    until: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    File(PathBuf),
    Variable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    file: Option<PathBuf>,
    env: Option<String>,
    until: Option<String>,
}

impl TryFrom<Table> for SecretSource {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let place = match (table.file, table.env) {
            (Some(file), None) => Place::File(file),
            (None, Some(variable)) if is_variable(&variable) => Place::Variable(variable),
            (None, Some(_)) => {
                return Err(
                    "env: a variable's name has letters, digits and '_', and begins with no digit"
                        .to_owned(),
                );
            }
            (None, None) | (Some(_), Some(_)) => return Err(EXPECTED.to_owned()),
        };
        let until = table.until.map(|text| {
            text.parse().map_err(|_| {
                format!("until: expected a time such as \"2026-12-01T00:00:00Z\", got {text:?}")
            })
        });
        Ok(Self {
            place,
            until: until.transpose()?,
        })
    }
}

fn is_variable(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(legal)
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Source;
        impl<'de> Visitor<'de> for Source {
            type Value = SecretSource;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret's place")
            }
            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<SecretSource, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(table))?;
                table.try_into().map_err(A::Error::custom)
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<SecretSource, E> {
                Err(E::custom(EXPECTED))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<SecretSource, E> {
                Err(E::custom(EXPECTED))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<SecretSource, E> {
                Err(E::custom(EXPECTED))
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<SecretSource, E> {
                Err(E::custom(EXPECTED))
            }
        }
        deserializer.deserialize_any(Source)
    }
}

impl SecretSource {
    /// Makes the path of a file relative to `folder`, where the configuration lies.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        if let Place::File(file) = &mut self.place {
            *file = folder.join(&file);
        }
        self
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Reads the secret, without one trailing newline, which editors add. What is unwise but works is
    /// added to `warnings`.
    ///
    /// # Errors
    /// Which file or variable is at fault, never what it holds.
    pub fn read(&self, warnings: &mut Vec<String>) -> anyhow::Result<Secret> {
        let bytes = match &self.place {
            Place::File(file) => read_file(file, warnings)?,
            Place::Variable(variable) => std::env::var_os(variable)
                .with_context(|| format!("the variable {variable} is not set"))?
                .into_encoded_bytes(),
        };
        let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if secret.is_empty() {
            bail!("the {} is empty", self.place);
        }
        if secret.len() as u64 > SECRET_MAX_BYTES {
            bail!(
                "the {} holds more than {SECRET_MAX_BYTES} bytes, which is no secret",
                self.place
            );
        }
        Ok(Secret::new(secret))
    }
}

fn read_file(file: &Path, warnings: &mut Vec<String>) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let unreadable = || format!("the file {shown} can't be read");
    let opened = File::open(file).with_context(unreadable)?;
    let mode = opened
        .metadata()
        .with_context(unreadable)?
        .permissions()
        .mode();
    if mode & OTHERS != 0 {
        warnings.push(format!(
            "the secret in {shown} is open to others than its owner (mode {:03o}); chmod 600 shuts it",
            mode & 0o777
        ));
    }
    let mut bytes = Vec::new();
    // One byte more than is allowed tells that it is too long.
    opened
        .take(SECRET_MAX_BYTES + 2)
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    Ok(bytes)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "file {}", file.display()),
            Self::Variable(variable) => write!(f, "variable {variable}"),
        }
    }
}

/// What may be shown of a secret.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…(from {}", self.place)?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn source(text: &str) -> Result<SecretSource, String> {
        #[derive(Deserialize)]
        struct Whole {
            secret: SecretSource,
        }
        let read: Result<Whole, _> = toml::from_str(&format!("secret = {text}"));
        read.map(|whole| whole.secret)
            .map_err(|error| error.message().to_owned())
    }

    fn read(text: &str, folder: &Path) -> Result<(Vec<u8>, Vec<String>), String> {
        let mut warnings = Vec::new();
        let source = source(text)?.beside(folder);
        let secret = source.read(&mut warnings);
        secret
            .map(|secret| (secret.expose().to_vec(), warnings))
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_secret_has_one_place_and_may_have_an_end() {
        let ending = source("{ env = 'OLD', until = '2026-12-01T00:00:00Z' }").expect("legal");
        let at = |text: &str| text.parse::<Timestamp>().expect("RFC 3339");
        assert!(!ending.is_over(at("2026-11-30T23:59:59Z")));
        assert!(ending.is_over(at("2026-12-01T00:00:00Z")));
        assert_eq!(
            ending.to_string(),
            "…(from variable OLD until 2026-12-01T00:00:00.000Z)"
        );
        for (text, expected) in [
            ("{}", "expected a secret's place"),
            ("{ file = 'a', env = 'B' }", "expected a secret's place"),
            ("{ env = 'B', until = 'soon' }", "until: expected a time"),
            ("{ fiel = 'a' }", "unknown field `fiel`"),
            ("{ env = 'sk-swordfish' }", "env: a variable's name"),
            ("'swordfish'", "never the secret itself"),
            ("174379", "never the secret itself"),
            ("17.5", "never the secret itself"),
            ("['swordfish']", "expected a secret's place"),
        ] {
            let said = source(text).expect_err("refused");
            assert!(said.contains(expected), "{text}: {said}");
            assert!(
                !said.contains("swordfish") && !said.contains("17"),
                "{said}"
            );
        }
    }

    #[test]
    fn files_and_variables_are_read_without_one_trailing_newline() {
        let folder = tempfile::TempDir::new().expect("a directory");
        let file = folder.path().join("key");
        for (written, expected) in [
            ("swordfish", "swordfish"),
            ("swordfish\n", "swordfish"),
            ("swordfish\r\n", "swordfish"),
            ("sword\nfish\n\n", "sword\nfish\n"),
            (" swordfish ", " swordfish "),
        ] {
            std::fs::write(&file, written).expect("writable");
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("ours");
            let read = read("{ file = 'key' }", folder.path()).expect("readable");
            assert_eq!(read, (expected.as_bytes().to_vec(), vec![]), "{written:?}");
        }
        let path = std::env::var("PATH").expect("set everywhere");
        let (read, _) = read("{ env = 'PATH' }", folder.path()).expect("set");
        assert_eq!(read, path.as_bytes());
    }

    #[test]
    fn what_can_not_be_used_is_named_and_not_shown() {
        let folder = tempfile::TempDir::new().expect("a directory");
        let write = |name: &str, text: &[u8]| {
            std::fs::write(folder.path().join(name), text).expect("writable");
        };
        write("empty", b"\n");
        write("long", &[b'x'; 20_000]);
        for (text, expected) in [
            ("{ file = 'missing' }", "missing can't be read"),
            ("{ file = 'empty' }", "empty is empty"),
            ("{ file = 'long' }", "more than 16384 bytes"),
            ("{ env = 'TELLER_NO_SUCH' }", "TELLER_NO_SUCH is not set"),
        ] {
            let said = read(text, folder.path()).expect_err("refused");
            assert!(said.contains(expected) && !said.contains("xxx"), "{said}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        let folder = tempfile::TempDir::new().expect("a directory");
        let file = folder.path().join("key");
        std::fs::write(&file, "swordfish").expect("writable");
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("ours");
        let (_, warnings) = read("{ file = 'key' }", folder.path()).expect("readable");
        let [warning] = warnings.as_slice() else {
            panic!("one warning: {warnings:?}");
        };
        assert!(
            warning.contains(&file.display().to_string()) && warning.contains("mode 644"),
            "{warning}"
        );
        assert!(!warning.contains("swordfish"), "{warning}");
    }
}
