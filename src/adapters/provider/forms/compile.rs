//! Compiling a profile's templates, each with the names that it may use.

use std::collections::BTreeMap;
use std::ops::Range;

use reqwest::header::{AUTHORIZATION, HeaderName};
use toml::Spanned;

use super::{AuthForms, BodyKind, Form, Forms};
use crate::adapters::provider::profile::{Inquiry, ProfileFile};
use crate::adapters::provider::template::{Escape, Template, Templates};

/// What the templates of every request can print.
const REQUEST_NAMES: [&str; 7] = [
    "transaction.id",
    "transaction.app",
    "transaction.amount.value",
    "transaction.amount.currency",
    "attempt.reference",
    "payload",
    "now",
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
type Misplaced = (Range<usize>, String);

/// The names that each kind of template may use.
struct Names {
    submit: Vec<String>,
    inquiry: Vec<String>,
    lost: Vec<String>,
    sealed: Vec<String>,
    auth: Vec<String>,
}

impl Names {
    fn of(file: &ProfileFile) -> Self {
        let owned =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
        let within = |table: &str, names: Vec<&String>| -> Vec<String> {
            names.iter().map(|name| format!("{table}.{name}")).collect()
        };
        let setting = within(
            "setting",
            file.settings.keys().map(Spanned::get_ref).collect(),
        );
        let secret = within(
            "secret",
            file.secrets.keys().map(Spanned::get_ref).collect(),
        );
        let sealed = within("sealed", file.sealed.keys().map(Spanned::get_ref).collect());
        let request = [owned(&REQUEST_NAMES), setting.clone(), sealed].concat();
        let secrets = [owned(&["now"]), setting, secret].concat();
        Self {
            submit: [request.clone(), owned(&["attempt.number", "webhook_url"])].concat(),
            inquiry: [request.clone(), owned(&["attempt.provider_reference"])].concat(),
            lost: request,
            auth: [secrets.clone(), owned(&["method", "url", "path", "body"])].concat(),
            sealed: secrets,
        }
    }
}

/// Compiles the templates of a profile.
pub(in super::super) fn compile(file: &ProfileFile) -> Result<Forms, Misplaced> {
    let mut templates = Templates::new();
    let names = Names::of(file);
    let submit = Parts {
        section: "submit",
        path: &file.submit.path,
        headers: &file.submit.headers,
        content_type: &file.submit.content_type,
        body: Some(&file.submit.body),
    };
    let submit = submit.compile(&mut templates, &names.submit)?;
    let inquiry = compile_inquiry(&mut templates, "inquiry", &file.inquiry, &names.inquiry)?;
    let lost = match &file.lost {
        Some(lost) => Some(compile_inquiry(&mut templates, "lost", lost, &names.lost)?),
        None => None,
    };
    check_lost(file)?;
    let sealed = compile_map(
        &mut templates,
        "sealed",
        &file.sealed,
        Escape::Plain,
        &names.sealed,
    )?;
    let auth = compile_auth(&mut templates, file, &names)?;
    let event_id = match file.webhook.as_ref().and_then(|one| one.event_id.as_ref()) {
        Some(text) => {
            let known = ["event".to_owned(), "headers".to_owned()];
            Some(add(
                &mut templates,
                "webhook.event_id",
                text,
                Escape::Plain,
                &known,
            )?)
        }
        None => None,
    };
    Ok(Forms {
        templates,
        submit,
        inquiry,
        lost,
        auth,
        sealed,
        event_id,
    })
}

/// An inquiry by the provider's own id needs another way for when that id was lost with its answer.
fn check_lost(file: &ProfileFile) -> Result<(), Misplaced> {
    let texts = file
        .inquiry
        .path
        .iter()
        .chain(&file.inquiry.body)
        .chain(file.inquiry.headers.values());
    let theirs = texts
        .clone()
        .find(|text| text.get_ref().contains("provider_reference"));
    match theirs {
        Some(text) if file.lost.is_none() => Err((
            text.span(),
            "this asks by the provider's own id, which is lost when its answer is; say in [lost] how to ask then, or [lost] method = \"none\""
                .to_owned(),
        )),
        Some(_) | None => Ok(()),
    }
}

fn compile_inquiry(
    templates: &mut Templates,
    section: &str,
    inquiry: &Inquiry,
    known: &[String],
) -> Result<Option<Form>, Misplaced> {
    let Some(path) = &inquiry.path else {
        return Ok(None);
    };
    let parts = Parts {
        section,
        path,
        headers: &inquiry.headers,
        content_type: &inquiry.content_type,
        body: inquiry.body.as_ref(),
    };
    parts.compile(templates, known).map(Some)
}

fn compile_auth(
    templates: &mut Templates,
    file: &ProfileFile,
    names: &Names,
) -> Result<AuthForms, Misplaced> {
    let auth = &file.auth;
    let mut one = |name: &str, text: &Option<Spanned<String>>| {
        let text = text.as_ref();
        text.map(|text| add(templates, name, text, Escape::Plain, &names.sealed))
            .transpose()
    };
    let (user, password) = (
        one("auth.user", &auth.user)?,
        one("auth.password", &auth.password)?,
    );
    let token = one("auth.token", &auth.token)?;
    let token_url = one("auth.token_url", &auth.token_url)?;
    Ok(AuthForms {
        user,
        password,
        token,
        token_url,
        headers: compile_headers(templates, "auth", &auth.headers, &names.auth)?,
        token_form: compile_map(
            templates,
            "auth.token_form",
            &auth.token_form,
            Escape::Plain,
            &names.sealed,
        )?,
        token_headers: compile_headers(
            templates,
            "auth.token",
            &auth.token_headers,
            &names.sealed,
        )?,
    })
}

/// The parts of one request, as they are written.
struct Parts<'a> {
    section: &'a str,
    path: &'a Spanned<String>,
    headers: &'a BTreeMap<Spanned<String>, Spanned<String>>,
    content_type: &'a Spanned<String>,
    body: Option<&'a Spanned<String>>,
}

