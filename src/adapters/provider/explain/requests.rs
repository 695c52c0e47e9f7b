//! What is sent: a sample of each request, rendered from an invented transaction.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::page::Page;
use super::{Explained, answers, proof};
use crate::adapters::provider::duration::Written;
use crate::adapters::provider::filters::percent;
use crate::adapters::provider::forms::{AttemptNames, PLACEHOLDER, Subject};
use crate::adapters::provider::profile::{Inquiry, InquiryMethod, Submit};
use crate::adapters::provider::{told, webhook};
use crate::transaction::{Amount, AppId, Key, Rendered, Request, Timestamp, TransactionId};

/// Stands in a sample for what nobody may see, or nobody knows yet.
pub(super) const HIDDEN: &str = "…";
/// Stands in a sample for the token in a webhook's URL.
const TOKEN: &str = "TOKEN";
/// Stands in a sample for the provider's own id.
const THEIRS: &str = "THEIR_ID";
/// 1 January 2026, midnight.
const NOW_MS: i64 = 1_767_225_600_000;

pub(super) fn submission(page: &mut Page, explained: Explained<'_>, submit: &Submit) {
    let Submit {
        method: _,
        path,
        headers: _,
        content_type: _,
        body,
        time_out,
        connect_time_out,
        id: _,
        provider_reference: _,
        amount: _,
        outcome: _,
    } = submit;
    page.say("For an invented transaction, its first attempt, on 1 January 2026:");
    let mut sample = Sample::new(explained);
    match sample.fitting(|sample| sample.submission(explained)) {
        Ok(rendered) => sample.show(page, explained, &rendered),
        Err(why) => unrendered(page, &why, path.get_ref(), Some(body.get_ref())),
    }
    sample.explain_placeholders(page);
    page.say(format!(
        "A whole answer has to come within {}, of which the connection may take {}.",
        told::duration(time_out.0),
        told::duration(connect_time_out.0)
    ));
}

pub(super) fn inquiries(
    page: &mut Page,
    explained: Explained<'_>,
    inquiry: &Inquiry,
    lost: Option<&Inquiry>,
    resend_safe_for: Option<Written>,
) {
    let both = lost.is_some();
    if both {
        page.say("Once it knows the provider's own id:");
    }
    one_inquiry(
        page,
        explained,
        inquiry,
        both.then_some(THEIRS),
        resend_safe_for,
        "inquiry",
    );
    if let Some(lost) = lost {
        page.say("As long as it doesn't, because the answer that had it was lost:");
        one_inquiry(page, explained, lost, None, resend_safe_for, "lost");
    }
}

fn one_inquiry(
    page: &mut Page,
    explained: Explained<'_>,
    inquiry: &Inquiry,
    theirs: Option<&str>,
    resend_safe_for: Option<Written>,
    table: &str,
) {
    let Inquiry {
        method,
        path,
        headers: _,
        content_type: _,
        body,
        time_out,
        connect_time_out,
        id: _,
        provider_reference: _,
        amount: _,
        outcome: _,
    } = inquiry;
    match method {
        InquiryMethod::Get | InquiryMethod::Post => {}
        InquiryMethod::Resend => {
            let safe = resend_safe_for.map_or(HIDDEN.to_owned(), |safe| told::duration(safe.0));
            page.say(format!(
                "By sending the submission again, byte for byte: the provider takes it for the same one, for {safe} after the attempt's start. After that teller has no way to ask. The answer is read as that of a submission."
            ));
            return;
        }
        InquiryMethod::None => {
            page.say("There is no way to ask: only a webhook or a person can tell.");
            return;
        }
    }
    let mut sample = Sample::new(explained);
    match sample.fitting(|sample| sample.inquiry(explained, inquiry, theirs)) {
        Ok(rendered) => sample.show(page, explained, &rendered),
        Err(why) => {
            let path = path.as_ref().map_or("", |path| path.get_ref());
            unrendered(
                page,
                &why,
                path,
                body.as_ref().map(|body| body.get_ref().as_str()),
            );
        }
    }
    if theirs.is_some() {
        page.say(format!("{THEIRS} stands for the provider's own id."));
    }
    page.say(format!(
        "A whole answer has to come within {}, of which the connection may take {}.",
        told::duration(time_out.0),
        told::duration(connect_time_out.0)
    ));
    answers::report(page, inquiry, table);
}

