//! Reading webhooks. A webhook with a valid token is evidence about the attempt that the token was
//! made for; any other is a hint that something may have happened to a transaction.

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::outcome::{self, OneOrMany, Pointer, Word};
use super::profile::{ReferenceRule, Trust, Webhook, WebhookWords};
use super::secret::Secret;
use super::token::{self, Claim};
use crate::ports::{IncomingWebhook, WebhookReading, WebhookRejected};
use crate::transaction::{Finding, Report, TransactionId};

/// Characters of a hyphenated UUID: other forms of one are nobody's reference.
const UUID_CHARS: usize = 36;

/// The rules by which one provider's webhooks are read.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) provider: &'a str,
    pub(super) webhook: &'a Webhook,
    pub(super) reference: ReferenceRule,
    pub(super) secrets: &'a [Secret],
}

/// What a webhook's body names: a transaction and, where the reference tells, an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Named {
    id: TransactionId,
    attempt: Option<u32>,
}

/// The reference of attempt number `attempt`.
pub(super) fn reference(rule: ReferenceRule, id: TransactionId, attempt: u32) -> String {
    match rule {
        ReferenceRule::Transaction => id.to_string(),
        ReferenceRule::Attempt => format!("{id}-{attempt}"),
    }
}

/// Reads one.
pub(super) fn read(
    rules: Rules<'_>,
    incoming: &IncomingWebhook<'_>,
) -> Result<WebhookReading, WebhookRejected> {
    let body: Value = serde_json::from_slice(incoming.body)
        .map_err(|error| unreadable(format!("the webhook's body is no JSON: {error}")))?;
    let named = named(rules, &body)?;
    let claim = match rules.webhook.trust {
        Trust::Hint => None,
        Trust::Token => incoming
            .token
            .and_then(|token| token::verify(rules.secrets, rules.provider, token))
            .filter(|claim| agrees(claim, named)),
    };
    let Some(claim) = claim else {
        return Ok(WebhookReading::Hint { id: named.id });
    };
    let status = lookup(&body, &rules.webhook.status, "the status")?;
    let word = outcome::shown(status);
    let finding = finding(&rules.webhook.words, status, &word);
    let provider_reference = rules
        .webhook
        .provider_reference
        .as_ref()
        .and_then(|at| at.find_reference(&body));
    Ok(WebhookReading::Evidence {
        event_id: event_id(rules.provider, &claim, status),
        key: claim.key,
        attempt: Some(claim.attempt),
        report: Report {
            finding,
            word: Some(word),
            provider_reference,
            amount: None,
        },
    })
}

/// A token vouches for what it was made for and for nothing else: a body that speaks of another
/// transaction, or another attempt, is not covered by it.
fn agrees(claim: &Claim, named: Named) -> bool {
    claim.key.id == named.id && named.attempt.is_none_or(|attempt| attempt == claim.attempt)
}

fn named(rules: Rules<'_>, body: &Value) -> Result<Named, WebhookRejected> {
    let at = &rules.webhook.id;
    let text = lookup(body, at, "the id")?
        .as_str()
        .ok_or_else(|| unreadable(format!("the id at {at} is no string")))?;
    parse_reference(rules.reference, text)
        .ok_or_else(|| unreadable(format!("the id at {at} is none that teller has given")))
}

fn parse_reference(rule: ReferenceRule, text: &str) -> Option<Named> {
    let (id, attempt) = match rule {
        ReferenceRule::Transaction => (text, None),
        ReferenceRule::Attempt => {
            let (id, attempt) = text.rsplit_once('-')?;
            let written = attempt.bytes().all(|byte| byte.is_ascii_digit());
            (id, Some(written.then(|| attempt.parse().ok()).flatten()?))
        }
    };
    (id.len() == UUID_CHARS)
        .then(|| Uuid::try_parse(id).ok())
        .flatten()
        .map(|id| Named {
            id: TransactionId(id),
            attempt,
        })
}

fn lookup<'a>(body: &'a Value, at: &Pointer, what: &str) -> Result<&'a Value, WebhookRejected> {
    at.find(body).ok_or_else(|| {
        unreadable(format!(
            "the webhook has nothing at {at}, where {what} belongs"
        ))
    })
}

fn finding(words: &WebhookWords, status: &Value, word: &str) -> Finding {
    let among = |words: &OneOrMany<Word>| words.iter().any(|word| word.is(status));
    if among(&words.completed) {
        Finding::Completed
    } else if among(&words.declined) {
        Finding::Declined
    } else if among(&words.pending) {
        Finding::Pending
    } else {
        Finding::Unclear {
            why: format!("no meaning is listed for the webhook's word {word:?}"),
        }
    }
}

/// What makes two webhooks the same event, where the provider gives no id of its own: they say the
/// same of the same attempt.
fn event_id(provider: &str, claim: &Claim, status: &Value) -> String {
    let mut hasher = Sha256::new();
    for part in [
        provider.as_bytes(),
        claim.key.app.as_str().as_bytes(),
        claim.key.id.0.as_bytes(),
        &claim.attempt.to_be_bytes(),
        status.to_string().as_bytes(),
    ] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    // Half a SHA-256 names an event as surely as a UUID does.
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn unreadable(what: String) -> WebhookRejected {
    WebhookRejected::Unreadable(what)
}