impl Parts<'_> {
    fn compile(self, templates: &mut Templates, known: &[String]) -> Result<Form, Misplaced> {
        let Self { section, path, .. } = self;
        if !path.get_ref().starts_with('/') {
            let what = format!("a path begins with '/', got {:?}", path.get_ref());
            return Err((path.span(), what));
        }
        let kind = BodyKind::of(self.content_type.get_ref())
            .map_err(|what| (self.content_type.span(), what))?;
        let body = match self.body {
            None => None,
            Some(body) => {
                let name = format!("{section}.body");
                Some(add(templates, &name, body, kind.escape(), known)?)
            }
        };
        let with_body = [known, &["body".to_owned()]].concat();
        Ok(Form {
            path: add(
                templates,
                &format!("{section}.path"),
                path,
                Escape::Percent,
                known,
            )?,
            headers: compile_headers(templates, section, self.headers, &with_body)?,
            body,
            kind,
        })
    }
}

fn compile_headers(
    templates: &mut Templates,
    section: &str,
    headers: &BTreeMap<Spanned<String>, Spanned<String>>,
    known: &[String],
) -> Result<Vec<(String, Template)>, Misplaced> {
    let mut compiled = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.get_ref().as_bytes()).map_err(|_| {
            (
                name.span(),
                format!("{:?} is no header name", name.get_ref()),
            )
        })?;
        if header == AUTHORIZATION && !section.starts_with("auth") {
            let what = "the header authorization holds a secret, so it belongs to [auth]";
            return Err((name.span(), what.to_owned()));
        }
        if RESERVED_HEADERS.contains(&header.as_str()) {
            return Err((
                name.span(),
                format!("teller sets the header {header} itself"),
            ));
        }
        let template = format!("{section}.headers.{header}");
        let template = add(templates, &template, value, Escape::Plain, known)?;
        compiled.push((header.as_str().to_owned(), template));
    }
    Ok(compiled)
}

fn compile_map(
    templates: &mut Templates,
    section: &str,
    map: &BTreeMap<Spanned<String>, Spanned<String>>,
    escape: Escape,
    known: &[String],
) -> Result<Vec<(String, Template)>, Misplaced> {
    map.iter()
        .map(|(name, text)| {
            let template = format!("{section}.{}", name.get_ref());
            let template = add(templates, &template, text, escape, known)?;
            Ok((name.get_ref().clone(), template))
        })
        .collect()
}

fn add(
    templates: &mut Templates,
    name: &str,
    text: &Spanned<String>,
    escape: Escape,
    known: &[String],
) -> Result<Template, Misplaced> {
    templates
        .add(name, text.get_ref(), escape, known)
        .map_err(|what| (text.span(), what))
}
