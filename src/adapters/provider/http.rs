//! The provider port over HTTP, run by a profile.

use std::sync::Arc;

use bytes::Bytes;

use super::client::{self, ClientSettings};
use super::duration::TimeScale;
use super::forms::AttemptNames;
use super::numbers;
use super::problem::ProfileProblem;
use super::profile::{BaseUrl, Profile, Trust};
use super::secret::Secret;
use super::sent::ProbedBody;
use super::transport::{self, Call, Failure};
use super::{interpret, token, webhook};
use crate::clock::Clock;
use crate::ports::{
    IncomingWebhook, InquiryResult, Limits, Promise, Provider, SubmissionResult, WebhookReading,
    WebhookRejected,
};
use crate::transaction::{
    Attempt, Finding, GhostWindow, Intent, Key, NotifyPolicy, Policy, Rendered, Report, Request,
};

/// What a profile needs from its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where providers reach our webhooks, such as `https://teller.example.com`.
    pub public_url: String,
    /// Replaces the profile's `base_url`.
    pub base_url: Option<String>,
    /// For the tokens in webhook URLs: the first signs, all verify.
    pub token_secrets: Vec<Secret>,
    /// How much faster than the profile says time runs: every duration is divided and every rate
    /// multiplied by it. 1.0 normally, more in rehearsals with the mock.
    pub time_scale: f64,
    /// How apps are told; `None` tells them nothing.
    pub notify: Option<NotifyPolicy>,
}

/// A provider that a profile describes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpProvider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    profile: Profile,
    base_url: BaseUrl,
    public_url: BaseUrl,
    token_secrets: Vec<Secret>,
    scale: TimeScale,
    policy: Policy,
    limits: Limits,
    clock: Clock,
    /// Of their own, because their connections are made within different times.
    submissions: reqwest::Client,
    inquiries: reqwest::Client,
}

impl HttpProvider {
    /// Sets a profile up.
    ///
    /// # Errors
    /// [`ProfileProblem`] if profile and settings don't fit together.
    pub fn new(profile: Profile, settings: Settings, clock: Clock) -> Result<Self, ProfileProblem> {
        let origin = profile.origin.clone();
        let whole = |what: String| ProfileProblem::whole(&origin, what);
        let scale = TimeScale::new(settings.time_scale).map_err(whole)?;
        let base_url = match &settings.base_url {
            Some(text) => {
                BaseUrl::parse(text).map_err(|what| whole(format!("base_url: {what}")))?
            }
            None => profile.file.base_url.clone(),
        };
        let public_url = BaseUrl::parse(&settings.public_url)
            .map_err(|what| whole(format!("public_url: {what}")))?;
        check_secrets(&profile, &settings.token_secrets).map_err(whole)?;
        let limits = numbers::limits(&profile.file, scale);
        let make = |connect_time_out, at_once| {
            client::client(ClientSettings {
                connect_time_out: scale.duration(connect_time_out),
                pool_idle_per_host: usize::try_from(at_once).unwrap_or(usize::MAX),
                speaks_tls: base_url.is_encrypted(),
            })
            .map_err(|source| ProfileProblem::Client {
                origin: origin.clone(),
                source,
            })
        };
        let file = &profile.file;
        let submissions = make(file.submit.connect_time_out.0, limits.submissions_at_once)?;
        let inquiries = make(file.inquiry.connect_time_out.0, limits.inquiries_at_once)?;
        Ok(Self(Arc::new(Inner {
            policy: numbers::policy(&profile.file, scale, settings.notify),
            token_secrets: settings.token_secrets,
            profile,
            base_url,
            public_url,
            scale,
            limits,
            clock,
            submissions,
            inquiries,
        })))
    }
}

/// Tokens that anybody could make would make everybody's word evidence.
fn check_secrets(profile: &Profile, secrets: &[Secret]) -> Result<(), String> {
    let trusts_tokens = profile
        .file
        .webhook
        .as_ref()
        .is_some_and(|webhook| webhook.trust == Trust::Token);
    if trusts_tokens && secrets.is_empty() {
        return Err("webhooks are trusted by token, so a token secret is needed".to_owned());
    }
    match secrets
        .iter()
        .position(|secret| secret.expose().len() < token::SECRET_MIN_BYTES)
    {
        Some(at) => Err(format!(
            "token secret number {} is shorter than {} bytes",
            at + 1,
            token::SECRET_MIN_BYTES
        )),
        None => Ok(()),
    }
}

impl Inner {
    /// Where the provider is asked to send the webhooks of an attempt. Without secrets there is one
    /// URL for all, and what comes there is a hint.
    fn webhook_url(&self, key: &Key, attempt: u32) -> String {
        let (public_url, provider) = (self.public_url.as_str(), self.profile.name());
        match self.token_secrets.first() {
            Some(secret) => {
                let token = token::issue(secret, provider, key, attempt);
                format!("{public_url}/webhooks/{provider}/{token}")
            }
            None => format!("{public_url}/webhooks/{provider}"),
        }
    }

