//! What of a profile is allowed and yet dangerous or doubtful: one sentence each, with the way out.

use std::net::IpAddr;
use std::time::Duration;

use super::outcome::{
    AnswerMeaning, Condition, EventMeaning, OneOrMany, Pattern, Pointer, ReportMeaning, Row,
    StatusMatch, Word,
};
use super::profile::{
    Absence, AuthKind, BaseUrl, Inquiry, InquiryMethod, Profile, ProfileFile, Trust, Webhook,
};
use super::told;

/// The longest time for which a provider is known to keep idempotency keys.
const RESEND_SAFE_MAX: Duration = Duration::from_hours(30 * 24);
/// Refused for want of a valid token.
const UNAUTHORIZED: u16 = 401;
/// Server errors that come from anywhere between the provider's door and its books.
const AMBIGUOUS: [u16; 3] = [500, 502, 504];

/// The cautions about a profile that is used at this address.
pub(super) fn cautions(profile: &Profile, base_url: &BaseUrl) -> Vec<String> {
    let file = &profile.file;
    let mut said = Vec::new();
    about_place(base_url, &mut said);
    about_webhooks(profile, &mut said);
    about_inquiries(file, &mut said);
    about_echoes(file, &mut said);
    about_answers(file, &mut said);
    about_amounts(profile, &mut said);
    about_rows("submit.outcome", &file.submit.outcome, &mut said);
    about_rows("inquiry.outcome", &file.inquiry.outcome, &mut said);
    if let Some(lost) = &file.lost {
        about_rows("lost.outcome", &lost.outcome, &mut said);
    }
    if let Some(webhook) = &file.webhook {
        about_rows("webhook.outcome", &webhook.outcome, &mut said);
    }
    said.extend(file.unsure.iter().map(|what| format!("not sure: {what}")));
    said
}

fn about_place(base_url: &BaseUrl, said: &mut Vec<String>) {
    let url = reqwest::Url::parse(base_url.as_str()).ok();
    let host = url
        .as_ref()
        .and_then(|url| url.host_str())
        .unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost"
        || literal
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if !base_url.is_encrypted() && !is_loopback {
        said.push(format!(
            "base_url: {} is plain HTTP, so that anybody on the way can read and change what is paid; use https"
            , base_url.as_str()
        ));
    }
}

fn about_webhooks(profile: &Profile, said: &mut Vec<String>) {
    let Some(scheme) = &profile.scheme else {
        return;
    };
    if let (Some(signed), Some(webhook)) = (scheme.signed_places(), &profile.file.webhook) {
        let mut open: Vec<String> = read_places(webhook)
            .into_iter()
            .filter(|place| !signed.contains(place))
            .map(ToString::to_string)
            .collect();
        open.dedup();
        if !open.is_empty() {
            said.push(format!(
                "[webhook.signature]: {} is read but not signed, so that who sees one webhook can write it anew; read only what is signed",
                told::all_of(open)
            ));
        }
        return;
    }
    let Some(caution) = scheme.caution() else {
        return;
    };
    said.push(format!(
        "[webhook.signature]: {caution}; say trust = \"hint\" if the provider can be asked, so that an inquiry confirms it"
    ));
}

/// The places of an event that decide something.
fn read_places(webhook: &Webhook) -> Vec<&Pointer> {
    let amount = webhook
        .amount
        .iter()
        .flat_map(|amount| [&amount.value, &amount.currency]);
    let rows = webhook
        .outcome
        .iter()
        // What makes an event be ignored can only make it be missed, and then it is asked about.
        .filter(|row| row.means != EventMeaning::Ignored)
        .flat_map(conditions)
        .map(|claim| claim.at);
    let subject = webhook.id.iter().chain(&webhook.provider_reference);
    subject.chain(amount).chain(rows).collect()
}

