//! The secrets behind the tokens in webhook URLs.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use uuid::Uuid;

use crate::adapters::provider::Secret;

/// The file that is made when none is configured.
pub(super) const OWN_FILE: &str = "webhook-token.key";
/// Bytes of a secret, at least: what HMAC-SHA256 needs to be worth its name.
const BYTES_MIN: usize = 32;

/// The secrets in the order of the files: the first signs, all verify, so that a new one is put in
/// front and the old one taken out a month later. Without any file one is made in `data_dir`, readable
/// by its owner only.
///
/// # Errors
/// Which file is at fault, never what it holds.
pub fn webhook_secrets(files: &[PathBuf], data_dir: &Path) -> anyhow::Result<Vec<Secret>> {
    if files.is_empty() {
        return Ok(vec![own_secret(data_dir)?]);
    }
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> anyhow::Result<Secret> {
    let shown = file.display();
    let text = std::fs::read(file)
        .with_context(|| format!("the webhook token secret {shown} can't be read"))?;
    let trimmed = text.trim_ascii();
    if trimmed.len() < BYTES_MIN {
        bail!(
            "the webhook token secret {shown} has {} bytes; it needs {BYTES_MIN} at least",
            trimmed.len()
        );
    }
    Ok(Secret::new(trimmed))
}

fn own_secret(data_dir: &Path) -> anyhow::Result<Secret> {
    let file = data_dir.join(OWN_FILE);
    let create = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file);
    match create {
        Ok(mut created) => {
            // Two random UUIDs: 244 bits from the system's generator.
            let text = format!("{}{}\n", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            created.write_all(text.as_bytes())?;
            created.sync_all()?;
            read(&file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&file),
        Err(error) => Err(error).with_context(|| format!("{} can't be made", file.display())),
    }
}
