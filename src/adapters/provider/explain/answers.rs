//! How answers are read: the outcome tables as sentences, and what is read beside them.

use super::page::Page;
use crate::adapters::provider::money::{AmountPlace, Units};
use crate::adapters::provider::outcome::{Pointer, Row};
use crate::adapters::provider::profile::{Echo, Inquiry, Schedule, Submit};
use crate::adapters::provider::told::{self, Meaning};

use super::timing::waits;

pub(super) fn submission(page: &mut Page, submit: &Submit, schedule: &Schedule) {
    page.say("The first line that fits decides:");
    rows(page, &submit.outcome);
    page.say("Anything else: unknown; teller asks. No answer in time, a connection that breaks, an answer too large to read: the same.");
    page.say("No connection at all: it was surely not executed.");
    page.say(format!(
        "What was surely not executed is attempted again {} (less or more by up to a fifth), or when the answer's Retry-After says.",
        waits(&schedule.backoff)
    ));
    echo(page, submit.id.as_ref());
    beside(
        page,
        submit.provider_reference.as_ref(),
        submit.amount.as_ref(),
    );
}

pub(super) fn report(page: &mut Page, inquiry: &Inquiry, table: &str) {
    page.say(format!(
        "Its answer is read by [[{table}.outcome]]; the first line that fits decides:"
    ));
    rows(page, &inquiry.outcome);
    page.say(
        "Anything else, or no answer, tells nothing about the transaction; teller asks again.",
    );
    echo(page, inquiry.id.as_ref());
    if let Some(at) = &inquiry.provider_reference {
        page.say(format!(
            "If the provider's own id is known and another one stands at {at}, the answer is about another payment and tells nothing."
        ));
    }
    beside(
        page,
        inquiry.provider_reference.as_ref(),
        inquiry.amount.as_ref(),
    );
}

/// What is compared before an answer is believed.
fn echo(page: &mut Page, echo: Option<&Echo>) {
    let Some(Echo { at, sent }) = echo else {
        return;
    };
    let what = match sent {
        None => "Our id is".to_owned(),
        Some(sent) => format!("What the submission's body has at {sent} is"),
    };
    page.say(format!(
        "{what} looked for at {}: an answer with another one there is about another payment and tells nothing, one with nothing there is not compared.",
        told::all_of(at)
    ));
}

/// The rows of a table, as sentences.
pub(super) fn rows<M: Meaning>(page: &mut Page, rows: &[Row<M>]) {
    for (at, row) in rows.iter().enumerate() {
        page.item(
            at + 1,
            format!("{}: {}.", told::condition(row), row.means.told()),
        );
    }
}

/// What is read beside the outcome.
pub(super) fn beside(page: &mut Page, reference: Option<&Pointer>, amount: Option<&AmountPlace>) {
    if let Some(at) = reference {
        page.say(format!("The provider's own id is read at {at}."));
    }
    if let Some(AmountPlace {
        value,
        currency,
        units,
    }) = amount
    {
        let units = match units {
            Units::Minor => "minor",
            Units::Major => "major",
        };
        page.say(format!(
            "The amount is read at {value}, in {units} units of the currency at {currency}; where it is another than the transaction's, a person is asked."
        ));
    }
}
