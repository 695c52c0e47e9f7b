//! One event of a webhook: whom it speaks of, what it says, and what makes it the same event.

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::unreadable;
use crate::adapters::provider::filters::hex;
use crate::adapters::provider::forms;
use crate::adapters::provider::outcome::{self, EventMeaning};
use crate::adapters::provider::profile::{Profile, ReferenceRule, Trust, Webhook};
use crate::adapters::provider::secret::Secret;
use crate::adapters::provider::token::{self, Claim};
use crate::ports::{IncomingWebhook, Subject, WebhookEvent, WebhookRejected};
use crate::transaction::{Finding, Report, ReportedAmount, TransactionId};

/// Characters of a hyphenated UUID: other forms of one are nobody's reference.
const UUID_CHARS: usize = 36;
/// Characters of an event id that is kept as it is; a longer one is replaced by its digest.
const EVENT_ID_MAX_CHARS: usize = 64;

/// What a webhook's body names: a transaction and, where the reference tells, an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Named {
    pub(in super::super) id: TransactionId,
    pub(in super::super) attempt: Option<u32>,
}

/// The reference of attempt number `attempt`.
pub(in super::super) fn reference(rule: ReferenceRule, id: TransactionId, attempt: u32) -> String {
    match rule {
        ReferenceRule::Transaction => id.to_string(),
        ReferenceRule::Attempt => format!("{id}-{attempt}"),
    }
}

/// The reading of one event.
pub(super) struct Reading<'a> {
    pub(super) profile: &'a Profile,
    pub(super) webhook: &'a Webhook,
    pub(super) token_secrets: &'a [Secret],
    pub(super) incoming: &'a IncomingWebhook<'a>,
}

