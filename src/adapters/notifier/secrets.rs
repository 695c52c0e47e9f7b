//! Where an app's secrets are kept, and until when each signs.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::problem::NotifierProblem;
use super::signing::{Signer, Signers, SigningKey};
use crate::transaction::Timestamp;

/// Secrets of one app: two while it changes over; more are forgotten ones, and each lengthens a header.
const SECRETS_MAX: usize = 10;

/// One entry of `secrets`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub(super) struct SecretConfig {
    place: Place,
    until: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    File(PathBuf),
    Variable(String),
}

/// The entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: Option<PathBuf>,
    env: Option<String>,
    until: Option<String>,
}

impl TryFrom<Entry> for SecretConfig {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let place = match (entry.file, entry.env) {
            (Some(file), None) => Place::File(file),
            (None, Some(variable)) => Place::Variable(variable),
            (None, None) | (Some(_), Some(_)) => {
                return Err(
                    "expected each secret as { file = \"…\" } or as { env = \"…\" }".to_owned(),
                );
            }
        };
        let until = match entry.until {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                format!("until: expected a time such as \"2026-12-01T00:00:00Z\", got {text:?}")
            })?),
        };
        Ok(Self { place, until })
    }
}

impl SecretConfig {
    /// Makes the path of a secret in a file relative to `folder`.
    pub(super) fn beside(&mut self, folder: &Path) {
        if let Place::File(file) = &mut self.place {
            *file = folder.join(&file);
        }
    }

    fn read(&self, app: &str) -> Result<Signer, NotifierProblem> {
        let wrong = |what| NotifierProblem::App {
            app: app.to_owned(),
            key: "secrets",
            what,
        };
        let (shown, text) = match &self.place {
            Place::File(file) => {
                let shown = file.display().to_string();
                let text = std::fs::read_to_string(file).map_err(|source| {
                    NotifierProblem::SecretFile {
                        app: app.to_owned(),
                        path: shown.clone(),
                        source,
                    }
                })?;
                (shown, text)
            }
            Place::Variable(variable) => {
                let text =
                    std::env::var(variable).map_err(|_| wrong(format!("{variable} is not set")))?;
                (variable.clone(), text)
            }
        };
        let key = SigningKey::parse(&text).map_err(|what| wrong(format!("{shown}: {what}")))?;
        Ok(Signer {
            key,
            until: self.until,
        })
    }
}

/// What may be shown of it.
impl fmt::Display for SecretConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(file) => write!(f, "…(from file {}", file.display())?,
            Place::Variable(variable) => write!(f, "…(from variable {variable}")?,
        }
        match self.until {
            Some(until) => write!(f, " until {until})"),
            None => f.write_str(")"),
        }
    }
}

/// Whether these secrets can sign for good.
///
/// # Errors
/// What is missing.
pub(super) fn check(secrets: &[SecretConfig]) -> Result<(), String> {
    if secrets.len() > SECRETS_MAX {
        return Err(format!("secrets: expected {SECRETS_MAX} at most"));
    }
    if secrets.iter().all(|secret| secret.until.is_some()) {
        return Err(
            "secrets: one without `until` is needed, or a day comes on which nothing can be signed"
                .to_owned(),
        );
    }
    Ok(())
}

/// Reads the secrets themselves.
///
/// # Errors
/// Which file or variable is at fault, never what it holds.
pub(super) fn read(app: &str, secrets: &[SecretConfig]) -> Result<Signers, NotifierProblem> {
    let signers: Result<_, _> = secrets.iter().map(|secret| secret.read(app)).collect();
    signers.map(Signers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Table {
        secrets: Vec<SecretConfig>,
    }

    fn parse(text: &str) -> Result<Vec<SecretConfig>, String> {
        let table: Result<Table, _> = toml::from_str(text);
        table
            .map(|table| table.secrets)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_secret_has_one_place_and_may_have_an_end() {
        let good = "secrets = [{ file = 'new' }, { env = 'OLD', until = '2026-12-01T00:00:00Z' }]";
        let secrets = parse(good).expect("legal");
        assert_eq!(check(&secrets), Ok(()));
        assert_eq!(secrets[0].until, None);
        assert_eq!(
            secrets[1].until.map(|until| until.to_string()).as_deref(),
            Some("2026-12-01T00:00:00.000Z")
        );
        for (text, expected) in [
            ("secrets = [{}]", "expected each secret as"),
            (
                "secrets = [{ file = 'a', env = 'b' }]",
                "expected each secret as",
            ),
            (
                "secrets = [{ env = 'b', until = 'soon' }]",
                "until: expected a time such as",
            ),
            (
                "secrets = [{ env = 'b', till = 'soon' }]",
                "unknown field `till`",
            ),
        ] {
            let said = parse(text).expect_err("refused");
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn something_signs_for_good() {
        let ends = "{ env = 'A', until = '2026-12-01T00:00:00Z' }";
        let only_ends = parse(&format!("secrets = [{ends}]")).expect("each is legal");
        let said = check(&only_ends).expect_err("an end of all signing");
        assert!(said.contains("one without `until` is needed"), "{said}");
        let many = ["{ env = 'A' }"; SECRETS_MAX + 1].join(", ");
        let many = parse(&format!("secrets = [{many}]")).expect("each is legal");
        assert_eq!(check(&many), Err("secrets: expected 10 at most".to_owned()));
    }

    #[test]
    fn a_file_is_looked_for_beside_the_configuration() {
        let mut secrets =
            parse("secrets = [{ file = 'a' }, { file = '/b' }, { env = 'c' }]").expect("legal");
        secrets
            .iter_mut()
            .for_each(|secret| secret.beside(Path::new("/etc/teller")));
        let places: Vec<Place> = secrets.into_iter().map(|secret| secret.place).collect();
        assert_eq!(
            places,
            [
                Place::File("/etc/teller/a".into()),
                Place::File("/b".into()),
                Place::Variable("c".to_owned()),
            ]
        );
    }
}