fn unrendered(page: &mut Page, why: &str, path: &str, body: Option<&str>) {
    page.say(format!(
        "No sample can be made of it without real values ({why}). It is made by:"
    ));
    page.verbatim(path);
    page.verbatim(body.unwrap_or_default());
}

/// An invented transaction.
struct Sample {
    key: Key,
    request: Request,
    reference: String,
    webhook_url: String,
    names: Vec<String>,
}

impl Sample {
    fn new(explained: Explained<'_>) -> Self {
        let key = Key {
            app: AppId::parse("shop").expect("a legal name"),
            id: TransactionId(Uuid::from_u128(0x7d4f_0c1e_52a8_4b0e_9f0e_3f1a_0d6f_9a01)),
        };
        let name = explained.profile.name();
        let printed = explained.profile.forms.printed();
        let names: Vec<String> = printed
            .into_iter()
            .filter(|name| name == "payload" || name.starts_with("payload."))
            .collect();
        Self {
            reference: webhook::reference(explained.file().reference, key.id, 1),
            request: Request {
                provider: name.to_owned(),
                amount: Some(Amount {
                    value: 1250,
                    currency: "EUR".to_owned(),
                }),
                submit_by: Timestamp::from_millis(NOW_MS),
                payload: payload(&names, None),
                traceparent: None,
            },
            key,
            webhook_url: format!("{}/webhooks/{name}/{TOKEN}", explained.public_url.as_str()),
            names,
        }
    }

    /// A rendering with text in every field of the payload, or with an object or a list in one of them,
    /// where the template needs that.
    fn fitting(
        &mut self,
        render: impl Fn(&Self) -> Result<Rendered, String>,
    ) -> Result<Rendered, String> {
        let refused = match render(self) {
            Ok(rendered) => return Ok(rendered),
            Err(why) => why,
        };
        for name in self.names.clone() {
            for within in [within_object, within_list] {
                self.request.payload = payload(&self.names, Some((&name, within)));
                if let Ok(rendered) = render(self) {
                    return Ok(rendered);
                }
            }
        }
        Err(refused)
    }

