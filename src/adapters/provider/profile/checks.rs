//! What the types of a profile alone can't promise: which keys go together.

use super::{Auth, AuthKind, Inquiry, InquiryMethod, ProfileFile, Trust, Webhook, WebhookContent};
use crate::adapters::provider::outcome;

/// The most gaps that one ghost window may be cut into: more would only queue for the budget.
const INQUIRY_GAPS_MAX: u32 = 100;
/// Characters of a declared secret's or setting's name, at most.
const NAME_MAX_CHARS: usize = 40;

/// Checks the whole.
pub(super) fn check(file: &ProfileFile) -> Result<(), String> {
    let names = file
        .secrets
        .keys()
        .chain(file.settings.keys())
        .chain(file.sealed.keys());
    for name in names.map(toml::Spanned::get_ref) {
        check_name(name)?;
    }
    check_auth(&file.auth)?;
    outcome::check(&file.submit.outcome, true)
        .map_err(|what| format!("[[submit.outcome]] {what}"))?;
    check_times(
        "submit",
        file.submit.time_out.0,
        file.submit.connect_time_out.0,
    )?;
    check_inquiry("inquiry", &file.inquiry, file)?;
    if let Some(lost) = &file.lost {
        check_inquiry("lost", lost, file)?;
        if !learns_references(file) {
            return Err(
                "[lost] is for a provider with an id of its own, and no provider_reference says where that stands"
                    .to_owned(),
            );
        }
    }
    check_schedule(file)?;
    file.webhook
        .as_ref()
        .map_or(Ok(()), |webhook| check_webhook(webhook, file))
}

fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && name.len() <= NAME_MAX_CHARS && name.chars().all(legal) {
        return Ok(());
    }
    Err(format!(
        "the name of a secret, setting or sealed value begins with a letter and has up to {NAME_MAX_CHARS} characters of a-z, 0-9 and '_', got {name:?}"
    ))
}

/// Whether any message of the provider tells its own id.
fn learns_references(file: &ProfileFile) -> bool {
    file.submit.provider_reference.is_some()
        || file.inquiry.provider_reference.is_some()
        || file
            .webhook
            .as_ref()
            .is_some_and(|one| one.provider_reference.is_some())
}

