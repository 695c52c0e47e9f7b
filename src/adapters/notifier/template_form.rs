//! Notifications in an app's own form: a template, and the app's own words for how it ended.

use minijinja::value::{Serde, Value};
use serde::Serialize;
use serde::de::IgnoredAny;

use super::config::Words;
use crate::adapters::provider::{Escape, Template, Templates};
use crate::ports::Notification;
use crate::transaction::{Amount, Status};

/// What the template can print.
const NAMES: [&str; 11] = [
    "id",
    "app",
    "provider",
    "status",
    "word",
    "version",
    "reason",
    "amount.value",
    "amount.currency",
    "notification_id",
    "timestamp",
];
/// Bytes of a body, at most: what receivers of webhooks expect to bear.
const BODY_MAX_BYTES: usize = 20_000;

/// One app's form.
#[derive(Clone, Debug)]
pub(super) struct TemplateForm {
    templates: Templates,
    body: Template,
    words: Words,
    is_json: bool,
}

#[derive(Serialize)]
struct Context<'a> {
    id: String,
    app: &'a str,
    provider: &'a str,
    status: &'a str,
    word: &'a str,
    version: u64,
    reason: Option<&'a str>,
    amount: Option<&'a Amount>,
    notification_id: String,
    timestamp: String,
}

impl TemplateForm {
    /// Compiles the body's template.
    pub(super) fn new(body: &str, content_type: &str, words: Words) -> Result<Self, String> {
        let is_json = content_type
            .split(';')
            .next()
            .is_some_and(|media_type| media_type.trim().ends_with("json"));
        let escape = if is_json {
            Escape::Json
        } else {
            Escape::Percent
        };
        let mut templates = Templates::new();
        let known = NAMES.map(str::to_owned);
        let body = templates.add("notify.body", body, escape, &known)?;
        Ok(Self {
            templates,
            body,
            words,
            is_json,
        })
    }

    /// The body for a piece of news.
    pub(super) fn body(&self, notification: &Notification) -> Result<String, String> {
        let notice = &notification.notice;
        let word = self
            .word(notice.status)
            .ok_or_else(|| format!("the app has no word for {}", notice.status.as_str()))?;
        let context = Value::from(Serde(Context {
            id: notification.key.id.to_string(),
            app: notification.key.app.as_str(),
            provider: &notification.request.provider,
            status: notice.status.as_str(),
            word,
            version: notice.version,
            reason: notification
                .resolution
                .as_ref()
                .map(|resolution| resolution.why.as_str()),
            amount: notification.request.amount.as_ref(),
            notification_id: notice.id.to_string(),
            timestamp: notice.since.to_string(),
        }));
        let body = self
            .templates
            .render(&self.body, &context)
            .map_err(|what| format!("the body can't be filled in: {what}"))?;
        if body.len() > BODY_MAX_BYTES {
            return Err(format!("the body has more than {BODY_MAX_BYTES} bytes"));
        }
        if self.is_json && serde_json::from_str::<IgnoredAny>(&body).is_err() {
            return Err("the body comes out as no JSON".to_owned());
        }
        Ok(body)
    }

    fn word(&self, status: Status) -> Option<&str> {
        match status {
            Status::Completed => Some(&self.words.completed),
            Status::Declined => Some(&self.words.declined),
            Status::Failed => Some(&self.words.failed),
            Status::InReview => self.words.in_review.as_deref(),
            Status::Pending => None,
        }
    }
}
