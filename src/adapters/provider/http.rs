//! The provider port over HTTP, run by a profile.

use std::sync::Arc;

use bytes::Bytes;

use super::asked::Asked;
use super::auth::{Credentials, Ready, Secrets, TokenUsed};
use super::client::{self, ClientSettings};
use super::duration::TimeScale;
use super::explain::{self, Explained};
use super::forms::{self, AttemptNames, BodyKind, Subject};
use super::mixed_up::MixedUp;
use super::numbers;
use super::problem::ProfileProblem;
use super::profile::{BaseUrl, Profile};
use super::secret::Secret;
use super::sent::ProbedBody;
use super::transport::{self, Call, Failure};
use super::webhook::{self, Reader};
use super::{asked, cautions, interpret, token};
use crate::clock::Clock;
use crate::ports::{
    IncomingWebhook, InquiryResult, Limits, Promise, Provider, SendPermission, SubmissionResult,
    WebhookReading, WebhookRejected,
};
use crate::transaction::{
    Attempt, Finding, GhostWindow, Intent, Key, Policy, Rendered, Report, Request,
};

/// The status by which a provider says that it doesn't take the credentials.
const UNAUTHORIZED: u16 = 401;

/// What a profile needs from its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where providers reach our webhooks, such as `https://teller.example.com`.
    pub public_url: String,
    /// Replaces the profile's `base_url`.
    pub base_url: Option<String>,
    /// Which of the profile's addresses, `sandbox` or `live`, where it has two.
    pub environment: Option<String>,
    /// The profile's settings, by name.
    pub settings: forms::Settings,
    /// The profile's secrets, by name; of each the valid ones, the newest first.
    pub secrets: Secrets,
    /// For the tokens in webhook URLs: the first signs, all verify.
    pub token_secrets: Vec<Secret>,
    /// How much faster than the profile says time runs: every duration is divided and every rate
    /// multiplied by it. 1.0 normally, more in rehearsals with the mock.
    pub time_scale: f64,
}

/// A provider that a profile describes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpProvider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    profile: Profile,
    base_url: BaseUrl,
    public_url: BaseUrl,
    credentials: Credentials,
    reader: Reader,
    token_secrets: Vec<Secret>,
    scale: TimeScale,
    policy: Policy,
    limits: Limits,
    clock: Clock,
    /// Of their own, because their connections are made within different times.
    submissions: reqwest::Client,
    inquiries: reqwest::Client,
    /// Answers that named another payment than the one that was asked about.
    mixed_up: MixedUp,
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
            Some(text) => BaseUrl::parse(text),
            None => profile
                .file
                .base_url
                .choose(settings.environment.as_deref()),
        };
        let base_url = base_url.map_err(|what| whole(format!("base_url: {what}")))?;
        let public_url = BaseUrl::parse(&settings.public_url)
            .map_err(|what| whole(format!("public_url: {what}")))?;
        webhook::check_token_secrets(&profile, &settings.token_secrets).map_err(whole)?;
        let credentials = Credentials::new(
            &profile,
            &base_url,
            settings.settings,
            settings.secrets,
            scale,
            clock,
        )?;
        let reader =
            Reader::new(&profile, &credentials, settings.token_secrets.clone()).map_err(whole)?;
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
        // Each over a connection of its own: on one that is used again, an answer that came too late for
        // another call would be taken for this one's, and "not found" names no payment.
        let inquiries = make(file.inquiry.connect_time_out.0, 0)?;
        Ok(Self(Arc::new(Inner {
            policy: numbers::policy(&profile.file, scale),
            token_secrets: settings.token_secrets,
            credentials,
            reader,
            profile,
            base_url,
            public_url,
            scale,
            limits,
            clock,
            submissions,
            inquiries,
            mixed_up: MixedUp::default(),
        })))
    }

    /// What teller does with this provider, in plain words.
    #[must_use]
    pub fn explain(&self) -> String {
        let inner = &*self.0;
        explain::explain(Explained {
            profile: &inner.profile,
            base_url: &inner.base_url,
            public_url: &inner.public_url,
            settings: inner.credentials.settings(),
        })
    }

    /// What of its set-up is allowed and yet dangerous or doubtful, a sentence each.
    #[must_use]
    pub fn cautions(&self) -> Vec<String> {
        cautions::cautions(&self.0.profile, &self.0.base_url)
    }
}

