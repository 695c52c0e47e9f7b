//! The audit: what teller says against what the provider's ledger says and what the app was told.
//!
//! It trusts nothing that teller could have altered. Executions are grouped by a tag that the client
//! put into the payload, accepted transactions come from the client's own list of answers, and what
//! the app knows comes from the app.

use std::collections::{BTreeMap, BTreeSet};

use mock_provider::app::Notification;
use mock_provider::ledger::{Course, Execution, Ledger};
use mock_provider::model;
use serde::Serialize;

/// The field of the payload that carries the client's tag.
pub const TAG_FIELD: &str = "audit";

/// A transaction that teller has answered 202 or 200 for, from the client's own list.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The id that the client sent.
    pub id: String,
    /// The tag that it put into the payload.
    pub tag: String,
}

/// What teller says of a transaction in the end.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `completed`, `declined`, `failed`, `in_review` or `pending`.
    pub status: String,
    /// From acceptance to outcome, in milliseconds as measured (not unscaled).
    pub took_ms: Option<u64>,
}

/// The app's words.
#[derive(Clone, Debug)]
pub struct Words {
    /// For completed.
    pub completed: String,
    /// For declined.
    pub declined: String,
    /// For failed.
    pub failed: String,
}

/// What the audit found. Everything from `lost` to `untold` has to be zero.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Transactions that teller promised.
    pub accepted: usize,
    /// Those with an outcome.
    pub r#final: usize,
    /// By outcome.
    pub completed: usize,
    /// By outcome.
    pub declined: usize,
    /// By outcome.
    pub failed: usize,
    /// Those that wait for a person.
    pub in_review: usize,
    /// Promised, and teller knows nothing of it.
    pub lost: usize,
    /// Promised, and neither final nor in review.
    pub not_final: usize,
    /// Payments that the provider executed more than once.
    pub executed_twice: usize,
    /// Outcomes that differ from the ledger, and executions that nobody asked for.
    pub wrong: usize,
    /// Outcomes that the app has not acknowledged, or was told differently.
    pub untold: usize,
    /// Inquiries that the provider counted.
    pub inquiries: u64,
    /// Mean time from acceptance to outcome, in unscaled seconds.
    pub mean_to_final_s: f64,
    /// Median of it.
    pub p50_to_final_s: f64,
    /// 95th percentile of it.
    pub p95_to_final_s: f64,
    /// Mean of an oracle that knows each outcome the moment it exists and resubmits a lost attempt at
    /// the end of its ghost window, for the same draws.
    pub floor_mean_s: f64,
    /// What was found, a sentence each, for people.
    pub findings: Vec<String>,
}

/// Findings that are listed; further ones are only counted.
const FINDINGS_MAX: usize = 20;

