//! Which webhooks are believed, and what they say.

use super::Explained;
use super::answers;
use super::page::Page;
use crate::adapters::provider::outcome::{EventMeaning, Row};
use crate::adapters::provider::profile::{Acknowledge, Trust, Webhook, WebhookContent};
use crate::adapters::provider::told;

pub(super) fn explain(page: &mut Page, explained: Explained<'_>, webhook: Option<&Webhook>) {
    let Some(webhook) = webhook else {
        page.say("The provider sends none; any that comes is refused.");
        return;
    };
    let Webhook {
        trust,
        method,
        content,
        signature: _,
        secret,
        items,
        item,
        event_id,
        id,
        provider_reference,
        amount,
        acknowledge,
        outcome,
    } = webhook;
    let methods: Vec<&str> = method.iter().map(|one| one.as_str()).collect();
    page.say(format!(
        "They come to {}/webhooks/{} by {}, {}.",
        explained.public_url.as_str(),
        explained.profile.name(),
        if methods.is_empty() {
            "POST or PUT".to_owned()
        } else {
            told::any_of(methods)
        },
        match content {
            WebhookContent::Json => "as JSON",
            WebhookContent::Form => "as a form",
        }
    ));
    match trust {
        Trust::Signed => {
            let names = secret.iter().map(|name| format!("the secret {name}"));
            page.say(format!(
                "One is believed if it is signed with {}. Any other is refused with 401, and nothing of it is kept.",
                told::any_of(names)
            ));
            if let Some(scheme) = &explained.profile.scheme {
                page.say(format!("What is checked: {}.", scheme.describe()));
                if let Some(caution) = scheme.caution() {
                    page.say(format!("Beware: {caution}."));
                }
                if !scheme.has_timestamp() {
                    page.say("It has no time in it, so that one sent again by somebody else is known by its event id only.");
                }
            }
        }
        Trust::Token => page.say(
            "One is believed if it comes to the URL of its attempt, which holds a token that only teller can make, and speaks of that transaction. Any other is a reason to ask about the transaction that it names, at most.",
        ),
        Trust::Hint => page.say(
            "None is believed: one is a reason to ask about the transaction that it names, at most.",
        ),
    }
    if let Some(items) = items {
        let within = item
            .as_ref()
            .map_or(String::new(), |item| format!(", in each of them at {item}"));
        page.say(format!(
            "One may have several events: they are listed at {items}{within}. All of them are kept, or the webhook is not acknowledged."
        ));
    }
    let ids: Vec<String> = [
        id.as_ref().map(|at| format!("our id at {at}")),
        provider_reference
            .as_ref()
            .map(|at| format!("the provider's own at {at}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let whom = if ids.is_empty() {
        "whom its URL was made for".to_owned()
    } else {
        told::any_of(ids)
    };
    page.say(format!(
        "Whom it speaks of: {whom}. The first line that fits decides what it says:"
    ));
    answers::rows(page, outcome);
    let takes_all = |row: &Row<EventMeaning>| row.at.is_none() && row.also.is_empty();
    if !outcome.iter().any(takes_all) {
        page.say(
            "Anything else tells nothing about the transaction; it is kept, and teller goes on asking.",
        );
    }
    answers::beside(page, None, amount.as_ref());
    page.say(match event_id {
        Some(template) => format!(
            "It is the same event again if `{}` comes out the same; then it is acknowledged and changes nothing.",
            template.get_ref()
        ),
        None => "It is the same event again if it says the same of the same attempt; then it is acknowledged and changes nothing.".to_owned(),
    });
    let Acknowledge {
        status,
        body,
        content_type,
    } = acknowledge;
    page.say(format!(
        "Once it is durable it is acknowledged with HTTP {}{}.",
        status.0,
        match body.as_str() {
            "" => " and no body".to_owned(),
            body => format!(" and {body:?} ({content_type})"),
        }
    ));
}