fn check_auth(auth: &Auth) -> Result<(), String> {
    let oauth2 = [
        ("token_url", auth.token_url.is_some()),
        ("token_form", !auth.token_form.is_empty()),
        ("token_headers", !auth.token_headers.is_empty()),
        ("token_at", auth.token_at.is_some()),
        ("expires_in_at", auth.expires_in_at.is_some()),
    ];
    let given = [
        ("user", auth.user.is_some()),
        ("password", auth.password.is_some()),
        ("token", auth.token.is_some()),
    ];
    let (kind, needed): (_, &[&str]) = match auth.kind {
        AuthKind::None => ("none", &[]),
        AuthKind::Basic => ("basic", &["user", "password"]),
        AuthKind::Bearer => ("bearer", &["token"]),
        AuthKind::Headers => ("headers", &[]),
        AuthKind::Oauth2 => ("oauth2", &["user", "password", "token_url"]),
    };
    let all = given.iter().chain(&oauth2);
    for (key, present) in all {
        if needed.contains(key) && !present {
            return Err(format!("[auth]: kind = \"{kind}\" needs {key}"));
        }
        let of_tokens = auth.kind == AuthKind::Oauth2 && oauth2.iter().any(|(one, _)| one == key);
        if *present && !needed.contains(key) && !of_tokens {
            return Err(format!("[auth]: {key} doesn't go with kind = \"{kind}\""));
        }
    }
    match auth.kind {
        AuthKind::Headers if auth.headers.is_empty() => {
            Err("[auth]: kind = \"headers\" needs [auth.headers]".to_owned())
        }
        AuthKind::None if !auth.headers.is_empty() => {
            Err("[auth.headers]: say kind = \"headers\", so that nobody overlooks them".to_owned())
        }
        AuthKind::Oauth2 if auth.token_time_out.0.is_zero() || auth.expires_in.0.is_zero() => {
            Err("[auth]: token_time_out and expires_in have to be longer than zero".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_times(
    section: &str,
    time_out: std::time::Duration,
    connect: std::time::Duration,
) -> Result<(), String> {
    if connect >= time_out || connect.is_zero() {
        return Err(format!(
            "[{section}]: connect_time_out is a part of time_out, so it has to be shorter, and longer than zero"
        ));
    }
    Ok(())
}

fn check_inquiry(section: &str, inquiry: &Inquiry, file: &ProfileFile) -> Result<(), String> {
    let method = inquiry.method.as_str();
    if inquiry.asks() {
        if inquiry.path.is_none() {
            return Err(format!("[{section}]: method = \"{method}\" needs path"));
        }
        if inquiry.body.is_some() && inquiry.method == InquiryMethod::Get {
            return Err(format!(
                "[{section}]: a GET has no body; use POST, or leave body out"
            ));
        }
        outcome::check(&inquiry.outcome, true)
            .map_err(|what| format!("[[{section}.outcome]] {what}"))?;
        return check_times(section, inquiry.time_out.0, inquiry.connect_time_out.0);
    }
    for (key, present) in [
        ("path", inquiry.path.is_some()),
        ("body", inquiry.body.is_some()),
        ("headers", !inquiry.headers.is_empty()),
        ("outcome", !inquiry.outcome.is_empty()),
        ("provider_reference", inquiry.provider_reference.is_some()),
        ("amount", inquiry.amount.is_some()),
    ] {
        if present {
            return Err(format!(
                "[{section}]: {key} doesn't go with method = \"{method}\""
            ));
        }
    }
    if inquiry.method == InquiryMethod::Resend && file.resend_safe_for.is_none() {
        return Err(format!(
            "[{section}]: method = \"resend\" needs resend_safe_for: for how long the provider takes the same reference for the same payment"
        ));
    }
    Ok(())
}

fn check_schedule(file: &ProfileFile) -> Result<(), String> {
    if file.schedule.inquiry_gaps.0 > INQUIRY_GAPS_MAX {
        return Err(format!(
            "[schedule]: inquiry_gaps is {INQUIRY_GAPS_MAX} at most"
        ));
    }
    if file.schedule.review_after.0.is_zero() {
        return Err(
            "[schedule]: review_after has to be longer than zero, or everybody would be asked at once"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_webhook(webhook: &Webhook, file: &ProfileFile) -> Result<(), String> {
    outcome::check(&webhook.outcome, false)
        .map_err(|what| format!("[[webhook.outcome]] {what}"))?;
    let token = webhook.trust == Trust::Token;
    if webhook.id.is_none() && webhook.provider_reference.is_none() && !token {
        return Err(
            "[webhook]: id (our reference) or provider_reference (theirs) has to say whom it speaks of"
                .to_owned(),
        );
    }
    if webhook.item.is_some() && webhook.items.is_none() {
        return Err("[webhook]: item is a place within items, which is missing".to_owned());
    }
    if webhook.content == WebhookContent::Form && webhook.items.is_some() {
        return Err("[webhook]: a form has no items; content = \"json\" has".to_owned());
    }
    let signed = webhook.trust == Trust::Signed;
    if signed != webhook.signature.is_some() {
        return Err(if signed {
            "[webhook]: trust = \"signed\" needs [webhook.signature]".to_owned()
        } else {
            "[webhook.signature]: is only looked at with trust = \"signed\"".to_owned()
        });
    }
    if signed != webhook.secret.iter().next().is_some() {
        return Err(if signed {
            "[webhook]: trust = \"signed\" needs secret, the name of a secret of [secrets]"
                .to_owned()
        } else {
            "[webhook]: secret belongs to trust = \"signed\"".to_owned()
        });
    }
    for name in webhook.secret.iter() {
        if !file.secrets.keys().any(|known| known.get_ref() == name) {
            return Err(format!(
                "[webhook]: secret {name:?} is not declared; add [secrets.{name}]"
            ));
        }
    }
    Ok(())
}
