//! How teller proves who it is. Secrets are named, never shown.

use std::collections::BTreeMap;

use toml::Spanned;

use super::Explained;
use super::page::Page;
use super::requests::HIDDEN;
use crate::adapters::provider::profile::{
    Auth, AuthKind, ClientAuth, SecretDeclaration, SettingDeclaration, TokenMethod,
};
use crate::adapters::provider::template::Template;
use crate::adapters::provider::told;

/// The headers that are added to every call as it is sent, with nothing of their secrets.
pub(super) fn headers(explained: Explained<'_>) -> Vec<String> {
    let mut names = match explained.file().auth.kind {
        AuthKind::None | AuthKind::Headers => Vec::new(),
        AuthKind::Basic => vec![format!("authorization: Basic {HIDDEN}")],
        AuthKind::Bearer | AuthKind::Oauth2 => vec![format!("authorization: Bearer {HIDDEN}")],
    };
    let further = explained.profile.forms.auth.headers.iter();
    names.extend(further.map(|(name, _)| format!("{name}: {HIDDEN}")));
    names
}

pub(super) fn explain(
    page: &mut Page,
    explained: Explained<'_>,
    auth: &Auth,
    secrets: &BTreeMap<Spanned<String>, SecretDeclaration>,
    settings: &BTreeMap<Spanned<String>, SettingDeclaration>,
    sealed: &BTreeMap<Spanned<String>, Spanned<String>>,
) {
    let Auth {
        kind,
        user: _,
        password: _,
        token: _,
        headers: _,
        token_url,
        token_method,
        client_auth,
        token_form: _,
        token_headers: _,
        token_at,
        expires_in_at,
        expires_in,
        renew_before,
        token_time_out,
    } = auth;
    let forms = &explained.profile.forms.auth;
    let of = |template: &Option<Template>| made_of(explained, template.as_ref());
    match kind {
        AuthKind::None => page.say("It doesn't: the provider asks for no credentials."),
        AuthKind::Basic => page.say(format!(
            "By Authorization: Basic, with a user made of {} and a password made of {}.",
            of(&forms.user),
            of(&forms.password)
        )),
        AuthKind::Bearer => page.say(format!(
            "By Authorization: Bearer, with a token made of {}.",
            of(&forms.token)
        )),
        AuthKind::Headers => page.say("By headers of its own."),
        AuthKind::Oauth2 => {
            let url = token_url.as_ref().map_or("", |url| url.get_ref());
            let (method, place) = match token_method {
                TokenMethod::Post => ("POST", "form"),
                TokenMethod::Get => ("GET", "query"),
            };
            let how = match client_auth {
                ClientAuth::Basic => "by Authorization: Basic",
                ClientAuth::Form => "in the same place",
            };
            page.say(format!(
                "By a token (OAuth2 client credentials) as Authorization: Bearer. It is fetched from {url} by {method}, grant_type in the {place}, the client's id (made of {}) and secret (made of {}) {how}. The answer has it at {}, and its life in seconds at {}, else it lives {}. It is fetched once for all calls, renewed {} before its end, and thrown away when a call is answered with HTTP 401. Fetching may take {}.",
                of(&forms.user),
                of(&forms.password),
                token_at.as_ref().map_or("/access_token".to_owned(), ToString::to_string),
                expires_in_at.as_ref().map_or("/expires_in".to_owned(), ToString::to_string),
                told::duration(expires_in.0),
                told::duration(renew_before.0),
                told::duration(token_time_out.0)
            ));
            let further = forms.token_form.iter().chain(&forms.token_headers);
            let further: Vec<String> = further
                .map(|(name, one)| format!("{name} (made of {})", made_of(explained, Some(one))))
                .collect();
            if !further.is_empty() {
                page.say(format!(
                    "The request for a token says besides: {}.",
                    told::all_of(further)
                ));
            }
        }
    }
    for (name, template) in &forms.headers {
        page.say(format!(
            "The header {name} of every call is made of {}.",
            made_of(explained, Some(template))
        ));
    }
    for ((_, template), name) in explained.profile.forms.sealed.iter().zip(sealed.keys()) {
        page.say(format!(
            "Where a request says sealed.{}, what stands there is made of {} as it is sent, and is written down nowhere.",
            name.get_ref(),
            made_of(explained, Some(template))
        ));
    }
    for (name, SecretDeclaration { about }) in secrets {
        page.say(format!("The secret {}: {about}.", name.get_ref()));
    }
    for (name, SettingDeclaration { about, default }) in settings {
        let name = name.get_ref();
        let value = explained.settings.get(name).map_or("?", String::as_str);
        let usual = match default.as_deref() == Some(value) {
            true => " (the profile's default)",
            false => "",
        };
        page.say(format!(
            "The setting {name}: {about}. It is {value:?}{usual}."
        ));
    }
}

/// What goes into a template of `[auth]`: the names of secrets and settings, and what of the request.
fn made_of(explained: Explained<'_>, template: Option<&Template>) -> String {
    let names = template.map(|one| explained.profile.forms.templates.names(one));
    let named: Vec<String> = names
        .unwrap_or_default()
        .into_iter()
        .map(|name| match name.split_once('.') {
            Some(("secret", name)) => format!("the secret {name}"),
            Some(("setting", name)) => format!("the setting {name}"),
            Some(_) => name,
            None if name == "now" => "the time".to_owned(),
            None => format!("the request's {name}"),
        })
        .collect();
    if named.is_empty() {
        return "what the profile itself says".to_owned();
    }
    told::all_of(named)
}
