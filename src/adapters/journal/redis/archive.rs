//! The archive as a file: a line of JSON for every history that retention removed.
//!
//! ```text
//!   {"transaction":"shop/018f…","version":6,"history":[{…},{…}]}
//! ```
//!
//! A line may stand twice, and one that a crash has torn stands again on the next line: readers skip what
//! is no JSON and take the highest version of a transaction.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::ports::AppendError;
use crate::transaction::Key;

/// Payments are in it: for its owner only.
const MODE: u32 = 0o600;

/// The line for a history, whose records are JSON already.
pub(super) fn line(key: &Key, version: u64, records: &[Vec<u8>]) -> Vec<u8> {
    // A key consists of letters, digits and a few marks that need no escape.
    let head = format!("{{\"transaction\":\"{key}\",\"version\":{version},\"history\":[");
    let mut line = head.into_bytes();
    line.extend(records.join(&b','));
    line.extend(b"]}\n");
    line
}

/// Appends lines, which are on disk when this is over.
///
/// # Errors
/// [`AppendError::Unavailable`]: which file, and what is wrong with it.
pub(super) async fn append(path: &Path, lines: Vec<u8>) -> Result<(), AppendError> {
    if lines.is_empty() {
        return Ok(());
    }
    let path = path.to_path_buf();
    let written = tokio::task::spawn_blocking(move || {
        write(&path, &lines).map_err(|error| {
            let path = path.display();
            AppendError::Unavailable(format!("the archive {path} can't be written: {error}"))
        })
    });
    let gone = |_| AppendError::Unavailable("the archive's writer is gone".to_owned());
    written.await.map_err(gone)?
}

fn write(path: &PathBuf, lines: &[u8]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(MODE);
    let mut file = options.open(path)?;
    if is_torn(&mut file)? {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_all()?;
    if is_new && let Some(folder) = path.parent() {
        // The name has to last as well. A bare one is in the folder that teller runs in.
        let is_bare = folder.as_os_str().is_empty();
        File::open(if is_bare { Path::new(".") } else { folder })?.sync_all()?;
    }
    Ok(())
}

/// Whether the last line has no end.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::key;
    use super::*;

    #[tokio::test]
    async fn lines_are_appended_and_a_torn_one_is_left_behind() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("archive.jsonl");
        let records = [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()];
        let one = line(&key("shop", 1), 2, &records);
        append(&path, one.clone()).await.expect("written");
        std::fs::write(&path, [one.as_slice(), b"{\"torn"].concat()).expect("writable");
        append(&path, one).await.expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!((lines[0], lines[1]), (lines[2], "{\"torn"));
        let read: serde_json::Value = serde_json::from_str(lines[2]).expect("JSON");
        assert_eq!(read["history"][1]["b"], 2, "{text}");
        let nowhere = append(&folder.path().join("none/archive.jsonl"), vec![b'\n']).await;
        let why = nowhere.expect_err("there is no such folder").to_string();
        assert!(why.contains("none/archive.jsonl"), "{why}");
    }
}
