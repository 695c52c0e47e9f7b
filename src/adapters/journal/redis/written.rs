//! What is written, as JSON that people and later releases can read.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ports::{AppendError, JournalError, Kept, Letter, Subject, Summary};
use crate::transaction::{Key, Record, Report, Timestamp, TransactionId};

/// The version of all forms below. A reader refuses newer ones by name.
const FORM: u32 = 1;

/// A transaction as of its last record. The Functions write the head, and their pattern reads it.
#[derive(Deserialize)]
pub(super) struct Snapshot {
    v: u32,
    /// When it is due by the server's clock, in milliseconds since the Unix epoch.
    due: Option<i64>,
    summary: Summary,
}

impl Snapshot {
    pub(super) fn read(text: &[u8]) -> Result<Self, JournalError> {
        let snapshot: Self = read("a snapshot", text)?;
        understood("a snapshot", snapshot.v)?;
        Ok(snapshot)
    }

    /// When it is due by the server's clock.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due.map(Timestamp::from_millis)
    }

    /// The summary as a list shows it, with times by the server's clock where it depends on one.
    pub(super) fn summary(self) -> Summary {
        Summary {
            due_at: self.due(),
            providers: Vec::new(),
            ..self.summary
        }
    }

    /// The providers of the transaction; `None` in a snapshot of a release that did not write them.
    pub(super) fn providers(&self) -> Option<&[String]> {
        let providers = self.summary.providers.as_slice();
        (!providers.is_empty()).then_some(providers)
    }

    /// The provider that it is with now.
    pub(super) fn provider(&self) -> &str {
        &self.summary.provider
    }

    pub(super) fn key(&self) -> &Key {
        &self.summary.key
    }
}

/// What of a summary goes into a snapshot: what isn't in its head or elsewhere. Only a start asks for the
/// providers, and only of what is open.
pub(super) fn summary(summary: Summary) -> Result<String, AppendError> {
    let open = summary.open;
    let providers = summary.providers.into_iter().filter(|_| open).collect();
    write(&Summary {
        due_at: None,
        providers,
        references: Vec::new(),
        ..summary
    })
}

/// The lines of a list that hold a record. What a tombstone stands for has left empty ones.
pub(super) fn lines(list: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    list.into_iter().filter(|line| !line.is_empty()).collect()
}

/// One record a line of the list.
pub(super) fn records(records: &[Record]) -> Result<Vec<String>, AppendError> {
    records.iter().map(write).collect()
}

pub(super) fn read_records(key: &Key, lines: &[Vec<u8>]) -> Result<Vec<Record>, JournalError> {
    let what = format!("the history of {key}");
    lines.iter().map(|line| read(&what, line)).collect()
}

/// What an idempotency key stands for.
#[derive(Serialize, Deserialize)]
pub(super) struct Bound {
    v: u32,
    pub(super) to: TransactionId,
    at: Timestamp,
}

impl Bound {
    pub(super) fn write(to: TransactionId, at: Timestamp) -> Result<String, AppendError> {
        write(&Self { v: FORM, to, at })
    }

    pub(super) fn read(text: &[u8]) -> Result<Self, JournalError> {
        let bound: Self = read("a binding", text)?;
        understood("a binding", bound.v)?;
        Ok(bound)
    }
}

/// A webhook in the inbox. The Function that removes it reads `references`.
#[derive(Serialize, Deserialize)]
struct KeptForm {
    v: u32,
    provider: String,
    event_id: String,
    references: Vec<String>,
    received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    report: Report,
    body: String,
}

pub(super) fn kept(kept: Kept) -> Result<String, AppendError> {
    write(&KeptForm {
        v: FORM,
        provider: kept.provider,
        event_id: kept.event_id,
        references: kept.references,
        received_at: kept.received_at,
        attempt: kept.attempt,
        report: kept.report,
        body: kept.body,
    })
}

pub(super) fn read_kept(text: &[u8]) -> Result<Kept, JournalError> {
    let form: KeptForm = read("a kept webhook", text)?;
    understood("a kept webhook", form.v)?;
    Ok(Kept {
        provider: form.provider,
        event_id: form.event_id,
        references: form.references,
        received_at: form.received_at,
        attempt: form.attempt,
        report: form.report,
        body: form.body,
    })
}

/// A webhook on its way to its transaction's owner.
#[derive(Serialize, Deserialize)]
struct LetterForm {
    v: u32,
    key: Key,
    provider: String,
    event_id: String,
    subject: Subject,
    report: Report,
    received_at: Timestamp,
    body: String,
}

pub(super) fn letter(key: &Key, letter: Letter) -> Result<String, AppendError> {
    write(&LetterForm {
        v: FORM,
        key: key.clone(),
        provider: letter.provider,
        event_id: letter.event_id,
        subject: letter.subject,
        report: letter.report,
        received_at: letter.received_at,
        body: letter.body,
    })
}

pub(super) fn read_letter(text: &[u8]) -> Result<(Key, Letter), JournalError> {
    let form: LetterForm = read("a letter", text)?;
    understood("a letter", form.v)?;
    let letter = Letter {
        provider: form.provider,
        event_id: form.event_id,
        subject: form.subject,
        report: form.report,
        received_at: form.received_at,
        body: form.body,
    };
    Ok((form.key, letter))
}

fn write(value: &impl Serialize) -> Result<String, AppendError> {
    serde_json::to_string(value)
        .map_err(|error| AppendError::Unavailable(format!("not writable as JSON: {error}")))
}

fn read<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(text)
        .map_err(|error| JournalError(format!("{what} can't be understood: {error}")))
}

fn understood(what: &str, version: u32) -> Result<(), JournalError> {
    if version > FORM {
        return Err(JournalError(format!(
            "{what} has version {version}, and this release reads up to {FORM}"
        )));
    }
    Ok(())
}
