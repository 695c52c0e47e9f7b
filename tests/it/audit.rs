//! The audit itself: clean accounts pass, and every planted fault makes it fail.

use std::collections::BTreeMap;

use mock_provider::app::{Form, Notification};
use mock_provider::ledger::{Answer, Course, Execution, Ledger};
use mock_provider::model::Status;
use serde_json::{Map, json};
use teller::cli::demo::audit::{Claim, Promise, TAG_FIELD, Verdict, Words, audit};

/// The accounts of three honest transactions: one completed, one declined, one lost and resubmitted.
struct Accounts {
    promises: Vec<Promise>,
    claims: BTreeMap<String, Claim>,
    ledger: Ledger,
    notifications: Vec<Notification>,
}

impl Accounts {
    fn honest() -> Self {
        let mut accounts = Self {
            promises: Vec::new(),
            claims: BTreeMap::new(),
            ledger: Ledger {
                seed: 1,
                time_scale: 10.0,
                executions: Vec::new(),
                inquiries: 6,
                blocked: 0,
            },
            notifications: Vec::new(),
        };
        accounts.add("a", &[Some(Status::Completed)], "completed", "accepted");
        accounts.add("b", &[Some(Status::Declined)], "declined", "declined");
        accounts.add(
            "c",
            &[None, Some(Status::Completed)],
            "completed",
            "accepted",
        );
        accounts
    }

    fn add(&mut self, name: &str, executions: &[Option<Status>], claimed: &str, told: &str) {
        let id = format!("id-{name}");
        self.promises.push(Promise {
            id: id.clone(),
            tag: format!("tag-{name}"),
        });
        self.claims.insert(
            id.clone(),
            Claim {
                status: claimed.to_owned(),
                took_ms: Some(600),
            },
        );
        for status in executions {
            self.execute(name, *status);
        }
        self.notifications.push(notification(&id, told, Some(200)));
    }

    fn execute(&mut self, name: &str, status: Option<Status>) {
        let mut payload = Map::new();
        payload.insert(TAG_FIELD.to_owned(), json!(format!("tag-{name}")));
        self.ledger.executions.push(Execution {
            id: format!("id-{name}"),
            execution: 1,
            payload,
            received_at_ms: 1_000,
            executed: status.is_some(),
            status,
            exists_at_ms: status.map(|_| 1_500),
            course: if status.is_some() {
                Course::Answered
            } else {
                Course::Lost
            },
            answer: Answer::Ok,
            webhooks: Vec::new(),
        });
    }

    fn judge(&self) -> Verdict {
        let words = Words {
            completed: "accepted".to_owned(),
            declined: "declined".to_owned(),
            failed: "not_executed".to_owned(),
        };
        audit(
            &self.promises,
            &self.claims,
            &self.ledger,
            &self.notifications,
            &words,
        )
    }

    fn claim(&mut self, name: &str, status: &str) {
        self.claims
            .get_mut(&format!("id-{name}"))
            .expect("added before")
            .status = status.to_owned();
    }
}

fn notification(id: &str, status: &str, answered: Option<u16>) -> Notification {
    Notification {
        at_ms: 2_000,
        form: Form::Callback,
        id: Some(id.to_owned()),
        status: Some(status.to_owned()),
        body: String::new(),
        headers: BTreeMap::new(),
        answered,
    }
}

/// Plants one fault into honest accounts and says which count must find it.
fn check(what: &str, plant: impl FnOnce(&mut Accounts), count: impl Fn(&Verdict) -> usize) {
    let mut accounts = Accounts::honest();
    plant(&mut accounts);
    let verdict = accounts.judge();
    assert!(
        !verdict.is_clean(),
        "{what}: the audit passed it: {verdict:?}"
    );
    assert_eq!(count(&verdict), 1, "{what}: {verdict:?}");
    assert!(
        !verdict.findings.is_empty(),
        "{what}: nothing is said about it"
    );
}

#[test]
fn honest_accounts_pass_with_the_right_figures() {
    let verdict = Accounts::honest().judge();
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(
        (
            verdict.accepted,
            verdict.completed,
            verdict.declined,
            verdict.failed
        ),
        (3, 2, 1, 0)
    );
    // 0.6 s measured at ten times the speed.
    assert!((verdict.mean_to_final_s - 6.0).abs() < 1e-9, "{verdict:?}");
    // 0.5 s at ten times the speed for each, and one ghost window of 120 s for the lost attempt.
    assert!(
        (verdict.floor_mean_s - (5.0 + 5.0 + 125.0) / 3.0).abs() < 1e-9,
        "{verdict:?}"
    );
}

#[test]
fn a_planted_double_submission_is_found() {
    check(
        "same id",
        |accounts| accounts.execute("a", Some(Status::Completed)),
        |verdict| verdict.executed_twice,
    );
    let under_another_id = |accounts: &mut Accounts| {
        accounts.execute("b", Some(Status::Declined));
        accounts
            .ledger
            .executions
            .last_mut()
            .expect("just added")
            .id = "an id of teller's own".to_owned();
    };
    check("another id", under_another_id, |verdict| {
        verdict.executed_twice
    });
}

#[test]
fn a_planted_wrong_outcome_is_found() {
    let told_too = |accounts: &mut Accounts, name: &str, status: &str, word: &str| {
        accounts.claim(name, status);
        accounts
            .notifications
            .push(notification(&format!("id-{name}"), word, Some(200)));
    };
    check(
        "declined",
        |accounts| told_too(accounts, "a", "declined", "declined"),
        |verdict| verdict.wrong,
    );
    check(
        "failed",
        |accounts| told_too(accounts, "a", "failed", "not_executed"),
        |verdict| verdict.wrong,
    );
    let invented = |accounts: &mut Accounts| accounts.add("d", &[None], "completed", "accepted");
    check("completed without an execution", invented, |verdict| {
        verdict.wrong
    });
    let stranger = |accounts: &mut Accounts| accounts.execute("nobody", Some(Status::Completed));
    check("money for nobody", stranger, |verdict| verdict.wrong);
}

#[test]
fn a_planted_lost_notification_is_found() {
    check(
        "never told",
        |accounts| drop(accounts.notifications.remove(1)),
        |verdict| verdict.untold,
    );
    let refused = |accounts: &mut Accounts| accounts.notifications[0].answered = Some(500);
    check("told and not acknowledged", refused, |verdict| {
        verdict.untold
    });
    let other_word = |accounts: &mut Accounts| {
        accounts
            .notifications
            .push(notification("id-a", "declined", Some(200)))
    };
    check("told something else in the end", other_word, |verdict| {
        verdict.untold
    });
}

#[test]
fn a_lost_or_unfinished_transaction_is_found() {
    check(
        "forgotten",
        |accounts| drop(accounts.claims.remove("id-b")),
        |verdict| verdict.lost,
    );
    check(
        "still pending",
        |accounts| accounts.claim("a", "pending"),
        |verdict| verdict.not_final,
    );
    check(
        "in review",
        |accounts| accounts.claim("a", "in_review"),
        |verdict| verdict.in_review,
    );
}