impl Verdict {
    /// Whether nothing was lost, doubled, wrong or untold, and everything has ended.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let faults = self.lost + self.executed_twice + self.wrong + self.untold;
        faults == 0 && self.r#final == self.accepted
    }

    fn find(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

/// Compares all accounts. `claims` is by id, a missing one means that teller answered 404.
#[must_use]
pub fn audit(
    promises: &[Promise],
    claims: &BTreeMap<String, Claim>,
    ledger: &Ledger,
    notifications: &[Notification],
    words: &Words,
) -> Verdict {
    let mut verdict = Verdict {
        accepted: promises.len(),
        inquiries: ledger.inquiries,
        ..Verdict::default()
    };
    let executions = by_tag(ledger);
    let told = told(notifications);
    let mut times_s = Vec::new();
    let mut floors_s = Vec::new();
    for promise in promises {
        let executed = executions
            .get(promise.tag.as_str())
            .map_or(&[][..], Vec::as_slice);
        count_executions(&mut verdict, promise, executed);
        let Some(claim) = claims.get(&promise.id) else {
            verdict.lost += 1;
            verdict.find(format!("{}: promised, and unknown afterwards", promise.id));
            continue;
        };
        check_outcome(&mut verdict, promise, claim, executed);
        check_told(
            &mut verdict,
            promise,
            claim,
            told.get(promise.id.as_str()).copied(),
            words,
        );
        times_s.extend(
            claim
                .took_ms
                .map(|took| took as f64 / 1000.0 * ledger.time_scale),
        );
        floors_s.extend(floor_s(executed, ledger.time_scale));
    }
    find_strangers(&mut verdict, promises, &executions);
    times_s.sort_by(f64::total_cmp);
    verdict.mean_to_final_s = mean(&times_s);
    verdict.p50_to_final_s = quantile(&times_s, 0.50);
    verdict.p95_to_final_s = quantile(&times_s, 0.95);
    verdict.floor_mean_s = mean(&floors_s);
    verdict
}

fn by_tag(ledger: &Ledger) -> BTreeMap<&str, Vec<&Execution>> {
    let mut executions: BTreeMap<&str, Vec<&Execution>> = BTreeMap::new();
    for execution in &ledger.executions {
        let tag = execution
            .payload
            .get(TAG_FIELD)
            .and_then(|tag| tag.as_str())
            .unwrap_or_default();
        executions.entry(tag).or_default().push(execution);
    }
    executions
}

/// The last word that each transaction's app acknowledged.
fn told(notifications: &[Notification]) -> BTreeMap<&str, &str> {
    let acknowledged = notifications
        .iter()
        .filter(|one| one.answered.is_some_and(|code| (200..300).contains(&code)));
    acknowledged
        .filter_map(|one| Some((one.id.as_deref()?, one.status.as_deref()?)))
        .collect()
}

fn count_executions(verdict: &mut Verdict, promise: &Promise, executions: &[&Execution]) {
    let executed = executions
        .iter()
        .filter(|execution| execution.executed)
        .count();
    if executed > 1 {
        verdict.executed_twice += 1;
        verdict.find(format!("{}: executed {executed} times", promise.id));
    }
}

fn check_outcome(
    verdict: &mut Verdict,
    promise: &Promise,
    claim: &Claim,
    executions: &[&Execution],
) {
    match claim.status.as_str() {
        "completed" => verdict.completed += 1,
        "declined" => verdict.declined += 1,
        "failed" => verdict.failed += 1,
        "in_review" => {
            verdict.in_review += 1;
            verdict.find(format!("{}: waits for a person", promise.id));
            return;
        }
        other => {
            verdict.not_final += 1;
            verdict.find(format!("{}: still {other}", promise.id));
            return;
        }
    }
    verdict.r#final += 1;
    let truth = executions.iter().rev().find(|execution| execution.executed);
    let truth = truth
        .and_then(|execution| execution.status)
        .map_or("failed", model::Status::as_str);
    if claim.status != truth {
        verdict.wrong += 1;
        verdict.find(format!(
            "{}: teller says {}, the ledger says {truth}",
            promise.id, claim.status
        ));
    }
}

fn check_told(
    verdict: &mut Verdict,
    promise: &Promise,
    claim: &Claim,
    told: Option<&str>,
    words: &Words,
) {
    let expected = match claim.status.as_str() {
        "completed" => &words.completed,
        "declined" => &words.declined,
        "failed" => &words.failed,
        _ => return,
    };
    if told != Some(expected) {
        verdict.untold += 1;
        let told = told.unwrap_or("nothing");
        verdict.find(format!(
            "{}: it is {}, and the app was told {told}",
            promise.id, claim.status
        ));
    }
}

/// Money that moved without a promise is as wrong as a wrong outcome.
fn find_strangers(
    verdict: &mut Verdict,
    promises: &[Promise],
    executions: &BTreeMap<&str, Vec<&Execution>>,
) {
    let known: BTreeSet<&str> = promises
        .iter()
        .map(|promise| promise.tag.as_str())
        .collect();
    for (tag, executions) in executions {
        let executed = executions.iter().any(|execution| execution.executed);
        if executed && !known.contains(tag) {
            verdict.wrong += 1;
            verdict.find(format!(
                "the ledger has an execution tagged {tag:?} that no client was promised"
            ));
        }
    }
}

/// When an oracle would have known, in unscaled seconds after the first submission: a whole ghost
/// window for each lost attempt, then the moment at which the outcome existed.
fn floor_s(executions: &[&Execution], time_scale: f64) -> Option<f64> {
    let window_s = model::GHOST_WINDOW_MS as f64 / 1000.0;
    let lost = executions
        .iter()
        .take_while(|execution| execution.course == Course::Lost)
        .count();
    let executed = executions.iter().find(|execution| execution.executed)?;
    let took_ms = executed
        .exists_at_ms?
        .saturating_sub(executed.received_at_ms);
    Some(lost as f64 * window_s + took_ms as f64 / 1000.0 * time_scale)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let index = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}