fn about_inquiries(file: &ProfileFile, said: &mut Vec<String>) {
    let none = |method| method == InquiryMethod::None;
    let never_asks =
        none(file.inquiry.method) && file.lost.as_ref().is_none_or(|lost| none(lost.method));
    if never_asks && file.webhook.is_none() {
        said.push(
            "[inquiry]: there is neither an inquiry nor a webhook, so that every lost answer ends in review; find one way at least to learn what became of an attempt"
                .to_owned(),
        );
    } else if never_asks {
        said.push(
            "[inquiry]: method = \"none\" leaves a lost webhook to a person; if the provider has a status API, describe it"
                .to_owned(),
        );
    } else if file.lost.as_ref().is_some_and(|lost| none(lost.method)) {
        said.push(
            "[lost]: method = \"none\" leaves an attempt whose answer was lost to a webhook or a person; if it can be searched by our id, or sent again, say how"
                .to_owned(),
        );
    }
    let resubmits = file.ghost.on_absence == Absence::Resubmit;
    if resubmits && file.ghost.window.is_none() {
        said.push(
            "[ghost]: on_absence = \"resubmit\" never happens without a window, because absence is never proven; state the window, or say on_absence = \"fail\""
                .to_owned(),
        );
    }
    let finds_absence = [Some(&file.inquiry), file.lost.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|inquiry| &inquiry.outcome)
        .any(|row| row.means == ReportMeaning::NotFound);
    let asks = file.inquiry.asks() || file.lost.as_ref().is_some_and(|lost| lost.asks());
    // Who sends the same again has no use for absence, and a "not found" of an id that the provider gave
    // itself is none.
    let resends = file.inquiry_for(false).method == InquiryMethod::Resend;
    if file.ghost.window.is_some() && asks && !finds_absence && !resends {
        said.push(
            "[ghost]: no row of an inquiry means not_found, so that the window proves nothing; add the row by which the provider says that it doesn't know a transaction"
                .to_owned(),
        );
    }
    let learns = file.submit.provider_reference.is_some()
        || file
            .webhook
            .as_ref()
            .is_some_and(|one| one.provider_reference.is_some());
    if file.lost.is_some() && !learns {
        said.push(
            "[submit]: no provider_reference says where the answer has the provider's own id, so that [inquiry], which needs it, is used only once [lost] has found it; add the place"
                .to_owned(),
        );
    }
    if let Some(safe) = file.resend_safe_for.filter(|safe| safe.0 > RESEND_SAFE_MAX) {
        said.push(format!(
            "resend_safe_for: {} is longer than any provider is known to keep idempotency keys ({}); a longer one pays twice if it is wrong",
            told::duration(safe.0),
            told::duration(RESEND_SAFE_MAX)
        ));
    }
}

/// Answers that would be believed though they are about another payment.
fn about_echoes(file: &ProfileFile, said: &mut Vec<String>) {
    let inquiry = &file.inquiry;
    let mut silent = Vec::new();
    if inquiry.asks() && inquiry.id.is_none() && inquiry.provider_reference.is_none() {
        silent.push("[inquiry]");
    }
    // While the provider's id is not known, only ours can show whom an answer is about.
    let lost = file.lost.as_ref();
    if lost.is_some_and(|lost| lost.asks() && lost.id.is_none()) {
        silent.push("[lost]");
    }
    if !silent.is_empty() {
        said.push(format!(
            "{}: nothing says where the answer repeats our id or the provider's, so that an answer about another payment would be believed; add id or provider_reference where the provider states one",
            told::all_of(silent)
        ));
    }
}

fn about_answers(file: &ProfileFile, said: &mut Vec<String>) {
    let rows = &file.submit.outcome;
    let refused = |row: &Row<AnswerMeaning>| row.means == AnswerMeaning::NotExecuted;
    if !rows.iter().any(refused) {
        said.push(
            "[[submit.outcome]]: no row means not_executed, so that even a 429 leaves the attempt in doubt; add a row for the answers that the provider gives before it looks at a payment, often 429 and 503"
                .to_owned(),
        );
    }
    let of_401 = |row: &Row<AnswerMeaning>| statuses(row).any(|one| one.fits(UNAUTHORIZED));
    if file.auth.kind == AuthKind::Oauth2 && !rows.iter().any(of_401) {
        said.push(
            "[[submit.outcome]]: no row is about HTTP 401, so that an attempt whose token had ended is in doubt; add one, as not_executed if the provider looks at the token first"
                .to_owned(),
        );
    }
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| refused(row)) {
        let ambiguous = |one: &StatusMatch| match one {
            StatusMatch::Class(class) => *class == 5,
            StatusMatch::Exactly(status) => AMBIGUOUS.contains(status),
        };
        if conditions(row).is_empty() && statuses(row).any(ambiguous) {
            said.push(format!(
                "[[submit.outcome]] row {}: {} means not_executed, and such an answer may come after the payment was made, which would then be made again; say unknown, or name the provider's own word beside the status",
                at + 1,
                told::condition(row)
            ));
        }
    }
    let completed = |row: &Row<AnswerMeaning>| row.means == AnswerMeaning::Completed;
    about_successes("submit.outcome", rows, completed, said);
    let completed = |row: &Row<ReportMeaning>| row.means == ReportMeaning::Completed;
    about_successes("inquiry.outcome", &file.inquiry.outcome, completed, said);
    if let Some(lost) = &file.lost {
        about_successes("lost.outcome", &lost.outcome, completed, said);
    }
}

fn about_successes<M>(
    table: &str,
    rows: &[Row<M>],
    completed: impl Fn(&Row<M>) -> bool,
    said: &mut Vec<String>,
) {
    let success = |one: &StatusMatch| match one {
        StatusMatch::Class(class) => *class == 2,
        StatusMatch::Exactly(status) => (200..300).contains(status),
    };
    for (at, row) in rows.iter().enumerate() {
        if completed(row) && !statuses(row).all(success) {
            said.push(format!(
                "[[{table}]] row {}: {} means completed, though the status is no success; make sure that the provider's documentation says so",
                at + 1,
                told::condition(row)
            ));
        }
    }
}