impl HttpProvider {
    /// What a whole answer to this submission says, or with `inquiry` one to an inquiry by a known
    /// reference: what [`Provider::submit`] and [`Provider::inquire`] make of it.
    #[must_use]
    pub fn read_answer(&self, intent: &Intent, inquiry: bool, status: u16, body: Bytes) -> Report {
        let answer = client::Answer {
            status,
            retry_after: None,
            body,
        };
        let file = &self.0.profile.file;
        let asked = Some(Asked::by_submission(intent));
        if inquiry {
            interpret::inquiry(&file.inquiry, &answer, asked).report
        } else {
            interpret::submission(&file.submit, &answer, asked).report
        }
    }
}

impl Inner {
    fn subject<'a>(
        &'a self,
        key: &'a Key,
        request: &'a Request,
        attempt: AttemptNames<'a>,
    ) -> Subject<'a> {
        Subject {
            key,
            request,
            attempt,
            settings: self.credentials.settings(),
            now: self.clock.now().wall,
        }
    }

    async fn submit(
        &self,
        intent: &Intent,
        traceparent: Option<String>,
        permission: SendPermission,
    ) -> SubmissionResult {
        let unsent = |failure: &Failure| SubmissionResult {
            sent_at: None,
            report: Report::bare(transport::finding(Call::Submission, failure, false)),
        };
        if intent.request.body.is_empty() {
            // Without a body nobody could tell afterwards whether it had left.
            return unsent(&Failure::Unsendable("it has no body".to_owned()));
        }
        let kind = self.profile.forms.body_kind(true, true);
        let prepared = self.prepare(&intent.request, kind).await;
        let ready = match prepared {
            Ok(ready) => ready,
            Err(failure) => return unsent(&failure),
        };
        let time_out = self.scale.duration(self.profile.file.submit.time_out.0);
        let bytes = Bytes::from(ready.request.body.clone());
        let (body, probe) = ProbedBody::new(bytes, self.clock, permission);
        let body = Some(reqwest::Body::wrap(body));
        let request = client::request(
            &ready.request,
            ready.headers,
            body,
            traceparent.as_deref(),
            time_out,
        );
        let request = match request {
            Ok(request) => request,
            Err(failure) => return unsent(&failure),
        };
        let called = client::call(&self.submissions, request, self.clock).await;
        let sent_at = probe.sent_at();
        let report = match (called, probe.withheld()) {
            (Ok(answer), _) => {
                self.look_at_token(&answer, ready.token);
                let (rules, answer) = (&self.profile.file.submit, answer.at(self.scale));
                let asked = Asked::by_submission(intent);
                self.reported(interpret::submission(rules, &answer, Some(asked)), asked)
            }
            (Err(_), Some(why)) => {
                let failure = Failure::Unsendable(why.to_string());
                Report::bare(transport::finding(Call::Submission, &failure, false))
            }
            (Err(failure), None) => Report::bare(transport::finding(
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
        attempt: &Attempt,
        traceparent: Option<String>,
    ) -> InquiryResult {
        let reference_known = attempt.provider_reference.is_some();
        let rules = self.profile.file.inquiry_for(reference_known);
        let kind = self.profile.forms.body_kind(false, reference_known);
        let time_out = self.scale.duration(rules.time_out.0);
        let ready = match rendered {
            Ok(rendered) => self.prepare(&rendered, kind).await,
            Err(what) => Err(Failure::Unsendable(what)),
        };
        // Before anything leaves: what proves absence must not have been asked too early.
        let sent_at = self.clock.mono();
        let called = match ready {
            Ok(ready) => {
                let body = Some(&ready.request.body).filter(|body| !body.is_empty());
                let body = body.map(|body| reqwest::Body::from(body.clone()));
                let request = client::request(
                    &ready.request,
                    ready.headers,
                    body,
                    traceparent.as_deref(),
                    time_out,
                );
                match request {
                    Ok(request) => {
                        let called = client::call(&self.inquiries, request, self.clock).await;
                        if let Ok(answer) = &called {
                            self.look_at_token(answer, ready.token);
                        }
                        called
                    }
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        };
        let report = match called {
            Ok(answer) => {
                let asked = Asked::by_inquiry(attempt);
                self.reported(interpret::inquiry(rules, &answer, Some(asked)), asked)
            }
            Err(failure) => Report::bare(transport::finding(Call::Inquiry, &failure, true)),
        };
        InquiryResult { sent_at, report }
    }

    async fn prepare(&self, request: &Rendered, kind: BodyKind) -> Result<Ready, Failure> {
        self.credentials
            .prepare(&self.profile, request, kind, self.clock)
            .await
            .map_err(Failure::Unsendable)
    }

    /// The report of an answer. One that names another payment is logged and counted: the way to the
    /// provider mixes its answers up, and one that names none is not believed for a while.
    fn reported(&self, read: interpret::Read, asked: Asked<'_>) -> Report {
        if let (true, Finding::Unclear { why }) = (read.is_about_another, &read.report.finding) {
            self.mixed_up.note(self.clock.mono());
            tracing::warn!(
                provider = self.profile.name(),
                reference = asked.reference,
                why,
                "an answer names another payment than the one that was asked about"
            );
        }
        if read.names_it {
            return read.report;
        }
        self.mixed_up.doubt(read.report, self.clock.mono())
    }

    /// A token that was refused is not used again. What became of the call is for the table to say.
    fn look_at_token(&self, answer: &client::Answer, token: Option<TokenUsed>) {
        if let Some(token) = token.filter(|_| answer.status == UNAUTHORIZED) {
            self.credentials.refused(token);
        }
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
        let webhook_url = token::webhook_url(
            &inner.token_secrets,
            inner.public_url.as_str(),
            inner.profile.name(),
            key,
            attempt,
        );
        let names = AttemptNames {
            number: Some(attempt),
            reference: &reference,
            provider_reference: None,
            webhook_url: Some(&webhook_url),
        };
        let subject = inner.subject(key, request, names);
        let rendered = inner
            .profile
            .forms
            .submission(file, &inner.base_url, subject)?;
        asked::check_echoed(file, &rendered)?;
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
        permission: SendPermission,
    ) -> Promise<SubmissionResult> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.submit(&intent, traceparent, permission).await })
    }

    fn inquire(&self, key: &Key, request: &Request, attempt: &Attempt) -> Promise<InquiryResult> {
        let names = AttemptNames {
            number: None,
            reference: &attempt.intent.reference,
            provider_reference: attempt.provider_reference.as_deref(),
            webhook_url: None,
        };
        let inner = Arc::clone(&self.0);
        let known = attempt.provider_reference.is_some();
        let rules = inner.profile.file.inquiry_for(known);
        let subject = inner.subject(key, request, names);
        let rendered = inner.profile.forms.inquiry(rules, &inner.base_url, subject);
        let (attempt, traceparent) = (attempt.clone(), request.traceparent.clone());
        Box::pin(async move { inner.inquire(rendered, &attempt, traceparent).await })
    }

    fn answers_about_others(&self) -> u64 {
        self.0.mixed_up.seen()
    }

    fn read_webhook(
        &self,
        webhook: &IncomingWebhook<'_>,
    ) -> Result<WebhookReading, WebhookRejected> {
        let inner = &*self.0;
        let now = inner.clock.now().wall;
        let (reading, _) = inner.reader.read(&inner.profile, webhook, now)?;
        Ok(reading)
    }
}
