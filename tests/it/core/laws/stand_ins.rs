//! Stand-ins: another provider gets an attempt only if surely nothing has reached anybody's hands.

use teller::transaction::{Intent, NeverWentThere};

use super::super::fixture::policy;
use super::super::life::Life;
use super::{begin, check, play};

#[test]
fn what_was_surely_not_executed_may_go_elsewhere_and_back() {
    play(
        Life::begin(1, policy(), false, false),
        "1   permit at other      => submitting 1
         2   answer not_executed  => backing off 1
         4   timer submit         => backing off 1, ask to submit
         5   permit               => submitting 2
         6   answer not_executed  => backing off 2
         10  timer submit         => backing off 2
         11  permit at other      => submitting 3
         12  answer completed     => completed",
    );
}

#[test]
fn what_may_have_been_touched_stays_with_its_provider_even_after_its_window() {
    check(
        "30   answer unclear       => unknown 1
         31   permit at other      => ignored: stale
         121  asks                 => unknown 1
         121  report not_found     => backing off 1, ask to submit
         122  permit at other      => ignored: stale
         123  permit               => submitting 2
         124  answer not_executed  => backing off 2
         130  timer submit         => backing off 2
         131  permit at other      => ignored: stale",
    );
    play(
        Life::begin(1, policy(), false, false),
        "1    permit at other      => submitting 1
         31   answer unclear       => unknown 1
         122  asks                 => unknown 1
         122  report not_found     => backing off 1, ask to submit
         123  permit               => ignored: stale
         124  permit at third      => ignored: stale
         125  permit at other      => submitting 2",
    );
}

#[test]
fn the_present_provider_is_the_last_attempts() {
    let life = Life::begin(1, policy(), false, false);
    assert_eq!(life.transaction.provider(), "reference");
    let life = play(
        life,
        "1   permit at other             => submitting 1
         2   answer not_executed ref o1  => backing off 1, ref o1
         4   timer submit                => backing off 1
         5   permit                      => submitting 2, ref o1",
    );
    let transaction = &life.transaction;
    assert_eq!(transaction.provider(), "reference");
    assert_eq!(transaction.provider_of(1), "other");
    assert_eq!(transaction.provider_references(), [("other", "o1")]);
}

#[test]
fn evidence_counts_for_attempts_that_went_to_its_sender() {
    let life = Life::begin(1, policy(), false, false);
    assert_eq!(life.transaction.attributed("reference", None), Ok(None));
    let nobody = Err(NeverWentThere);
    assert_eq!(life.transaction.attributed("other", None), nobody);
    let life = play(
        life,
        "1   permit at other      => submitting 1
         2   answer not_executed  => backing off 1
         4   timer submit         => backing off 1
         5   permit               => submitting 2",
    );
    let of = |provider, named| life.transaction.attributed(provider, named);
    assert_eq!(of("reference", None), Ok(None));
    assert_eq!(of("reference", Some(2)), Ok(Some(2)));
    assert_eq!(of("reference", Some(1)), nobody);
    assert_eq!(of("other", None), Ok(Some(1)));
    assert_eq!(of("other", Some(1)), Ok(Some(1)));
    assert_eq!(of("other", Some(2)), nobody);
    assert_eq!(of("third", None), nobody);
    assert_eq!(of("third", Some(9)), nobody);
}

#[test]
fn an_intent_of_an_older_release_went_to_the_requests_own_provider() {
    let life = begin(policy());
    let written = serde_json::to_value(&*life.transaction.attempts[0].intent).expect("JSON");
    assert!(written.get("provider").is_none());
    let read: Intent = serde_json::from_value(written).expect("an intent");
    assert_eq!(read.provider, None);
}
