//! A profile's requests as compiled templates, and their filling in.
//!
//! Three kinds of templates, by what they may know. Requests know the transaction and are rendered
//! once, into the intent that is written down; they know no secret. Sealed values and the headers of
//! `[auth]` know secrets, and are rendered as the request is sent. Where a sealed value belongs, the
//! request holds a placeholder until then.

mod compile;
mod context;
mod seal;

use std::collections::BTreeSet;

use reqwest::header::HeaderValue;
use serde::de::IgnoredAny;

pub(super) use compile::compile;
pub(super) use context::{AttemptNames, Settings, auth_context, event_context, sealed_context};
pub(super) use seal::{PLACEHOLDER, seal};

use super::profile::{BaseUrl, Inquiry, ProfileFile};
use super::template::{Escape, Template, Templates};
use crate::transaction::{Key, Rendered, Request, Timestamp};

/// The compiled templates of a profile.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    pub(super) templates: Templates,
    submit: Form,
    inquiry: Option<Form>,
    /// There if the profile has another way for when the provider's own id is not known; empty if that
    /// way is no request.
    lost: Option<Option<Form>>,
    /// Headers of `[auth.headers]`, and the values of its other keys.
    pub(super) auth: AuthForms,
    /// The sealed values, by name.
    pub(super) sealed: Vec<(String, Template)>,
    /// What makes two webhooks the same event.
    pub(super) event_id: Option<Template>,
}

/// The templates of one request.
#[derive(Clone, Debug)]
struct Form {
    path: Template,
    headers: Vec<(String, Template)>,
    body: Option<Template>,
    kind: BodyKind,
}

/// The templates of `[auth]`.
#[derive(Clone, Debug, Default)]
pub(super) struct AuthForms {
    pub(super) user: Option<Template>,
    pub(super) password: Option<Template>,
    pub(super) token: Option<Template>,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) token_url: Option<Template>,
    pub(super) token_form: Vec<(String, Template)>,
    pub(super) token_headers: Vec<(String, Template)>,
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BodyKind {
    Json,
    UrlEncoded,
    Text,
}

impl BodyKind {
    fn of(content_type: &str) -> Result<Self, String> {
        HeaderValue::from_str(content_type)
            .map_err(|_| format!("{content_type:?} is no content type"))?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        Ok(match media_type.to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            other if other.ends_with("+json") => Self::Json,
            "application/x-www-form-urlencoded" => Self::UrlEncoded,
            _ => Self::Text,
        })
    }

    fn escape(self) -> Escape {
        match self {
            Self::Json => Escape::Json,
            Self::UrlEncoded => Escape::Percent,
            Self::Text => Escape::Plain,
        }
    }
}

/// What a request is made for.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) key: &'a Key,
    pub(super) request: &'a Request,
    pub(super) attempt: AttemptNames<'a>,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

impl Forms {
    /// The submission of an attempt.
    pub(super) fn submission(
        &self,
        file: &ProfileFile,
        base_url: &BaseUrl,
        subject: Subject<'_>,
    ) -> Result<Rendered, String> {
        let content_type = file.submit.content_type.get_ref();
        let method = file.submit.method.as_str();
        let rendered = self.render(&self.submit, base_url, method, content_type, subject)?;
        if rendered.body.is_empty() {
            return Err("the body comes out empty".to_owned());
        }
        Ok(rendered)
    }

    /// The inquiry about an attempt, by whichever way is open.
    pub(super) fn inquiry(
        &self,
        inquiry: &Inquiry,
        base_url: &BaseUrl,
        subject: Subject<'_>,
    ) -> Result<Rendered, String> {
        let known = subject.attempt.provider_reference.is_some();
        let form = self
            .inquiry_form(known)
            .ok_or("the profile has no request for this inquiry")?;
        let content_type = inquiry.content_type.get_ref();
        self.render(
            form,
            base_url,
            inquiry.method.as_str(),
            content_type,
            subject,
        )
    }

    /// How the body of a submission, or of an inquiry, is written.
    pub(super) fn body_kind(&self, submission: bool, reference_known: bool) -> BodyKind {
        match self.inquiry_form(reference_known) {
            Some(inquiry) if !submission => inquiry.kind,
            Some(_) | None => self.submit.kind,
        }
    }

    /// The names that the requests print.
    pub(super) fn printed(&self) -> BTreeSet<String> {
        let lost = self.lost.iter().flatten();
        let forms = [&self.submit].into_iter().chain(&self.inquiry).chain(lost);
        forms
            .flat_map(|form| {
                let headers = form.headers.iter().map(|(_, value)| value);
                [&form.path].into_iter().chain(headers).chain(&form.body)
            })
            .flat_map(|template| self.templates.names(template))
            .collect()
    }

    fn inquiry_form(&self, reference_known: bool) -> Option<&Form> {
        match &self.lost {
            Some(lost) if !reference_known => lost.as_ref(),
            Some(_) | None => self.inquiry.as_ref(),
        }
    }

    fn render(
        &self,
        form: &Form,
        base_url: &BaseUrl,
        method: &str,
        content_type: &str,
        subject: Subject<'_>,
    ) -> Result<Rendered, String> {
        refuse_placeholders(subject.request)?;
        let context = context::request_context(subject, &self.sealed, None);
        let body = match &form.body {
            None => String::new(),
            Some(template) => {
                let body = self
                    .templates
                    .render(template, &context)
                    .map_err(|what| format!("the body: {what}"))?;
                if form.kind == BodyKind::Json && !body.is_empty() {
                    serde_json::from_str::<IgnoredAny>(&body)
                        .map_err(|error| format!("the body comes out as no JSON: {error}"))?;
                }
                body
            }
        };
        let url = self.url(form, base_url, &context)?;
        let context = context::request_context(subject, &self.sealed, Some(&body));
        let mut headers = Vec::with_capacity(form.headers.len() + 1);
        for (name, template) in &form.headers {
            let value = self
                .templates
                .render(template, &context)
                .map_err(|what| format!("the header {name}: {what}"))?;
            HeaderValue::from_str(&value)
                .map_err(|_| format!("the header {name} comes out with control characters"))?;
            headers.push((name.clone(), value));
        }
        if form.body.is_some() {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        Ok(Rendered {
            method: method.to_owned(),
            url,
            headers,
            body,
        })
    }

    fn url(
        &self,
        form: &Form,
        base_url: &BaseUrl,
        context: &minijinja::Value,
    ) -> Result<String, String> {
        let path = self
            .templates
            .render(&form.path, context)
            .map_err(|what| format!("the path: {what}"))?;
        let url = format!("{}{path}", base_url.as_str());
        // A URL that changes when it is read has something in it that would lead elsewhere: "..",
        // a fragment, a character that needs encoding.
        let read = reqwest::Url::parse(&url).map_err(|error| format!("the path: {error}"))?;
        if read.as_str() != url || read.fragment().is_some() {
            return Err("the path comes out in a form that would lead elsewhere".to_owned());
        }
        Ok(url)
    }
}

/// An app that could write a placeholder could have a secret put where it likes.
fn refuse_placeholders(request: &Request) -> Result<(), String> {
    if contains(&request.payload, PLACEHOLDER) {
        return Err(format!(
            "the payload holds {PLACEHOLDER:?}, which stands for a secret in teller's own records"
        ));
    }
    Ok(())
}

/// Whether any text in the value has `part` in it. The depth of payloads is bounded at the door.
fn contains(value: &serde_json::Value, part: &str) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains(part),
        serde_json::Value::Array(items) => items.iter().any(|item| contains(item, part)),
        serde_json::Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains(part) || contains(value, part)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            false
        }
    }
}