    async fn submit(&self, intent: &Intent, traceparent: Option<String>) -> SubmissionResult {
        let rendered = &intent.request;
        if rendered.body.is_empty() {
            // Without a body nobody could tell afterwards whether it had left.
            let failure = Failure::Unsendable("it has no body".to_owned());
            return unsent(transport::finding(Call::Submission, &failure, false));
        }
        let time_out = self.scale.duration(self.profile.file.submit.time_out.0);
        let bytes = Bytes::from(rendered.body.clone());
        let (body, probe) = ProbedBody::new(bytes, self.clock);
        let body = Some(reqwest::Body::wrap(body));
        let request = match client::request(rendered, body, traceparent.as_deref(), time_out) {
            Ok(request) => request,
            Err(failure) => return unsent(transport::finding(Call::Submission, &failure, false)),
        };
        let called = client::call(&self.submissions, request, self.clock).await;
        let sent_at = probe.sent_at();
        let report = match called {
            Ok(answer) => interpret::submission(&self.profile.file.submit, &answer.at(self.scale)),
            Err(failure) => Report::bare(transport::finding(
                Call::Submission,
                &failure,
                sent_at.is_some(),
            )),
        };
        SubmissionResult { sent_at, report }
    }

    async fn inquire(
        &self,
        rendered: Result<Rendered, String>,
        traceparent: Option<String>,
    ) -> InquiryResult {
        let time_out = self.scale.duration(self.profile.file.inquiry.time_out.0);
        // Before anything leaves: what proves absence must not have been asked too early.
        let sent_at = self.clock.mono();
        let called = match rendered
            .map_err(Failure::Unsendable)
            .and_then(|rendered| client::request(&rendered, None, traceparent.as_deref(), time_out))
        {
            Ok(request) => client::call(&self.inquiries, request, self.clock).await,
            Err(failure) => Err(failure),
        };
        let report = match called {
            Ok(answer) => interpret::inquiry(&self.profile.file.inquiry, &answer),
            Err(failure) => Report::bare(transport::finding(Call::Inquiry, &failure, true)),
        };
        InquiryResult { sent_at, report }
    }
}

fn unsent(finding: Finding) -> SubmissionResult {
    SubmissionResult {
        sent_at: None,
        report: Report::bare(finding),
    }
}

impl Provider for HttpProvider {
    fn name(&self) -> &str {
        self.0.profile.name()
    }

    fn policy(&self) -> &Policy {
        &self.0.policy
    }

    fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn intent(&self, key: &Key, request: &Request, attempt: u32) -> Result<Intent, String> {
        let inner = &*self.0;
        let file = &inner.profile.file;
        let reference = webhook::reference(file.reference, key.id, attempt);
        let webhook_url = inner.webhook_url(key, attempt);
        let names = AttemptNames {
            number: Some(attempt),
            reference: &reference,
            provider_reference: None,
            webhook_url: Some(&webhook_url),
        };
        let rendered =
            inner
                .profile
                .forms
                .submission(file, &inner.base_url, key, request, names)?;
        let policy = &inner.policy;
        Ok(Intent {
            provider: None,
            reference,
            request: rendered,
            window: policy.ghost_window.map(|ghost| GhostWindow {
                ghost,
                margin: policy.ghost_margin,
            }),
            resend_safe_for_ms: policy
                .resend_safe_for
                .map(|safe| u64::try_from(safe.as_millis()).unwrap_or(u64::MAX)),
            profile_hash: inner.profile.hash(),
        })
    }

    fn submit(
        &self,
        intent: Arc<Intent>,
        traceparent: Option<String>,
    ) -> Promise<SubmissionResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.submit(&intent, traceparent).await })
    }

    fn inquire(&self, key: &Key, request: &Request, attempt: &Attempt) -> Promise<InquiryResult> {
        let names = AttemptNames {
            number: None,
            reference: &attempt.intent.reference,
            provider_reference: attempt.provider_reference.as_deref(),
            webhook_url: None,
        };
        let inner = Arc::clone(&self.0);
        let rendered =
            inner
                .profile
                .forms
                .inquiry(&inner.profile.file, &inner.base_url, key, request, names);
        let traceparent = request.traceparent.clone();
        Box::pin(async move { inner.inquire(rendered, traceparent).await })
    }

    fn read_webhook(
        &self,
        webhook: &IncomingWebhook<'_>,
    ) -> Result<WebhookReading, WebhookRejected> {
        let inner = &*self.0;
        let name = inner.profile.name();
        let rules = inner.profile.file.webhook.as_ref().ok_or_else(|| {
            WebhookRejected::Unreadable(format!("the provider {name} sends no webhooks"))
        })?;
        let rules = webhook::Rules {
            provider: name,
            webhook: rules,
            reference: inner.profile.file.reference,
            secrets: &inner.token_secrets,
        };
        webhook::read(rules, webhook)
    }
}
