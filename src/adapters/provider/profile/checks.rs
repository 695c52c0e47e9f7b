//! What the types of a profile alone can't promise: which keys go together.

use std::time::Duration;

use super::{Auth, AuthKind, Inquiry, InquiryMethod, ProfileFile, Trust, Webhook, WebhookContent};
use crate::adapters::provider::outcome::{self, Row};

/// The most gaps that one ghost window may be cut into: more would only queue for the budget.
const INQUIRY_GAPS_MAX: u32 = 100;
/// Characters of a declared secret's or setting's name, at most.
const NAME_MAX_CHARS: usize = 40;

/// What doesn't fit, and where.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The way to the key: `submit.outcome.2`.
    pub(super) path: String,
    pub(super) what: String,
}

/// A misfit of a key of a table.
fn misfit(table: &str, key: &str, what: impl AsRef<str>) -> Misfit {
    Misfit {
        path: format!("{table}.{key}"),
        what: format!("[{table}]: {}", what.as_ref()),
    }
}

/// Checks the whole.
pub(super) fn check(file: &ProfileFile) -> Result<(), Misfit> {
    check_names("secrets", file.secrets.keys())?;
    check_names("settings", file.settings.keys())?;
    check_names("sealed", file.sealed.keys())?;
    check_auth(&file.auth)?;
    check_table("submit.outcome", &file.submit.outcome, true)?;
    check_times(
        "submit",
        file.submit.time_out.0,
        file.submit.connect_time_out.0,
    )?;
    check_inquiry("inquiry", &file.inquiry, file)?;
    if let Some(lost) = &file.lost {
        check_inquiry("lost", lost, file)?;
        if !learns_references(file) {
            return Err(misfit(
                "lost",
                "method",
                "is for a provider with an id of its own, and no provider_reference says where that stands",
            ));
        }
    }
    check_schedule(file)?;
    file.webhook
        .as_ref()
        .map_or(Ok(()), |webhook| check_webhook(webhook, file))
}

fn check_names<'a>(
    table: &str,
    mut names: impl Iterator<Item = &'a toml::Spanned<String>>,
) -> Result<(), Misfit> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_good = |name: &str| {
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        begins && name.len() <= NAME_MAX_CHARS && name.chars().all(legal)
    };
    match names.find(|name| !is_good(name.get_ref())) {
        None => Ok(()),
        Some(name) => {
            let name = name.get_ref();
            let what = format!(
                "the name of a secret, setting or sealed value begins with a letter and has up to {NAME_MAX_CHARS} characters of a-z, 0-9 and '_', got {name:?}"
            );
            Err(misfit(table, name, what))
        }
    }
}

fn check_table<M>(table: &str, rows: &[Row<M>], has_status: bool) -> Result<(), Misfit> {
    outcome::check(rows, has_status).map_err(|(row, what)| match row {
        Some(row) => Misfit {
            path: format!("{table}.{row}"),
            what: format!("[[{table}]] row {}: {what}", row + 1),
        },
        None => Misfit {
            path: table.to_owned(),
            what: format!("[[{table}]]: {what}"),
        },
    })
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

fn check_auth(auth: &Auth) -> Result<(), Misfit> {
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
            let what = format!("kind = \"{kind}\" needs {key}");
            return Err(misfit("auth", "kind", what));
        }
        let of_tokens = auth.kind == AuthKind::Oauth2 && oauth2.iter().any(|(one, _)| one == key);
        if *present && !needed.contains(key) && !of_tokens {
            let what = format!("{key} doesn't go with kind = \"{kind}\"");
            return Err(misfit("auth", key, what));
        }
    }
    match auth.kind {
        AuthKind::Headers if auth.headers.is_empty() => Err(misfit(
            "auth",
            "kind",
            "kind = \"headers\" needs [auth.headers]",
        )),
        AuthKind::None if !auth.headers.is_empty() => Err(misfit(
            "auth",
            "headers",
            "say kind = \"headers\", so that nobody overlooks the headers",
        )),
        AuthKind::Oauth2 if auth.token_time_out.0.is_zero() => Err(misfit(
            "auth",
            "token_time_out",
            "token_time_out has to be longer than zero",
        )),
        AuthKind::Oauth2 if auth.expires_in.0.is_zero() => Err(misfit(
            "auth",
            "expires_in",
            "expires_in has to be longer than zero",
        )),
        _ => Ok(()),
    }
}

fn check_times(table: &str, time_out: Duration, connect: Duration) -> Result<(), Misfit> {
    if connect >= time_out || connect.is_zero() {
        return Err(misfit(
            table,
            "connect_time_out",
            "connect_time_out is a part of time_out, so it has to be shorter, and longer than zero",
        ));
    }
    Ok(())
}

