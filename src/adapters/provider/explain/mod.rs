//! What teller does with a provider, in plain words: for whoever reads a profile before money is
//! sent by it.
//!
//! Every table of the profile is taken apart whole, without `..`, so that a key that is added and not
//! explained doesn't compile.

mod answers;
mod page;
mod proof;
mod requests;
mod timing;
mod webhooks;

use super::forms::Settings;
use super::profile::{BaseUrl, Profile, ProfileFile, ReferenceRule};
use super::told;
use page::Page;

/// A profile with what it is set up with.
#[derive(Clone, Copy)]
pub(super) struct Explained<'a> {
    pub(super) profile: &'a Profile,
    pub(super) base_url: &'a BaseUrl,
    pub(super) public_url: &'a BaseUrl,
    /// Defaults filled in.
    pub(super) settings: &'a Settings,
}

impl<'a> Explained<'a> {
    fn file(self) -> &'a ProfileFile {
        &self.profile.file
    }
}

/// The explanation, wrapped at about a hundred columns.
pub(super) fn explain(explained: Explained<'_>) -> String {
    let mut page = Page::default();
    let ProfileFile {
        name,
        base_url,
        reference,
        unsure,
        secrets,
        settings,
        auth,
        sealed,
        submit,
        inquiry,
        lost,
        webhook,
        ghost,
        resend_safe_for,
        schedule,
        limits,
    } = explained.file();
    page.heading(&format!("provider {}", name.0));
    let hash = explained.profile.hash();
    page.say(format!(
        "Profile {}, {}. It is at {}{}.",
        explained.profile.origin,
        &hash[..12],
        explained.base_url.as_str(),
        match base_url.environments().as_slice() {
            [] => String::new(),
            environments => format!(" (of {})", told::all_of(environments)),
        }
    ));
    page.say(match reference {
        ReferenceRule::Transaction => {
            "It knows every attempt of a transaction by the same id, the transaction's own."
        }
        ReferenceRule::Attempt => {
            "It knows each attempt by an id of its own: the transaction's, a hyphen and the attempt's number."
        }
    });

    page.heading("what teller sends");
    requests::submission(&mut page, explained, submit);

    page.heading("how it proves who it is");
    proof::explain(&mut page, explained, auth, secrets, settings, sealed);

    page.heading("how the answer is read");
    answers::submission(&mut page, submit, schedule);

    page.heading("how it asks");
    requests::inquiries(
        &mut page,
        explained,
        inquiry,
        lost.as_ref(),
        *resend_safe_for,
    );

    page.heading("when no answer comes");
    timing::doubt(
        &mut page,
        explained.file(),
        ghost,
        schedule,
        *resend_safe_for,
    );

    page.heading("webhooks");
    webhooks::explain(&mut page, explained, webhook.as_ref());

    page.heading("limits");
    timing::limits(&mut page, limits);

    if !unsure.is_empty() {
        page.heading("not sure");
        for (at, what) in unsure.iter().enumerate() {
            page.item(at + 1, what);
        }
    }
    page.finished()
}
