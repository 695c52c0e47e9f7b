//! The search: each state once, up to a number of states. The first half breadth-first, so that short
//! histories are all there; the other half picks from what waits at random, so that long ones are there
//! too. The same seed makes the same search.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use super::history::History;
use super::setup::Setup;
use super::world::World;
use super::{STATES, laws, moves};
use crate::simulation::seed::Seed;

/// Searches a set-up and fails with the history that breaks a law.
#[track_caller]
pub(super) fn search(setup: &Setup) {
    let states_max = std::env::var("TELLER_MODEL_STATES")
        .ok()
        .map_or(STATES, |text| text.parse().expect("a number of states"));
    let began = Instant::now();
    let mut dice = Seed::new(1, setup.name);
    let mut seen = HashSet::with_capacity(states_max);
    let beginning = World::beginning(setup);
    seen.insert(beginning.fingerprint());
    let mut waiting = VecDeque::from([(beginning, History::beginning())]);
    let (mut moved, mut finals, mut longest) = (0_u64, 0_u64, 0);
    while !waiting.is_empty() {
        let at_random = seen.len() > states_max / 2;
        let picked = if at_random {
            dice.below(waiting.len() as u64) as usize
        } else {
            0
        };
        // From the front it takes the oldest; elsewhere the last one fills the gap.
        let picked = if picked == 0 {
            waiting.pop_front()
        } else {
            waiting.swap_remove_back(picked)
        };
        let Some((world, history)) = picked else {
            break;
        };
        finals += u64::from(world.transaction.state.is_final());
        longest = longest.max(history.length());
        for (step, next) in moves::all(&world, setup) {
            moved += 1;
            let then = || History::then(&history, world.now_s, step);
            let next = match next.and_then(|next| laws::check(&next, setup).map(|()| next)) {
                Ok(next) => next,
                Err(law) => panic!(
                    "{}: after {} states: {law}\n{}",
                    setup.name,
                    seen.len(),
                    then(),
                ),
            };
            if seen.len() < states_max && seen.insert(next.fingerprint()) {
                let history: Rc<History> = then();
                waiting.push_back((next, history));
            }
        }
    }
    let whole = if seen.len() < states_max {
        "all"
    } else {
        "the first"
    };
    eprintln!(
        "{}: {whole} {} states, {moved} moves, {finals} states final, histories of up to {longest} moves and \
         {} s; {:.1} s",
        setup.name,
        seen.len(),
        setup.horizon_s,
        began.elapsed().as_secs_f64(),
    );
    assert!(finals > 0, "{}: no history ends", setup.name);
}
