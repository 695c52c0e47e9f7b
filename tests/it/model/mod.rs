//! A model checker over the pure core: every order of events, as far as the bounds of a set-up allow.
//!
//! ```text
//!   decide ──▶ commit ──▶ first byte leaves ──▶ request arrives ──▶ answer, webhook, status report
//!      each a step of its own in time; any of them late; restarts, people and stand-ins in between
//! ```
//!
//! The provider is honest: it executes what arrives within its ghost window, once, and reports what its
//! record shows. Everything between it and teller is not: answers and webhooks are lost, early, late and
//! doubled, and what the provider has acknowledged may still be answered with "not found" by a copy of the
//! record that lags, or with a refusal by a hop on the way.
//!
//! Times are whole seconds, and small: ghost window 2, its margin 1, calls overdue after 3. The search is
//! breadth-first, so the first history that breaks a law is a shortest one, and it is printed.
//!
//! In the test run each set-up stops at [`STATES`] states; `TELLER_MODEL_STATES=20000000` looks further.

mod history;
mod laws;
mod moves;
mod provider;
mod search;
mod setup;
mod world;

use std::time::Duration;

use teller::transaction::{Inquiries, Way};

use search::search;
use setup::Setup;

/// States that each set-up is searched for in the test run: with all of them together above five million.
const STATES: usize = 450_000;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Asked by sending again, for as long as the provider has given no id of its own.
fn resending() -> Setup {
    let mut setup = Setup::plain("resending");
    setup.policy.resend_safe_for = Some(seconds(50));
    setup.policy.inquiry = Inquiries {
        with_reference: Way::Ask,
        without_reference: Way::Resend,
    };
    setup
}

#[test]
fn answers_in_any_order() {
    search(&Setup::plain("plain"));
}

#[test]
fn commits_as_slow_as_they_like() {
    search(&Setup {
        slow_commits: true,
        horizon_s: 10,
        ..Setup::plain("slow commits")
    });
}

#[test]
fn requests_that_leave_late() {
    search(&Setup {
        late_sending: true,
        horizon_s: 9,
        ..Setup::plain("late sending")
    });
}

#[test]
fn webhooks_lost_early_late_and_doubled() {
    search(&Setup {
        webhooks: 3,
        horizon_s: 7,
        ..Setup::plain("webhooks")
    });
}

#[test]
fn webhooks_while_a_commit_is_slow_and_a_request_leaves_late() {
    search(&Setup {
        webhooks: 2,
        slow_commits: true,
        late_sending: true,
        horizon_s: 8,
        ..Setup::plain("webhooks, slow commits, late sending")
    });
}

#[test]
fn ids_of_the_providers_own() {
    search(&Setup {
        webhooks: 2,
        provider_ids: true,
        horizon_s: 7,
        ..Setup::plain("ids of the provider's own")
    });
}

#[test]
fn restarts_within_a_boot_and_with_one() {
    search(&Setup {
        restarts: 2,
        horizon_s: 8,
        ..Setup::plain("restarts")
    });
}

#[test]
fn restarts_while_a_commit_is_slow_and_a_request_leaves_late() {
    search(&Setup {
        restarts: 2,
        slow_commits: true,
        late_sending: true,
        horizon_s: 8,
        ..Setup::plain("restarts, slow commits, late sending")
    });
}

#[test]
fn another_owner_while_the_former_one_may_still_send() {
    let mut setup = Setup {
        restarts: 1,
        former_owner_sends: true,
        horizon_s: 9,
        ..Setup::plain("another owner")
    };
    setup.policy.max_pause = seconds(1);
    search(&setup);
}

#[test]
fn acts_of_people_and_of_the_app() {
    search(&Setup {
        acts: 2,
        webhooks: 1,
        horizon_s: 7,
        ..Setup::plain("acts")
    });
}

#[test]
fn one_reference_for_all_attempts() {
    search(&Setup {
        one_reference: true,
        webhooks: 2,
        horizon_s: 7,
        ..Setup::plain("one reference")
    });
}

#[test]
fn one_reference_and_ids_of_the_providers_own() {
    search(&Setup {
        one_reference: true,
        provider_ids: true,
        webhooks: 2,
        horizon_s: 8,
        ..Setup::plain("one reference, ids of the provider's own")
    });
}

#[test]
fn resending_as_an_inquiry() {
    search(&Setup {
        slow_commits: true,
        horizon_s: 8,
        ..resending()
    });
}

#[test]
fn resending_that_leaves_late_with_restarts() {
    search(&Setup {
        late_sending: true,
        restarts: 1,
        webhooks: 1,
        horizon_s: 8,
        ..resending()
    });
}

#[test]
fn a_stand_in() {
    search(&Setup {
        stand_in: true,
        webhooks: 2,
        horizon_s: 6,
        ..Setup::plain("stand-in")
    });
}

#[test]
fn submit_by_comes_early() {
    let mut setup = Setup {
        slow_commits: true,
        late_sending: true,
        webhooks: 1,
        horizon_s: 8,
        ..Setup::plain("submit_by")
    };
    setup.policy.submit_within = seconds(4);
    search(&setup);
}

#[test]
fn a_review_that_comes_early() {
    let mut setup = Setup {
        webhooks: 2,
        restarts: 1,
        horizon_s: 8,
        ..Setup::plain("review")
    };
    setup.policy.review_after = seconds(3);
    setup.policy.pending_review_after = seconds(4);
    search(&setup);
}

#[test]
fn a_provider_without_a_ghost_window() {
    let mut setup = Setup {
        webhooks: 1,
        restarts: 1,
        late_sending: true,
        horizon_s: 7,
        ..Setup::plain("no window")
    };
    setup.policy.ghost_window = None;
    search(&setup);
}

#[test]
fn all_of_it_at_once() {
    search(&Setup {
        webhooks: 1,
        restarts: 1,
        acts: 1,
        slow_commits: true,
        late_sending: true,
        provider_ids: true,
        stand_in: true,
        horizon_s: 6,
        ..Setup::plain("all of it")
    });
}
