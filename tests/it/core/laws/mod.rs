//! The laws, as scripts.
//!
//! A script is one transaction's life, an event per line:
//!
//! ```text
//! 30    answer unclear        => unknown 1, window ends at 121, inquire at 45.166
//! ```
//!
//! that is: at second 30 the answer of the last attempt comes back and says nothing; what follows is
//! the state, or why nothing follows, and then whatever else the line cares about. `no x` says that
//! nothing which begins with x followed.
//!
//! | event | |
//! |---|---|
//! | `permit`, `unrenderable` | the gate grants the next attempt |
//! | `permit at p` | so does the gate of the provider p, which stands in |
//! | `answer [n] finding [unsent] [retry s]` | the submission's call comes back, of attempt n (the last) |
//! | `inquiry permit [waited s]` | the gate grants an inquiry |
//! | `report [n] finding [sent t]` | a status report about attempt n, asked for at t (the last inquiry's time) |
//! | `resent [n] finding [unsent]` | the answer to the request of attempt n, sent again |
//! | `webhook [n] finding [event id]` | a trusted webhook; without n it names no attempt |
//! | any of these with `paying n` | it speaks of this amount; 1000 was asked for |
//! | any of these with `ref r` | the provider gives its own reference r |
//! | `hint` | an untrusted one |
//! | `timer name` | it fires, if it is due |
//! | `told ok`, `told badly [retry s]`, `told gone`, `told disabled`, `told held retry s`, each `[version v]` | a delivery comes back |
//! | `act cancel`, `inquire`, `resubmit`, `redeliver`, `resolve outcome [while_open]`, each `[seen v]` | somebody acts |
//! | `restart` | the machine is booted again, and another process folds the journal |
//! | `restart within boot` | the process ends, and another one on the same machine folds the journal |
//! | `stopping` | the process is about to stop |
//! | `asks` | short for: the inquiry timer fires, the gate grants at once, the inquiry is out |

mod absence;
mod acts;
mod amounts;
mod archived;
mod calls_out;
mod conflicts;
mod evidence;
mod notification;
mod pending;
mod recovery;
mod references;
mod resending;
mod retries;
mod review;
mod stand_ins;
mod webhooks;

use teller::transaction::Policy;

use super::fixture::policy;
use super::life::Life;
use super::words::{consequences, event, millis};

/// Plays `script` under the reference policy, beginning with a submission at once.
#[track_caller]
fn check(script: &str) {
    play(begin(policy()), script);
}

/// Plays `script` under the reference policy, changed.
#[track_caller]
fn check_with(change: impl FnOnce(&mut Policy), script: &str) {
    let mut policy = policy();
    change(&mut policy);
    play(begin(policy), script);
}

pub(super) fn begin(policy: Policy) -> Life {
    Life::begin(1, policy, false, true)
}

/// Plays `script` on.
#[track_caller]
pub(super) fn play(mut life: Life, script: &str) -> Life {
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (before, expected) = line
            .split_once("=>")
            .unwrap_or_else(|| panic!("a line without =>: {line}"));
        let (at, words) = before
            .trim()
            .split_once(' ')
            .unwrap_or_else(|| panic!("a line without a time: {line}"));
        let at = millis(at);
        assert!(at >= life.world_ms, "time runs backwards: {line}");
        life.world_ms = at;
        let said = happen(&mut life, words.trim());
        compare(expected, &said, line);
    }
    life
}

fn happen(life: &mut Life, words: &str) -> Vec<String> {
    let decided = match words {
        "restart" => life.reboot(),
        "restart within boot" => life.restart(),
        "asks" => {
            let due = life.happen(event(life, "timer inquire"));
            assert!(due.is_ok(), "no inquiry is due: {due:?}");
            life.happen(event(life, "inquiry permit"))
        }
        _ => life.happen(event(life, words)),
    };
    consequences(life, &decided)
}

#[track_caller]
fn compare(expected: &str, said: &[String], line: &str) {
    let mut expected = expected.split(',').map(str::trim);
    assert_eq!(
        expected.next(),
        said.first().map(String::as_str),
        "{line}\n{said:#?}"
    );
    for phrase in expected {
        match phrase.strip_prefix("no ") {
            Some(unwanted) => assert!(
                !said.iter().any(|one| one.starts_with(unwanted)),
                "{line}\n{said:#?}"
            ),
            None => assert!(said.iter().any(|one| one == phrase), "{line}\n{said:#?}"),
        }
    }
}
