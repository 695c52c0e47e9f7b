//! A profile's requests as compiled templates, and their filling in.

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::value::{Serde, Value};
use reqwest::header::{HeaderName, HeaderValue};
use serde::Serialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::profile::{BaseUrl, ProfileFile};
use super::template::{Escape, Template, Templates};
use crate::transaction::{Key, Rendered, Request};

/// What the templates of a submission can print.
const SUBMIT_NAMES: [&str; 8] = [
    "transaction.id",
    "transaction.app",
    "transaction.amount.value",
    "transaction.amount.currency",
    "attempt.number",
    "attempt.reference",
    "payload",
    "webhook_url",
];
/// What the templates of an inquiry can print.
const INQUIRY_NAMES: [&str; 7] = [
    "transaction.id",
    "transaction.app",
    "transaction.amount.value",
    "transaction.amount.currency",
    "attempt.reference",
    "attempt.provider_reference",
    "payload",
];
/// Headers that the client or another key of the profile sets.
const RESERVED_HEADERS: [&str; 7] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "traceparent",
    "transfer-encoding",
    "user-agent",
];

/// Where in the file something is wrong, and what.
pub(super) type Misplaced = (Range<usize>, String);

/// The compiled templates of a profile.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    templates: Templates,
    submit: Form,
    submit_body: Template,
    body_kind: BodyKind,
    inquiry: Form,
}

#[derive(Clone, Debug)]
struct Form {
    path: Template,
    headers: Vec<(String, Template)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BodyKind {
    Json,
    UrlEncoded,
    Text,
}

/// What the templates print.
#[derive(Serialize)]
struct Context<'a> {
    transaction: TransactionContext<'a>,
    attempt: AttemptContext<'a>,
    payload: &'a serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<&'a str>,
}

#[derive(Serialize)]
struct TransactionContext<'a> {
    id: String,
    app: &'a str,
    amount: Option<&'a crate::transaction::Amount>,
}

#[derive(Serialize)]
struct AttemptContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_reference: Option<&'a str>,
}

/// Compiles the templates of a profile.
pub(super) fn compile(file: &ProfileFile) -> Result<Forms, Misplaced> {
    let mut templates = Templates::new();
    let submit = compile_form(
        &mut templates,
        "submit",
        &file.submit.path,
        &file.submit.headers,
        &SUBMIT_NAMES,
    )?;
    let inquiry = compile_form(
        &mut templates,
        "inquiry",
        &file.inquiry.path,
        &file.inquiry.headers,
        &INQUIRY_NAMES,
    )?;
    let body = &file.submit.body;
    let content_type = &file.submit.content_type;
    let body_kind =
        BodyKind::of(content_type.get_ref()).map_err(|what| (content_type.span(), what))?;
    let submit_body = templates
        .add(
            "submit.body",
            body.get_ref(),
            body_kind.escape(),
            &SUBMIT_NAMES,
        )
        .map_err(|what| (body.span(), what))?;
    Ok(Forms {
        templates,
        submit,
        submit_body,
        body_kind,
        inquiry,
    })
}

fn compile_form(
    templates: &mut Templates,
    section: &str,
    path: &Spanned<String>,
    headers: &BTreeMap<Spanned<String>, Spanned<String>>,
    known: &[&str],
) -> Result<Form, Misplaced> {
    if !path.get_ref().starts_with('/') {
        let what = format!("a path begins with '/', got {:?}", path.get_ref());
        return Err((path.span(), what));
    }
    let compiled_path = templates
        .add(
            &format!("{section}.path"),
            path.get_ref(),
            Escape::Percent,
            known,
        )
        .map_err(|what| (path.span(), what))?;
    let mut compiled_headers = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.get_ref().as_bytes()).map_err(|_| {
            (
                name.span(),
                format!("{:?} is no header name", name.get_ref()),
            )
        })?;
        if RESERVED_HEADERS.contains(&header.as_str()) {
            let what = format!("teller sets the header {header} itself");
            return Err((name.span(), what));
        }
        let template = templates
            .add(
                &format!("{section}.headers.{header}"),
                value.get_ref(),
                Escape::Plain,
                known,
            )
            .map_err(|what| (value.span(), what))?;
        compiled_headers.push((header.as_str().to_owned(), template));
    }
    Ok(Form {
        path: compiled_path,
        headers: compiled_headers,
    })
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

/// An attempt, as templates see it.
#[derive(Clone, Copy)]
pub(super) struct AttemptNames<'a> {
    pub(super) number: Option<u32>,
    pub(super) reference: &'a str,
    pub(super) provider_reference: Option<&'a str>,
    pub(super) webhook_url: Option<&'a str>,
}

impl Forms {
    /// The submission of an attempt.
    pub(super) fn submission(
        &self,
        file: &ProfileFile,
        base_url: &BaseUrl,
        key: &Key,
        request: &Request,
        attempt: AttemptNames<'_>,
    ) -> Result<Rendered, String> {
        let context = context(key, request, attempt);
        let (url, mut headers) = self.fill_in(&self.submit, base_url, &context)?;
        let content_type = file.submit.content_type.get_ref().clone();
        headers.push(("content-type".to_owned(), content_type));
        let body = self
            .templates
            .render(&self.submit_body, &context)
            .map_err(|what| format!("the body: {what}"))?;
        if body.is_empty() {
            return Err("the body comes out empty".to_owned());
        }
        if self.body_kind == BodyKind::Json {
            serde_json::from_str::<IgnoredAny>(&body)
                .map_err(|error| format!("the body comes out as no JSON: {error}"))?;
        }
        Ok(Rendered {
            method: file.submit.method.as_str().to_owned(),
            url,
            headers,
            body,
        })
    }

    /// The inquiry about an attempt.
    pub(super) fn inquiry(
        &self,
        file: &ProfileFile,
        base_url: &BaseUrl,
        key: &Key,
        request: &Request,
        attempt: AttemptNames<'_>,
    ) -> Result<Rendered, String> {
        let context = context(key, request, attempt);
        let (url, headers) = self.fill_in(&self.inquiry, base_url, &context)?;
        Ok(Rendered {
            method: file.inquiry.method.as_str().to_owned(),
            url,
            headers,
            body: String::new(),
        })
    }

    fn fill_in(
        &self,
        form: &Form,
        base_url: &BaseUrl,
        context: &Value,
    ) -> Result<(String, Vec<(String, String)>), String> {
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
        let mut headers = Vec::with_capacity(form.headers.len() + 1);
        for (name, template) in &form.headers {
            let value = self
                .templates
                .render(template, context)
                .map_err(|what| format!("the header {name}: {what}"))?;
            HeaderValue::from_str(&value)
                .map_err(|_| format!("the header {name} comes out with control characters"))?;
            headers.push((name.clone(), value));
        }
        Ok((url, headers))
    }
}

fn context(key: &Key, request: &Request, attempt: AttemptNames<'_>) -> Value {
    let nothing = serde_json::Value::Object(serde_json::Map::new());
    Value::from(Serde(Context {
        transaction: TransactionContext {
            id: key.id.to_string(),
            app: key.app.as_str(),
            amount: request.amount.as_ref(),
        },
        attempt: AttemptContext {
            number: attempt.number,
            reference: attempt.reference,
            provider_reference: attempt.provider_reference,
        },
        payload: if request.payload.is_null() {
            &nothing
        } else {
            &request.payload
        },
        webhook_url: attempt.webhook_url,
    }))
}