impl Reading<'_> {
    /// What the event is, and the row that says so; `None` for one that is about something else.
    pub(super) fn read(
        &self,
        event: &Value,
    ) -> Result<(Option<WebhookEvent>, Option<usize>), WebhookRejected> {
        let read = outcome::read(&self.webhook.outcome, None, Some(event));
        if read.means == Some(EventMeaning::Ignored) {
            return Ok((None, read.row));
        }
        let theirs = self
            .webhook
            .provider_reference
            .as_ref()
            .and_then(|at| at.find_reference(event));
        let named = self.named(event)?;
        let claim = self.claim(named);
        let subject = match (claim, named, &theirs) {
            (Some(claim), ..) => Subject::Attempt {
                key: claim.key,
                attempt: claim.attempt,
            },
            (None, Some(named), _) => Subject::Ours {
                id: named.id,
                attempt: named.attempt,
                vouched: self.vouches(),
            },
            (None, None, Some(reference)) => Subject::Theirs {
                reference: reference.clone(),
            },
            (None, None, None) => return Err(self.nobody()),
        };
        let believed = match self.webhook.trust {
            Trust::Signed => true,
            Trust::Token => matches!(subject, Subject::Attempt { .. }),
            Trust::Hint => false,
        };
        if !believed {
            return Ok((Some(WebhookEvent::Hint { subject }), read.row));
        }
        let word = read.word.clone().unwrap_or_default();
        let finding = match read.means {
            Some(EventMeaning::Completed) => Finding::Completed,
            Some(EventMeaning::Declined) => Finding::Declined,
            Some(EventMeaning::Pending) => Finding::Pending,
            Some(EventMeaning::Unknown | EventMeaning::Ignored) => Finding::Unclear {
                why: format!("the webhook says {word:?}, which tells nothing"),
            },
            None => Finding::Unclear {
                why: format!("no meaning is listed for the webhook's word {word:?}"),
            },
        };
        let report = Report {
            finding,
            word: Some(word),
            provider_reference: theirs,
            amount: self.webhook.amount.as_ref().and_then(|at| at.find(event)),
        };
        let event_id = self.event_id(event, &subject, &report)?;
        let evidence = WebhookEvent::Evidence {
            subject,
            event_id,
            report,
        };
        Ok((Some(evidence), read.row))
    }

    /// Whether the signature covers our reference in the event.
    fn vouches(&self) -> bool {
        let scheme = self.profile.scheme.as_ref();
        self.webhook.trust == Trust::Signed
            && scheme
                .zip(self.webhook.id.as_ref())
                .is_some_and(|(scheme, at)| scheme.covers(at))
    }

    /// What the token in the URL vouches for, if it is valid and agrees with the body: a body that
    /// speaks of another transaction, or another attempt, is not covered by it. Where the provider's
    /// bodies hold nothing of ours, the token alone says whom they speak of.
    fn claim(&self, named: Option<Named>) -> Option<Claim> {
        if self.webhook.trust != Trust::Token || (self.webhook.id.is_some() && named.is_none()) {
            return None;
        }
        let token = self.incoming.token?;
        token::verify(self.token_secrets, self.profile.name(), token).filter(|claim| {
            named.is_none_or(|named| {
                claim.key.id == named.id
                    && named.attempt.is_none_or(|attempt| attempt == claim.attempt)
            })
        })
    }

    /// Our reference, if the event has one that is ours.
    fn named(&self, event: &Value) -> Result<Option<Named>, WebhookRejected> {
        let Some(at) = &self.webhook.id else {
            return Ok(None);
        };
        let found = at.find(event).filter(|found| !found.is_null());
        let named = found
            .and_then(Value::as_str)
            .and_then(|text| parse_reference(self.profile.file.reference, text));
        let can_do_without = self.webhook.provider_reference.is_some();
        match (named, found) {
            (Some(named), _) => Ok(Some(named)),
            // The provider's own id will do, where it gives one.
            (None, _) if can_do_without => Ok(None),
            (None, Some(_)) => Err(unreadable(format!(
                "the id at {at} is none that teller has given"
            ))),
            (None, None) => Err(self.nobody()),
        }
    }

    fn nobody(&self) -> WebhookRejected {
        let places: Vec<String> = [&self.webhook.id, &self.webhook.provider_reference]
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        if places.is_empty() {
            return unreadable("the webhook names nobody: its URL holds no valid token");
        }
        unreadable(format!(
            "the webhook names nobody: there is nothing usable at {}",
            places.join(" or ")
        ))
    }

    /// The profile's event id, or where it has none: two webhooks are the same event if they say the
    /// same of the same attempt, the amount and the provider's id included.
    fn event_id(
        &self,
        event: &Value,
        subject: &Subject,
        report: &Report,
    ) -> Result<String, WebhookRejected> {
        let Some(template) = &self.profile.forms.event_id else {
            let amount = match &report.amount {
                None => String::new(),
                Some(ReportedAmount::Read(amount)) => {
                    format!("{} {}", amount.value, amount.currency)
                }
                Some(ReportedAmount::Unreadable { text }) => format!("? {text}"),
            };
            return Ok(digest(&[
                self.profile.name().as_bytes(),
                named_in_ids(subject).as_bytes(),
                report.finding.as_str().as_bytes(),
                report.word.as_deref().unwrap_or_default().as_bytes(),
                report
                    .provider_reference
                    .as_deref()
                    .unwrap_or_default()
                    .as_bytes(),
                amount.as_bytes(),
            ]));
        };
        let context = forms::event_context(event, self.incoming.headers);
        let id = self
            .profile
            .forms
            .templates
            .render(template, &context)
            .map_err(|what| unreadable(format!("the webhook has no event id: {what}")))?;
        let plain = id.chars().all(|c| c.is_ascii_graphic());
        match id.len() {
            0 => Err(unreadable("the webhook's event id is empty")),
            length if length <= EVENT_ID_MAX_CHARS && plain => Ok(id),
            _ => Ok(digest(&[id.as_bytes()])),
        }
    }
}

/// Whom a reference names, if it is one that teller gave.
pub(in super::super) fn parse_reference(rule: ReferenceRule, text: &str) -> Option<Named> {
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

/// A subject as derived event ids have it: the same in every version of teller.
fn named_in_ids(subject: &Subject) -> String {
    match subject {
        Subject::Attempt { key, attempt } => format!("attempt {attempt} of {key}"),
        Subject::Ours { id, attempt, .. } => match attempt {
            Some(attempt) => format!("attempt {attempt} of {id}"),
            None => format!("{id}"),
        },
        Subject::Theirs { reference } => format!("theirs {reference}"),
    }
}

/// Half a SHA-256 over the parts: it names an event as surely as a UUID does.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length before each part: otherwise bytes could move from one part to the next.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    hex(&digest[..16])
}