/// Evidence of an execution that isn't asked for its amount.
fn about_amounts(profile: &Profile, said: &mut Vec<String>) {
    let file = &profile.file;
    let printed = profile.forms.printed();
    if !printed
        .iter()
        .any(|name| name.starts_with("transaction.amount"))
    {
        return;
    }
    let reports = |inquiry: &Inquiry| {
        let mut rows = inquiry.outcome.iter();
        inquiry.amount.is_none() && rows.any(|row| row.means == ReportMeaning::Completed)
    };
    let answers = || {
        let mut rows = file.submit.outcome.iter();
        rows.any(|row| row.means == AnswerMeaning::Completed)
    };
    let tells = |webhook: &Webhook| {
        let mut rows = webhook.outcome.iter();
        webhook.trust != Trust::Hint
            && webhook.amount.is_none()
            && rows.any(|row| row.means == EventMeaning::Completed)
    };
    let silent = [
        ("[submit]", file.submit.amount.is_none() && answers()),
        ("[inquiry]", reports(&file.inquiry)),
        ("[lost]", file.lost.as_ref().is_some_and(reports)),
        ("[webhook]", file.webhook.as_ref().is_some_and(tells)),
    ];
    let silent: Vec<&str> = silent
        .into_iter()
        .filter_map(|(table, silent)| silent.then_some(table))
        .collect();
    if !silent.is_empty() {
        said.push(format!(
            "{}: nothing says where the amount stands, so that evidence of another amount would be believed; add amount = {{ value, currency }} where the provider states it",
            told::all_of(silent)
        ));
    }
}

// ---- rows that can't be reached ------------------------------------------------------------------------

fn about_rows<M>(table: &str, rows: &[Row<M>], said: &mut Vec<String>) {
    for (at, row) in rows.iter().enumerate() {
        if let Some(earlier) = rows[..at].iter().position(|earlier| covers(earlier, row)) {
            said.push(format!(
                "[[{table}]] row {}: {} is never reached, because row {} fits whatever it fits; put the narrower one first, or take it out",
                at + 1,
                told::condition(row),
                earlier + 1
            ));
        }
    }
}

/// Whether `earlier` fits everything that `later` fits.
fn covers<M>(earlier: &Row<M>, later: &Row<M>) -> bool {
    let (of_earlier, of_later) = (conditions(earlier), conditions(later));
    let statuses = statuses(later).all(|one| statuses(earlier).any(|other| includes(*other, *one)));
    statuses
        && of_earlier
            .iter()
            .all(|broad| of_later.iter().any(|narrow| broad.includes(narrow)))
}

fn statuses<M>(row: &Row<M>) -> impl Iterator<Item = &StatusMatch> {
    row.status.iter().flat_map(OneOrMany::iter)
}

fn includes(broad: StatusMatch, narrow: StatusMatch) -> bool {
    match (broad, narrow) {
        (broad, StatusMatch::Exactly(status)) => broad.fits(status),
        (StatusMatch::Class(broad), StatusMatch::Class(narrow)) => broad == narrow,
        (StatusMatch::Exactly(_), StatusMatch::Class(_)) => false,
    }
}

/// "At this place stands one of these", the row's own and its further ones alike.
struct Claim<'a> {
    at: &'a Pointer,
    words: Option<&'a OneOrMany<Word>>,
    pattern: Option<&'a Pattern>,
}

fn conditions<M>(row: &Row<M>) -> Vec<Claim<'_>> {
    let own = row.at.as_ref().map(|at| Claim {
        at,
        words: row.word.as_ref(),
        pattern: row.pattern.as_ref(),
    });
    let further = row.also.iter().map(|one: &Condition| Claim {
        at: &one.at,
        words: one.word.as_ref(),
        pattern: one.pattern.as_ref(),
    });
    own.into_iter().chain(further).collect()
}

impl Claim<'_> {
    /// Whether whatever `narrow` holds for, this one holds for.
    fn includes(&self, narrow: &Self) -> bool {
        if self.at != narrow.at {
            return false;
        }
        match (narrow.words, narrow.pattern) {
            (Some(words), _) => words.iter().all(|word| self.holds_for(word)),
            (None, Some(pattern)) => {
                let mine = self.pattern.map(Pattern::as_str);
                mine == Some(pattern.as_str())
            }
            (None, None) => false,
        }
    }

    fn holds_for(&self, word: &Word) -> bool {
        let value = match word {
            Word::Text(text) => serde_json::Value::from(text.as_str()),
            Word::Number(number) => serde_json::Value::from(*number),
            Word::Flag(flag) => serde_json::Value::from(*flag),
        };
        self.words
            .is_some_and(|words| words.iter().any(|one| one == word))
            || self.pattern.is_some_and(|pattern| pattern.fits(&value))
    }
}