fn check_inquiry(table: &str, inquiry: &Inquiry, file: &ProfileFile) -> Result<(), Misfit> {
    let method = inquiry.method.as_str();
    if inquiry.asks() {
        if inquiry.path.is_none() {
            let what = format!("method = \"{method}\" needs path");
            return Err(misfit(table, "method", what));
        }
        if inquiry.body.is_some() && inquiry.method == InquiryMethod::Get {
            let what = "a GET has no body; use POST, or leave body out";
            return Err(misfit(table, "body", what));
        }
        check_table(&format!("{table}.outcome"), &inquiry.outcome, true)?;
        return check_times(table, inquiry.time_out.0, inquiry.connect_time_out.0);
    }
    for (key, present) in [
        ("path", inquiry.path.is_some()),
        ("body", inquiry.body.is_some()),
        ("headers", !inquiry.headers.is_empty()),
        ("outcome", !inquiry.outcome.is_empty()),
        ("id", inquiry.id.is_some()),
        ("provider_reference", inquiry.provider_reference.is_some()),
        ("amount", inquiry.amount.is_some()),
    ] {
        if present {
            let what = format!("{key} doesn't go with method = \"{method}\"");
            return Err(misfit(table, key, what));
        }
    }
    if inquiry.method == InquiryMethod::Resend && file.resend_safe_for.is_none() {
        return Err(misfit(
            table,
            "method",
            "method = \"resend\" needs resend_safe_for: for how long the provider takes the same reference for the same payment",
        ));
    }
    Ok(())
}

fn check_schedule(file: &ProfileFile) -> Result<(), Misfit> {
    if file.schedule.inquiry_gaps.0 > INQUIRY_GAPS_MAX {
        let what = format!("inquiry_gaps is {INQUIRY_GAPS_MAX} at most");
        return Err(misfit("schedule", "inquiry_gaps", what));
    }
    if file.schedule.review_after.0.is_zero() {
        return Err(misfit(
            "schedule",
            "review_after",
            "review_after has to be longer than zero, or everybody would be asked at once",
        ));
    }
    let pending = file.schedule.pending_review_after;
    if pending.is_some_and(|after| after.0.is_zero()) {
        return Err(misfit(
            "schedule",
            "pending_review_after",
            "pending_review_after has to be longer than zero, or each pending payment would go to a person at once",
        ));
    }
    Ok(())
}

fn check_webhook(webhook: &Webhook, file: &ProfileFile) -> Result<(), Misfit> {
    let misfit = |key: &str, what: &str| Err(misfit("webhook", key, what));
    check_table("webhook.outcome", &webhook.outcome, false)?;
    let token = webhook.trust == Trust::Token;
    if webhook.id.is_none() && webhook.provider_reference.is_none() && !token {
        return misfit(
            "id",
            "id (our reference) or provider_reference (theirs) has to say whom it speaks of",
        );
    }
    if webhook.item.is_some() && webhook.items.is_none() {
        return misfit("item", "item is a place within items, which is missing");
    }
    if webhook.content == WebhookContent::Form && webhook.items.is_some() {
        return misfit("items", "a form has no items; content = \"json\" has");
    }
    let signed = webhook.trust == Trust::Signed;
    if signed && webhook.signature.is_none() {
        return misfit("trust", "trust = \"signed\" needs [webhook.signature]");
    }
    if !signed && webhook.signature.is_some() {
        let what = "signature is only looked at with trust = \"signed\"";
        return misfit("signature", what);
    }
    let names_secret = webhook.secret.iter().next().is_some();
    if signed && !names_secret {
        let what = "trust = \"signed\" needs secret, the name of a secret of [secrets]";
        return misfit("trust", what);
    }
    if !signed && names_secret {
        return misfit("secret", "secret belongs to trust = \"signed\"");
    }
    for name in webhook.secret.iter() {
        if !file.secrets.keys().any(|known| known.get_ref() == name) {
            let what = format!("secret {name:?} is not declared; add [secrets.{name}]");
            return misfit("secret", &what);
        }
    }
    let ways = [Some(&file.inquiry), file.lost.as_ref()];
    let asks = |inquiry: &Inquiry| inquiry.method != InquiryMethod::None;
    if webhook.trust == Trust::Hint && !ways.into_iter().flatten().any(asks) {
        return misfit(
            "trust",
            "trust = \"hint\" only makes teller ask, and there is no way to ask, so that nothing would ever be believed; describe an inquiry, or another trust",
        );
    }
    Ok(())
}