    fn subject<'a>(
        &'a self,
        explained: Explained<'a>,
        number: Option<u32>,
        theirs: Option<&'a str>,
    ) -> Subject<'a> {
        Subject {
            key: &self.key,
            request: &self.request,
            attempt: AttemptNames {
                number,
                reference: &self.reference,
                provider_reference: theirs,
                webhook_url: number.map(|_| self.webhook_url.as_str()),
            },
            settings: explained.settings,
            now: Timestamp::from_millis(NOW_MS),
        }
    }

    fn submission(&self, explained: Explained<'_>) -> Result<Rendered, String> {
        let forms = &explained.profile.forms;
        let subject = self.subject(explained, Some(1), None);
        forms.submission(explained.file(), explained.base_url, subject)
    }

    fn inquiry(
        &self,
        explained: Explained<'_>,
        inquiry: &Inquiry,
        theirs: Option<&str>,
    ) -> Result<Rendered, String> {
        let forms = &explained.profile.forms;
        let subject = self.subject(explained, None, theirs);
        forms.inquiry(inquiry, explained.base_url, subject)
    }

    /// The request, with what nobody may see hidden, and where our id stands in it.
    fn show(&self, page: &mut Page, explained: Explained<'_>, rendered: &Rendered) {
        let hidden = |text: &str| {
            let names = explained.file().sealed.keys();
            names.fold(text.to_owned(), |text, name| {
                let placeholder = format!("{PLACEHOLDER}{}>", name.get_ref());
                text.replace(&placeholder, HIDDEN)
                    .replace(&percent(&placeholder), HIDDEN)
            })
        };
        page.verbatim(&hidden(&format!("{} {}", rendered.method, rendered.url)));
        for (name, value) in &rendered.headers {
            page.verbatim(&hidden(&format!("{name}: {value}")));
        }
        for header in proof::headers(explained) {
            page.verbatim(&header);
        }
        if !rendered.body.is_empty() {
            page.verbatim("");
            page.verbatim(&hidden(&rendered.body));
        }
        let places = self.places(rendered);
        page.say(match places.is_empty() {
            true => "Our id stands nowhere in it.".to_owned(),
            false => format!("Our id stands in {}.", told::all_of(places)),
        });
    }

    /// Where the reference stands.
    fn places(&self, rendered: &Rendered) -> Vec<String> {
        let mut places = Vec::new();
        if rendered.url.contains(&self.reference) {
            places.push("the URL".to_owned());
        }
        let headers = rendered.headers.iter();
        let within = headers.filter(|(_, value)| value.contains(&self.reference));
        places.extend(within.map(|(name, _)| format!("the header {name}")));
        match serde_json::from_str::<Value>(&rendered.body) {
            Ok(body) => {
                let mut found = Vec::new();
                pointers(&body, String::new(), &self.reference, &mut found);
                places.extend(found.iter().map(|at| format!("the body at {at}")));
            }
            Err(_) if rendered.body.contains(&self.reference) => places.push("the body".to_owned()),
            Err(_) => {}
        }
        places
    }

    fn explain_placeholders(&self, page: &mut Page) {
        let fields = self.names.iter().filter(|name| *name != "payload");
        let fields: Vec<String> = fields
            .map(|name| format!("{} for the app's {name}", capitals(name)))
            .collect();
        if !fields.is_empty() {
            page.say(format!("In it stands {}.", told::all_of(fields)));
        }
        if self.names.iter().any(|name| name == "payload") {
            page.say("The app's whole payload goes along, of which FIELD is an example.");
        }
        if self.names.is_empty() {
            page.say("Nothing of the app's payload goes along.");
        }
        page.say(format!(
            "{TOKEN}, where it stands in a webhook's URL, is unguessable and made for this attempt."
        ));
    }
}

/// How a word is put into what a field has to be.
type Within = fn(&str) -> Value;

fn within_object(word: &str) -> Value {
    json!({ "field": word })
}

fn within_list(word: &str) -> Value {
    json!([word])
}

/// A payload with a word in capitals for each name that is printed; one of them can be within
/// something.
fn payload(names: &[String], other: Option<(&str, Within)>) -> Value {
    let mut payload = Value::Object(Map::new());
    for name in names {
        let steps: Vec<&str> = name.split('.').skip(1).collect();
        let (steps, word) = if steps.is_empty() {
            (vec!["field"], "FIELD".to_owned())
        } else {
            (steps, capitals(name))
        };
        let value = match other {
            Some((one, within)) if one == name => within(&word),
            Some(_) | None => Value::String(word),
        };
        put(&mut payload, &steps, value);
    }
    payload
}

/// Puts `what` where `steps` lead, unless something stands there or on the way.
fn put(value: &mut Value, steps: &[&str], what: Value) {
    match (value, steps) {
        (Value::Object(fields), [last]) => {
            fields.entry(*last).or_insert(what);
        }
        (Value::Object(fields), [step, deeper @ ..]) => {
            let below = fields
                .entry(*step)
                .or_insert_with(|| Value::Object(Map::new()));
            put(below, deeper, what);
        }
        _ => {}
    }
}

/// `payload.customer.phone` as `CUSTOMER_PHONE`.
fn capitals(name: &str) -> String {
    let inside = name.strip_prefix("payload.").unwrap_or(name);
    inside.replace('.', "_").to_uppercase()
}

/// Where in a body some text holds `part`.
fn pointers(value: &Value, at: String, part: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains(part) => found.push(at),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                pointers(item, format!("{at}/{number}"), part, found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                pointers(field, format!("{at}/{name}"), part, found);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
